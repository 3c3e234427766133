//! What is known of a cgroup: the container that it is in, and in whose part of the hierarchy it lies.

use super::Selecting;
use crate::{
    recording::{ContainerIdentity, ToldBy, Workload, phases::CgroupKind},
    session::setup::cgroup_kind,
    target::{
        claims::{Standing, carried},
        inventory::Pod,
        membership::Membership,
        names::{ContainerName, Engine},
        territory::{Territory, containers_in, tops},
        wanted::Wanted,
    },
};

impl Selecting {
    /// In whose part of the hierarchy the cgroup of a container or a pod is.
    pub(in crate::session) fn territory(&self, path: &str) -> Option<Territory> {
        self.claims.territory(path).cloned()
    }

    /// The container that a cgroup belongs to: the innermost that a runtime of this host told of (a node may be a container
    /// itself), else the outermost; never one whose name it carries without being it.
    pub(in crate::session) fn identity(&self, path: &str) -> Option<ContainerIdentity> {
        let found: Vec<(&str, ContainerName)> =
            containers_in(path).filter(|(top, name)| self.is_rightful(top, name)).collect();
        let known = |name: &ContainerName| self.inventory.container(&name.id);
        let (top, name) = found.iter().rfind(|(_, name)| known(name).is_some()).or(found.first())?;
        let user = self.claims.territory(top).map(|territory| territory.user);
        let container = known(name);
        let pod =
            container.map_or_else(|| self.pod_by_api(path), |container| container.pod.as_ref());
        let engine = container.map_or(name.engine, |container| container.engine);
        Some(ContainerIdentity {
            engine: (engine != Engine::Unknown).then(|| engine.to_string()),
            id: name.id.clone(),
            name: container.map(|one| one.name.clone()).filter(|name| !name.is_empty()),
            namespace: pod.map(|pod| pod.namespace.clone()),
            pod: pod.map(|pod| pod.name.clone()),
            workload: pod.and_then(|pod| self.workload(pod)),
            image: container.and_then(|container| container.image.clone()),
            user: user.filter(|user| *user != 0),
        })
    }

    /// The pod that a container is in whose name nobody told, when the API server told of the pod.
    fn pod_by_api(&self, path: &str) -> Option<&Pod> {
        let is_told = |pod: &&Pod| {
            let facts = self.inventory.members.facts(&pod.uid);
            facts.is_some_and(|facts| facts.told_by == ToldBy::Api)
        };
        self.inventory.pod_in(path).filter(is_told)
    }

    /// What a pod is one of: as the API server told, or as it was found to be a target's.
    fn workload(&self, pod: &Pod) -> Option<Workload> {
        let members = &self.inventory.members;
        let facts = members.facts(&pod.uid).filter(|facts| facts.told_by == ToldBy::Api);
        let groups = self.wanted.iter().flat_map(Wanted::groups);
        let told_by = groups.into_iter().find_map(|group| match members.membership(pod, group) {
            Membership::Is(told_by) => Some(told_by),
            _ => None,
        });
        let owner = facts.and_then(|facts| facts.owners.last());
        Some(Workload {
            kind: owner.map(|(kind, _)| kind.api_name().to_owned()),
            name: owner.map(|(_, name)| name.clone()),
            told_by: facts.map(|facts| facts.told_by).or(told_by)?,
        })
    }

    /// What is known of a cgroup by its name: nothing, when another one has that name rightfully.
    pub(in crate::session) fn kind(&self, path: &str) -> CgroupKind {
        let is_outdone = |top: &str| {
            carried(top)
                .any(|name| self.claims.standing(top, &name, &self.inventory) == Standing::Outdone)
        };
        if tops(path).any(is_outdone) { CgroupKind::Unknown } else { cgroup_kind(path) }
    }
}
