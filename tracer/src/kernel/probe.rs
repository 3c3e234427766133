//! What the kernel says when it is given the least of programs.

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

/// `BPF_PROG_LOAD` (`include/uapi/linux/bpf.h`, like everything here).
const PROGRAM_LOAD: libc::c_long = 5;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`
const RAW_TRACEPOINT: u32 = 17;
/// `r0 = 0` (`BPF_ALU64 | BPF_MOV | BPF_K`) and `exit` (`BPF_JMP | BPF_EXIT`), as `struct bpf_insn`.
const RETURN_0: [u64; 2] = [0xb7, 0x95];

/// The part of `union bpf_attr` that this command reads.
#[repr(C)]
struct Attributes {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
}

/// Loads a program that does nothing, and lets go of it.
///
/// # Errors
/// What the kernel said.
pub(super) fn smallest_program() -> io::Result<()> {
    let attributes = Attributes {
        kind: RAW_TRACEPOINT,
        instructions: RETURN_0.len() as u32,
        code: RETURN_0.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
    };
    // SAFETY: the attributes and what they point to outlive the call, and their lengths are given.
    let program = unsafe {
        libc::syscall(libc::SYS_bpf, PROGRAM_LOAD, &raw const attributes, size_of::<Attributes>())
    };
    if program < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made the descriptor, and nothing else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(program as i32) });
    Ok(())
}
