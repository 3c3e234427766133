//! System call ABIs, numbers and names.
//!
//! An x86_64 kernel answers calls of three ABIs, each with a table of its own, so a number means nothing without the ABI
//! it was called through: 96 is `gettimeofday` for a 64-bit caller and `getpriority` for a 32-bit one. Everything here
//! takes the ABI and the number in that ABI's table; [`classify`] makes the pair from what the kernel reports.
//!
//! Names are the kernel's, as in `arch/x86/entry/syscalls/syscall_{32,64}.tbl`; libseccomp spells them the same. A number
//! without a name stays a number: a made-up name in a profile would be ignored by every container runtime, silently.

pub mod arguments;
pub mod errno;
mod foreign;
mod forms;
mod hint;
mod table;
mod x32;

use serde::{Deserialize, Serialize};

pub use foreign::is_foreign;
pub use forms::form_of_i386;
pub use hint::closest;
pub use table::AMD64_NAMES;

/// The bit that marks a call of the x32 ABI (`__X32_SYSCALL_BIT` in `arch/x86/include/uapi/asm/unistd.h`).
const X32_BIT: i32 = 0x4000_0000;

/// The ABI a system call was made through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Abi {
    /// 64-bit calls: `syscall`.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 32-bit calls: `int 0x80` or SYSENTER, also from a 64-bit process.
    I386,
    /// 64-bit calls with 32-bit pointers: bit 30 of the number is set.
    X32,
}

impl Abi {
    /// Every ABI, in their order.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::I386, Self::X32];

    /// The ABI's name, as recordings spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::I386 => "i386",
            Self::X32 => "x32",
        }
    }
}

/// The ABI and the number in its table, of a number as the kernel reports it.
///
/// `compat` says that the call came through a 32-bit entry (`TS_COMPAT` of the task's `thread_info.status`). Negative
/// numbers are no calls of any table; they stay as they are.
pub fn classify(number: i32, compat: bool) -> (Abi, i32) {
    if compat {
        (Abi::I386, number)
    } else if number >= 0 && number & X32_BIT != 0 {
        (Abi::X32, number & !X32_BIT)
    } else {
        (Abi::X86_64, number)
    }
}

/// What [`classify`] makes the pair of.
pub fn as_the_kernel_shows(abi: Abi, number: i32) -> (i32, bool) {
    match abi {
        Abi::X86_64 => (number, false),
        Abi::I386 => (number, true),
        Abi::X32 => (number | X32_BIT, false),
    }
}

/// The name of a number in an ABI's table.
pub fn name(abi: Abi, number: i32) -> Option<&'static str> {
    let number = usize::try_from(number).ok()?;
    match abi {
        Abi::X86_64 => table::x86_64(number),
        Abi::I386 => table::i386(number),
        Abi::X32 => x32::name(number),
    }
}

/// The number of a name in an ABI's table.
pub fn number(abi: Abi, name: &str) -> Option<i32> {
    entries(abi).find_map(|(number, entry)| (entry == name).then_some(number))
}

/// Every number that has a name in an ABI's table, with its name, in ascending order.
pub fn entries(abi: Abi) -> impl Iterator<Item = (i32, &'static str)> {
    let end = match abi {
        Abi::X86_64 | Abi::I386 => table::END,
        Abi::X32 => x32::END,
    };
    (0..end).filter_map(move |number| Some((number, name(abi, number)?)))
}

/// Whether any of the ABIs has a call of this name.
pub fn is_known(name: &str) -> bool {
    Abi::ALL.into_iter().any(|abi| number(abi, name).is_some())
}

/// Whether a number without a name can be a call that a kernel newer than the tables defines.
///
/// New calls get the number after the newest, the same in all three ABIs. The gaps below are never filled: comments in
/// `syscall_64.tbl` keep 387 to 423 out of use, and 512 to 547 are x32's.
pub fn may_be_newer(_abi: Abi, number: i32) -> bool {
    (table::NEWEST + 1..table::END).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classify_tells_the_three_abis_apart() {
        assert_eq!(classify(0, false), (Abi::X86_64, 0));
        assert_eq!(classify(511, false), (Abi::X86_64, 511));
        assert_eq!(classify(96, true), (Abi::I386, 96));
        assert_eq!(classify(0x4000_0000 | 140, false), (Abi::X32, 140));
        assert_eq!(classify(0x4000_0000 | 520, false), (Abi::X32, 520));
        assert_eq!(classify(-1, false), (Abi::X86_64, -1));
        assert_eq!(classify(-1, true), (Abi::I386, -1));
        assert_eq!(classify(i32::MIN, false), (Abi::X86_64, i32::MIN));
        // A 32-bit entry has no x32: bit 30 is only a number out of range there.
        assert_eq!(classify(0x4000_0001, true), (Abi::I386, 0x4000_0001));
        for abi in Abi::ALL {
            let (number, compat) = as_the_kernel_shows(abi, 54);
            assert_eq!(classify(number, compat), (abi, 54));
        }
    }

    #[test]
    fn a_number_means_another_call_in_another_abi() {
        assert_eq!(name(Abi::X86_64, 96), Some("gettimeofday"));
        assert_eq!(name(Abi::I386, 96), Some("getpriority"));
        assert_eq!(name(Abi::X86_64, 59), Some("execve"));
        assert_eq!(name(Abi::X32, 59), None);
        assert_eq!(name(Abi::X32, 520), Some("execve"));
    }

    #[test]
    fn names_and_numbers_are_inverse_in_every_abi() {
        for abi in Abi::ALL {
            for (entry, name) in entries(abi) {
                assert_eq!(number(abi, name), Some(entry), "{} {name}: a duplicate", abi.name());
            }
        }
    }

    #[test]
    fn numbers_out_of_range_have_no_name() {
        for abi in Abi::ALL {
            for number in [-1, i32::MIN, 337, 400, 423, 472, 511, 548, i32::MAX] {
                if abi == Abi::I386 && (337..=423).contains(&number) {
                    continue;
                }
                assert_eq!(name(abi, number), None, "{} {number}", abi.name());
            }
        }
        assert_eq!(name(Abi::X86_64, 512), None, "512 belongs to x32");
    }

    #[test]
    fn only_numbers_after_the_newest_may_be_newer_calls() {
        for abi in Abi::ALL {
            for number in [-1, 0, 337, 400, 423, 471, 512, 547, 548, i32::MIN, i32::MAX] {
                assert!(!may_be_newer(abi, number), "{} {number}", abi.name());
            }
            assert!(may_be_newer(abi, 472));
            assert!(may_be_newer(abi, 511));
        }
    }

    #[test]
    fn a_name_of_one_abi_is_known() {
        assert!(is_known("openat"));
        assert!(is_known("socketcall"), "i386 alone has it");
        assert!(is_known("newfstatat"), "i386 lacks it");
        assert!(!is_known("openatt"));
        assert!(!is_known(""));
        assert!(!is_known("syscall_472"));
    }
}
