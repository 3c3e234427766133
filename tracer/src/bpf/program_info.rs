//! The one fact of a loaded program that aya does not expose.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

/// `BPF_OBJ_GET_INFO_BY_FD` (`include/uapi/linux/bpf.h`).
const GET_INFO_BY_FD: libc::c_long = 15;
/// Offset of `recursion_misses` in `struct bpf_prog_info` (`include/uapi/linux/bpf.h`, since 5.12).
const RECURSION_MISSES: usize = 208;

/// The part of `union bpf_attr` that this command reads.
#[repr(C)]
struct Attributes {
    fd: u32,
    length: u32,
    info: u64,
}

/// How often the kernel skipped a run of the program because it was already running on that CPU.
pub(super) fn recursion_misses(program: BorrowedFd<'_>) -> io::Result<u64> {
    let mut info = [0_u8; 256];
    let attributes = Attributes {
        fd: program.as_raw_fd() as u32,
        length: info.len() as u32,
        info: info.as_mut_ptr() as u64,
    };
    // SAFETY: the attributes and the buffer they point to outlive the call, and their lengths are
    // given.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, GET_INFO_BY_FD, &raw const attributes, size_of::<Attributes>())
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut value = [0; 8];
    value.copy_from_slice(&info[RECURSION_MISSES..RECURSION_MISSES + 8]);
    Ok(u64::from_ne_bytes(value))
}
