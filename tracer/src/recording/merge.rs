//! One recording of several: what a workload was seen to do in any of them.
//!
//! Cgroups and targets stand side by side, also those of one path: two recordings do not tell
//! whether they are of one boot of one machine, and cgroup ids mean nothing across boots. Losses
//! add up. A call that was lost in one recording may be one that no other shows, so no recording
//! makes up for another's losses, with one exception: a start.
//!
//! # Covered late starts
//! Processes that ran before tracing began have made the calls of their start unseen. When another
//! recording holds a complete start of the same thing, those calls are known, and the late start no
//! longer counts. A **complete start** is a cgroup that was empty or absent when its recording
//! began, or that was emptied and started again in it, and in which the workload made a call: a
//! container that failed while it was set up is none. It covers a late cgroup
//! - of the **same path**;
//! - of the **same container**, whose id is in both paths, in the same place below it: the cgroup
//!   driver may have changed. A start where a user may make cgroups covers its own path only: its
//!   name is that user's word;
//! - of the **same container started again** ([`again`](super::again)): by its runtime's name, or
//!   by that of a replica of its pod, and of the same image. So a restart within one recording
//!   covers a late start as well;
//! - of a container or pod that was **named alike** as a target, when its recording knows of no
//!   late start of that and shows at least as many cgroups of it as the late recording: a pod is
//!   not covered by the start of one of its containers. A name that is the beginning of the
//!   container's id may mean another one in another recording, and does not count.
//!
//! Targets of other kinds are covered by path alone: a process id, or a cgroup above many, may hold
//! something else next time. When in doubt a late start stays a loss: whoever knows better accepts
//! it.
//!
//! # Recordings that broke off
//! What was written while a recording went on (a snapshot, or what a killed tracer left) lacks what
//! came later. When a recording that began later and was ended holds a complete start of every
//! cgroup in which that one saw a workload, the workload was recorded again from its start to an
//! end, and the loss no longer counts.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    again::{is_late_one_of, is_started_again},
    completeness,
    model::{Cgroup, Losses, Recording, Target, TargetKind, ran},
};
use crate::{cgroup_name::container_above, text::escape};

/// Merges recordings; None of none.
///
/// What a recording has but one of (program, host) is the first one's, the beginning the earliest,
/// the duration the sum. The command is kept when one recording alone has one. A recording that is
/// given twice counts once. What was derived from the parts is dropped. Whether the result is
/// complete is judged anew, with `accept_late_start`.
pub fn merge(recordings: &[Recording], accept_late_start: bool) -> Option<Recording> {
    let parts = distinct(recordings, &repetitions(recordings));
    let mut merged = Recording { derived: None, ..(*parts.first()?).clone() };
    for part in &parts[1..] {
        append(&mut merged, part);
    }
    merged.host.btf = parts.iter().all(|part| part.host.btf);
    let mut commands = parts.iter().filter_map(|part| part.command.as_ref());
    merged.command = commands.next().filter(|_| commands.next().is_none()).cloned();
    let open: BTreeSet<String> =
        (0..parts.len()).flat_map(|index| open_late_starts(&parts, index)).cloned().collect();
    merged.late_starts = open.into_iter().collect();
    let unfinished = (0..parts.len()).map(|index| unfinished(&parts, index));
    merged.losses.unfinished = unfinished.fold(0, u64::saturating_add);
    let contested: BTreeSet<String> =
        parts.iter().flat_map(|part| &part.contested).cloned().collect();
    merged.contested = contested.into_iter().collect();
    let nameless = parts.iter().copied().map(unknown_late_starts).fold(0, u64::saturating_add);
    merged.losses.late_start = nameless.saturating_add(merged.late_starts.len() as u64);
    let skipped = parts.iter().find(|part| part.losses.recursion_misses > 0);
    merged.incomplete_reasons = completeness::reasons(
        &merged.losses,
        &merged.late_starts,
        &merged.contested,
        &merged.departures,
        accept_late_start,
        skipped.map_or(&merged.host, |part| &part.host),
    );
    merged.incomplete_reasons.extend(parts.iter().copied().flat_map(unexplained));
    merged.complete = merged.incomplete_reasons.is_empty();
    Some(merged)
}

/// For each recording, the place of the first one that holds the same evidence, when there is one
/// before it. What was derived does not count.
pub(super) fn repetitions(recordings: &[Recording]) -> Vec<Option<usize>> {
    // Of many recordings few began at the same time: only those are compared.
    let mut begun: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut same = Vec::with_capacity(recordings.len());
    for (index, recording) in recordings.iter().enumerate() {
        let others = begun.entry(&recording.started).or_default();
        let is_same = |other: &&usize| has_same_evidence(&recordings[**other], recording);
        let first = others.iter().find(is_same).copied();
        if first.is_none() {
            others.push(index);
        }
        same.push(first);
    }
    same
}

/// Every field is taken apart here, so that a new one cannot be forgotten.
fn has_same_evidence(one: &Recording, other: &Recording) -> bool {
    let Recording {
        version,
        tracer,
        started,
        duration_seconds,
        host,
        targets,
        cgroups,
        losses,
        late_starts,
        contested,
        departures,
        complete,
        incomplete_reasons,
        command,
        derived: _,
    } = one;
    let is_same_run = (version, tracer, started, duration_seconds, host, targets, losses)
        == (
            &other.version,
            &other.tracer,
            &other.started,
            &other.duration_seconds,
            &other.host,
            &other.targets,
            &other.losses,
        );
    let is_as_complete = (late_starts, contested, departures, complete, incomplete_reasons)
        == (
            &other.late_starts,
            &other.contested,
            &other.departures,
            &other.complete,
            &other.incomplete_reasons,
        );
    is_same_run && is_as_complete && *command == other.command && *cgroups == other.cgroups
}

/// Each recording once.
fn distinct<'a>(recordings: &'a [Recording], same: &[Option<usize>]) -> Vec<&'a Recording> {
    recordings.iter().zip(same).filter(|(_, same)| same.is_none()).map(|(one, _)| one).collect()
}

/// What each recording lacks and no other makes up for, in sentences; nothing of one that is there
/// already. `same` is what [`repetitions`] gives for the recordings.
pub(super) fn missing(
    recordings: &[Recording],
    same: &[Option<usize>],
    accept_late_start: bool,
) -> Vec<Vec<String>> {
    let parts = distinct(recordings, same);
    let mut of_parts = (0..parts.len()).map(|index| {
        let part = parts[index];
        let late: Vec<String> = open_late_starts(&parts, index).cloned().collect();
        let losses = Losses {
            late_start: unknown_late_starts(part).saturating_add(late.len() as u64),
            unfinished: unfinished(&parts, index),
            ..part.losses
        };
        let (contested, departures, host) = (&part.contested, &part.departures, &part.host);
        let mut reasons =
            completeness::reasons(&losses, &late, contested, departures, accept_late_start, host);
        reasons.extend(unexplained(part));
        reasons
    });
    same.iter()
        .map(|same| match same {
            Some(_) => Vec::new(),
            None => of_parts.next().unwrap_or_default(),
        })
        .collect()
}

/// Puts the evidence of a part behind what is there.
fn append(merged: &mut Recording, part: &Recording) {
    let before = merged.cgroups.len();
    merged.cgroups.extend(part.cgroups.iter().cloned());
    merged.targets.extend(part.targets.iter().cloned().map(|mut target| {
        target.cgroups.iter_mut().for_each(|index| *index += before);
        target
    }));
    merged.departures.extend(part.departures.iter().cloned());
    merged.losses = sum(&merged.losses, &part.losses);
    merged.duration_seconds += part.duration_seconds;
    if part.started < merged.started {
        merged.started.clone_from(&part.started);
    }
}

/// Every loss is taken apart here, so that a new one cannot be forgotten.
fn sum(one: &Losses, other: &Losses) -> Losses {
    let Losses {
        table_full,
        recursion_misses,
        unnamed,
        filtered,
        late_start,
        compat,
        unplaced,
        replaced,
        cut_off,
        unresolved,
        evidence_full,
        arguments_full,
        unfinished,
        contested,
        left,
        from_log,
    } = *other;
    Losses {
        table_full: one.table_full.saturating_add(table_full),
        recursion_misses: one.recursion_misses.saturating_add(recursion_misses),
        unnamed: one.unnamed.saturating_add(unnamed),
        filtered: one.filtered.saturating_add(filtered),
        late_start: one.late_start.saturating_add(late_start),
        compat: one.compat.saturating_add(compat),
        unplaced: one.unplaced.saturating_add(unplaced),
        replaced: one.replaced.saturating_add(replaced),
        cut_off: one.cut_off.saturating_add(cut_off),
        unresolved: one.unresolved.saturating_add(unresolved),
        evidence_full: one.evidence_full.saturating_add(evidence_full),
        arguments_full: one.arguments_full.saturating_add(arguments_full),
        unfinished: one.unfinished.saturating_add(unfinished),
        contested: one.contested.saturating_add(contested),
        left: one.left.saturating_add(left),
        from_log: one.from_log.saturating_add(from_log),
    }
}

/// Late starts that a recording counts and does not name: nothing covers them.
fn unknown_late_starts(recording: &Recording) -> u64 {
    recording.losses.late_start.saturating_sub(recording.late_starts.len() as u64)
}

/// Why a recording calls itself incomplete though it has no loss that this program knows: a newer
/// one may have written it.
fn unexplained(part: &Recording) -> Vec<String> {
    if part.complete || part.losses != Losses::default() {
        return Vec::new();
    }
    let why = match part.incomplete_reasons.as_slice() {
        [] => "it gives no reason".to_owned(),
        reasons => reasons.iter().map(|reason| escape(reason)).collect::<Vec<_>>().join("; "),
    };
    vec![format!(
        "the recording of {} is incomplete: {why}\nhint: record again",
        escape(&part.started)
    )]
}

/// Paths of the late starts of a part that no other part covers.
fn open_late_starts<'a>(
    parts: &'a [&Recording],
    index: usize,
) -> impl Iterator<Item = &'a String> + use<'a> {
    let part = parts[index];
    let others = move || parts.iter().enumerate().filter(move |(at, _)| *at != index);
    let is_open = move |path: &&String| !others().any(|(_, other)| covers(other, part, path));
    part.late_starts.iter().filter(is_open)
}

/// The recordings in a part that broke off; none when a later one that was ended holds the whole
/// again.
fn unfinished(parts: &[&Recording], index: usize) -> u64 {
    let part = parts[index];
    match part.losses.unfinished {
        0 => 0,
        _ if parts.iter().any(|other| is_recorded_again(part, other)) => 0,
        count => count,
    }
}

/// The other recording holds a complete start of everything in which the part saw a workload, and
/// an end.
pub(super) fn is_recorded_again(part: &Recording, other: &Recording) -> bool {
    let is_again = |cgroup: &Cgroup| {
        let is_users = cgroup.container.as_ref().is_some_and(|one| one.user.is_some());
        let started = |one: &&Cgroup| !one.late_start && is_complete_start(other, one);
        other.cgroups.iter().filter(started).any(|started| {
            started.path == cgroup.path || !is_users && is_started_again(cgroup, started)
        })
    };
    // Times in RFC 3339 and UTC sort as they follow each other.
    other.losses.unfinished == 0
        && other.started > part.started
        && part.cgroups.iter().any(ran)
        && part.cgroups.iter().filter(|cgroup| ran(cgroup)).all(is_again)
}

/// Whether a recording holds a complete start of what the late cgroup of another one is.
fn covers(complete: &Recording, late: &Recording, path: &str) -> bool {
    let started = complete.cgroups.iter().filter(|cgroup| is_complete_start(complete, cgroup));
    let same_place = |started: &Cgroup| {
        let is_users = started.container.as_ref().is_some_and(|one| one.user.is_some());
        let place = container_above(path).filter(|_| !is_users);
        started.path == path
            || place.is_some() && place == container_above(&started.path)
            || is_late_one_of(late, path, started)
    };
    started.into_iter().any(same_place)
        || targets_of(late, path).any(|target| covers_by_name(complete, late, target, path))
}

/// Whether the start of a cgroup was recorded, and went as far as the workload.
fn is_complete_start(recording: &Recording, cgroup: &Cgroup) -> bool {
    let pending = recording.late_starts.contains(&cgroup.path);
    let restarted = unknown_late_starts(recording) == 0;
    ran(cgroup) && !pending && (!cgroup.late_start || restarted)
}

/// The targets that a late cgroup belongs to. In recordings of earlier versions one that made no
/// call is in no target's list: it belongs to the only one.
fn targets_of<'a>(late: &'a Recording, path: &'a str) -> impl Iterator<Item = &'a Target> {
    let only = late.targets.len() == 1;
    late.targets
        .iter()
        .filter(move |target| only || cgroups_of(late, target).any(|cgroup| cgroup.path == path))
}

fn cgroups_of<'a>(
    recording: &'a Recording,
    target: &'a Target,
) -> impl Iterator<Item = &'a Cgroup> {
    target.cgroups.iter().filter_map(|index| recording.cgroups.get(*index))
}

fn covers_by_name(complete: &Recording, late: &Recording, target: &Target, path: &str) -> bool {
    if !is_stable_name(target, path) || unknown_late_starts(complete) > 0 {
        return false;
    }
    let is_late = |other: &Target| {
        complete
            .late_starts
            .iter()
            .any(|late| targets_of(complete, late).any(|found| found == other))
    };
    // What was started while it was recorded, in a cgroup elsewhere, is a later one.
    let parent = |path: &str| path.rsplit_once('/').map(|(parent, _)| parent.to_owned());
    let is_beside = |cgroup: &&Cgroup| {
        late.late_starts.contains(&cgroup.path) || parent(&cgroup.path) == parent(path)
    };
    let late_paths = cgroups_of(late, target).filter(|cgroup| ran(cgroup)).filter(is_beside);
    let mut known: BTreeSet<&str> = late_paths.map(|cgroup| cgroup.path.as_str()).collect();
    known.insert(path);
    let alike = |other: &&Target| other.name == target.name && other.kind == target.kind;
    complete.targets.iter().filter(alike).filter(|other| !is_late(other)).any(|other| {
        let started =
            cgroups_of(complete, other).filter(|cgroup| is_complete_start(complete, cgroup));
        let started: BTreeSet<&str> = started.map(|cgroup| cgroup.path.as_str()).collect();
        started.len() >= known.len()
    })
}

/// Whether the target's name means the same container or pod in every recording.
fn is_stable_name(target: &Target, path: &str) -> bool {
    let name = target.name.rsplit(':').next().unwrap_or_default();
    match target.kind {
        TargetKind::Pod => true,
        TargetKind::Container => !container_above(path).is_some_and(|(id, _)| id.starts_with(name)),
        TargetKind::Path | TargetKind::Process | TargetKind::Unit | TargetKind::Command => false,
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
