//! Puts a recording together: facts, names, selection and losses. Pure: everything comes in as
//! data.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tracer_ebpf::{ArgumentKey, Evidence, EvidenceKey, Stats, flags};

use super::{
    Call, Cgroup, Losses, Phase, Recording, Target, VERSION,
    again::has_started_again,
    arguments::SeenValues,
    completeness::reasons,
    denied,
    departures::{departures, left},
    facts::{CgroupFacts, seconds_between},
    input::AssemblyInput,
    labels, phases,
    selection::Selection,
};
use crate::{
    cgroup_path::CgroupPath,
    syscalls::{self, Abi},
};

/// Puts the recording together.
pub fn assemble(input: &AssemblyInput<'_>) -> Recording {
    let mut evidence: HashMap<u64, Vec<(EvidenceKey, Evidence)>> = HashMap::new();
    for entry in &input.snapshot.evidence {
        evidence.entry(entry.0.cgroup).or_default().push(*entry);
    }
    let mut values: HashMap<u64, Vec<(ArgumentKey, Evidence)>> = HashMap::new();
    for entry in &input.snapshot.values {
        values.entry(entry.0.cgroup).or_default().push(*entry);
    }
    let mut facts: Vec<&CgroupFacts> = input.snapshot.cgroups.iter().collect();
    facts.sort_by_key(|facts| facts.id);
    let mut losses = Losses {
        table_full: table_full(&input.snapshot.stats) + lost(input, &input.snapshot.lost),
        recursion_misses: input.snapshot.recursion_misses,
        compat: input.snapshot.stats.compat_lost,
        replaced: input.replaced,
        cut_off: input.cut_off,
        unresolved: input.unresolved,
        evidence_full: input.snapshot.stats.evidence_lost,
        unfinished: u64::from(input.unfinished),
        contested: input.contested.len() as u64,
        ..Losses::default()
    };
    let mut cgroups = Vec::new();
    for facts in facts {
        let Some(path) = input.paths.get(&facts.id).filter(|path| input.selects(path)) else {
            losses.unplaced += u64::from((input.may_be_a_targets)(facts.id));
            continue;
        };
        let evidence = evidence.get(&facts.id).map_or(&[][..], Vec::as_slice);
        let values = SeenValues::new(values.get(&facts.id).map_or(&[][..], Vec::as_slice));
        let cgroup = cgroup(input, facts, evidence, &values, path);
        losses.arguments_full += u64::from(facts.record.flags & flags::VALUES_LOST != 0);
        losses.unnamed += unnamed(&cgroup);
        losses.filtered += u64::from(cgroup.filtered);
        cgroups.push(cgroup);
    }
    let late_starts = late_starts(input);
    cgroups.extend(silent(input, &cgroups, &late_starts));
    let is_open = |path: &&String| !has_started_again(&cgroups, &late_starts, path);
    let late_starts: Vec<String> = late_starts.iter().filter(is_open).cloned().collect();
    losses.late_start = late_starts.len() as u64;
    let contested: BTreeSet<&CgroupPath> = input.contested.values().flatten().collect();
    let contested: Vec<String> = contested.into_iter().map(ToString::to_string).collect();
    let departures = departures(input);
    let Stats { members_lost, move_events_lost, .. } = input.snapshot.stats;
    losses.left = left(&departures)
        + members_lost
        + move_events_lost
        + input.moves_lost
        + lost(input, &input.snapshot.moves_lost);
    let incomplete_reasons = reasons(
        &losses,
        &late_starts,
        &contested,
        &departures,
        input.accept_late_start,
        &input.host,
    );
    Recording {
        version: VERSION,
        tracer: env!("CARGO_PKG_VERSION").to_owned(),
        started: input.started.clone(),
        duration_seconds: input.duration_seconds,
        host: input.host.clone(),
        targets: targets(input.selections, &cgroups),
        cgroups,
        losses,
        late_starts,
        contested,
        departures,
        complete: incomplete_reasons.is_empty(),
        incomplete_reasons,
        command: None,
        derived: None,
    }
}

fn targets(selections: &[Selection], cgroups: &[Cgroup]) -> Vec<Target> {
    let indexes = |selection: &Selection| {
        let held =
            |(index, cgroup): (usize, &Cgroup)| selection.holds(&cgroup.path).then_some(index);
        cgroups.iter().enumerate().filter_map(held).collect()
    };
    selections
        .iter()
        .map(|selection| Target {
            name: selection.name.clone(),
            kind: selection.kind,
            runtime: None,
            image: None,
            cgroups: indexes(selection),
        })
        .collect()
}

/// One cgroup of the recording.
fn cgroup(
    input: &AssemblyInput<'_>,
    facts: &CgroupFacts,
    evidence: &[(EvidenceKey, Evidence)],
    values: &SeenValues,
    path: &str,
) -> Cgroup {
    let phases = phases::decide(&facts.record, evidence, input.kind(path));
    let mut other_counts: BTreeMap<(Abi, i32), u64> = BTreeMap::new();
    for (key, seen) in evidence {
        let call = syscalls::classify(key.number, key.compat != 0);
        *other_counts.entry(call).or_default() += seen.count;
    }
    let sources = [input.labels, &labels::of_evidence(evidence)];
    let calls = phases.calls.iter().map(|((abi, number), decision)| {
        let call = (*abi, *number);
        let label = labels::first(sources, (facts.id, *abi, *number), &phases);
        Call {
            abi: *abi,
            number: *number,
            name: syscalls::name(*abi, *number).map(str::to_owned),
            phase: decision.phase,
            count: count(facts, call, &other_counts),
            other_phases: phases.others(call),
            // What was seen while the program was being attached was seen at the beginning.
            first_seen_seconds: label
                .map(|label| seconds_between(input.started_boot, label.time).max(0.0)),
            command: label.map(|label| label.command.clone()),
            ambiguous: decision.ambiguous,
            outcome: None,
            denied_in_phase: None,
            doubtful: false,
            circumstances: None,
            arguments: values.of_call(call, &phases, input.started_boot),
        }
    });
    let mut calls: Vec<Call> = calls.collect();
    calls.extend(denied::calls(input, facts.id, &phases, values));
    // Stable: what was made stands before what was refused.
    calls.sort_by_key(|call| (call.abi, call.number));
    let late_start = input.late.contains(&facts.id);
    // Of a workload that had started before, no call need have been seen before the runtime's.
    let late_exec = late_start && !input.restarted.contains(path) && phases.runtime_calls;
    Cgroup {
        id: facts.id,
        path: path.to_owned(),
        late_start,
        exact: phases.exact,
        ambiguous: phases.ambiguous,
        no_new_privs: phases.no_new_privs,
        filtered: phases.filtered && !input.every_denial_seen,
        exec_sessions: phases.exec_sessions || late_exec,
        container: (input.identity)(path),
        calls,
    }
}

/// How often a call was made: native numbers by the per-CPU counters, all others by the evidence
/// map.
fn count(facts: &CgroupFacts, call: (Abi, i32), others: &BTreeMap<(Abi, i32), u64>) -> Option<u64> {
    let counts = facts.counts.as_ref()?;
    let native = usize::try_from(call.1).ok().filter(|_| call.0 == Abi::NATIVE);
    native.and_then(|number| counts.get(number).copied()).or_else(|| others.get(&call).copied())
}

/// Calls that found no place in one of the kernel side's tables.
fn table_full(stats: &Stats) -> u64 {
    stats.calls_lost + stats.tasks_lost + stats.denials_lost
}

/// What was lost, by cgroup: of those that may be the target's.
fn lost(input: &AssemblyInput<'_>, by_cgroup: &[(u64, u64)]) -> u64 {
    let may_be = |cgroup: &u64| {
        input.paths.get(cgroup).is_some_and(|path| input.selects(path))
            || (input.may_be_a_targets)(*cgroup)
    };
    let lost = by_cgroup.iter().filter(|(cgroup, _)| may_be(cgroup));
    lost.map(|(_, count)| count).fold(0, |sum, count| sum.saturating_add(*count))
}

/// Workload calls without a name that a newer kernel may have: the profile cannot hold them.
pub(super) fn unnamed(cgroup: &Cgroup) -> u64 {
    let missing = |call: &&Call| {
        matches!(call.phase, Phase::ContainerInit | Phase::Workload)
            && call.name.is_none()
            && syscalls::may_be_newer(call.number)
    };
    cgroup.calls.iter().filter(missing).count() as u64
}

/// Late cgroups that made no call: they are in the recording all the same, so that it says whose
/// they are.
fn silent(input: &AssemblyInput<'_>, seen: &[Cgroup], late_starts: &[String]) -> Vec<Cgroup> {
    let cgroup = |id: &u64| {
        let path = input.paths.get(id)?;
        let is_silent = late_starts.iter().any(|late| *path == *late)
            && !seen.iter().any(|seen| *path == seen.path);
        is_silent.then(|| Cgroup {
            id: *id,
            path: path.to_string(),
            late_start: true,
            exact: false,
            ambiguous: false,
            no_new_privs: false,
            filtered: false,
            exec_sessions: false,
            container: (input.identity)(path),
            calls: Vec::new(),
        })
    };
    input.late.iter().filter_map(cgroup).collect()
}

/// Paths of the targets' cgroups whose start was not seen, and no start since; sorted.
fn late_starts(input: &AssemblyInput<'_>) -> Vec<String> {
    let late = input.late.iter().filter_map(|id| input.paths.get(id));
    let pending = late.filter(|path| !input.restarted.contains(*path) && input.selects(path));
    pending.collect::<BTreeSet<_>>().into_iter().map(ToString::to_string).collect()
}
