//! How many pods a target has, by the source that said which ones.

use std::collections::{BTreeMap, BTreeSet};

use super::{MembershipSource, Recording, Target};

/// The pods of one target that one source reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodCount {
    /// The target, as it was typed; not escaped.
    pub target: String,
    /// How many.
    pub pods: usize,
    /// The source.
    pub source: MembershipSource,
}

impl MembershipSource {
    /// As the end of a sentence about pods.
    pub fn display(self) -> &'static str {
        match self {
            Self::Names => "by their names",
            Self::Labels => "by the labels that the container runtime reports",
            Self::Api => "as the API server reports",
        }
    }
}

/// The pods of each target that means a number of them.
pub fn pod_counts(recording: &Recording) -> Vec<PodCount> {
    recording.targets.iter().flat_map(|target| of_target(recording, target)).collect()
}

fn of_target(recording: &Recording, target: &Target) -> Vec<PodCount> {
    let mut pods: BTreeMap<MembershipSource, BTreeSet<(&str, &str)>> = BTreeMap::new();
    let cgroups = target.cgroups.iter().filter_map(|index| recording.cgroups.get(*index));
    for container in cgroups.filter_map(|cgroup| cgroup.container.as_ref()) {
        if let (Some(workload), Some(namespace), Some(pod)) =
            (&container.workload, &container.namespace, &container.pod)
        {
            pods.entry(workload.source).or_default().insert((namespace, pod));
        }
    }
    let counts = pods.into_iter().map(|(source, pods)| PodCount {
        target: target.name.clone(),
        pods: pods.len(),
        source,
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::super::Workload;
    use super::super::testing::{container, recording};
    use super::*;

    #[test]
    fn pods_are_counted_by_the_source_that_reported_them() {
        let of = |path: &str, pod: &str, source: Option<MembershipSource>| {
            let mut found = container(path, "nginx");
            let container = found.container.as_mut().expect("a container");
            container.namespace = Some("shop".to_owned());
            container.pod = Some(pod.to_owned());
            container.workload = source.map(|source| Workload { kind: None, name: None, source });
            found
        };
        let [names, api] = [MembershipSource::Names, MembershipSource::Api].map(Some);
        let cgroups = vec![
            of("/a", "web-0", api),
            of("/b", "web-0", api),
            of("/c", "web-1", names),
            of("/d", "x", None),
        ];
        let counts: Vec<_> =
            pod_counts(&recording(cgroups)).into_iter().map(|one| (one.pods, one.source)).collect();
        assert_eq!(counts, [(1, MembershipSource::Names), (1, MembershipSource::Api)]);
    }
}
