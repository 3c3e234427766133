//! Which containers hold the namespaces of pods, where no runtime tells. Pure.
//!
//! The kubelet's log files name the containers of a pod, and not the pause container, which writes no log. It is made before all
//! others (Kubernetes `pkg/kubelet/kuberuntime/kuberuntime_manager.go`, `SyncPod`): of the cgroups right below the pod's it is the first.

use std::collections::BTreeMap;

use super::inventory::{Answer, Inventory};
use super::names;
use super::territory::containers_in;

/// The containers that were seen right below the cgroups of pods.
#[derive(Clone, Debug, Default)]
pub struct Sandboxes {
    /// By the path of the pod's cgroup: ids of containers by those of their cgroups, which grow with time.
    pods: BTreeMap<String, BTreeMap<u64, String>>,
}

impl Sandboxes {
    /// Takes in a cgroup.
    pub fn take(&mut self, id: u64, path: &str) {
        let Some((above, _)) = path.rsplit_once('/') else { return };
        if names::pod(names::leaf(above).1).is_none() {
            return;
        }
        let container = containers_in(path).find(|(top, _)| *top == path);
        if let Some((_, name)) = container {
            self.pods.entry(above.to_owned()).or_default().insert(id, name.id);
        }
    }

    /// Ids of the pause containers that nobody told of, where the kubelet's log files alone tell of pods: the first container of
    /// a pod, when it has no log and a later one has.
    pub fn told(&self, inventory: &Inventory) -> Vec<String> {
        let answered = |name: &str| {
            let mut sources = inventory.sources.iter();
            sources
                .any(|source| source.name == name && matches!(source.answer, Answer::Containers(_)))
        };
        if answered("CRI") {
            return Vec::new();
        }
        let first = |containers: &BTreeMap<u64, String>| {
            let mut containers = containers.values();
            let first = containers.next().filter(|id| !inventory.knows(id))?;
            containers.any(|id| inventory.container(id).is_some()).then(|| first.clone())
        };
        let is_told = |path: &str| {
            names::pod(names::leaf(path).1).is_some_and(|uid| inventory.pod(&uid).is_some())
        };
        let pods = self.pods.iter().filter(|(path, _)| is_told(path));
        pods.filter_map(|(_, containers)| first(containers)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{
        inventory::{Container, ContainerState, Pod, Source, Told},
        names::Engine,
    };
    use super::*;

    const UID: &str = "01234567-89ab-cdef-0123-456789abcdef";

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    /// What the log files tell: a pod with these containers.
    fn logs(containers: &[char]) -> Inventory {
        let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: UID.into() };
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
        inventory.add(Told { containers, pods: vec![pod], ..Told::default() });
        inventory
    }

    fn seen(containers: &[(u64, char)]) -> Sandboxes {
        let mut seen = Sandboxes::default();
        for (cgroup, digit) in containers {
            seen.take(*cgroup, &format!("/kubepods/besteffort/pod{UID}/{}", id(*digit)));
        }
        seen
    }

    #[test]
    fn the_first_container_without_a_log_is_the_pause_container() {
        let found = seen(&[(11, 'b'), (10, 'a'), (12, 'c')]);
        assert_eq!(found.told(&logs(&['b', 'c'])), [id('a')]);
        assert_eq!(found.told(&logs(&['b'])), [id('a')], "one more has no log yet");
    }

    #[test]
    fn what_may_be_a_workload_is_none() {
        let none = Vec::<String>::new();
        let found = seen(&[(10, 'a'), (11, 'b')]);
        assert_eq!(found.told(&logs(&[])), none, "no container has a log yet");
        assert_eq!(found.told(&logs(&['a'])), none, "the first one has a log");
        assert_eq!(found.told(&Inventory::default()), none, "nobody knows the pod");
        let mut told = logs(&['b']);
        told.sources.push(Source {
            name: "CRI",
            address: String::new(),
            answer: Answer::Containers(1),
            time: Duration::ZERO,
        });
        assert_eq!(found.told(&told), none, "its runtime tells");
    }

    #[test]
    fn only_what_is_right_below_a_pod_counts() {
        let mut found = seen(&[(11, 'b')]);
        found.take(9, &format!("/kubepods/besteffort/pod{UID}"));
        found.take(8, &format!("/kubepods/besteffort/pod{UID}/{}/inner", id('a')));
        found.take(7, &format!("/docker/{}", id('c')));
        assert_eq!(found.told(&logs(&['b'])), Vec::<String>::new());
    }
}
