//! Whether a target that is gone can start again in its cgroup: a container that its runtime has removed cannot.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

use crate::{
    recording::{TargetKind, assembly::Selection},
    target::{
        inventory::{Answer, ContainerState, Inventory, Source},
        names::Engine,
        runtime::{Addresses, ask},
        territory::{Territory, containers_in},
    },
};

/// How often the runtimes are asked.
const PERIOD: Duration = Duration::from_secs(2);

/// Asks the runtimes, in the background, and keeps what they said last.
pub(super) struct Removal {
    addresses: Addresses,
    asked: Option<JoinHandle<Inventory>>,
    since: Option<Instant>,
    answer: Option<Inventory>,
}

impl Removal {
    pub(super) fn new(addresses: Addresses) -> Self {
        Self { addresses, asked: None, since: None, answer: None }
    }

    /// None of the targets, whose cgroups are all gone, will be made again. Asks the runtimes when it takes them to know that.
    /// `territory` tells in whose a cgroup is.
    pub(super) fn is_final(
        &mut self,
        selections: &[Selection],
        territory: impl Fn(&str) -> Option<Territory>,
    ) -> bool {
        if selections.iter().any(|one| one.kind == TargetKind::Container) {
            self.ask();
        }
        let answer = self.answer.as_ref();
        !selections.is_empty()
            && selections.iter().all(|selection| match selection.kind {
                // The cgroup of a pod is there as long as the pod is.
                TargetKind::Pod => true,
                TargetKind::Container => answer.is_some_and(|answer| {
                    let is_removed = |path: &String| is_removed(path, answer, territory(path));
                    selection.paths.iter().all(is_removed)
                }),
                _ => false,
            })
    }

    fn ask(&mut self) {
        if let Some(asked) = &mut self.asked {
            let Some(answer) = asked.now_or_never() else { return };
            self.answer = answer.ok();
            self.asked = None;
        }
        if self.since.is_none_or(|since| since.elapsed() >= PERIOD) {
            self.since = Some(Instant::now());
            let addresses = self.addresses.clone();
            self.asked = Some(tokio::spawn(async move { ask(&addresses).await }));
        }
    }
}

/// The container of a cgroup will not run again, by what the runtimes say now. Kubernetes never starts one again: it makes another.
fn is_removed(path: &str, answer: &Inventory, territory: Option<Territory>) -> bool {
    let Some((_, name)) = containers_in(path).last() else { return false };
    if let Some(territory) = territory.filter(|territory| !territory.is_hosts()) {
        return territory.is_users(territory.user)
            && answer.has_engine_of(territory.user)
            && answer.of_user(&name.id, &territory).is_none();
    }
    if let Some(known) = answer.container(&name.id) {
        return known.pod.is_some() && known.state == ContainerState::Exited;
    }
    let may_know = |source: &&Source| {
        matches!(
            (name.engine, source.name),
            (Engine::Docker | Engine::Unknown, "docker")
                | (Engine::Podman | Engine::Unknown, "podman" | "podman's storage")
                | (Engine::Docker | Engine::Containerd | Engine::Crio | Engine::Unknown, "CRI")
        )
    };
    let answers = || answer.sources.iter().filter(may_know).map(|source| &source.answer);
    answers().any(|answer| matches!(answer, Answer::Containers(_)))
        && !answers().any(|answer| matches!(answer, Answer::Failed(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::inventory::{Container, Pod, Told};

    fn source(name: &'static str, answer: Answer) -> Source {
        Source { name, address: String::new(), answer, time: Duration::ZERO }
    }

    fn answer(sources: Vec<Source>, containers: Vec<Container>) -> Inventory {
        let mut answer = Inventory::default();
        answer.add(Told { containers, ..Told::default() });
        answer.sources = sources;
        answer
    }

    #[test]
    fn a_container_is_removed_when_its_runtime_answers_and_does_not_know_it() {
        let id = "a".repeat(64);
        let path = |name: &str| format!("/x/{name}{id}");
        let docker = || vec![source("docker", Answer::Containers(0))];
        let refused = || source("docker", Answer::Failed("no".into()));
        assert!(is_removed(&path("docker-"), &answer(docker(), vec![]), None));
        assert!(is_removed(&path(""), &answer(docker(), vec![]), None), "anybody's");
        assert!(
            !is_removed(&path("libpod-"), &answer(docker(), vec![]), None),
            "podman is not there"
        );
        assert!(!is_removed(&path("nerdctl-"), &answer(docker(), vec![]), None), "nobody is asked");
        assert!(!is_removed(&path("docker-"), &answer(vec![refused()], vec![]), None));
        assert!(!is_removed(&path("docker-"), &answer(vec![], vec![]), None));
        assert!(!is_removed("/x/y", &answer(docker(), vec![]), None), "no container");
        let users = Territory { user: 1000, container: None };
        let of_user = |path: &str, told: &Inventory| is_removed(path, told, Some(users.clone()));
        let mut told = answer(docker(), vec![]);
        assert!(!of_user(&path("docker-"), &told), "the host's Docker does not know it anyway");
        told.add_of_user(1000, Told::default());
        assert!(of_user(&path("docker-"), &told));
        let known = |state, pod| Container {
            engine: Engine::Docker,
            id: id.clone(),
            name: "web".into(),
            state,
            pod,
            image: None,
        };
        let mut told = answer(docker(), vec![]);
        let containers = vec![known(ContainerState::Exited, None)];
        told.add_of_user(1000, Told { containers, ..Told::default() });
        assert!(!of_user(&path("docker-"), &told), "it may start again");
        let pod = || Some(Pod { namespace: "a".into(), name: "b".into(), uid: "c".into() });
        for (state, pod, removed) in [
            (ContainerState::Exited, None, false),
            (ContainerState::Created, None, false),
            (ContainerState::Exited, pod(), true),
            (ContainerState::Created, pod(), false),
        ] {
            let told = answer(docker(), vec![known(state, pod)]);
            assert_eq!(is_removed(&path("docker-"), &told, None), removed, "{state:?}");
        }
    }
}
