//! Programs that need no map and no loader: they are handed to the kernel as they are.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

/// `BPF_PROG_LOAD` (`include/uapi/linux/bpf.h`, like everything here).
const PROGRAM_LOAD: libc::c_long = 5;
/// `BPF_PROG_TEST_RUN`
const PROGRAM_TEST_RUN: libc::c_long = 10;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`
const RAW_TRACEPOINT: u32 = 17;
/// Bytes of an instruction.
const INSTRUCTION: usize = 8;

/// The part of `union bpf_attr` that loading reads.
#[repr(C)]
struct LoadAttributes {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
}

/// The part of `union bpf_attr` that a test run reads and writes.
#[repr(C)]
struct RunAttributes {
    program: u32,
    result: u32,
}

/// Loads a program for a raw tracepoint.
///
/// # Errors
/// What the kernel said.
pub(super) fn load(code: &[u8]) -> io::Result<OwnedFd> {
    let attributes = LoadAttributes {
        kind: RAW_TRACEPOINT,
        instructions: (code.len() / INSTRUCTION) as u32,
        code: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
    };
    // SAFETY: the attributes and what they point to outlive the call, and their lengths are given.
    let program = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROGRAM_LOAD,
            &raw const attributes,
            size_of::<LoadAttributes>(),
        )
    };
    if program < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made the descriptor, and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(program as i32) })
}

/// Runs a program once, without a context. Returns its result.
///
/// # Errors
/// What the kernel said.
pub(super) fn test_run(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut attributes = RunAttributes { program: program.as_raw_fd() as u32, result: 0 };
    // SAFETY: the attributes outlive the call, and their length is given. The kernel writes the
    // result into them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROGRAM_TEST_RUN,
            &raw mut attributes,
            size_of::<RunAttributes>(),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(attributes.result) }
}
