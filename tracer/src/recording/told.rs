//! By what it was told which pods are a target's.

use std::collections::{BTreeMap, BTreeSet};

use super::{Recording, Target, ToldBy};

/// Pods of one target, told by one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldPods {
    /// The target, as it was typed; not escaped.
    pub target: String,
    /// How many.
    pub pods: usize,
    /// By what.
    pub told_by: ToldBy,
}

impl ToldBy {
    /// As the end of a sentence about pods.
    pub fn display(self) -> &'static str {
        match self {
            Self::Names => "as their names tell",
            Self::Labels => "as the container runtime tells of their labels",
            Self::Api => "as the API server tells",
        }
    }
}

/// The pods of each target that means a number of them.
pub fn told_pods(recording: &Recording) -> Vec<ToldPods> {
    recording.targets.iter().flat_map(|target| of_target(recording, target)).collect()
}

fn of_target(recording: &Recording, target: &Target) -> Vec<ToldPods> {
    let mut pods: BTreeMap<ToldBy, BTreeSet<(&str, &str)>> = BTreeMap::new();
    let cgroups = target.cgroups.iter().filter_map(|index| recording.cgroups.get(*index));
    for container in cgroups.filter_map(|cgroup| cgroup.container.as_ref()) {
        if let (Some(workload), Some(namespace), Some(pod)) =
            (&container.workload, &container.namespace, &container.pod)
        {
            pods.entry(workload.told_by).or_default().insert((namespace, pod));
        }
    }
    let told = pods.into_iter().map(|(told_by, pods)| ToldPods {
        target: target.name.clone(),
        pods: pods.len(),
        told_by,
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::super::Workload;
    use super::super::parts::tests::{cgroup, recording};
    use super::*;

    #[test]
    fn pods_are_counted_by_who_told_of_them() {
        let of = |path: &str, pod: &str, told_by: Option<ToldBy>| {
            let mut found = cgroup(path, "nginx");
            let container = found.container.as_mut().expect("a container");
            container.namespace = Some("shop".to_owned());
            container.pod = Some(pod.to_owned());
            container.workload =
                told_by.map(|told_by| Workload { kind: None, name: None, told_by });
            found
        };
        let [names, api] = [ToldBy::Names, ToldBy::Api].map(Some);
        let cgroups = vec![
            of("/a", "web-0", api),
            of("/b", "web-0", api),
            of("/c", "web-1", names),
            of("/d", "x", None),
        ];
        let told: Vec<_> =
            told_pods(&recording(cgroups)).into_iter().map(|one| (one.pods, one.told_by)).collect();
        assert_eq!(told, [(1, ToldBy::Names), (1, ToldBy::Api)]);
    }
}
