//! What a report is made of, and the numbers that several parts of it need.

use std::collections::BTreeSet;

use crate::{
    profile::Derivation,
    recording::{Call, Phase, Recording, contribution::Contributions},
    text::Escaped,
};

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct ReportSources<'a> {
    /// The recordings.
    pub recordings: &'a [Recording],
    /// Their names, one for each.
    pub names: &'a [Escaped],
    /// What each of them brings.
    pub contributions: &'a Contributions,
    /// All of them in one.
    pub merged: &'a Recording,
    /// The profile that is derived from it.
    pub derivation: &'a Derivation,
}

/// The recordings that count, each once.
pub(super) fn counted<'a>(sources: &ReportSources<'a>) -> Vec<&'a Recording> {
    let parts = sources.recordings.iter().zip(&sources.contributions.parts);
    parts.filter(|(_, part)| part.same_as.is_none()).map(|(recording, _)| recording).collect()
}

/// A profile is made of the calls of these phases.
pub(super) fn is_in_profile(phase: Phase) -> bool {
    matches!(phase, Phase::Workload | Phase::ContainerInit)
}

pub(super) fn all_calls(recording: &Recording) -> impl Iterator<Item = &Call> {
    recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls)
}

/// Different syscalls, those of each ABI by themselves.
pub(super) fn distinct(recording: &Recording, counts: impl Fn(&Call) -> bool) -> usize {
    let calls = all_calls(recording).filter(|call| counts(call));
    calls.map(|call| (call.abi, call.number)).collect::<BTreeSet<_>>().len()
}

/// How often syscalls were made, in all phases; what was refused does not count.
pub(super) fn made(recording: &Recording) -> Option<u64> {
    let calls = all_calls(recording).filter(|call| call.phase != Phase::Denied);
    let counts = calls.filter_map(|call| call.count);
    counts.reduce(u64::saturating_add)
}
