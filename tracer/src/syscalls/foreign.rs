//! Calls that other processors have and no x86 one: a profile for several machines names them.

/// Sorted. From libseccomp's `seccomp-syscalls.h` (2.5.4): the names that it resolves on none of
/// x86, x86_64 and x32; and `riscv_hwprobe`, which came with Linux 6.4
/// (`arch/riscv/include/uapi/asm/unistd.h`).
const NAMES: [&str; 31] = [
    "arm_fadvise64_64",
    "arm_sync_file_range",
    "breakpoint",
    "cachectl",
    "cacheflush",
    "get_tls",
    "multiplexer",
    "pciconfig_iobase",
    "pciconfig_read",
    "pciconfig_write",
    "riscv_flush_icache",
    "riscv_hwprobe",
    "rtas",
    "s390_guarded_storage",
    "s390_pci_mmio_read",
    "s390_pci_mmio_write",
    "s390_runtime_instr",
    "s390_sthyi",
    "set_tls",
    "spu_create",
    "spu_run",
    "subpage_prot",
    "swapcontext",
    "switch_endian",
    "sync_file_range2",
    "sys_debug_setcontext",
    "syscall",
    "sysmips",
    "timerfd",
    "usr26",
    "usr32",
];

/// Whether another processor has a call of this name, and x86 has none.
pub fn is_foreign(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::is_known;

    #[test]
    fn no_abi_of_this_processor_has_them() {
        assert!(NAMES.is_sorted());
        for name in NAMES {
            assert!(is_foreign(name) && !is_known(name), "{name}");
        }
        assert!(!is_foreign("openat") && !is_foreign("opnat"));
    }
}
