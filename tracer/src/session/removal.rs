//! Decides whether a target that is gone can start again in its cgroup: a container that its
//! runtime has removed cannot.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

use crate::{
    cgroup_path::CgroupPath,
    recording::{TargetKind, selection::Selection},
    target::{
        inventory::Inventory,
        report::{AskedRuntime, ContainerState, RuntimeResponse},
        runtime::{Addresses, ask},
        territory::{Territory, containers_in},
    },
};

/// How often the runtimes are asked.
const PERIOD: Duration = Duration::from_secs(2);

/// Asks the runtimes, in the background, and keeps their last answer.
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

    /// Whether none of the targets, whose cgroups are all gone, will be made again. Asks the
    /// runtimes when only they know that. `territory` says in whose part of the hierarchy a cgroup
    /// is.
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
                    let is_removed = |path: &CgroupPath| is_removed(path, answer, territory(path));
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

/// Whether the container of a cgroup will not run again, by the last answer of the runtimes.
/// Kubernetes never starts one again: it makes another.
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
    let may_know =
        |asked: &&AskedRuntime| asked.user.is_none() && asked.name.may_have_made(name.engine);
    let answers = || answer.asked.iter().filter(may_know).map(|asked| &asked.answer);
    answers().any(|answer| matches!(answer, RuntimeResponse::Containers(_)))
        && !answers().any(|answer| matches!(answer, RuntimeResponse::Failed(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::names::Engine;
    use crate::target::pod::Pod;
    use crate::target::report::{Container, RuntimeName, RuntimeReport};

    fn docker(answer: RuntimeResponse) -> AskedRuntime {
        let (name, address) = (RuntimeName::Docker, crate::text::Escaped::default());
        AskedRuntime { name, user: None, address, answer, time: Duration::ZERO }
    }

    fn answer(asked: Vec<AskedRuntime>, containers: Vec<Container>) -> Inventory {
        let mut answer = Inventory::default();
        answer.add(RuntimeReport { containers, ..RuntimeReport::default() });
        answer.asked = asked;
        answer
    }

    #[test]
    fn a_container_is_removed_when_its_runtime_answers_and_does_not_know_it() {
        let id = "a".repeat(64);
        let path = |name: &str| format!("/x/{name}{id}");
        let answers = || vec![docker(RuntimeResponse::Containers(0))];
        let refused = || docker(RuntimeResponse::Failed("no".into()));
        assert!(is_removed(&path("docker-"), &answer(answers(), vec![]), None));
        assert!(is_removed(&path(""), &answer(answers(), vec![]), None), "anybody's");
        assert!(
            !is_removed(&path("libpod-"), &answer(answers(), vec![]), None),
            "podman is not there"
        );
        assert!(
            !is_removed(&path("nerdctl-"), &answer(answers(), vec![]), None),
            "no runtime is asked"
        );
        assert!(!is_removed(&path("docker-"), &answer(vec![refused()], vec![]), None));
        assert!(!is_removed(&path("docker-"), &answer(vec![], vec![]), None));
        assert!(!is_removed("/x/y", &answer(answers(), vec![]), None), "no container");
        let users = Territory { user: 1000, container: None };
        let of_user =
            |path: &str, answer: &Inventory| is_removed(path, answer, Some(users.clone()));
        let mut inventory = answer(answers(), vec![]);
        assert!(
            !of_user(&path("docker-"), &inventory),
            "the host's Docker does not know it anyway"
        );
        inventory.add_of_user(1000, RuntimeReport::default());
        assert!(of_user(&path("docker-"), &inventory));
        let known = |state, pod| Container {
            engine: Engine::Docker,
            id: id.clone(),
            name: "web".into(),
            state,
            pod,
            image: None,
        };
        let mut inventory = answer(answers(), vec![]);
        let containers = vec![known(ContainerState::Exited, None)];
        inventory.add_of_user(1000, RuntimeReport { containers, ..RuntimeReport::default() });
        assert!(!of_user(&path("docker-"), &inventory), "it may start again");
        let pod = || Some(Pod { namespace: "a".into(), name: "b".into(), uid: None });
        for (state, pod, removed) in [
            (ContainerState::Exited, None, false),
            (ContainerState::Created, None, false),
            (ContainerState::Exited, pod(), true),
            (ContainerState::Created, pod(), false),
        ] {
            let inventory = answer(answers(), vec![known(state, pod)]);
            assert_eq!(is_removed(&path("docker-"), &inventory, None), removed, "{state:?}");
        }
    }
}
