//! What cannot be said in another form.

use crate::{
    profile::policy::PolicyError,
    text::{Escaped, escape},
};

/// A call that passes for some arguments alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionalCall {
    /// The first rule that is about it, from 0.
    pub rule: usize,
    /// The call.
    pub name: Escaped,
    /// The arguments, for people.
    pub passes_for: String,
}

/// Why a profile has no such form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// It has no meaning here.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Arguments decide.
    #[error(
        "{why}{}\n\nhint: --conditional allow allows these calls with all arguments, which is wider; --conditional deny refuses them with all",
        Calls(calls)
    )]
    Arguments {
        /// What the form does not look at, for people.
        why: &'static str,
        /// The calls.
        calls: Vec<ConditionalCall>,
    },
    /// An action that the form does not have.
    #[error(
        "{}: {action}, which {form} does not have: let the call pass or fail\n\nhint: of SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_ERRNO and SCMP_ACT_KILL_PROCESS write what comes nearest",
        escape(place)
    )]
    Action {
        /// The field.
        place: String,
        /// The action.
        action: &'static str,
        /// The form.
        form: &'static str,
    },
    /// An error number that the form does not have.
    #[error(
        "{}: the error number 0, with which a call seems to be made: systemd has none; write one from 1 on",
        escape(place)
    )]
    ErrnoZero {
        /// The field.
        place: String,
    },
    /// A number that the form has no room for.
    #[error(
        "{place}: {value} is more than {}, the most that a SeccompProfile has room for\n\nhint: when the kernel takes an int, compare its lower half: SCMP_CMP_MASKED_EQ with the value 4294967295 and the valueTwo that is meant",
        i64::MAX
    )]
    Large {
        /// The field.
        place: String,
        /// The number.
        value: u64,
    },
    /// A field that the form does not have.
    #[error("{place}: {why}")]
    Field {
        /// The field.
        place: &'static str,
        /// Why it cannot be written, and the remedy.
        why: &'static str,
    },
    /// A list of what is denied would be too long.
    #[error(
        "the arguments of {} cannot be turned round: too many conditions are about it\n\nhint: write its rules with fewer conditions",
        escape(name)
    )]
    TooLarge {
        /// The call.
        name: String,
    },
}

/// The most calls that are named.
const SHOWN: usize = 5;

/// The calls, each on a line of its own.
struct Calls<'a>(&'a [ConditionalCall]);

impl std::fmt::Display for Calls<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for ConditionalCall { rule, name, passes_for } in self.0.iter().take(SHOWN) {
            write!(formatter, "\n  syscalls[{rule}]: {name} depends on {passes_for}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(formatter, "\n  and {more} more"),
        }
    }
}
