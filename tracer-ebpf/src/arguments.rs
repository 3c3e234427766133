//! The arguments that are looked at: one table for both sides.

use crate::architecture::{Numbers, abi, numbers_of};

/// Most values that are kept of one argument of one call, for a cgroup, an ABI and a class. With
/// one more, every value counts as seen.
pub const MOST_VALUES: usize = 16;

/// The namespace bits of `clone` (`include/uapi/linux/sched.h`): `CLONE_NEWNS`, `NEWCGROUP`,
/// `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID`, `NEWNET`. `CLONE_NEWTIME` lies in the byte that `clone`
/// takes the signal from, so that `clone` cannot express it.
pub const NAMESPACES: u64 = 0x7e02_0000;
/// `CLONE_NEWTIME`, of `unshare`, `setns` and `clone3`.
pub const NEW_TIME: u64 = 0x80;
/// What a child shares with its parent, and whose child it is: `CLONE_VM`, `FS`, `FILES`,
/// `SIGHAND`, `PTRACE`, `VFORK`, `PARENT`, `THREAD`, `IO`.
pub const SHARING: u64 = 0x8001_ef00;
/// The lower half of a register: the kernel takes an `int` or `unsigned int` from it, and ignores
/// the upper half.
pub const LOWER_HALF: u64 = 0xffff_ffff;
/// `type` of `socket` without `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
pub const SOCKET_TYPE: u64 = LOWER_HALF & !0x8_0800;
/// `PROT_EXEC`.
pub const EXECUTABLE: u64 = 4;

/// One argument of one call that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedArgument {
    /// The call's name, the same in every ABI that has a number here.
    pub call: &'static str,
    /// Its numbers; -1 where the ABI has no such call.
    pub numbers: Numbers,
    /// Which argument, from 0.
    pub index: u8,
    /// The bits of it that count.
    pub mask: u64,
    /// Where the value is.
    pub source: Source,
}

impl WatchedArgument {
    /// The entries of the call of an ABI (its place in [`abi`], from 0) and number, with their
    /// indexes in [`ARGUMENTS`].
    pub fn of_call(abi: usize, number: i32) -> impl Iterator<Item = (usize, &'static Self)> {
        let number = usize::try_from(number).ok();
        let place = number.and_then(|number| PLACES[abi].get(number)).copied().unwrap_or(0);
        let first = usize::from(place & ((1 << COUNT_SHIFT) - 1));
        let entries = usize::from(place >> COUNT_SHIFT);
        ARGUMENTS.iter().enumerate().skip(first).take(entries)
    }
}

/// Where the value of an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the register: a filter can look at it.
    Register,
    /// In the first 64 bits of what the register points to (`struct clone_args`): no filter can
    /// look at it. When it cannot be read, every value counts as seen.
    Memory,
}

/// The key of a call in [`crate::TOLD_APART`]: its number as the tracepoint shows it, and whether
/// it came through the compat entry.
#[inline(always)]
pub const fn told_apart_key(number: i32, compat: bool) -> u32 {
    number as u32 & !COMPAT_BIT | if compat { COMPAT_BIT } else { 0 }
}

/// The number of a call is never below 0.
const COMPAT_BIT: u32 = 1 << 31;

const fn register(call: &'static str, index: u8, mask: u64) -> WatchedArgument {
    WatchedArgument { call, numbers: numbers_of(call), index, mask, source: Source::Register }
}

/// The table. A call's entries stand together.
pub static ARGUMENTS: [WatchedArgument; 30] = [
    register("socket", 0, LOWER_HALF),
    register("socket", 1, SOCKET_TYPE),
    register("socket", 2, LOWER_HALF),
    register("socketpair", 0, LOWER_HALF),
    register("socketpair", 1, SOCKET_TYPE),
    register("socketpair", 2, LOWER_HALF),
    // Twice: many combinations of harmless bits must not make every namespace count as seen.
    register("clone", 0, NAMESPACES | SHARING),
    register("clone", 0, NAMESPACES),
    WatchedArgument {
        call: "clone3",
        numbers: numbers_of("clone3"),
        index: 0,
        mask: NAMESPACES | NEW_TIME | SHARING,
        source: Source::Memory,
    },
    WatchedArgument {
        call: "clone3",
        numbers: numbers_of("clone3"),
        index: 0,
        mask: NAMESPACES | NEW_TIME,
        source: Source::Memory,
    },
    register("unshare", 0, LOWER_HALF),
    register("setns", 1, LOWER_HALF),
    register("personality", 0, LOWER_HALF),
    register("prctl", 0, LOWER_HALF),
    register("ioctl", 1, LOWER_HALF),
    register("mmap", 2, EXECUTABLE),
    register("mmap2", 2, EXECUTABLE),
    register("mprotect", 2, EXECUTABLE),
    register("pkey_mprotect", 2, EXECUTABLE),
    register("keyctl", 0, LOWER_HALF),
    register("bpf", 0, LOWER_HALF),
    register("fcntl", 1, LOWER_HALF),
    register("fcntl64", 1, LOWER_HALF),
    register("madvise", 2, LOWER_HALF),
    register("setsockopt", 1, LOWER_HALF),
    register("setsockopt", 2, LOWER_HALF),
    register("prlimit64", 1, LOWER_HALF),
    register("kcmp", 2, LOWER_HALF),
    register("seccomp", 0, LOWER_HALF),
    register("arch_prctl", 0, LOWER_HALF),
];

/// Numbers of calls that [`PLACES`] has a place for, in each ABI.
pub const NUMBERS: usize = 1024;

/// Where a call's entries are in [`ARGUMENTS`], by [`abi`] and number. 0:
/// nowhere. Else the index of the first one, and how many they are, shifted left by
/// [`COUNT_SHIFT`].
pub static PLACES: [[u16; NUMBERS]; abi::COUNT] = places();
/// Where the number of entries is in a word of [`PLACES`].
pub const COUNT_SHIFT: u32 = 5;
/// Most entries of one call.
pub const MOST_ENTRIES: u32 = 3;

const fn places() -> [[u16; NUMBERS]; abi::COUNT] {
    let mut places = [[0; NUMBERS]; abi::COUNT];
    let mut index = 0;
    while index < ARGUMENTS.len() {
        let numbers = ARGUMENTS[index].numbers.by_abi();
        let mut abi = 0;
        while abi < numbers.len() {
            if numbers[abi] >= 0 {
                let place = &mut places[abi][numbers[abi] as usize];
                if *place == 0 {
                    *place = index as u16;
                }
                *place += 1 << COUNT_SHIFT;
                assert!(*place >> COUNT_SHIFT <= MOST_ENTRIES as u16);
            }
            abi += 1;
        }
        index += 1;
    }
    places
}

const _: () = {
    assert!(ARGUMENTS.len() <= 1 << COUNT_SHIFT);
    let mut index = 0;
    while index < ARGUMENTS.len() {
        // A value and its mask take half a word on the kernel side.
        assert!(ARGUMENTS[index].mask <= LOWER_HALF);
        assert!(ARGUMENTS[index].index < 6);
        index += 1;
    }
};
