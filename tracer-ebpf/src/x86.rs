//! What is particular to x86: where the kernel keeps what, its numbers of syscalls, its ABIs.
//! Another architecture is another file with the same names; nothing beside this one names x86.

/// `TS_COMPAT`, in `thread_info.status`: the syscall came through the 32-bit entry
/// (`arch/x86/include/asm/thread_info.h`).
pub const COMPAT_STATUS: u32 = 0x2;
/// Where `thread_info.status` is since 5.11 (the same header), in bytes from the beginning of the
/// task: for kernels without BTF.
pub const STATUS_WITHOUT_BTF: usize = 16;
/// Syscalls by which a runtime enters a container's root: `pivot_root`, `chroot`, `move_mount`.
pub const ENTER_ROOT: [u32; 3] = [155, 161, 429];
/// `SIGSYS` (`arch/x86/include/uapi/asm/signal.h`).
pub const SIGSYS: u32 = 31;
/// Where the number of a syscall stays until it ends, in bytes from the beginning of `pt_regs`:
/// `orig_ax`, behind fifteen registers (`arch/x86/include/asm/ptrace.h`).
pub const NUMBER_REGISTER: u32 = 120;
/// Where the arguments of a native syscall are in `pt_regs`: di, si, dx, r10, r8, r9.
pub const ARGUMENT_REGISTERS: [u32; 6] = [112, 104, 96, 56, 72, 64];
/// The same of a syscall through the 32-bit entry: bx, cx, dx, si, di, bp.
pub const COMPAT_ARGUMENT_REGISTERS: [u32; 6] = [40, 88, 96, 104, 112, 32];
/// The bit that marks a syscall of x32 (`__X32_SYSCALL_BIT` in
/// `arch/x86/include/uapi/asm/unistd.h`).
const X32_BIT: u32 = 0x4000_0000;

/// The ABIs, as a [`SeenValue`](crate::SeenValue) names them. 0 is none.
pub mod abi {
    /// The native ABI.
    pub const X86_64: u8 = 1;
    /// The 32-bit entry.
    pub const I386: u8 = 2;
    /// The native entry, with bit 30 of the number set.
    pub const X32: u8 = 3;
    /// How many there are.
    pub const COUNT: usize = 3;
    /// The ABI whose syscalls come through the 32-bit entry.
    pub const COMPAT: u8 = I386;
}

/// The [`abi`] of a syscall, and its number there, of the number as the tracepoint shows it.
#[inline(always)]
pub const fn classify(number: u32, compat: bool) -> (u8, u32) {
    if compat {
        (abi::COMPAT, number)
    } else if number & X32_BIT != 0 {
        (abi::X32, number & !X32_BIT)
    } else {
        (abi::X86_64, number)
    }
}

/// A syscall's number in each ABI's table (`arch/x86/entry/syscalls/syscall_{32,64}.tbl`), or -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// 64-bit syscalls.
    pub x86_64: i32,
    /// 32-bit syscalls.
    pub i386: i32,
    /// Syscalls of x32, without bit 30.
    pub x32: i32,
}

impl Numbers {
    /// The numbers in the order of [`abi`], from the first one.
    pub const fn by_abi(self) -> [i32; abi::COUNT] {
        [self.x86_64, self.i386, self.x32]
    }
}

const fn numbers(x86_64: i32, i386: i32, x32: i32) -> Numbers {
    Numbers { x86_64, i386, x32 }
}

/// The numbers of the syscalls with arguments that are looked at.
const NUMBERS: [(&str, Numbers); 23] = [
    ("socket", numbers(41, 359, 41)),
    ("socketpair", numbers(53, 360, 53)),
    ("clone", numbers(56, 120, 56)),
    ("clone3", numbers(435, 435, 435)),
    ("unshare", numbers(272, 310, 272)),
    ("setns", numbers(308, 346, 308)),
    ("personality", numbers(135, 136, 135)),
    ("prctl", numbers(157, 172, 157)),
    ("ioctl", numbers(16, 54, 514)),
    // The `mmap` of i386 takes its arguments from memory.
    ("mmap", numbers(9, -1, 9)),
    ("mmap2", numbers(-1, 192, -1)),
    ("mprotect", numbers(10, 125, 10)),
    ("pkey_mprotect", numbers(329, 380, 329)),
    ("keyctl", numbers(250, 288, 250)),
    ("bpf", numbers(321, 357, 321)),
    ("fcntl", numbers(72, 55, 72)),
    ("fcntl64", numbers(-1, 221, -1)),
    ("madvise", numbers(28, 219, 28)),
    ("setsockopt", numbers(54, 366, 541)),
    ("prlimit64", numbers(302, 340, 302)),
    ("kcmp", numbers(312, 349, 312)),
    ("seccomp", numbers(317, 354, 317)),
    ("arch_prctl", numbers(158, 384, 158)),
];

/// The numbers of a syscall whose arguments are looked at.
///
/// # Panics
///
/// The build fails when the table lacks the name: the caller is a constant.
pub(crate) const fn numbers_of(name: &str) -> Numbers {
    let mut index = 0;
    while index < NUMBERS.len() {
        if equal(NUMBERS[index].0.as_bytes(), name.as_bytes()) {
            return NUMBERS[index].1;
        }
        index += 1;
    }
    panic!("a syscall whose arguments are looked at has no numbers")
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}
