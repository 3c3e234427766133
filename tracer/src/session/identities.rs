//! What is known of cgroups: the container that a cgroup is in, its pod and workload, and in whose
//! part of the hierarchy it lies.

use std::collections::BTreeMap;

use crate::{
    cgroup_path::{CgroupPath, components, leaf, levels, parent},
    recording::{ContainerIdentity, MembershipSource, Workload, phases::CgroupKind},
    target::{
        claims::{Claims, Standing},
        inventory::Inventory,
        known::{Known, Match},
        matcher::TargetMatcher,
        membership::PodMembership,
        names::{self, Carried, ContainerName, Engine, carried},
        pod::Pod,
        report::RuntimeResponse,
        territory::{Territory, containers_in, is_in_pod_cgroup},
    },
    text::{Escaped, escape},
};

/// The reports of runtimes, the cgroups that carry names, and the targets that these are matched
/// against.
pub(super) struct Identities {
    /// The targets that are followed.
    pub(super) matchers: Vec<TargetMatcher>,
    /// What the runtimes reported.
    pub(super) inventory: Inventory,
    /// The cgroups that carry the names of containers and pods.
    pub(super) claims: Claims,
}

/// A container, as a cgroup's path and the runtimes' reports say.
pub(super) struct IdentifiedContainer {
    pub(super) id: String,
    /// Short, and escaped.
    pub(super) label: Escaped,
    /// Its uppermost cgroup.
    pub(super) top: CgroupPath,
}

impl Identities {
    pub(super) fn known(&self) -> Known<'_> {
        Known { inventory: &self.inventory, claims: &self.claims }
    }

    /// Whether it is not known yet if the cgroup of that path belongs to a target.
    pub(super) fn is_in_doubt(&self, path: &str) -> bool {
        let known = self.known();
        self.matchers.iter().any(|matcher| matcher.matches(path, &known) == Match::Undecided)
    }

    /// Whether the cgroup of that path belongs to a target.
    pub(super) fn is_target(&self, path: &str) -> bool {
        let known = self.known();
        self.matchers.iter().any(|one| matches!(one.matches(path, &known), Match::Target(_)))
    }

    /// Whether the cgroup of that path belongs to no target, whatever is reported later.
    pub(super) fn is_settled_as_other(&self, path: &str) -> bool {
        let known = self.known();
        let is_reported = || containers_in(path).all(|(top, name)| self.is_reported(top, &name.id));
        self.matchers
            .iter()
            .all(|matcher| matcher.matches(path, &known) == Match::Other && is_reported())
    }

    /// Whether a runtime that may report the container with this cgroup did so, and all that is
    /// needed of its pod is known.
    pub(super) fn is_reported(&self, top: &str, id: &str) -> bool {
        self.inventory.knows_in(id, self.claims.territory(top)) && !self.lacks_facts(id)
    }

    /// Whether a runtime that was asked last did not answer.
    pub(super) fn has_failed(&self) -> bool {
        let mut asked = self.inventory.asked.iter();
        asked.any(|asked| matches!(asked.answer, RuntimeResponse::Failed(_)))
    }

    /// Whether the container was reported, and it is not known whether its pod belongs to a target.
    pub(super) fn lacks_facts(&self, id: &str) -> bool {
        let pod = self.inventory.container(id).and_then(|container| container.pod.as_ref());
        let is_open = |pod: &Pod| {
            let mut groups = self.matchers.iter().flat_map(TargetMatcher::groups);
            groups.any(|group| {
                self.inventory.members.membership(pod, group) == PodMembership::Unknown
            })
        };
        pod.is_some_and(is_open)
    }

    /// The cgroup right above a container of a pod that is outside the cgroup of a pod.
    pub(super) fn loose_pod<'path>(&self, path: &'path str) -> Option<&'path str> {
        let is_pods = |top: &str, name: &ContainerName| {
            self.inventory.container(&name.id).is_some_and(|container| container.pod.is_some())
                && self.is_rightful(top, name)
        };
        let mut containers = containers_in(path).filter(|_| !is_in_pod_cgroup(path));
        containers.find(|(top, name)| is_pods(top, name)).and_then(|(top, _)| parent(top))
    }

    /// Whether a cgroup is the container that its name says.
    fn is_rightful(&self, top: &str, name: &ContainerName) -> bool {
        let name = Carried::Container(name.id.clone());
        self.claims.standing(top, &name, &self.inventory) == Standing::Rightful
    }

    /// Cgroups that carry a target's name, when it is not known which of them is the target: paths
    /// by the name, which is an id or a UID.
    pub(super) fn contested(&self) -> BTreeMap<String, Vec<CgroupPath>> {
        let known = self.known();
        let mut found: BTreeMap<String, Vec<CgroupPath>> = BTreeMap::new();
        for name in self.claims.doubtful() {
            for path in self.claims.paths(name) {
                let contested = Match::Rival { path: path.clone(), contested: true };
                if self.matchers.iter().any(|one| one.matches(path, &known) == contested) {
                    found.entry(name.text().to_owned()).or_default().push(path.clone());
                }
            }
        }
        found
    }

    /// In whose part of the hierarchy the cgroup of a container or a pod is.
    pub(super) fn territory(&self, path: &str) -> Option<Territory> {
        self.claims.territory(path).cloned()
    }

    /// For people: in whose part of the hierarchy a cgroup is, when that is not the host's.
    pub(super) fn remark(&self, path: &str) -> String {
        self.claims.territory(path).map(Territory::remark).unwrap_or_default()
    }

    /// The container that a cgroup belongs to: the innermost that a runtime of this host reported
    /// (a node may be a container itself), else the outermost; never one whose name it carries
    /// without being it.
    pub(super) fn identity(&self, path: &str) -> Option<ContainerIdentity> {
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

    /// The same for people who watch.
    pub(super) fn container(&self, path: &str) -> Option<IdentifiedContainer> {
        let identity = self.identity(path)?;
        let (top, _) = containers_in(path).find(|(_, name)| name.id == identity.id)?;
        let label = escape(&identity.short_label());
        Some(IdentifiedContainer { id: identity.id, label, top: top.into() })
    }

    /// The pod of a container that no runtime reported, when the API server reported the pod.
    fn pod_by_api(&self, path: &str) -> Option<&Pod> {
        let is_reported = |pod: &&Pod| {
            let facts = self.inventory.members.facts(pod);
            facts.is_some_and(|facts| facts.source == MembershipSource::Api)
        };
        self.inventory.pod_in(path).filter(is_reported)
    }

    /// The workload of a pod: as the API server reports it, or as the pod was matched with a
    /// target.
    fn workload(&self, pod: &Pod) -> Option<Workload> {
        let members = &self.inventory.members;
        let facts = members.facts(pod).filter(|facts| facts.source == MembershipSource::Api);
        let groups = self.matchers.iter().flat_map(TargetMatcher::groups);
        let source = groups.into_iter().find_map(|group| match members.membership(pod, group) {
            PodMembership::Is(source) => Some(source),
            _ => None,
        });
        let owner = facts.and_then(|facts| facts.owners.last());
        Some(Workload {
            kind: owner.map(|(kind, _)| kind.api_name().to_owned()),
            name: owner.map(|(_, name)| name.clone()),
            source: facts.map(|facts| facts.source).or(source)?,
        })
    }

    /// What is known of a cgroup by its name: nothing, when another cgroup has that name
    /// rightfully.
    pub(super) fn kind(&self, path: &str) -> CgroupKind {
        let is_outdone = |top: &str| {
            carried(top)
                .any(|name| self.claims.standing(top, &name, &self.inventory) == Standing::Outdone)
        };
        if levels(path).any(is_outdone) { CgroupKind::Unknown } else { cgroup_kind(path) }
    }
}

/// What the names in a path say of the cgroup.
fn cgroup_kind(path: &str) -> CgroupKind {
    let is_of_container = levels(path).any(|level| names::container(level).is_some())
        || components(path).any(|name| names::pod(name).is_some());
    if is_of_container {
        CgroupKind::Container
    } else if names::unit(leaf(path)).is_some() {
        CgroupKind::Host
    } else {
        CgroupKind::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_cgroup_is() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(cgroup_kind(&format!("/docker/{id}/init")), CgroupKind::Container);
        let pod = "/kubepods/pod01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(cgroup_kind(pod), CgroupKind::Container);
        assert_eq!(cgroup_kind("/system.slice/nginx.service"), CgroupKind::Host);
        assert_eq!(cgroup_kind("/system.slice/nginx.service/worker"), CgroupKind::Unknown);
        assert_eq!(cgroup_kind("/"), CgroupKind::Unknown);
    }
}
