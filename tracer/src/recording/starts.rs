//! How often each container was started while it was recorded.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    again::has_started_again,
    model::{Cgroup, Recording, ran},
};
use crate::cgroup_name::container_above;

/// What a recording shows of a container's starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartCount {
    /// What the container is called; not escaped.
    pub label: String,
    /// Complete starts: recorded from their first call to one of the workload.
    pub complete: usize,
    /// Late start: its start was not seen, and none since.
    pub late: bool,
    /// Exec sessions or probes are among its calls.
    pub exec_sessions: bool,
}

/// The starts of each container, by name, or by its id when it has no name.
pub fn starts(recording: &Recording) -> Vec<StartCount> {
    let mut containers: BTreeMap<String, Vec<&Cgroup>> = BTreeMap::new();
    for cgroup in &recording.cgroups {
        if let Some(identity) = &cgroup.container {
            containers.entry(identity.label()).or_default().push(cgroup);
        }
    }
    // One that ran before and made no call has nothing to show.
    containers.retain(|_, cgroups| cgroups.iter().any(|cgroup| !is_silent(cgroup)));
    containers
        .into_iter()
        .map(|(label, cgroups)| StartCount {
            label,
            complete: complete_starts(recording, &cgroups),
            late: cgroups.iter().any(|cgroup| recording.late_starts.contains(&cgroup.path)),
            exec_sessions: cgroups.iter().any(|cgroup| cgroup.exec_sessions),
        })
        .collect()
}

/// How many pods a recording shows a complete start of, and how many it shows at all.
pub fn pods(recording: &Recording) -> (usize, usize) {
    let of = |cgroups: &mut dyn Iterator<Item = &Cgroup>| {
        let identities = cgroups.filter_map(|cgroup| cgroup.container.as_ref());
        let names = identities.filter_map(|one| Some((one.namespace.clone()?, one.pod.clone()?)));
        names.collect::<BTreeSet<_>>().len()
    };
    let mut complete = recording.cgroups.iter().filter(|cgroup| !cgroup.late_start && ran(cgroup));
    (of(&mut complete), of(&mut recording.cgroups.iter()))
}

fn is_silent(cgroup: &Cgroup) -> bool {
    cgroup.late_start && cgroup.calls.is_empty()
}

/// A container that is started again has another cgroup. The cgroups that it makes below its own
/// say nothing: systemd in it makes a service's again and again. Only when its own never ran a
/// workload (all of it moved below) they count, each place by itself.
fn complete_starts(recording: &Recording, cgroups: &[&Cgroup]) -> usize {
    let new: BTreeSet<&str> = cgroups
        .iter()
        .filter(|cgroup| !cgroup.late_start)
        .map(|cgroup| cgroup.path.as_str())
        .collect();
    let is_complete = |cgroup: &&&Cgroup| {
        // Started again in its place, if not in a new one.
        let again = !recording.late_starts.contains(&cgroup.path)
            && !new.contains(cgroup.path.as_str())
            && !has_started_again(&recording.cgroups, &recording.late_starts, &cgroup.path);
        ran(cgroup) && (!cgroup.late_start || again)
    };
    let mut starts: BTreeMap<&str, usize> = BTreeMap::new();
    for cgroup in cgroups.iter().filter(is_complete) {
        let below = container_above(&cgroup.path).map_or("", |(_, below)| below);
        *starts.entry(below).or_default() += 1;
    }
    starts.get("").copied().or_else(|| starts.into_values().max()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{container, recording};
    use super::*;

    fn counted(recording: &Recording) -> Vec<(String, usize, bool)> {
        starts(recording).into_iter().map(|one| (one.label, one.complete, one.late)).collect()
    }

    #[test]
    fn each_new_cgroup_of_a_container_is_a_start() {
        let [a, b] = ["a", "b"].map(|digit| digit.repeat(64));
        let again = container(&format!("/docker/{b}/inner"), "web");
        let found = recording(vec![
            container(&format!("/docker/{a}"), "web"),
            container(&format!("/docker/{a}"), "web"),
            container(&format!("/docker/{b}"), "web"),
            again,
            container("/elsewhere", "db"),
        ]);
        let expected = [("db".to_owned(), 1, false), ("web".to_owned(), 3, false)];
        assert_eq!(counted(&found), expected);
    }

    #[test]
    fn what_a_container_makes_for_itself_is_no_start() {
        let path = format!("/docker/{}", "a".repeat(64));
        let inner = || container(&format!("{path}/service"), "web");
        let own = container(&path, "web");
        let expected = [("web".to_owned(), 1, false)];
        assert_eq!(counted(&recording(vec![own, inner(), inner(), inner(), inner()])), expected);
        let expected = [("web".to_owned(), 2, false)];
        let moved = recording(vec![inner(), inner()]);
        assert_eq!(counted(&moved), expected, "the workload runs below its own cgroup only");
    }

    #[test]
    fn a_late_start_is_none_until_it_was_started_again() {
        let path = format!("/docker/{}", "a".repeat(64));
        let mut late = container(&path, "web");
        late.late_start = true;
        let mut found = recording(vec![late.clone()]);
        found.late_starts = vec![path.clone()];
        assert_eq!(counted(&found), [("web".to_owned(), 0, true)]);
        found.late_starts.clear();
        assert_eq!(counted(&found), [("web".to_owned(), 1, false)], "in its place");
        let found = recording(vec![late, container(&path, "web")]);
        assert_eq!(counted(&found), [("web".to_owned(), 1, false)], "in a new cgroup");
    }

    #[test]
    fn a_late_one_that_was_started_again_elsewhere_is_no_start_itself() {
        let [a, b] = ["a", "b"].map(|digit| format!("/docker/{}", digit.repeat(64)));
        let late = Cgroup { late_start: true, ..container(&a, "web") };
        let found = recording(vec![late, container(&b, "web")]);
        assert_eq!(counted(&found), [("web".to_owned(), 1, false)]);
    }

    #[test]
    fn a_cgroup_in_which_no_workload_ran_is_no_start() {
        let mut failed = container("/x", "web");
        failed.calls.clear();
        assert_eq!(counted(&recording(vec![failed])), [("web".to_owned(), 0, false)]);
    }
}
