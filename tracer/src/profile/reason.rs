//! Why a profile allows a call.

use std::{collections::BTreeSet, fmt};

use super::base::OciRuntime;
use crate::{
    recording::{DenyOutcome, Phase},
    syscalls::Abi,
};

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
        outcome: DenyOutcome,
    },
    /// The user asked for it.
    Included,
    /// Somebody decided for it, in `tracer.toml`.
    Decided,
    /// No program runs without it, though a recording may miss it.
    Core(&'static str),
    /// A container runtime makes it under the filter.
    Base {
        /// The runtime.
        runtime: OciRuntime,
        /// What it is for.
        reason: &'static str,
    },
    /// The vDSO answers it without a system call on some hosts, and makes the call on others.
    Vdso,
    /// The C library makes it at a program's start, depending on the processor and the kernel.
    StartUp(&'static str),
    /// A 32-bit program makes it in the place of the named call, and 32-bit programs run under the
    /// profile.
    Form {
        /// The call that 64-bit programs make.
        of: &'static str,
    },
    /// A program that makes the named call falls back to this one.
    Fallback(&'static str),
    /// Inferred, on request: another C library or kernel makes this call in the place of one that
    /// was seen.
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
pub(super) fn is_seen(reasons: &BTreeSet<Reason>) -> bool {
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
            Self::Denied { abi, outcome } => {
                write!(formatter, "denied while recording: {} ({})", outcome.display(), abi.name())
            }
            Self::Included => formatter.write_str("included on request"),
            Self::Decided => formatter.write_str("allowed by decision"),
            Self::Core(reason) => write!(formatter, "every program: {reason}"),
            Self::Base { runtime, reason } => write!(formatter, "{}: {reason}", runtime.name()),
            Self::Vdso => formatter.write_str(
                "vDSO: answered without a system call where the clock source allows it, a system call elsewhere",
            ),
            Self::StartUp(reason) => write!(formatter, "start of a program: {reason}"),
            Self::Form { of } => {
                write!(formatter, "32-bit programs make it in the place of {of}")
            }
            Self::Fallback(of) => {
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
