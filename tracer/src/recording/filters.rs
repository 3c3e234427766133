//! Whether a target runs under a filter at all.

use tracer_ebpf::class;

use super::{
    assembly::{Parts, kind},
    facts::CgroupFacts,
    phases,
};

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

/// What is known of filters in the cgroups of the targets.
pub fn filters(parts: &Parts<'_>) -> Filters {
    if !parts.host.btf {
        return Filters::Unknown;
    }
    let (mut under, mut free) = (false, Vec::new());
    for facts in &parts.snapshot.cgroups {
        let Some(path) = parts.paths.get(&facts.id) else { continue };
        if !parts.selections.iter().any(|selection| selection.holds(path)) {
            continue;
        }
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
    let evidence = parts.snapshot.evidence.iter().filter(|(key, _)| key.cgroup == facts.id);
    let evidence: Vec<_> = evidence.copied().collect();
    let phases = phases::decide(&facts.record, &evidence, kind(parts, path));
    let denials = parts.snapshot.denials.iter().filter(|(key, _)| key.call.cgroup == facts.id);
    let refused = denials.map(|(key, _)| usize::from(key.call.class & class::FILTERS_MASK)).min();
    phases.filters.or(refused)
}
