//! Takes a recording apart: one for each container, or for each target.
//!
//! What is known of a cgroup goes with it, a late start as well. A loss of which it is not known
//! whose it is counts against every part.

use std::collections::{BTreeMap, BTreeSet};

use crate::{cgroup_name::container_above, cgroup_path::is_at_or_below};

use super::{
    Cgroup, ContainerIdentity, Departure, Losses, Recording, Target, TargetKind, assembly::unnamed,
    completeness, departures::left, earlier::folded,
};

/// A part of a recording, which is one by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is of: the name of a container or a target; not escaped. No two parts have the same.
    pub label: String,
    /// The container.
    pub container: Option<ContainerIdentity>,
    /// Its recording.
    pub recording: Recording,
}

/// A recording for each container, by name: those that were made again under their name are one,
/// and so are those of the replicas of a workload's pod when they are of one image.
pub fn by_container(recording: &Recording, accept_late_start: bool) -> Vec<Part> {
    let mut containers: BTreeMap<String, BTreeMap<Option<&str>, Vec<usize>>> = BTreeMap::new();
    for (index, cgroup) in recording.cgroups.iter().enumerate() {
        if let Some(identity) = &cgroup.container {
            let image = identity.image.as_deref().filter(|_| identity.pod.is_some());
            let images = containers.entry(identity.workload_label()).or_default();
            images.entry(image).or_default().push(index);
        }
    }
    let labelled = containers.into_iter().flat_map(|(label, images)| {
        let is_one = images.len() == 1;
        images.into_iter().map(move |(image, indexes)| match image.filter(|_| !is_one) {
            Some(image) => (format!("{label} of {image}"), indexes),
            None => (label.clone(), indexes),
        })
    });
    labelled
        .filter_map(|(label, indexes)| {
            let newest = recording.cgroups.get(*indexes.last()?)?.container.clone()?;
            let target = Target {
                name: label.clone(),
                kind: TargetKind::Container,
                runtime: newest.engine.clone(),
                image: newest.image.clone(),
                cgroups: indexes,
            };
            let recording = part(recording, target, accept_late_start);
            Some(Part { label, container: Some(newest), recording })
        })
        .collect()
}

/// A recording for each target.
pub fn by_target(recording: &Recording, accept_late_start: bool) -> Vec<Part> {
    let part = |target: &Target| Part {
        label: target.name.clone(),
        container: None,
        recording: part(recording, target.clone(), accept_late_start),
    };
    // What was named twice, and by each of several recordings, is one target.
    let mut parts: Vec<Part> = folded(&recording.targets).iter().map(part).collect();
    parts.sort_by(|one, other| one.label.cmp(&other.label));
    parts
}

/// The recording of one target; its indexes are those in the whole.
fn part(whole: &Recording, target: Target, accept_late_start: bool) -> Recording {
    let cgroups: Vec<Cgroup> =
        target.cgroups.iter().filter_map(|index| whole.cgroups.get(*index)).cloned().collect();
    let late = |path: &&String| is_late_start_of(path, &cgroups, &whole.cgroups);
    let late_starts: Vec<String> = whole.late_starts.iter().filter(late).cloned().collect();
    let contested: Vec<String> =
        whole.contested.iter().filter(|path| is_of(path, &cgroups)).cloned().collect();
    let names: BTreeSet<String> =
        contested.iter().filter_map(|path| container_above(path)).map(|(id, _)| id).collect();
    // What left another part's cgroups, and was not followed, is no loss of this one.
    let of_part = |departure: &&Departure| {
        cgroups.iter().any(|cgroup| cgroup.path == departure.from)
            || !whole.cgroups.iter().any(|cgroup| cgroup.path == departure.from)
    };
    let departures: Vec<Departure> = whole.departures.iter().filter(of_part).cloned().collect();
    let left_by_others = left(&whole.departures).saturating_sub(left(&departures));
    let losses = Losses {
        contested: names.len() as u64,
        left: whole.losses.left.saturating_sub(left_by_others),
        unnamed: cgroups.iter().map(unnamed).sum(),
        filtered: cgroups.iter().filter(|cgroup| cgroup.filtered).count() as u64,
        late_start: late_starts.len() as u64,
        ..whole.losses
    };
    let incomplete_reasons = completeness::reasons(
        &losses,
        &late_starts,
        &contested,
        &departures,
        accept_late_start,
        &whole.host,
    );
    let command = whole.command.clone().filter(|_| target.kind == TargetKind::Command);
    Recording {
        targets: vec![Target { cgroups: (0..cgroups.len()).collect(), ..target }],
        cgroups,
        losses,
        late_starts,
        contested,
        departures,
        complete: incomplete_reasons.is_empty(),
        incomplete_reasons,
        command,
        derived: None,
        ..whole.clone()
    }
}

/// Whether a late start is one of these cgroups. Recordings of earlier versions say nothing more of
/// a late cgroup that made no call than its path: that tells the container, and without one it may
/// be everybody's.
fn is_late_start_of(path: &str, cgroups: &[Cgroup], whole: &[Cgroup]) -> bool {
    let has = |cgroups: &[Cgroup]| cgroups.iter().any(|cgroup| cgroup.path == path);
    match container_above(path) {
        _ if has(whole) => has(cgroups),
        Some((id, _)) => is_of(path, cgroups) || cgroups.iter().any(|one| one.path.contains(&id)),
        None => is_of(path, cgroups) || !is_of(path, whole),
    }
}

/// The path is in the same container as one of these cgroups, or above or below one of them.
fn is_of(path: &str, cgroups: &[Cgroup]) -> bool {
    cgroups.iter().any(|cgroup| {
        is_at_or_below(path, &cgroup.path)
            || is_at_or_below(&cgroup.path, path)
            || cgroup.container.as_ref().is_some_and(|identity| path.contains(&identity.id))
    })
}

/// The containers that ran before the recording began, were not started since and made no call; by
/// name.
pub fn silent(recording: &Recording) -> Vec<String> {
    let mut calls: BTreeMap<String, bool> = BTreeMap::new();
    for cgroup in &recording.cgroups {
        if let Some(identity) = &cgroup.container {
            *calls.entry(identity.label()).or_default() |= !cgroup.calls.is_empty();
        }
    }
    calls.into_iter().filter_map(|(label, has_calls)| (!has_calls).then_some(label)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{container, recording};
    use super::*;

    #[test]
    fn containers_of_one_name_are_one_part() {
        let whole =
            recording(vec![container("/a", "web"), container("/b", "db"), container("/c", "web")]);
        let parts = by_container(&whole, false);
        let shown: Vec<(&str, Vec<&str>)> = parts
            .iter()
            .map(|part| {
                let paths = part.recording.cgroups.iter().map(|cgroup| cgroup.path.as_str());
                (part.label.as_str(), paths.collect())
            })
            .collect();
        assert_eq!(shown, [("db", vec!["/b"]), ("web", vec!["/a", "/c"])]);
        assert_eq!(parts[1].recording.targets[0].cgroups, [0, 1]);
        assert_eq!(parts[1].recording.targets[0].kind, TargetKind::Container);
    }

    #[test]
    fn replicas_of_a_workload_are_one_part_unless_their_images_differ() {
        let replica = |path: &str, pod: &str, image: &str| {
            let mut found = container(path, "nginx");
            let identity = found.container.as_mut().expect("a container");
            identity.namespace = Some("shop".to_owned());
            identity.pod = Some(pod.to_owned());
            identity.image = Some(image.to_owned());
            found
        };
        let [first, second] = ["web-7696745d96-4xqh6", "web-7696745d96-x7k2p"];
        let of = |image: &str| {
            let cgroups = vec![replica("/a", first, "nginx:1"), replica("/b", second, image)];
            let parts = by_container(&recording(cgroups), false);
            let shown = parts.iter().map(|part| (part.label.clone(), part.recording.cgroups.len()));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(of("nginx:1"), [("shop/web/nginx".to_owned(), 2)]);
        let [one, two] = ["shop/web/nginx of nginx:1", "shop/web/nginx of nginx:2"];
        assert_eq!(of("nginx:2"), [(one.to_owned(), 1), (two.to_owned(), 1)]);
    }

    #[test]
    fn a_loss_goes_with_its_cgroup_and_one_without_to_all() {
        let [mut web, db] = [container("/a", "web"), container("/b", "db")];
        web.filtered = true;
        let mut whole = recording(vec![web, db]);
        whole.losses.filtered = 1;
        whole.late_starts = vec!["/b".to_owned()];
        whole.losses.late_start = 1;
        let complete = |parts: &[Part]| -> Vec<(u64, u64, bool)> {
            let losses = |part: &Part| {
                let Losses { filtered, late_start, .. } = part.recording.losses;
                (filtered, late_start, part.recording.complete)
            };
            parts.iter().map(losses).collect()
        };
        assert_eq!(complete(&by_container(&whole, false)), [(0, 1, false), (1, 0, false)]);
        assert_eq!(complete(&by_container(&whole, true)), [(0, 1, true), (1, 0, false)]);
        // Earlier versions did not say whose it is.
        whole.late_starts = vec!["/silent".to_owned()];
        assert_eq!(complete(&by_container(&whole, false)), [(0, 1, false), (1, 1, false)]);
        whole.losses.recursion_misses = 1;
        assert!(by_container(&whole, true).iter().all(|part| !part.recording.complete));
    }

    /// A late start that made no call.
    fn idle(path: &str, name: &str) -> Cgroup {
        Cgroup { late_start: true, calls: Vec::new(), ..container(path, name) }
    }

    #[test]
    fn a_late_start_without_a_call_is_that_containers() {
        let [a, b, c] = ["a", "b", "c"].map(|digit| format!("/kubepods/{}", digit.repeat(64)));
        let late = |parts: Vec<Part>| -> Vec<(String, Vec<String>)> {
            parts.into_iter().map(|part| (part.label, part.recording.late_starts)).collect()
        };
        let mut whole =
            recording(vec![container(&a, "web"), container(&b, "db"), idle(&c, "idle")]);
        whole.late_starts = vec![c.clone()];
        let shown = |db: &[&String]| {
            [("db".to_owned(), db.iter().map(|one| (*one).clone()).collect::<Vec<_>>())]
        };
        let found = late(by_container(&whole, false));
        assert_eq!(found[..1], shown(&[]));
        assert_eq!(found[1], ("idle".to_owned(), vec![c.clone()]));
        assert_eq!(found[2], ("web".to_owned(), Vec::new()));
        assert_eq!(silent(&whole), ["idle"]);
        // Earlier versions left it out of the cgroups.
        whole.cgroups.pop();
        whole.targets[0].cgroups = vec![0, 1];
        assert!(late(by_container(&whole, false)).iter().all(|(_, late)| late.is_empty()));
        whole.late_starts.push(format!("{b}/inner"));
        assert_eq!(late(by_container(&whole, false))[0].1, [format!("{b}/inner")]);
        assert!(silent(&whole).is_empty());
    }

    #[test]
    fn a_late_start_without_a_call_is_that_targets() {
        let mut whole =
            recording(vec![container("/a/x", "web"), idle("/a/y", "idle"), container("/b", "db")]);
        whole.cgroups[1].container = None;
        whole.targets[0].cgroups = vec![0, 1];
        let second =
            Target { name: "second".to_owned(), cgroups: vec![2], ..whole.targets[0].clone() };
        whole.targets.push(second);
        whole.late_starts = vec!["/a/y".to_owned()];
        whole.losses.late_start = 1;
        let parts = by_target(&whole, false);
        assert_eq!(parts[0].recording.losses.late_start, 1);
        assert!(parts[1].recording.complete, "{:?}", parts[1].recording.incomplete_reasons);
    }

    #[test]
    fn each_target_is_a_part() {
        let mut whole = recording(vec![container("/a", "web"), container("/b", "db")]);
        let mut second = whole.targets[0].clone();
        second.name = "second".to_owned();
        second.cgroups = vec![1];
        whole.targets.push(second);
        let parts = by_target(&whole, false);
        let sizes: Vec<_> =
            parts.iter().map(|part| (part.label.as_str(), part.recording.cgroups.len())).collect();
        assert_eq!(sizes, [("all", 2), ("second", 1)]);
        assert_eq!(parts[1].recording.cgroups[0].path, "/b");
    }
}
