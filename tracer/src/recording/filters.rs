//! Whether a target runs under a filter at all.

use tracer_ebpf::class;

use super::{
    assembly::{Parts, kind},
    facts::CgroupFacts,
    phases::{self, Phases},
};
use crate::syscalls::Abi;

/// What is known of the filters that a target runs under. One that the workload of a container loads itself does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filters {
    /// No call of a workload was seen: nothing is known.
    NoCalls,
    /// Nothing is known: the facts of tasks cannot be read without kernel BTF.
    Unknown,
    /// The workload begins without a filter, everywhere.
    None,
    /// The workload begins without a filter in the cgroups of these paths, and under one elsewhere.
    Partly(Vec<String>),
    /// The workload is under a filter from its beginning.
    All,
}

/// A call that passed the filter which the workload of a cgroup was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Path of the cgroup.
    pub path: String,
    /// The ABI it was called through.
    pub abi: Abi,
    /// The number in that ABI's table.
    pub number: i32,
    /// Command name of the task that was first seen to make it; a label for people, escaped.
    pub command: Option<String>,
}

/// The calls of the targets that passed a filter, cgroup by cgroup.
pub fn passed(parts: &Parts<'_>) -> Vec<Passed> {
    if !parts.host.btf {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (facts, path) in selected(parts) {
        let phases = phases_of(parts, facts, path);
        let least = phases.filters.unwrap_or_default();
        found.extend(phases.passed.iter().map(|&(abi, number)| {
            let classes = parts.labels.get(&(facts.id, abi, number));
            let under = classes
                .into_iter()
                .flatten()
                .filter(|(class, _)| usize::from(*class & class::FILTERS_MASK) >= least);
            let first = under.map(|(_, label)| label).min_by_key(|label| label.time);
            let command = first.map(|label| label.command.clone());
            Passed { path: path.clone(), abi, number, command }
        }));
    }
    found
}

/// The cgroups of the targets, with their paths.
fn selected<'a>(parts: &'a Parts<'_>) -> impl Iterator<Item = (&'a CgroupFacts, &'a String)> {
    let is_selected = |path: &str| parts.selections.iter().any(|selection| selection.holds(path));
    let placed = parts
        .snapshot
        .cgroups
        .iter()
        .filter_map(|facts| Some((facts, parts.paths.get(&facts.id)?)));
    placed.filter(move |(_, path)| is_selected(path))
}

/// What is known of filters in the cgroups of the targets.
pub fn filters(parts: &Parts<'_>) -> Filters {
    if !parts.host.btf {
        return Filters::Unknown;
    }
    let (mut under, mut free) = (false, Vec::new());
    for (facts, path) in selected(parts) {
        match given(parts, facts, path) {
            Some(0) => free.push(path.clone()),
            Some(_) => under = true,
            None => {}
        }
    }
    match (under, free.is_empty()) {
        (false, true) => Filters::NoCalls,
        (true, true) => Filters::All,
        (false, false) => Filters::None,
        (true, false) => Filters::Partly(free),
    }
}

/// How many filters the workload of a cgroup was given.
fn given(parts: &Parts<'_>, facts: &CgroupFacts, path: &str) -> Option<usize> {
    let phases = phases_of(parts, facts, path);
    let denials = parts.snapshot.denials.iter().filter(|one| one.key.call.cgroup == facts.id);
    let refused = denials.map(|one| usize::from(one.key.call.class & class::FILTERS_MASK)).min();
    phases.filters.or(refused)
}

fn phases_of(parts: &Parts<'_>, facts: &CgroupFacts, path: &str) -> Phases {
    let evidence = parts.snapshot.evidence.iter().filter(|(key, _)| key.cgroup == facts.id);
    let evidence: Vec<_> = evidence.copied().collect();
    phases::decide(&facts.record, &evidence, kind(parts, path))
}
