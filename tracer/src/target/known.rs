//! Matches one meaning of a target against one cgroup, by what is known of containers and pods.
//! Pure.

use super::claims::{Claims, Standing};
use super::grammar::Meaning;
use super::inventory::Inventory;
use super::membership::PodMembership;
use super::names::{self, Carried, ContainerName, Engine, PodUid};
use super::pod::Pod;
use super::report::Container;
use super::scope::EngineScope;
use super::territory::{containers_in, is_in_pod_cgroup};
use crate::cgroup_path::{CgroupPath, leaf, levels, parent};

/// What is known of containers and pods.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What the runtimes reported.
    pub inventory: &'a Inventory,
    /// The cgroups that carry their names; those that are matched are among them.
    pub claims: &'a Claims,
}

/// Whether a cgroup belongs to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It does: this is the target's uppermost cgroup in its path.
    Target(CgroupPath),
    /// It lies in the target, in the pause container that has this cgroup: a pause container runs
    /// no workload.
    Pause(CgroupPath),
    /// This cgroup in its path carries the target's name and is not taken for the target: another
    /// cgroup is, or it is not known which one is.
    Rival {
        /// Its path.
        path: CgroupPath,
        /// It may be the target all the same.
        contested: bool,
    },
    /// That depends on a container that no runtime has reported yet.
    Undecided,
    /// It does not.
    Other,
}

impl Known<'_> {
    /// A container, whichever it is.
    pub(super) fn any_container(&self, path: &str) -> Match {
        match containers_in(path).next() {
            None => Match::Other,
            Some((top, name)) if self.inventory.sandboxes.contains(&name.id) => {
                Match::Pause(top.into())
            }
            Some((top, name)) => self.container(top, &name.id),
        }
    }

    /// Whether the cgroup of that path belongs to what a meaning names. Paths and processes are
    /// cgroups by themselves, and match nothing here.
    pub(super) fn matches(&self, meaning: &Meaning, path: &str) -> Match {
        match meaning {
            Meaning::ContainerId { scope, prefix } => self.by_id(*scope, prefix, path),
            Meaning::Unit(unit) => uppermost(path, |top| {
                names::unit(leaf(top)) == Some(unit)
                    && names::is_host_unit(top)
                    && self.claims.is_hosts_unit(top)
            }),
            Meaning::UserUnit { user, unit } => uppermost(path, |top| {
                names::user_unit(top) == Some((*user, unit)) && self.claims.is_users_unit(top)
            }),
            Meaning::PodUid(uid) => self.by_uid(uid, path),
            Meaning::PodName { namespace, pod } => self.in_pods(path, |known| {
                PodMembership::by_name(known.namespace == *namespace && known.name == *pod)
            }),
            Meaning::PodContainer { namespace, pod, container } => {
                self.in_pods_of(path, container, |known| {
                    PodMembership::by_name(known.namespace == *namespace && known.name == *pod)
                })
            }
            Meaning::Workload { group, container } => {
                let is = |known: &Pod| self.inventory.members.membership(known, group);
                match container {
                    None => self.in_pods(path, is),
                    Some(container) => self.in_pods_of(path, container, is),
                }
            }
            Meaning::ContainerName { scope, name } => self
                .by_name(*scope, path, |container| PodMembership::by_name(container.name == *name)),
            Meaning::Path(_) | Meaning::Process(_) | Meaning::PodWithoutNamespace(_) => {
                Match::Other
            }
        }
    }

    /// A cgroup of the container, or of the pod of Podman's, whose id begins so.
    fn by_id(&self, scope: EngineScope, prefix: &str, path: &str) -> Match {
        let mut containers = containers_in(path);
        let container = containers
            .find(|(_, name)| scope.admits(name.engine) && name.id.starts_with(prefix))
            .map(|(top, name)| (top, name.id));
        let found = container.or_else(|| podman_pod_in(path, scope, prefix));
        found.map_or(Match::Other, |(top, id)| self.container(top, &id))
    }

    /// A cgroup of the pod with that UID.
    fn by_uid(&self, uid: &PodUid, path: &str) -> Match {
        let is = |top: &&str| names::pod(leaf(top)).as_ref() == Some(uid);
        match levels(path).find(is) {
            Some(top) => self.in_pod(top, path),
            None if is_in_pod_cgroup(path) => Match::Other,
            None => self.by_name(EngineScope::Cri, path, |container| {
                let pod = container.pod.as_ref();
                PodMembership::by_name(pod.and_then(|pod| pod.uid.as_ref()) == Some(uid))
            }),
        }
    }

    /// A cgroup that carries the id of a container that is meant.
    fn container(&self, top: &str, id: &str) -> Match {
        self.rightful(top, &Carried::Container(id.to_owned()))
    }

    /// A cgroup that carries the name of what is meant.
    fn rightful(&self, top: &str, name: &Carried) -> Match {
        let path = CgroupPath::from(top);
        match self.claims.standing(top, name, self.inventory) {
            Standing::Rightful => Match::Target(path),
            Standing::Outdone => Match::Rival { path, contested: false },
            Standing::Contested => Match::Rival { path, contested: true },
        }
    }

    /// A cgroup of one of these pods.
    fn in_pods(&self, path: &str, is: impl Fn(&Pod) -> PodMembership) -> Match {
        let is_top = |top: &&str| {
            let uid = names::pod(leaf(top));
            let known = uid.and_then(|uid| self.inventory.pod(&uid));
            known.is_some_and(|known| matches!(is(known), PodMembership::Is(_)))
        };
        match (levels(path).find(is_top), self.inventory.pod_in(path).map(&is)) {
            (Some(top), _) => self.in_pod(top, path),
            (None, Some(PodMembership::Unknown)) => Match::Undecided,
            (None, Some(_)) => Match::Other,
            (None, None) => self.by_name(EngineScope::Cri, path, |container| {
                container.pod.as_ref().map_or(PodMembership::IsNot, &is)
            }),
        }
    }

    /// A cgroup of the container of that name in one of these pods.
    fn in_pods_of(&self, path: &str, name: &str, is: impl Fn(&Pod) -> PodMembership) -> Match {
        let verdict = self.by_name(EngineScope::Cri, path, |container| match &container.pod {
            Some(pod) if container.name == name => is(pod),
            _ => PodMembership::IsNot,
        });
        // A container that no runtime has reported yet, in a pod that is known to be another.
        match (self.inventory.pod_in(path), verdict) {
            (Some(known), Match::Undecided) if is(known) == PodMembership::IsNot => Match::Other,
            (_, verdict) => verdict,
        }
    }

    /// A cgroup of the pod that has this cgroup.
    fn in_pod(&self, top: &str, path: &str) -> Match {
        let Some(uid) = names::pod(leaf(top)) else { return Match::Other };
        let verdict = self.rightful(top, &Carried::Pod(uid));
        let below = containers_in(path).find(|(container, _)| container.len() >= top.len());
        match (verdict, below) {
            (Match::Target(_), Some((pause, name)))
                if self.inventory.sandboxes.contains(&name.id) =>
            {
                Match::Pause(pause.into())
            }
            (verdict, _) => verdict,
        }
    }

    /// A cgroup of a container that is known by its name. A container nested in a known, other
    /// container is ignored, unless it matches by itself.
    fn by_name(
        &self,
        scope: EngineScope,
        path: &str,
        is_meant: impl Fn(&Container) -> PodMembership,
    ) -> Match {
        let mut verdict = Match::Other;
        let mut in_another = false;
        for (top, name) in containers_in(path) {
            let known = match scope {
                EngineScope::OfUser(user) => self.of_user(user, top, &name.id),
                _ => self.inventory.container(&name.id),
            };
            let membership = known.map(|known| (scope.admits_named(known), is_meant(known)));
            match membership {
                Some((true, PodMembership::Is(_))) => return self.container(top, &name.id),
                Some((true, PodMembership::Unknown)) if !in_another => verdict = Match::Undecided,
                None if !in_another && self.may_be_reported(scope, path, top, &name) => {
                    verdict = Match::Undecided;
                }
                _ => in_another = true,
            }
        }
        verdict
    }

    /// Whether the runtimes that are asked may still report a container by a name of that scope. A
    /// container in a tree where no runtime makes any must not keep others waiting for names.
    fn may_be_reported(
        &self,
        scope: EngineScope,
        path: &str,
        top: &str,
        name: &ContainerName,
    ) -> bool {
        if self.inventory.sandboxes.contains(&name.id) || !scope.admits(name.engine) {
            return false;
        }
        let territory = self.claims.territory(top);
        match scope {
            EngineScope::OfUser(user) => {
                territory.is_some_and(|territory| territory.is_users(user))
                    && self.inventory.has_engine_of(user)
            }
            EngineScope::Cri if !self.may_be_pods(path, top) => false,
            _ => territory.is_none_or(|territory| self.inventory.may_be_made_in(territory)),
        }
    }

    /// Whether it may be a container of a pod. The kubelet makes a cgroup for each pod, unless
    /// containers of pods were seen beside this one, or it lies where containers of pods without
    /// cgroups do.
    fn may_be_pods(&self, path: &str, top: &str) -> bool {
        is_in_pod_cgroup(path)
            || is_where_loose_pods_are(top)
            || parent(top).is_some_and(|above| self.inventory.loose_pods.contains(above))
    }

    /// The container as the engines of a user report it; in that user's own tree only.
    fn of_user(&self, user: u32, top: &str, id: &str) -> Option<&Container> {
        let territory = self.claims.territory(top).filter(|one| one.is_users(user))?;
        self.inventory.of_user(id, territory)
    }
}

/// The uppermost cgroup of a path that a test holds for.
fn uppermost(path: &str, holds: impl Fn(&str) -> bool) -> Match {
    let top = levels(path).find(|top| holds(top));
    top.map_or(Match::Other, |top| Match::Target(top.into()))
}

/// The pod of Podman's in a path whose id begins so.
fn podman_pod_in<'path>(
    path: &'path str,
    scope: EngineScope,
    prefix: &str,
) -> Option<(&'path str, String)> {
    let mut pods = levels(path).filter_map(|top| Some((top, names::podman_pod(top)?.to_owned())));
    pods.find(|(_, id)| scope.admits(Engine::Podman) && id.starts_with(prefix))
}

/// Whether a container's cgroup is where the runtimes of Kubernetes make one by default:
/// `/k8s.io/ID`, after containerd's namespace for Kubernetes, and with systemd's driver
/// `/system.slice/cri-containerd-ID.scope` and `crio-ID.scope`.
fn is_where_loose_pods_are(top: &str) -> bool {
    let is_of_kubernetes =
        |name: ContainerName| matches!(name.engine, Engine::Containerd | Engine::Crio);
    match names::name_of_parent(top) {
        "k8s.io" => true,
        "system.slice" => names::container(top).is_some_and(is_of_kubernetes),
        _ => false,
    }
}
