//! What is known of a cgroup: the container that it is in, and in whose part of the hierarchy it lies.

use super::Selecting;
use crate::{
    recording::{ContainerIdentity, phases::CgroupKind},
    session::setup::cgroup_kind,
    target::{
        claims::{Standing, carried},
        names::{ContainerName, Engine},
        territory::{Territory, containers_in, tops},
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
        let pod = container.and_then(|container| container.pod.as_ref());
        let engine = container.map_or(name.engine, |container| container.engine);
        Some(ContainerIdentity {
            engine: (engine != Engine::Unknown).then(|| engine.to_string()),
            id: name.id.clone(),
            name: container.map(|one| one.name.clone()).filter(|name| !name.is_empty()),
            namespace: pod.map(|pod| pod.namespace.clone()),
            pod: pod.map(|pod| pod.name.clone()),
            image: container.and_then(|container| container.image.clone()),
            user: user.filter(|user| *user != 0),
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
