//! The x86_64 architecture: its three ABIs, their tables, and what is particular to them.
//!
//! An x86_64 kernel answers calls of three ABIs, each with a table of its own, so a number means
//! nothing without the ABI it was called through: 96 is `gettimeofday` for a 64-bit caller and
//! `getpriority` for a 32-bit one.
//!
//! Names are the kernel's, as in `arch/x86/entry/syscalls/syscall_{32,64}.tbl`; libseccomp spells
//! them the same.

mod forms;
mod table;
mod x32;

use tracer_ebpf::architecture::{ENTER_ROOT, abi};

use super::architecture::{Abi, AbiDescription, Architecture};

/// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_I386` (`include/uapi/linux/audit.h`).
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const AUDIT_ARCH_I386: u32 = 0x4000_0003;

/// The bit that marks a call of the x32 ABI (`__X32_SYSCALL_BIT` in
/// `arch/x86/include/uapi/asm/unistd.h`).
const X32_BIT: i32 = 0x4000_0000;

/// The architecture.
pub(super) const X86_64: Architecture = Architecture {
    machine: "x86_64",
    go_name: "amd64",
    abis: &[NATIVE, I386, X32],
    classify,
    // New calls get the number after the newest, the same in all three ABIs. Gaps below are never
    // filled: comments in `syscall_64.tbl` keep 387 to 423 out of use, and 512 to 547 are x32's.
    newest: (table::NEWEST, table::END),
    native_names: table::AMD64_NAMES,
    enters_root: &ENTER_ROOT,
    // `uretprobe` and `uprobe` (`kernel/seccomp.c`, `seccomp_uprobe_exception`).
    past_filters: &[335, 336],
};

const NATIVE: AbiDescription = AbiDescription {
    abi: Abi::X86_64,
    name: "x86_64",
    seccomp_arch: "SCMP_ARCH_X86_64",
    audit_arch: AUDIT_ARCH_X86_64,
    number_bit: 0,
    compat: false,
    argument_kind: abi::X86_64,
    argument_mask: u64::MAX,
    multiplexes: false,
    end: table::END,
    name_of: table::x86_64,
    form_of: no_form,
    own_vdso: &[],
};

const I386: AbiDescription = AbiDescription {
    abi: Abi::I386,
    name: "i386",
    seccomp_arch: "SCMP_ARCH_X86",
    audit_arch: AUDIT_ARCH_I386,
    number_bit: 0,
    compat: true,
    argument_kind: abi::I386,
    argument_mask: u32::MAX as u64,
    multiplexes: true,
    end: table::END,
    name_of: table::i386,
    form_of: forms::form_of_i386,
    // `arch/x86/entry/vdso/vdso32/vdso32.lds.S`.
    own_vdso: &["clock_gettime64"],
};

const X32: AbiDescription = AbiDescription {
    abi: Abi::X32,
    name: "x32",
    seccomp_arch: "SCMP_ARCH_X32",
    audit_arch: AUDIT_ARCH_X86_64,
    number_bit: X32_BIT,
    compat: false,
    argument_kind: abi::X32,
    argument_mask: u32::MAX as u64,
    multiplexes: false,
    end: x32::END,
    name_of: x32::name,
    form_of: no_form,
    own_vdso: &[],
};

fn no_form(_: &str) -> Option<(&'static str, &'static str)> {
    None
}

fn classify(number: i32, compat: bool) -> (Abi, i32) {
    if compat {
        (Abi::I386, number)
    } else if number >= 0 && number & X32_BIT != 0 {
        (Abi::X32, number & !X32_BIT)
    } else {
        (Abi::X86_64, number)
    }
}
