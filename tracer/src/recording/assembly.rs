//! Puts a recording together: facts, names, selection and losses. Pure: everything comes in as data.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tracer_ebpf::{ArgumentKey, Evidence, EvidenceKey, Stats, flags};

use super::{
    Call, Cgroup, ContainerIdentity, Host, Losses, Phase, Recording, Target, TargetKind, VERSION,
    again::has_started_again,
    arguments::SeenValues,
    completeness::reasons,
    denied::{self, Logged},
    departures::{Move, departures, left},
    facts::{CgroupFacts, Snapshot},
    labels::{self, Labels},
    phases::{self, CgroupKind},
};
use crate::syscalls::{self, Abi};

/// A target, and where its cgroups are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// As the user typed it.
    pub name: String,
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// Paths of cgroups; everything at or below them is the target's.
    pub paths: Vec<String>,
    /// But what is at or below these: pause containers.
    pub without: Vec<String>,
}

/// What a recording is made of.
pub struct Parts<'a> {
    /// What the kernel side recorded.
    pub snapshot: &'a Snapshot,
    /// Path of each known cgroup, by id.
    pub paths: &'a HashMap<u64, String>,
    /// What the user named.
    pub selections: &'a [Selection],
    /// First sights.
    pub labels: &'a Labels,
    /// Ids of cgroups that held processes when recording began.
    pub late: &'a BTreeSet<u64>,
    /// Paths of late cgroups of which a whole start was recorded since.
    pub restarted: &'a BTreeSet<String>,
    /// What each path's last component says of it.
    pub kind_of: &'a dyn Fn(&str) -> CgroupKind,
    /// The container that a cgroup is in, by its path.
    pub identity: &'a dyn Fn(&str) -> Option<ContainerIdentity>,
    /// Whether a cgroup that is not selected may be a target's all the same, because its place is not known.
    pub may_be_a_targets: &'a dyn Fn(u64) -> bool,
    /// Containers that may be the target's and that nobody told the names of.
    pub unresolved: u64,
    /// Cgroups that carry the name of a target's container or pod, and of which none can be told to be it: paths by that name.
    pub contested: &'a BTreeMap<String, Vec<String>>,
    /// The machine.
    pub host: Host,
    /// RFC 3339.
    pub started: String,
    /// Nanoseconds since boot, when recording began.
    pub started_boot: u64,
    /// How long it lasted.
    pub duration_seconds: f64,
    /// Processes that were moved from one cgroup to another.
    pub moves: &'a [Move],
    /// Moves that were lost: processes may have left the target unseen.
    pub moves_lost: u64,
    /// Roots that were removed and made again.
    pub replaced: u64,
    /// Processes of the command that still ran, or were killed, at the end.
    pub cut_off: u64,
    /// The recording goes on.
    pub unfinished: bool,
    /// Denied calls were watched, and none can have escaped.
    pub every_denial_seen: bool,
    /// Calls that a filter logged, by the kernel's audit records.
    pub logged: &'a [Logged],
    /// The user takes a late start for complete.
    pub accept_late_start: bool,
}

/// Puts the recording together.
pub fn assemble(parts: &Parts<'_>) -> Recording {
    let mut evidence: HashMap<u64, Vec<(EvidenceKey, Evidence)>> = HashMap::new();
    for entry in &parts.snapshot.evidence {
        evidence.entry(entry.0.cgroup).or_default().push(*entry);
    }
    let mut values: HashMap<u64, Vec<(ArgumentKey, Evidence)>> = HashMap::new();
    for entry in &parts.snapshot.values {
        values.entry(entry.0.cgroup).or_default().push(*entry);
    }
    let mut facts: Vec<&CgroupFacts> = parts.snapshot.cgroups.iter().collect();
    facts.sort_by_key(|facts| facts.id);
    let mut losses = Losses {
        table_full: table_full(&parts.snapshot.stats) + lost(parts, &parts.snapshot.lost),
        recursion_misses: parts.snapshot.recursion_misses,
        compat: parts.snapshot.stats.compat_lost,
        replaced: parts.replaced,
        cut_off: parts.cut_off,
        unresolved: parts.unresolved,
        evidence_full: parts.snapshot.stats.evidence_lost,
        unfinished: u64::from(parts.unfinished),
        contested: parts.contested.len() as u64,
        ..Losses::default()
    };
    let mut cgroups = Vec::new();
    for facts in facts {
        let is_selected =
            |path: &&String| parts.selections.iter().any(|selection| selection.holds(path));
        let Some(path) = parts.paths.get(&facts.id).filter(is_selected) else {
            losses.unplaced += u64::from((parts.may_be_a_targets)(facts.id));
            continue;
        };
        let evidence = evidence.get(&facts.id).map_or(&[][..], Vec::as_slice);
        let values = SeenValues::new(values.get(&facts.id).map_or(&[][..], Vec::as_slice));
        let cgroup = cgroup(parts, facts, evidence, &values, path);
        losses.arguments_full += u64::from(facts.record.flags & flags::VALUES_LOST != 0);
        losses.unnamed += unnamed(&cgroup);
        losses.filtered += u64::from(cgroup.filtered);
        cgroups.push(cgroup);
    }
    let late_starts = late_starts(parts);
    cgroups.extend(silent(parts, &cgroups, &late_starts));
    let is_open = |path: &&String| !has_started_again(&cgroups, &late_starts, path);
    let late_starts: Vec<String> = late_starts.iter().filter(is_open).cloned().collect();
    losses.late_start = late_starts.len() as u64;
    let contested: BTreeSet<String> = parts.contested.values().flatten().cloned().collect();
    let contested: Vec<String> = contested.into_iter().collect();
    let departures = departures(parts);
    let Stats { members_lost, move_events_lost, .. } = parts.snapshot.stats;
    losses.left = left(&departures)
        + members_lost
        + move_events_lost
        + parts.moves_lost
        + lost(parts, &parts.snapshot.moves_lost);
    let incomplete_reasons = reasons(
        &losses,
        &late_starts,
        &contested,
        &departures,
        parts.accept_late_start,
        &parts.host,
    );
    Recording {
        version: VERSION,
        tracer: env!("CARGO_PKG_VERSION").to_owned(),
        started: parts.started.clone(),
        duration_seconds: parts.duration_seconds,
        host: parts.host.clone(),
        targets: targets(parts.selections, &cgroups),
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

impl Selection {
    /// The cgroup of that path is the target's.
    pub fn holds(&self, path: &str) -> bool {
        let is_below = |roots: &[String]| roots.iter().any(|root| is_at_or_below(path, root));
        is_below(&self.paths) && !is_below(&self.without)
    }
}

/// What stands in a path for an ancestor whose name is not known, before its id.
pub const UNKNOWN_NAME: &str = "?";

/// `path` is `root`, or lies below it.
pub fn is_at_or_below(path: &str, root: &str) -> bool {
    root == "/"
        || path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
    parts: &Parts<'_>,
    facts: &CgroupFacts,
    evidence: &[(EvidenceKey, Evidence)],
    values: &SeenValues,
    path: &str,
) -> Cgroup {
    let phases = phases::decide(&facts.record, evidence, kind(parts, path));
    let mut other_counts: BTreeMap<(Abi, i32), u64> = BTreeMap::new();
    for (key, seen) in evidence {
        let call = syscalls::classify(key.number, key.compat != 0);
        *other_counts.entry(call).or_default() += seen.count;
    }
    let told = [parts.labels, &labels::of_evidence(evidence)];
    let calls = phases.calls.iter().map(|((abi, number), decision)| {
        let call = (*abi, *number);
        let label = labels::first(told, (facts.id, *abi, *number), &phases);
        Call {
            abi: *abi,
            number: *number,
            name: syscalls::name(*abi, *number).map(str::to_owned),
            phase: decision.phase,
            count: count(facts, call, &other_counts),
            other_phases: phases.others(call),
            // What was seen while the program was being attached was seen at the beginning.
            first_seen_seconds: label
                .map(|label| seconds_between(parts.started_boot, label.time).max(0.0)),
            command: label.map(|label| label.command.clone()),
            ambiguous: decision.ambiguous,
            refused: None,
            during: None,
            doubtful: false,
            circumstances: None,
            arguments: values.of_call(call, &phases, parts.started_boot),
        }
    });
    let mut calls: Vec<Call> = calls.collect();
    calls.extend(denied::calls(parts, facts.id, &phases, values));
    // Stable: what was made stands before what was refused.
    calls.sort_by_key(|call| (call.abi, call.number));
    let late_start = parts.late.contains(&facts.id);
    // Of a workload that had started before, no call need have been seen before the runtime's.
    let late_exec = late_start && !parts.restarted.contains(path) && phases.runtime_calls;
    Cgroup {
        id: facts.id,
        path: path.to_owned(),
        late_start,
        exact: phases.exact,
        ambiguous: phases.ambiguous,
        no_new_privs: phases.no_new_privs,
        filtered: phases.filtered && !parts.every_denial_seen,
        exec_sessions: phases.exec_sessions || late_exec,
        container: (parts.identity)(path),
        calls,
    }
}

/// What the target says of its cgroups, before their names do.
pub(super) fn kind(parts: &Parts<'_>, path: &str) -> CgroupKind {
    let command =
        |selection: &Selection| selection.kind == TargetKind::Command && selection.holds(path);
    if parts.selections.iter().any(command) {
        return CgroupKind::Host;
    }
    (parts.kind_of)(path)
}

/// How often a call was made: native numbers by the per-CPU counters, all others by the evidence map.
fn count(facts: &CgroupFacts, call: (Abi, i32), others: &BTreeMap<(Abi, i32), u64>) -> Option<u64> {
    let counts = facts.counts.as_ref()?;
    let native = usize::try_from(call.1).ok().filter(|_| call.0 == Abi::X86_64);
    native.and_then(|number| counts.get(number).copied()).or_else(|| others.get(&call).copied())
}

pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Calls that found no place in one of the kernel side's tables.
fn table_full(stats: &Stats) -> u64 {
    stats.calls_lost + stats.tasks_lost + stats.denials_lost
}

/// What was lost, by cgroup: of those that may be the target's.
fn lost(parts: &Parts<'_>, by_cgroup: &[(u64, u64)]) -> u64 {
    let may_be = |cgroup: &u64| {
        let is_selected =
            |path: &String| parts.selections.iter().any(|selection| selection.holds(path));
        parts.paths.get(cgroup).is_some_and(is_selected) || (parts.may_be_a_targets)(*cgroup)
    };
    let lost = by_cgroup.iter().filter(|(cgroup, _)| may_be(cgroup));
    lost.map(|(_, count)| count).fold(0, |sum, count| sum.saturating_add(*count))
}

/// Seconds from one moment to a later one, to the microsecond; negative when it was before.
pub(super) fn seconds_between(start: u64, end: u64) -> f64 {
    let micros = (i128::from(end) - i128::from(start)) / 1000;
    micros as f64 / 1e6
}

/// Workload calls without a name that a newer kernel may have: the profile cannot hold them.
pub(super) fn unnamed(cgroup: &Cgroup) -> u64 {
    let missing = |call: &&Call| {
        matches!(call.phase, Phase::ContainerInit | Phase::Workload)
            && call.name.is_none()
            && syscalls::may_be_newer(call.abi, call.number)
    };
    cgroup.calls.iter().filter(missing).count() as u64
}

/// Late cgroups that made no call: they are in the recording all the same, so that it says whose they are.
fn silent(parts: &Parts<'_>, seen: &[Cgroup], late_starts: &[String]) -> Vec<Cgroup> {
    let cgroup = |id: &u64| {
        let path = parts.paths.get(id)?;
        let is_silent = late_starts.contains(path) && !seen.iter().any(|seen| seen.path == *path);
        is_silent.then(|| Cgroup {
            id: *id,
            path: path.clone(),
            late_start: true,
            exact: false,
            ambiguous: false,
            no_new_privs: false,
            filtered: false,
            exec_sessions: false,
            container: (parts.identity)(path),
            calls: Vec::new(),
        })
    };
    parts.late.iter().filter_map(cgroup).collect()
}

/// Paths of the targets' cgroups whose start was not seen, and no start since; sorted.
fn late_starts(parts: &Parts<'_>) -> Vec<String> {
    let late = parts.late.iter().filter_map(|id| parts.paths.get(id));
    let pending = late.filter(|path| {
        !parts.restarted.contains(*path)
            && parts.selections.iter().any(|selection| selection.holds(path))
    });
    pending.cloned().collect::<BTreeSet<String>>().into_iter().collect()
}
