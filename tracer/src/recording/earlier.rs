//! What an earlier recording is worth beside a later one: whether both are of one thing, and what
//! the later one holds as well.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Call, Cgroup, ContainerIdentity, Losses, Recording, Target, TargetKind,
    merge::{is_recorded_again, merge},
};
use crate::text::{Escaped, escape};

/// Why a later recording is not merged with an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Other targets were named.
    #[error("it is of {earlier}, and this recording of {later}")]
    Targets {
        /// Those of the earlier one, escaped.
        earlier: String,
        /// Those of the later one, escaped.
        later: String,
    },
    /// A process id means another process next time.
    #[error("it is of a process id, which another process may have by now")]
    Process,
    /// One name stands for another container.
    #[error("its container is {earlier}, and that of this recording {later}")]
    Container {
        /// The container of the earlier one.
        earlier: Escaped,
        /// That of the later one.
        later: Escaped,
    },
    /// A container was made of another image.
    #[error("the image of {container} was {earlier}, and is {later}")]
    Image {
        /// What the container is called.
        container: Escaped,
        /// The image in the earlier one.
        earlier: Escaped,
        /// The image in the later one.
        later: Escaped,
    },
}

/// Why two recordings are not of the same targets and images; None when they are, as far as images
/// are known.
pub fn difference(earlier: &Recording, later: &Recording) -> Option<Mismatch> {
    let named = [earlier, later].map(|recording| recording.targets.iter().map(name).collect());
    let [before, after]: [BTreeSet<(String, &str)>; 2] = named;
    if before != after {
        let list = |names: &BTreeSet<(String, &str)>| {
            names.iter().map(|(name, _)| escape(name)).collect::<Vec<_>>().join(", ")
        };
        return Some(Mismatch::Targets { earlier: list(&before), later: list(&after) });
    }
    if later.targets.iter().any(|target| target.kind == TargetKind::Process) {
        return Some(Mismatch::Process);
    }
    let [before, after] = [earlier, later].map(images);
    let is_one = later.targets.iter().all(|target| target.kind == TargetKind::Container);
    if let (Some(first), Some(second)) = (before.keys().next(), after.keys().next())
        && is_one
        && !after.keys().any(|container| before.contains_key(container))
    {
        let [earlier, later] = [first, second].map(|label| escape(label));
        return Some(Mismatch::Container { earlier, later });
    }
    after.iter().find_map(|(container, later)| {
        let earlier = before.get(container)?;
        let is_told = |images: &BTreeSet<Option<&str>>| !images.contains(&None);
        let differ = is_told(earlier) && is_told(later) && earlier.is_disjoint(later);
        let first =
            |images: &BTreeSet<Option<&str>>| images.iter().copied().flatten().next().map(escape);
        differ.then(|| Mismatch::Image {
            container: escape(container),
            earlier: first(earlier).unwrap_or_default(),
            later: first(later).unwrap_or_default(),
        })
    })
}

/// Nothing is missing in it: it is complete, and not only because somebody accepted a late start.
pub fn knows_all(recording: &Recording) -> bool {
    recording.complete && recording.losses.late_start == 0
}

/// One recording of both, in which nothing counts twice that both show; each target is there once.
pub fn joined(earlier: &Recording, later: &Recording, accept_late_start: bool) -> Recording {
    let mut rest = less_repeated(earlier, later);
    // What made up for it may not be among what is left.
    if is_recorded_again(earlier, later) {
        rest.losses.unfinished = 0;
        if rest.losses == Losses::default() {
            rest.complete = true;
            rest.incomplete_reasons.clear();
        }
    }
    let merged = merge(&[rest, later.clone()], accept_late_start);
    let merged = merged.unwrap_or_else(|| later.clone());
    Recording { targets: folded(&merged.targets), ..merged }
}

/// The earlier recording without the cgroups of which the later one shows as much: what was saved
/// of a run that went on, and late cgroups that did nothing since.
fn less_repeated(earlier: &Recording, later: &Recording) -> Recording {
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut cgroups = Vec::new();
    for (index, cgroup) in earlier.cgroups.iter().enumerate() {
        if !later.cgroups.iter().any(|other| shows_as_much(other, cgroup)) {
            places.insert(index, cgroups.len());
            cgroups.push(cgroup.clone());
        }
    }
    let moved = |target: &Target| Target {
        cgroups: target.cgroups.iter().filter_map(|index| places.get(index).copied()).collect(),
        ..target.clone()
    };
    Recording { targets: earlier.targets.iter().map(moved).collect(), cgroups, ..earlier.clone() }
}

/// Each target once: what several recordings tell of it together. The last one's runtime and image
/// count.
pub(super) fn folded(targets: &[Target]) -> Vec<Target> {
    let mut found: Vec<Target> = Vec::new();
    for target in targets {
        match found.iter_mut().find(|one| one.name == target.name) {
            Some(one) => {
                one.cgroups.extend(&target.cgroups);
                one.runtime.clone_from(&target.runtime);
                one.image.clone_from(&target.image);
            }
            None => found.push(target.clone()),
        }
    }
    for target in &mut found {
        target.cgroups.sort_unstable();
        target.cgroups.dedup();
    }
    found
}

/// What a target is called, and its kind. The part of a container is called by its image as well
/// where there are several.
fn name(target: &Target) -> (String, &'static str) {
    let image = target.image.as_ref().map(|image| format!(" of {image}"));
    let bare = image.and_then(|image| target.name.strip_suffix(&image)).unwrap_or(&target.name);
    let kind = match target.kind {
        TargetKind::Path => "path",
        TargetKind::Process => "process",
        TargetKind::Pod => "pod",
        TargetKind::Container => "container",
        TargetKind::Unit => "unit",
        TargetKind::Command => "command",
    };
    (bare.to_owned(), kind)
}

/// The images of each container, by the name that its replicas share; None for one that was not
/// known.
fn images(recording: &Recording) -> BTreeMap<String, BTreeSet<Option<&str>>> {
    let mut found: BTreeMap<String, BTreeSet<Option<&str>>> = BTreeMap::new();
    for identity in recording.cgroups.iter().filter_map(|cgroup| cgroup.container.as_ref()) {
        let label = ContainerIdentity::workload_label(identity);
        found.entry(label).or_default().insert(identity.image.as_deref());
    }
    found
}

/// Both are one cgroup, seen from the same moment of its life on, and this one shows every call
/// that the earlier one does.
fn shows_as_much(later: &Cgroup, earlier: &Cgroup) -> bool {
    let is_counted = |one: &Call, other: &Call| match (one.count, other.count) {
        (Some(one), Some(other)) => other >= one,
        (one, _) => one.is_none(),
    };
    let is_shown = |call: &Call| {
        let is_same = |other: &&Call| {
            let key = |call: &Call| {
                (call.abi, call.number, call.phase, call.outcome, call.denied_in_phase)
            };
            key(call) == key(other) && is_counted(call, other)
        };
        later.calls.iter().any(|other| is_same(&other))
    };
    later.id == earlier.id
        && later.path == earlier.path
        && later.late_start == earlier.late_start
        && later.container.as_ref().map(|one| &one.id)
            == earlier.container.as_ref().map(|one| &one.id)
        && earlier.calls.iter().all(is_shown)
}

#[cfg(test)]
#[path = "earlier_tests.rs"]
mod tests;
