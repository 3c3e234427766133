//! One recording of several: what a workload was seen to do in any of them.
//!
//! Cgroups and targets stand side by side, also those of one path: two recordings do not tell whether they are of one boot
//! of one machine, and cgroup ids mean nothing across boots. Losses add up. A call that was lost in one recording may be one
//! that no other shows, so no recording makes up for another's losses, with one exception: a start.
//!
//! # Covered late starts
//! Processes that ran before tracing began have made the calls of their start unseen. When another recording holds a whole
//! start of the same thing, those calls are known, and the late start no longer counts. A **whole start** is a cgroup that
//! was empty or absent when its recording began, or that was emptied and started again in it, and in which the workload
//! made a call: a container that failed while it was set up is none. It covers a late cgroup
//! - of the **same path**;
//! - of the **same container**, whose id is in both paths, in the same place below it: the cgroup driver may have changed. A
//!   start where a user may make cgroups covers its own path only: its name is that user's word;
//! - of the **same container started again** ([`again`](super::again)): by its runtime's name, or by that of a replica of its pod, and of the
//!   same image. So a restart within one recording covers a late start as well;
//! - of a container or pod that was **named alike** as a target, when its recording knows of no late start of that and shows
//!   at least as many cgroups of it as the late recording: a pod is not covered by the start of one of its containers. A
//!   name that is the beginning of the container's id may mean another one in another recording, and does not count.
//!
//! Targets of other kinds are covered by path alone: a process id, or a cgroup above many, may hold something else next time.
//! When in doubt a late start stays a loss: whoever knows better accepts it.
//!
//! # Recordings that broke off
//! What was written while a recording went on (a snapshot, or what a killed tracer left) lacks what came later. When a
//! recording that began later and was ended holds a whole start of every cgroup in which that one saw a workload, the workload was
//! recorded again from its start to an end, and the loss no longer counts.

use std::collections::BTreeSet;

use super::{
    Cgroup, Losses, Phase, Recording, Target, TargetKind,
    again::{is_late_one_of, is_started_again},
    completeness,
};
use crate::text::escape;

/// The digits of a container's id.
const CONTAINER_ID_DIGITS: usize = 64;

/// Merges recordings; None of none.
///
/// What a recording has but one of (program, host) is the first one's, the beginning the earliest, the duration the sum.
/// The command is kept when one recording alone has one. A recording that is given twice counts once. What was derived
/// from the parts is dropped. Whether the result is complete is judged anew, with `accept_late_start`.
pub fn merge(recordings: &[Recording], accept_late_start: bool) -> Option<Recording> {
    let parts = distinct(recordings);
    let mut merged = parts.first()?.clone();
    for part in &parts[1..] {
        append(&mut merged, part);
    }
    merged.host.btf = parts.iter().all(|part| part.host.btf);
    let mut commands = parts.iter().filter_map(|part| part.command.as_ref());
    merged.command = commands.next().filter(|_| commands.next().is_none()).cloned();
    merged.late_starts = uncovered(&parts).into_iter().collect();
    merged.losses.unfinished = broken_off(&parts);
    let contested: BTreeSet<String> =
        parts.iter().flat_map(|part| &part.contested).cloned().collect();
    merged.contested = contested.into_iter().collect();
    let nameless: u64 = parts.iter().map(unknown_late_starts).fold(0, u64::saturating_add);
    merged.losses.late_start = nameless.saturating_add(merged.late_starts.len() as u64);
    let skipped = parts.iter().find(|part| part.losses.recursion_misses > 0);
    merged.incomplete_reasons = completeness::reasons(
        &merged.losses,
        &merged.late_starts,
        &merged.contested,
        &merged.departures,
        accept_late_start,
        &skipped.unwrap_or(&merged).host,
    );
    merged.incomplete_reasons.extend(parts.iter().flat_map(unexplained));
    merged.complete = merged.incomplete_reasons.is_empty();
    Some(merged)
}

/// Each recording once, without what was derived from it.
fn distinct(recordings: &[Recording]) -> Vec<Recording> {
    let mut parts: Vec<Recording> = Vec::new();
    for recording in recordings {
        let part = Recording { derived: None, ..recording.clone() };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
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
    }
}

/// Late starts that a recording counts and does not name: nothing covers them.
fn unknown_late_starts(recording: &Recording) -> u64 {
    recording.losses.late_start.saturating_sub(recording.late_starts.len() as u64)
}

/// Why a recording calls itself incomplete though it has no loss that this program knows: a newer one may have written it.
fn unexplained(part: &Recording) -> Vec<String> {
    if part.complete || part.losses != Losses::default() {
        return Vec::new();
    }
    let told = match part.incomplete_reasons.as_slice() {
        [] => "it does not say why".to_owned(),
        reasons => reasons.iter().map(|reason| escape(reason)).collect::<Vec<_>>().join("; "),
    };
    vec![format!(
        "the recording of {} is incomplete: {told}\nhint: record again",
        escape(&part.started)
    )]
}

/// Paths of the late starts that no other part covers.
fn uncovered(parts: &[Recording]) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (index, part) in parts.iter().enumerate() {
        let others = || parts.iter().enumerate().filter(|(at, _)| *at != index);
        let late = part.late_starts.iter();
        let open = late.filter(|path| !others().any(|(_, other)| covers(other, part, path)));
        paths.extend(open.cloned());
    }
    paths
}

/// Recordings that broke off, without those of which a later one that was ended holds the whole again.
fn broken_off(parts: &[Recording]) -> u64 {
    let is_open = |part: &&Recording| !parts.iter().any(|other| is_recorded_again(part, other));
    let open = parts.iter().filter(is_open).map(|part| part.losses.unfinished);
    open.fold(0, u64::saturating_add)
}

/// The other recording holds a whole start of everything in which the part saw a workload, and an end.
pub(super) fn is_recorded_again(part: &Recording, other: &Recording) -> bool {
    let is_again = |cgroup: &Cgroup| {
        let is_users = cgroup.container.as_ref().is_some_and(|one| one.user.is_some());
        let started = |one: &&Cgroup| !one.late_start && is_whole(other, one);
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

/// Whether a recording holds a whole start of what the late cgroup of another one is.
fn covers(whole: &Recording, late: &Recording, path: &str) -> bool {
    let started = whole.cgroups.iter().filter(|cgroup| is_whole(whole, cgroup));
    let same_place = |started: &Cgroup| {
        let is_users = started.container.as_ref().is_some_and(|one| one.user.is_some());
        let place = container(path).filter(|_| !is_users);
        started.path == path
            || place.is_some_and(|place| container(&started.path) == Some(place))
            || is_late_one_of(late, path, started)
    };
    started.into_iter().any(same_place)
        || targets_of(late, path).any(|target| covers_by_name(whole, late, target, path))
}

/// Whether the start of a cgroup was recorded, and went as far as the workload.
fn is_whole(recording: &Recording, cgroup: &Cgroup) -> bool {
    let pending = recording.late_starts.contains(&cgroup.path);
    let restarted = unknown_late_starts(recording) == 0;
    ran(cgroup) && !pending && (!cgroup.late_start || restarted)
}

/// The workload made a call in it.
pub(super) fn ran(cgroup: &Cgroup) -> bool {
    cgroup.calls.iter().any(|call| call.phase == Phase::Workload)
}

/// The targets that a late cgroup belongs to. In recordings of earlier versions one that made no call is in no target's list: it
/// belongs to the only one.
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

fn covers_by_name(whole: &Recording, late: &Recording, target: &Target, path: &str) -> bool {
    if !is_stable_name(target, path) || unknown_late_starts(whole) > 0 {
        return false;
    }
    let is_late = |other: &Target| {
        whole.late_starts.iter().any(|late| targets_of(whole, late).any(|found| found == other))
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
    whole.targets.iter().filter(alike).filter(|other| !is_late(other)).any(|other| {
        let started = cgroups_of(whole, other).filter(|cgroup| is_whole(whole, cgroup));
        let started: BTreeSet<&str> = started.map(|cgroup| cgroup.path.as_str()).collect();
        started.len() >= known.len()
    })
}

/// Whether the target's name means the same container or pod in every recording.
fn is_stable_name(target: &Target, path: &str) -> bool {
    let name = target.name.rsplit(':').next().unwrap_or_default();
    match target.kind {
        TargetKind::Pod => true,
        TargetKind::Container => !container(path).is_some_and(|(id, _)| id.starts_with(name)),
        TargetKind::Path | TargetKind::Process | TargetKind::Unit | TargetKind::Command => false,
    }
}

/// The container that a path is in, and the path below it. The cgroups of container monitors (`conmon`) carry the id as
/// well, and are none; nor are those of Podman's pods.
pub(super) fn container(path: &str) -> Option<(&str, &str)> {
    let (mut below, mut above) = (path.trim_start_matches('/'), "");
    while !below.is_empty() {
        let (component, rest) = below.split_once('/').unwrap_or((below, ""));
        let is_pods = above == "libpod_parent" && component.len() == CONTAINER_ID_DIGITS;
        if let Some(id) = container_id(component).filter(|_| !is_pods) {
            return Some((id, rest));
        }
        (below, above) = (rest, component);
    }
    None
}

/// The id in `docker-ID.scope`, `cri-containerd-ID.scope`, `...:cri-containerd:ID`, `ID`.
fn container_id(component: &str) -> Option<&str> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let (engine, id) = name.split_at_checked(name.len().checked_sub(CONTAINER_ID_DIGITS)?)?;
    let is_set_off = engine.is_empty() || engine.ends_with(['-', ':']);
    let digits = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_set_off && digits && !engine.contains("conmon")).then_some(id)
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
