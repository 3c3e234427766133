//! Whether a target runs under a filter at all.

use tracer_ebpf::class;

use super::{
    facts::CgroupFacts,
    input::AssemblyInput,
    phases::{self, Phases},
};
use crate::{cgroup_path::CgroupPath, syscalls::Abi, text::Escaped};

/// What is known of the filters that a target runs under. One that the workload of a container
/// loads itself does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterCoverage {
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
    pub command: Option<Escaped>,
}

/// The calls of the targets that passed a filter, cgroup by cgroup.
pub fn passed(input: &AssemblyInput<'_>) -> Vec<Passed> {
    if !input.host.btf {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (facts, path) in selected(input) {
        let phases = phases_of(input, facts, path);
        let least = phases.filters.unwrap_or_default();
        found.extend(phases.passed.iter().map(|&(abi, number)| {
            let classes = input.labels.get(&(facts.id, abi, number));
            let under = classes
                .into_iter()
                .flatten()
                .filter(|(class, _)| usize::from(*class & class::FILTERS_MASK) >= least);
            let first = under.map(|(_, label)| label).min_by_key(|label| label.time);
            let command = first.map(|label| label.command.clone());
            Passed { path: path.to_string(), abi, number, command }
        }));
    }
    found
}

/// The cgroups of the targets, with their paths.
fn selected<'a>(
    input: &'a AssemblyInput<'_>,
) -> impl Iterator<Item = (&'a CgroupFacts, &'a CgroupPath)> {
    let placed = input
        .snapshot
        .cgroups
        .iter()
        .filter_map(|facts| Some((facts, input.paths.get(&facts.id)?)));
    placed.filter(move |(_, path)| input.selects(path))
}

/// What is known of filters in the cgroups of the targets.
pub fn filters(input: &AssemblyInput<'_>) -> FilterCoverage {
    if !input.host.btf {
        return FilterCoverage::Unknown;
    }
    let (mut under, mut free) = (false, Vec::new());
    for (facts, path) in selected(input) {
        match given(input, facts, path) {
            Some(0) => free.push(path.to_string()),
            Some(_) => under = true,
            None => {}
        }
    }
    match (under, free.is_empty()) {
        (false, true) => FilterCoverage::NoCalls,
        (true, true) => FilterCoverage::All,
        (false, false) => FilterCoverage::None,
        (true, false) => FilterCoverage::Partly(free),
    }
}

/// How many filters the workload of a cgroup was given.
fn given(input: &AssemblyInput<'_>, facts: &CgroupFacts, path: &str) -> Option<usize> {
    let phases = phases_of(input, facts, path);
    let denials = input.snapshot.denials.iter().filter(|one| one.key.call.cgroup == facts.id);
    let refused = denials.map(|one| usize::from(one.key.call.class & class::FILTERS_MASK)).min();
    phases.filters.or(refused)
}

fn phases_of(input: &AssemblyInput<'_>, facts: &CgroupFacts, path: &str) -> Phases {
    let evidence = input.snapshot.evidence.iter().filter(|(key, _)| key.cgroup == facts.id);
    let evidence: Vec<_> = evidence.copied().collect();
    phases::decide(&facts.record, &evidence, input.kind(path))
}
