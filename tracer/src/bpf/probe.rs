//! What the kernel says when it is given the least of programs.

use std::io;

use super::raw_program;

/// `r0 = 0` (`BPF_ALU64 | BPF_MOV | BPF_K`) and `exit` (`BPF_JMP | BPF_EXIT`), as `struct bpf_insn`
/// (`include/uapi/linux/bpf.h`).
const RETURN_0: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

/// Loads a program that does nothing, and lets go of it.
///
/// # Errors
/// What the kernel said.
pub(super) fn smallest_program() -> io::Result<()> {
    raw_program::load(&RETURN_0).map(drop)
}
