//! What the user wants, as a rule that tells of each cgroup whether it is the target's. Pure.
//!
//! The same rule finds a target among the cgroups that are there, and follows it: a container that is started again has another
//! id and another cgroup, and the same name. Only runtimes know names ([`Inventory`]), so that a rule may have to wait for
//! what they say of a container that is new.

use super::claims::{Carried, Claims, Standing};
use super::grammar::{EngineScope, Meaning, TargetSpec};
use super::inventory::{Container, Inventory, Pod};
use super::membership::{Group, Membership};
use super::names::{self, ContainerName, Engine, PodUid};
use super::territory::{containers_in, is_in_pod_cgroup, tops};
use crate::recording::TargetKind;

/// The digits of an id that runtimes print: what is as long is no name.
pub(super) const SHORT_ID: usize = 12;
/// The fewest digits of an id that are awaited: fewer may begin the id of any container that comes.
const AWAITED_ID: usize = 6;

/// What the user wants to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As the user typed it.
    pub name: String,
    /// What it can mean.
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Meaning(Meaning),
    /// Every container but those that hold a pod's namespaces.
    AllContainers,
}

/// What is known of containers and pods.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What the runtimes told.
    pub inventory: &'a Inventory,
    /// The cgroups that carry their names; those that are judged were taken in.
    pub claims: &'a Claims,
}

/// Whether a cgroup is the target's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is: this is the target's uppermost cgroup in its path.
    Target(String),
    /// It lies in the target, in the pause container that has this cgroup: that is nobody's workload.
    Pause(String),
    /// This one in its path carries the target's name and is not taken for it: another one is the target, or none can be told
    /// to be.
    Rival {
        /// Its path.
        path: String,
        /// It may be the target all the same.
        contested: bool,
    },
    /// It depends on what its runtime says of a container that no runtime told of yet.
    Undecided,
    /// It is not.
    Other,
}

impl Wanted {
    /// The target; None when it is a path or a process, which are cgroups by themselves.
    pub fn new(spec: &TargetSpec) -> Option<Self> {
        let rules: Vec<Rule> = spec
            .meanings
            .iter()
            .filter(|meaning| !matches!(meaning, Meaning::Path(_) | Meaning::Process(_)))
            .cloned()
            .map(Rule::Meaning)
            .collect();
        (!rules.is_empty()).then(|| Self { name: spec.text.clone(), rules })
    }

    /// One meaning alone.
    pub(super) fn meaning(meaning: &Meaning) -> Self {
        Self { name: String::new(), rules: vec![Rule::Meaning(meaning.clone())] }
    }

    /// The same pod, when its own cgroups were found: nothing outside them is of it.
    pub fn of_found_pod(self, cgroups: &[String]) -> Self {
        let uids: Option<Vec<Rule>> = cgroups
            .iter()
            .map(|path| Some(Rule::Meaning(Meaning::PodUid(names::pod(names::leaf(path).1)?))))
            .collect();
        Self { rules: uids.filter(|_| self.is_one_pod()).unwrap_or(self.rules), ..self }
    }

    /// The same; a name that one engine alone gave to a container is followed among that one's.
    pub fn of_known(mut self, inventory: &Inventory) -> Self {
        for rule in &mut self.rules {
            if let Rule::Meaning(Meaning::ContainerName { scope, name }) = rule {
                let known = inventory.containers.values().filter(|one| one.name == *name);
                let mut scopes: Vec<EngineScope> = known.map(EngineScope::of).collect();
                scopes.dedup();
                if let (EngineScope::Any, [only]) = (*scope, scopes.as_slice()) {
                    *scope = *only;
                }
            }
        }
        self
    }

    /// The same, for what comes later. Of an id so few digits may have been typed that they are another one's beginning soon: they
    /// stand for the container that was found, by its cgroup, or for none.
    pub fn pinned(mut self, found: &[String]) -> Self {
        let ids: Vec<String> = found
            .iter()
            .flat_map(|path| containers_in(path).last())
            .map(|(_, name)| name.id)
            .collect();
        let is_short = |rule: &Rule| matches!(rule, Rule::Meaning(Meaning::ContainerId { prefix, .. }) if prefix.len() < AWAITED_ID);
        for rule in self.rules.iter_mut().filter(|rule| is_short(rule)) {
            let Rule::Meaning(Meaning::ContainerId { prefix, .. }) = rule else { continue };
            if let Some(id) = ids.iter().find(|id| id.starts_with(prefix.as_str())) {
                prefix.clone_from(id);
            }
        }
        if !self.rules.iter().all(is_short) {
            self.rules.retain(|rule| !is_short(rule));
        }
        self
    }

    /// Every container of this host.
    pub fn all_containers() -> Self {
        Self { name: "all containers".to_owned(), rules: vec![Rule::AllContainers] }
    }

    /// What kind of thing is wanted.
    pub fn kind(&self) -> TargetKind {
        match self.rules.first() {
            Some(Rule::Meaning(
                Meaning::PodUid(_)
                | Meaning::PodName { .. }
                | Meaning::PodWithoutNamespace(_)
                | Meaning::Workload { .. },
            )) => TargetKind::Pod,
            Some(Rule::Meaning(Meaning::Unit(_) | Meaning::UserUnit { .. })) => TargetKind::Unit,
            _ => TargetKind::Container,
        }
    }

    /// The pods that are meant together, when such are.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.rules.iter().filter_map(|rule| match rule {
            Rule::Meaning(Meaning::Workload { group, .. }) => Some(group),
            _ => None,
        })
    }

    /// Is a pod meant, and no more than one?
    fn is_one_pod(&self) -> bool {
        let is_workload = |rule: &Rule| matches!(rule, Rule::Meaning(Meaning::Workload { .. }));
        self.kind() == TargetKind::Pod && !self.rules.iter().any(is_workload)
    }

    /// Does it take the runtimes to tell what is the target's?
    pub fn needs_names(&self) -> bool {
        self.rules.iter().any(|rule| match rule {
            Rule::AllContainers => true,
            Rule::Meaning(meaning) => meaning.is_name() || matches!(meaning, Meaning::PodUid(_)),
        })
    }

    /// Can Docker alone tell what is the target's?
    pub fn is_dockers(&self) -> bool {
        self.rules.iter().all(|rule| {
            matches!(
                rule,
                Rule::Meaning(
                    Meaning::ContainerName { scope: EngineScope::Docker, .. }
                        | Meaning::ContainerId { .. }
                )
            )
        })
    }

    /// Was so much of a container's id typed that no other container is meant? A name may look like that; a container has it when its
    /// runtime says so, and is not guessed to.
    pub fn is_id(&self) -> bool {
        self.rules.iter().any(
            |rule| matches!(rule, Rule::Meaning(Meaning::ContainerId { prefix, .. }) if prefix.len() >= SHORT_ID),
        )
    }

    /// Is it wanted by its name, and is this the one that has the name? No other container of its engine has it meanwhile.
    pub fn is_named(&self, container: &Container) -> bool {
        container.pod.is_none()
            && self.rules.iter().all(|rule| match rule {
                Rule::Meaning(Meaning::ContainerName { scope, name }) => {
                    let is_users = matches!(scope, EngineScope::OfUser(_));
                    *name == container.name && (is_users || scope.admits_named(container))
                }
                Rule::Meaning(Meaning::ContainerId { .. }) => true,
                _ => false,
            })
    }

    /// May the cgroup right above this container's be that of the wanted pod? Its name is not known.
    pub(super) fn may_have(&self, container: &ContainerName, inventory: &Inventory) -> bool {
        let known = inventory.container(&container.id);
        let pod = known.and_then(|known| PodUid::parse(&known.pod.as_ref()?.uid));
        self.rules.iter().any(|rule| match rule {
            Rule::Meaning(Meaning::PodUid(uid)) if known.is_some() => pod.as_ref() == Some(uid),
            // What was told of it was judged by its name.
            Rule::Meaning(
                Meaning::PodUid(_)
                | Meaning::PodName { .. }
                | Meaning::PodContainer { .. }
                | Meaning::Workload { .. }
                | Meaning::ContainerName { scope: EngineScope::Cri, .. },
            ) => !inventory.knows(&container.id),
            _ => false,
        })
    }

    /// Whether the cgroup of that path is the target's, as far as is known.
    pub fn judge(&self, path: &str, known: &Known<'_>) -> Verdict {
        let mut verdict = Verdict::Other;
        for rule in &self.rules {
            match (known.judge(rule, path), &verdict) {
                (decided @ (Verdict::Target(_) | Verdict::Pause(_)), _) => return decided,
                (Verdict::Other, _) | (Verdict::Undecided, Verdict::Rival { .. }) => {}
                (undecided, _) => verdict = undecided,
            }
        }
        verdict
    }
}

impl Known<'_> {
    fn judge(&self, rule: &Rule, path: &str) -> Verdict {
        match rule {
            Rule::AllContainers => match containers_in(path).next() {
                None => Verdict::Other,
                Some((top, name)) if self.inventory.sandboxes.contains(&name.id) => {
                    Verdict::Pause(top.to_owned())
                }
                Some((top, name)) => self.container(top, &name.id),
            },
            Rule::Meaning(Meaning::ContainerId { scope, prefix }) => {
                let mut containers = containers_in(path);
                let found = containers
                    .find(|(_, name)| scope.admits(name.engine) && name.id.starts_with(prefix));
                let pod = || podman_pod_in(path, *scope, prefix);
                let found = found.map(|(top, name)| (top, name.id)).or_else(pod);
                found.map_or(Verdict::Other, |(top, id)| self.container(top, &id))
            }
            Rule::Meaning(Meaning::Unit(unit)) => {
                let found = tops(path).find(|top| {
                    names::unit(names::leaf(top).1) == Some(unit)
                        && names::is_host_unit(top)
                        && self.claims.is_hosts_unit(top)
                });
                found.map_or(Verdict::Other, |top| Verdict::Target(top.to_owned()))
            }
            Rule::Meaning(Meaning::UserUnit { user, unit }) => {
                let found = tops(path).find(|top| {
                    names::user_unit(top) == Some((*user, unit)) && self.claims.is_users_unit(top)
                });
                found.map_or(Verdict::Other, |top| Verdict::Target(top.to_owned()))
            }
            Rule::Meaning(Meaning::PodUid(uid)) => {
                let is = |top: &&str| names::pod(names::leaf(top).1).as_ref() == Some(uid);
                match tops(path).find(is) {
                    Some(top) => self.in_pod(top, path),
                    None if is_in_pod_cgroup(path) => Verdict::Other,
                    None => self.by_name(EngineScope::Cri, path, |container| {
                        let pod = container.pod.as_ref();
                        Membership::by_name(
                            pod.and_then(|pod| PodUid::parse(&pod.uid)).as_ref() == Some(uid),
                        )
                    }),
                }
            }
            Rule::Meaning(Meaning::PodName { namespace, pod }) => self.in_pods(path, |known| {
                Membership::by_name(known.namespace == *namespace && known.name == *pod)
            }),
            Rule::Meaning(Meaning::PodContainer { namespace, pod, container }) => {
                self.in_pods_of(path, container, |known| {
                    Membership::by_name(known.namespace == *namespace && known.name == *pod)
                })
            }
            Rule::Meaning(Meaning::Workload { group, container }) => {
                let is = |known: &Pod| self.inventory.members.membership(known, group);
                match container {
                    None => self.in_pods(path, is),
                    Some(container) => self.in_pods_of(path, container, is),
                }
            }
            Rule::Meaning(Meaning::ContainerName { scope, name }) => {
                self.by_name(*scope, path, |container| Membership::by_name(container.name == *name))
            }
            Rule::Meaning(
                Meaning::Path(_) | Meaning::Process(_) | Meaning::PodWithoutNamespace(_),
            ) => Verdict::Other,
        }
    }

    /// A cgroup that carries the id of a container that is wanted.
    fn container(&self, top: &str, id: &str) -> Verdict {
        self.rightful(top, &Carried::Container(id.to_owned()))
    }

    /// A cgroup that carries the name of what is wanted.
    fn rightful(&self, top: &str, name: &Carried) -> Verdict {
        let path = top.to_owned();
        match self.claims.standing(top, name, self.inventory) {
            Standing::Rightful => Verdict::Target(path),
            Standing::Outdone => Verdict::Rival { path, contested: false },
            Standing::Contested => Verdict::Rival { path, contested: true },
        }
    }

    /// A cgroup of one of these pods.
    fn in_pods(&self, path: &str, is: impl Fn(&Pod) -> Membership) -> Verdict {
        let is_top = |top: &&str| {
            let uid = names::pod(names::leaf(top).1);
            let known = uid.and_then(|uid| self.inventory.pod(&uid));
            known.is_some_and(|known| matches!(is(known), Membership::Is(_)))
        };
        match (tops(path).find(is_top), self.inventory.pod_in(path).map(&is)) {
            (Some(top), _) => self.in_pod(top, path),
            (None, Some(Membership::Unknown)) => Verdict::Undecided,
            (None, Some(_)) => Verdict::Other,
            (None, None) => self.by_name(EngineScope::Cri, path, |container| {
                container.pod.as_ref().map_or(Membership::IsNot, &is)
            }),
        }
    }

    /// A cgroup of the container of that name in one of these pods.
    fn in_pods_of(&self, path: &str, name: &str, is: impl Fn(&Pod) -> Membership) -> Verdict {
        let verdict = self.by_name(EngineScope::Cri, path, |container| match &container.pod {
            Some(pod) if container.name == name => is(pod),
            _ => Membership::IsNot,
        });
        // A container that no runtime told of yet, in a pod that is known to be another.
        match (self.inventory.pod_in(path), verdict) {
            (Some(known), Verdict::Undecided) if is(known) == Membership::IsNot => Verdict::Other,
            (_, verdict) => verdict,
        }
    }

    /// A cgroup of the pod that has this cgroup.
    fn in_pod(&self, top: &str, path: &str) -> Verdict {
        let Some(uid) = names::pod(names::leaf(top).1) else { return Verdict::Other };
        let verdict = self.rightful(top, &Carried::Pod(uid));
        let below = containers_in(path).find(|(container, _)| container.len() >= top.len());
        match (verdict, below) {
            (Verdict::Target(_), Some((pause, name)))
                if self.inventory.sandboxes.contains(&name.id) =>
            {
                Verdict::Pause(pause.to_owned())
            }
            (verdict, _) => verdict,
        }
    }

    /// A container inside one that is known to be another is that one's business, unless it is known to be wanted.
    fn by_name(
        &self,
        scope: EngineScope,
        path: &str,
        is_wanted: impl Fn(&Container) -> Membership,
    ) -> Verdict {
        let mut verdict = Verdict::Other;
        let mut in_another = false;
        for (top, name) in containers_in(path) {
            let known = match scope {
                EngineScope::OfUser(user) => self.of_user(user, top, &name.id),
                _ => self.inventory.container(&name.id),
            };
            let membership = known.map(|known| (scope.admits_named(known), is_wanted(known)));
            match membership {
                Some((true, Membership::Is(_))) => return self.container(top, &name.id),
                Some((true, Membership::Unknown)) if !in_another => verdict = Verdict::Undecided,
                None if !in_another
                    && !self.inventory.sandboxes.contains(&name.id)
                    && scope.admits(name.engine)
                    && (scope != EngineScope::Cri || self.may_be_pods(path, top))
                    && self.may_be_told(scope, top) =>
                {
                    verdict = Verdict::Undecided;
                }
                _ => in_another = true,
            }
        }
        verdict
    }

    /// May it be a container of a pod? The kubelet makes a cgroup for each pod, unless containers of pods were seen beside this one, or
    /// it lies where containers of pods without cgroups do.
    fn may_be_pods(&self, path: &str, top: &str) -> bool {
        is_in_pod_cgroup(path)
            || is_where_loose_pods_are(top)
            || self.inventory.loose_pods.contains(names::above(top))
    }

    /// May one of the runtimes that are asked have made it, and tell of it yet? Whoever makes cgroups in a tree of their own
    /// must not keep others waiting for names.
    fn may_be_told(&self, scope: EngineScope, top: &str) -> bool {
        let territory = self.claims.territory(top);
        match scope {
            EngineScope::OfUser(user) => {
                territory.is_some_and(|territory| territory.is_users(user))
                    && self.inventory.has_engine_of(user)
            }
            _ => territory.is_none_or(|territory| self.inventory.may_be_made_in(territory)),
        }
    }

    /// What the engines of a user told of a container; in that user's own tree only.
    fn of_user(&self, user: u32, top: &str, id: &str) -> Option<&Container> {
        let territory = self.claims.territory(top).filter(|one| one.is_users(user))?;
        self.inventory.of_user(id, territory)
    }
}

/// The pod of Podman's in a path whose id begins so.
fn podman_pod_in<'path>(
    path: &'path str,
    scope: EngineScope,
    prefix: &str,
) -> Option<(&'path str, String)> {
    let mut pods = tops(path).filter_map(|top| {
        let (parent, last) = names::leaf(top);
        Some((top, names::podman_pod(parent, last)?.to_owned()))
    });
    pods.find(|(_, id)| scope.admits(Engine::Podman) && id.starts_with(prefix))
}

/// The container's cgroup is where the runtimes of Kubernetes make one when they are told no place: `/k8s.io/ID`, after containerd's
/// namespace for Kubernetes, and with systemd's driver `/system.slice/cri-containerd-ID.scope` and `crio-ID.scope`.
fn is_where_loose_pods_are(top: &str) -> bool {
    let (parent, last) = names::leaf(top);
    let is_of_kubernetes =
        |name: ContainerName| matches!(name.engine, Engine::Containerd | Engine::Crio);
    match parent {
        Some("k8s.io") => true,
        Some("system.slice") => names::container(parent, last).is_some_and(is_of_kubernetes),
        _ => false,
    }
}

#[cfg(test)]
#[path = "wanted_tests.rs"]
mod tests;
