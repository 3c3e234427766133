//! System call ABIs, numbers and names.
//!
//! Everything here takes an ABI and the number in that ABI's table; [`classify`] makes the pair
//! from what the kernel reports. The ABIs, their tables and all that is particular to them are
//! data: [`architecture`] describes the form, and a module for each architecture holds the values.
//! A number without a name stays a number: every container runtime would silently ignore a made-up
//! name in a profile.

pub mod architecture;
pub mod arguments;
pub mod errno;
mod foreign;
mod hint;
mod x86;

use std::{collections::HashMap, sync::LazyLock};

pub use architecture::{Abi, AbiDescription, Architecture};
pub use foreign::is_foreign;
pub use hint::{LONGEST, closest};

/// The architecture that this program runs on and makes profiles for.
pub const HOST: &Architecture = &x86::X86_64;

impl Abi {
    /// Every ABI, in their order.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::I386, Self::X32];

    /// The ABI of the machine's own programs.
    pub const NATIVE: Self = HOST.abis[0].abi;

    /// What is particular to it.
    pub fn description(self) -> &'static AbiDescription {
        &HOST.abis[self as usize]
    }

    /// The ABI's name, as recordings spell it.
    pub fn name(self) -> &'static str {
        self.description().name
    }

    /// The token of its architecture in profiles.
    pub fn seccomp_arch(self) -> &'static str {
        self.description().seccomp_arch
    }

    /// The ABIs some of whose calls can be reached through `socketcall` and `ipc` as well.
    pub fn multiplexing() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|abi| abi.description().multiplexes)
    }
}

/// The ABI and the number in its table, of a number as the kernel reports it.
///
/// `compat` says that the call came through a 32-bit entry (`TS_COMPAT` of the task's
/// `thread_info.status`). Negative numbers are no calls of any table; they stay as they are.
pub fn classify(number: i32, compat: bool) -> (Abi, i32) {
    (HOST.classify)(number, compat)
}

/// What [`classify`] makes the pair of.
pub fn as_the_kernel_shows(abi: Abi, number: i32) -> (i32, bool) {
    let AbiDescription { number_bit, compat, .. } = abi.description();
    (number | number_bit, *compat)
}

/// The name of a number in an ABI's table.
pub fn name(abi: Abi, number: i32) -> Option<&'static str> {
    let number = usize::try_from(number).ok()?;
    (abi.description().name_of)(number)
}

/// The number of a name in an ABI's table.
pub fn number(abi: Abi, name: &str) -> Option<i32> {
    // A profile of hundreds of names is looked up in each ABI, again and again.
    static NUMBERS: LazyLock<[HashMap<&str, i32>; 3]> = LazyLock::new(|| {
        Abi::ALL.map(|abi| entries(abi).map(|(number, name)| (name, number)).collect())
    });
    NUMBERS[abi as usize].get(name).copied()
}

/// Every number that has a name in an ABI's table, with its name, in ascending order.
pub fn entries(abi: Abi) -> impl Iterator<Item = (i32, &'static str)> {
    (0..abi.description().end).filter_map(move |number| Some((number, name(abi, number)?)))
}

/// Whether any of the ABIs has a call of this name.
pub fn is_known(name: &str) -> bool {
    Abi::ALL.into_iter().any(|abi| number(abi, name).is_some())
}

/// Whether a number without a name can be a call that a kernel newer than the tables defines.
pub fn may_be_newer(number: i32) -> bool {
    let (newest, end) = HOST.newest;
    (newest + 1..end).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_in_the_order_of_the_abis() {
        assert_eq!(HOST.abis.len(), Abi::ALL.len());
        for abi in Abi::ALL {
            assert_eq!(abi.description().abi, abi);
        }
        assert_eq!(Abi::NATIVE, Abi::ALL[0]);
    }

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
        for number in [-1, 0, 337, 400, 423, 471, 512, 547, 548, i32::MIN, i32::MAX] {
            assert!(!may_be_newer(number), "{number}");
        }
        assert!(may_be_newer(472));
        assert!(may_be_newer(511));
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
