//! Policy: the profile that is derived from recordings, and the forms it is written in.
//!
//! Everything here is pure: no files, no clock. [`derive`] decides what is allowed and remembers why, [`oci`] writes the
//! file that container runtimes read, [`kubernetes`] the patch that names it to pods, [`summary`] the numbers for
//! people.

pub mod advice;
pub mod alternatives;
pub mod answers;
pub mod arguments;
pub mod base;
pub mod beyond;
pub mod capability;
pub mod conditions;
pub mod defaults;
pub mod derive;
pub mod exclusion;
pub mod filter;
pub mod inferred;
pub mod kubernetes;
pub mod lacking;
mod multiplexed;
pub mod oci;
pub mod options;
pub mod policy;
pub mod standing;
pub mod summary;
pub mod widening;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use self::policy::{Host, Policy};
use crate::{
    recording::{Phase, Refusal},
    syscalls::Abi,
};

pub use answers::Answer;
pub use arguments::{ArgumentChoice, ArgumentNotes, Limit};
pub use base::Runtime;
pub use derive::{Derivation, DeriveError, Unexpressible};
pub use exclusion::Exclusion;
pub use options::{Options, OptionsError, RuntimeChoice};

/// A seccomp allowlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What happens to a call that is not allowed.
    pub default_action: DefaultAction,
    /// The architectures that the filter is made for. A call through another ABI kills the thread, whatever the default
    /// action is (`SCMP_FLTATR_ACT_BADARCH` in `seccomp_attr_set(3)`).
    pub architectures: BTreeSet<Architecture>,
    /// The allowed calls by name, each with every reason for it. A name applies to all of the architectures that have a
    /// call of that name: the file's form has no rules for one architecture.
    pub allowed: BTreeMap<String, BTreeSet<Reason>>,
    /// The values of an argument that an allowed call is limited to, by name. A call that is not here is allowed with all.
    pub limited: BTreeMap<String, Limit>,
    /// The calls that fail with an error number where the default action would end their callers, by name. None of them is
    /// allowed.
    pub answered: BTreeMap<String, Answer>,
}

impl Profile {
    /// What the profile means, as it is written.
    pub fn policy(&self) -> Policy {
        let read = oci::read(oci::write(self).as_bytes());
        let read = read.expect("what is written can be read, as the tests prove");
        let policy = Policy::new(&read, &Host::default());
        policy.expect("what is written does not contradict itself, as the tests prove")
    }
}

/// What a filter does with a call that is not allowed.
///
/// Only actions that make an allowlist of the profile: under `SCMP_ACT_ALLOW` nothing would be denied, `SCMP_ACT_NOTIFY`
/// and `SCMP_ACT_TRACE` need a second process that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The call is not made; the caller gets an error number.
    Errno(Errno),
    /// The call is made and written to the audit log: for finding out what a profile would deny.
    Log,
    /// The process is killed.
    KillProcess,
    /// The thread is killed; the others go on without it.
    KillThread,
    /// The thread gets SIGSYS, which it may catch.
    Trap,
}

impl DefaultAction {
    /// The caller does not go on after a call that is not allowed, unless it catches SIGSYS.
    pub fn ends_the_caller(self) -> bool {
        matches!(self, Self::KillProcess | Self::KillThread | Self::Trap)
    }
}

impl Default for DefaultAction {
    fn default() -> Self {
        Self::Errno(Errno::ENOSYS)
    }
}

/// An error number that a filter can return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Errno(u16);

impl Errno {
    /// "Function not implemented": programs and C libraries fall back to an older call on it, and on no other number.
    pub const ENOSYS: Self = Self(38);
    /// "Operation not permitted": what Docker's and containerd's default profiles return.
    pub const EPERM: Self = Self(1);
    /// The largest number: the kernel cuts larger ones to it (`MAX_ERRNO`).
    pub const MAX: u16 = 4095;

    /// An error number, if a filter can return it. Zero is none: the caller would believe that the call was made.
    pub fn new(number: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// An architecture of a filter. They are sorted with the native one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// 64-bit calls.
    X86_64,
    /// 32-bit calls.
    X86,
    /// 64-bit calls with 32-bit pointers.
    X32,
}

impl Architecture {
    /// Every architecture, in their order.
    pub const ALL: [Self; 3] = [Self::X86_64, Self::X86, Self::X32];

    /// The token that stands for it in profiles (`config-linux.md`, "architectures").
    pub fn token(self) -> &'static str {
        match self {
            Self::X86_64 => "SCMP_ARCH_X86_64",
            Self::X86 => "SCMP_ARCH_X86",
            Self::X32 => "SCMP_ARCH_X32",
        }
    }

    /// The ABI whose calls the architecture covers.
    pub fn abi(self) -> Abi {
        match self {
            Self::X86_64 => Abi::X86_64,
            Self::X86 => Abi::I386,
            Self::X32 => Abi::X32,
        }
    }
}

impl From<Abi> for Architecture {
    fn from(abi: Abi) -> Self {
        match abi {
            Abi::X86_64 => Self::X86_64,
            Abi::I386 => Self::X86,
            Abi::X32 => Self::X32,
        }
    }
}

/// Why a call is allowed. The strongest reason sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It was recorded.
    Seen {
        /// The ABI it was called through.
        abi: Abi,
        /// Workload or container-init.
        phase: Phase,
    },
    /// A filter refused it while it was recorded; it is allowed when the user asked for such calls.
    Denied {
        /// The ABI it was called through.
        abi: Abi,
        /// How it was refused.
        refused: Refusal,
    },
    /// The user asked for it.
    Included,
    /// No program runs without it, though a recording may miss it.
    Core(&'static str),
    /// A container runtime makes it under the filter.
    Base {
        /// The runtime.
        runtime: Runtime,
        /// What it is for.
        reason: &'static str,
    },
    /// The vDSO answers it without a system call on some hosts, and makes the call on others.
    Vdso,
    /// The C library makes it at a program's start, depending on the processor and the kernel.
    StartUp(&'static str),
    /// A 32-bit program makes it in the place of the named call, and 32-bit programs run under the profile.
    Form {
        /// The call that 64-bit programs make.
        of: &'static str,
    },
    /// A program that makes the named call falls back to this one.
    Companion(&'static str),
    /// Inferred, on request: another C library or kernel makes this call in the place of one that was seen.
    Alternative {
        /// The call that was seen.
        of: &'static str,
        /// Who makes this one.
        evidence: &'static str,
    },
    /// Inferred, on request: a path that is rarely taken makes it.
    ErrorPath(&'static str),
    /// Docker's default and RuntimeDefault allow this value of an argument.
    Default,
    /// It is answered, and not allowed, because no filter sees what it is asked to do.
    Hidden,
}

impl Reason {
    /// Whether the call itself was recorded.
    pub fn is_seen(self) -> bool {
        matches!(self, Self::Seen { .. })
    }

    /// Whether the call was only inferred, from how C libraries are written.
    pub fn is_inferred(self) -> bool {
        matches!(self, Self::Alternative { .. } | Self::ErrorPath(_))
    }
}

/// Whether one of the reasons for a call is that it was recorded.
fn is_seen(reasons: &BTreeSet<Reason>) -> bool {
    reasons.iter().any(|reason| reason.is_seen())
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seen { abi, phase } => {
                let phase = match phase {
                    Phase::Setup => "while the container was set up",
                    Phase::ContainerInit => "in the container's init",
                    Phase::Workload => "in the workload",
                    Phase::Denied => "denied by a filter",
                };
                write!(formatter, "seen {phase} ({})", abi.name())
            }
            Self::Denied { abi, refused } => {
                write!(formatter, "denied while recording: {} ({})", refused.display(), abi.name())
            }
            Self::Included => formatter.write_str("included on request"),
            Self::Core(reason) => write!(formatter, "every program: {reason}"),
            Self::Base { runtime, reason } => write!(formatter, "{}: {reason}", runtime.name()),
            Self::Vdso => formatter.write_str(
                "vDSO: answered without a system call where the clock source allows it, a system call elsewhere",
            ),
            Self::StartUp(reason) => write!(formatter, "start of a program: {reason}"),
            Self::Form { of } => {
                write!(formatter, "32-bit programs make it in the place of {of}")
            }
            Self::Companion(of) => {
                write!(formatter, "programs that call {of} fall back to it where {of} is missing")
            }
            Self::Alternative { of, evidence } => {
                write!(formatter, "inferred from {of}: {evidence}")
            }
            Self::ErrorPath(reason) => write!(formatter, "inferred, for rare paths: {reason}"),
            Self::Default => formatter.write_str("Docker's default and RuntimeDefault allow it"),
            Self::Hidden => formatter.write_str(
                "its flags are in memory, where no filter sees them: C libraries go on to clone",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_numbers_are_those_a_filter_can_return() {
        assert_eq!(Errno::new(0), None);
        assert_eq!(Errno::new(4096), None);
        assert_eq!(Errno::new(4095).map(Errno::get), Some(4095));
        assert_eq!(Errno::new(38), Some(Errno::ENOSYS));
        assert_eq!(Errno::new(1), Some(Errno::EPERM));
    }

    #[test]
    fn architectures_and_abis_are_one_to_one() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::from(architecture.abi()), architecture);
        }
    }
}
