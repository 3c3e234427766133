//! What a profile makes of decoded syscalls.

use serde::Serialize;

use crate::{
    profile::policy::{Policy, Verdict},
    syscalls::{self, Abi},
    workbench::explain::one::effect_of,
};

/// What a profile makes of a syscall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evaluation {
    /// In a word.
    pub verdict: VerdictSummary,
    /// What happens to it.
    pub effect: String,
}

/// Whether a profile lets a syscall pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictSummary {
    /// Whatever its arguments are.
    Allowed,
    /// For certain arguments only.
    ForSomeArguments,
    /// A tracer decides.
    Tracer,
    /// Never.
    Refused,
}

/// Asks a profile; None of a negative number, on which no profile decides.
pub fn evaluate(policy: &Policy, abi: Abi, number: i64) -> Option<Evaluation> {
    let number = i32::try_from(number).ok()?;
    let verdict = match policy.always(abi, u32::try_from(number).ok()?) {
        None => VerdictSummary::ForSomeArguments,
        Some(verdict) if verdict.lets_pass() => VerdictSummary::Allowed,
        Some(Verdict::Trace(_)) => VerdictSummary::Tracer,
        Some(_) => VerdictSummary::Refused,
    };
    let name = syscalls::name(abi, number).unwrap_or_default();
    Some(Evaluation { verdict, effect: effect_of(policy, abi, number, name) })
}
