//! Finds the pause containers of pods where no runtime reports them. Pure.
//!
//! The kubelet's log files name the containers of a pod, but not the pause container, which writes
//! no log. The kubelet makes it before all others (Kubernetes
//! `pkg/kubelet/kuberuntime/kuberuntime_manager.go`, `SyncPod`), so that its cgroup is the first of
//! those right below the pod's.

use std::collections::BTreeMap;

use super::inventory::Inventory;
use super::names;
use super::report::RuntimeName;
use super::territory::containers_in;
use crate::cgroup_path::{CgroupPath, leaf, parent};

/// The containers that were seen right below the cgroups of pods.
#[derive(Clone, Debug, Default)]
pub struct Sandboxes {
    /// By the path of the pod's cgroup: ids of containers by those of their cgroups, which grow
    /// with time.
    pods: BTreeMap<CgroupPath, BTreeMap<u64, String>>,
}

impl Sandboxes {
    /// Adds a cgroup.
    pub fn add(&mut self, id: u64, path: &str) {
        let Some(above) = parent(path) else { return };
        if names::pod(leaf(above)).is_none() {
            return;
        }
        let container = containers_in(path).find(|(top, _)| *top == path);
        if let Some((_, name)) = container {
            self.pods.entry(above.into()).or_default().insert(id, name.id);
        }
    }

    /// Ids of the pause containers, where only the kubelet's log files name pods: the first
    /// container of a pod is one when it has no log and a later one has.
    pub fn without_a_log(&self, inventory: &Inventory) -> Vec<String> {
        if inventory.has_report_of(RuntimeName::Cri) {
            return Vec::new();
        }
        let first = |containers: &BTreeMap<u64, String>| {
            let mut containers = containers.values();
            let first = containers.next().filter(|id| !inventory.knows(id))?;
            containers.any(|id| inventory.container(id).is_some()).then(|| first.clone())
        };
        let is_known =
            |path: &str| names::pod(leaf(path)).is_some_and(|uid| inventory.pod(&uid).is_some());
        let pods = self.pods.iter().filter(|(path, _)| is_known(path));
        pods.filter_map(|(_, containers)| first(containers)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::names::{Engine, PodUid};
    use super::super::pod::Pod;
    use super::super::report::{
        AskedRuntime, Container, ContainerState, RuntimeReport, RuntimeResponse,
    };
    use super::*;

    const UID: &str = "01234567-89ab-cdef-0123-456789abcdef";

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    /// As the log files name it: a pod with these containers.
    fn logs(containers: &[char]) -> Inventory {
        let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: PodUid::parse(UID) };
        let container = |digit: &char| Container {
            engine: Engine::Unknown,
            id: id(*digit),
            name: "nginx".into(),
            state: ContainerState::Unknown,
            pod: Some(pod.clone()),
            image: None,
        };
        let containers = containers.iter().map(container).collect();
        let mut inventory = Inventory::default();
        inventory.add(RuntimeReport { containers, pods: vec![pod], ..RuntimeReport::default() });
        inventory
    }

    fn seen(containers: &[(u64, char)]) -> Sandboxes {
        let mut seen = Sandboxes::default();
        for (cgroup, digit) in containers {
            seen.add(*cgroup, &format!("/kubepods/besteffort/pod{UID}/{}", id(*digit)));
        }
        seen
    }

    #[test]
    fn the_first_container_without_a_log_is_the_pause_container() {
        let found = seen(&[(11, 'b'), (10, 'a'), (12, 'c')]);
        assert_eq!(found.without_a_log(&logs(&['b', 'c'])), [id('a')]);
        assert_eq!(found.without_a_log(&logs(&['b'])), [id('a')], "one more has no log yet");
    }

    #[test]
    fn what_may_be_a_workload_is_none() {
        let none = Vec::<String>::new();
        let found = seen(&[(10, 'a'), (11, 'b')]);
        assert_eq!(found.without_a_log(&logs(&[])), none, "no container has a log yet");
        assert_eq!(found.without_a_log(&logs(&['a'])), none, "the first one has a log");
        assert_eq!(found.without_a_log(&Inventory::default()), none, "the pod is not known");
        let mut reported = logs(&['b']);
        reported.asked.push(AskedRuntime {
            name: RuntimeName::Cri,
            user: None,
            address: crate::text::Escaped::default(),
            answer: RuntimeResponse::Containers(1),
            time: Duration::ZERO,
        });
        assert_eq!(found.without_a_log(&reported), none, "its runtime reports it");
    }

    #[test]
    fn only_what_is_right_below_a_pod_counts() {
        let mut found = seen(&[(11, 'b')]);
        found.add(9, &format!("/kubepods/besteffort/pod{UID}"));
        found.add(8, &format!("/kubepods/besteffort/pod{UID}/{}/inner", id('a')));
        found.add(7, &format!("/docker/{}", id('c')));
        assert_eq!(found.without_a_log(&logs(&['b'])), Vec::<String>::new());
    }
}
