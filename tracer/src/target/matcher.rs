//! Matches cgroups against the targets that the user named. Pure.
//!
//! The same matcher finds a target among the cgroups that exist, and follows it: a container that
//! is started again has another id and another cgroup, but the same name. Only runtimes know names
//! ([`Inventory`]), so that the answer for a new container may have to wait for their report.

use super::grammar::{Meaning, TargetSpec};
use super::inventory::Inventory;
use super::known::{Known, Match};
use super::membership::PodGroup;
use super::names::{self, ContainerName};
use super::report::Container;
use super::scope::EngineScope;
use super::territory::containers_in;
use crate::cgroup_path::{CgroupPath, leaf};
use crate::recording::TargetKind;

/// The digits of an id that runtimes print: a text of that length is taken for an id, not for a
/// name.
pub(super) const SHORT_ID: usize = 12;
/// The fewest digits of an id that are awaited: fewer may begin the id of any container that comes.
const AWAITED_ID: usize = 6;

/// Decides for each cgroup whether it belongs to one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetMatcher {
    /// The target as the user typed it.
    pub name: String,
    /// What the name can mean.
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Matcher {
    Meaning(Meaning),
    /// Every container but those that hold a pod's namespaces.
    AllContainers,
}

impl TargetMatcher {
    /// The matcher for a target; None for a path or a process, which are cgroups by themselves.
    pub fn new(spec: &TargetSpec) -> Option<Self> {
        let matchers: Vec<Matcher> = spec
            .meanings
            .iter()
            .filter(|meaning| !matches!(meaning, Meaning::Path(_) | Meaning::Process(_)))
            .cloned()
            .map(Matcher::Meaning)
            .collect();
        (!matchers.is_empty()).then(|| Self { name: spec.text.clone(), matchers })
    }

    /// The matcher for one meaning alone.
    pub(super) fn from_meaning(meaning: &Meaning) -> Self {
        Self { name: String::new(), matchers: vec![Matcher::Meaning(meaning.clone())] }
    }

    /// Matches a pod whose own cgroups were found by their UIDs from now on: nothing outside them
    /// belongs to it.
    #[must_use]
    pub fn pin_to_uids(self, cgroups: &[CgroupPath]) -> Self {
        let uids: Option<Vec<Matcher>> = cgroups
            .iter()
            .map(|path| Some(Matcher::Meaning(Meaning::PodUid(names::pod(leaf(path))?))))
            .collect();
        Self { matchers: uids.filter(|_| self.is_one_pod()).unwrap_or(self.matchers), ..self }
    }

    /// Matches a name that only one engine gave to a container among the containers of that engine
    /// from now on.
    #[must_use]
    pub fn narrow_to_engine(mut self, inventory: &Inventory) -> Self {
        for matcher in &mut self.matchers {
            if let Matcher::Meaning(Meaning::ContainerName { scope, name }) = matcher {
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

    /// Pins the beginnings of ids for later containers. So few digits may have been typed that the
    /// id of another container soon begins with them: they stand for the container that was found,
    /// by its cgroup, or for none.
    #[must_use]
    pub fn pin_short_ids(mut self, found: &[CgroupPath]) -> Self {
        let ids: Vec<String> = found
            .iter()
            .flat_map(|path| containers_in(path).last())
            .map(|(_, name)| name.id)
            .collect();
        for matcher in &mut self.matchers {
            if let Some(prefix) = matcher.short_id()
                && let Some(id) = ids.iter().find(|id| id.starts_with(prefix.as_str()))
            {
                prefix.clone_from(id);
            }
        }
        if !self.matchers.iter_mut().all(|matcher| matcher.short_id().is_some()) {
            self.matchers.retain_mut(|matcher| matcher.short_id().is_none());
        }
        self
    }

    /// The matcher for every container of this host.
    pub fn all_containers() -> Self {
        Self { name: "all containers".to_owned(), matchers: vec![Matcher::AllContainers] }
    }

    /// What kind of thing the target is.
    pub fn kind(&self) -> TargetKind {
        match self.matchers.first() {
            Some(Matcher::Meaning(
                Meaning::PodUid(_)
                | Meaning::PodName { .. }
                | Meaning::PodWithoutNamespace(_)
                | Meaning::Workload { .. },
            )) => TargetKind::Pod,
            Some(Matcher::Meaning(Meaning::Unit(_) | Meaning::UserUnit { .. })) => TargetKind::Unit,
            _ => TargetKind::Container,
        }
    }

    /// The groups of pods that the target names.
    pub fn groups(&self) -> impl Iterator<Item = &PodGroup> {
        self.matchers.iter().filter_map(|matcher| match matcher {
            Matcher::Meaning(Meaning::Workload { group, .. }) => Some(group),
            _ => None,
        })
    }

    /// Whether the target is a pod, and no more than one.
    fn is_one_pod(&self) -> bool {
        let is_workload =
            |matcher: &Matcher| matches!(matcher, Matcher::Meaning(Meaning::Workload { .. }));
        self.kind() == TargetKind::Pod && !self.matchers.iter().any(is_workload)
    }

    /// Whether the reports of runtimes are needed to decide.
    pub fn needs_names(&self) -> bool {
        self.matchers.iter().any(|matcher| match matcher {
            Matcher::AllContainers => true,
            Matcher::Meaning(meaning) => meaning.is_name() || matches!(meaning, Meaning::PodUid(_)),
        })
    }

    /// Whether no report but Docker's can decide.
    pub fn only_docker_can_resolve(&self) -> bool {
        self.matchers.iter().all(|matcher| {
            matches!(
                matcher,
                Matcher::Meaning(
                    Meaning::ContainerName { scope: EngineScope::Docker, .. }
                        | Meaning::ContainerId { .. }
                )
            )
        })
    }

    /// Whether so much of a container's id was typed that no other container is meant. A name may
    /// look like that: a container has it only when its runtime reports it.
    pub fn is_id(&self) -> bool {
        self.matchers.iter().any(
            |matcher| matches!(matcher, Matcher::Meaning(Meaning::ContainerId { prefix, .. }) if prefix.len() >= SHORT_ID),
        )
    }

    /// Whether the target is a container by its name, and this container has the name. While it
    /// exists, no other container of its engine can have it.
    pub fn names(&self, container: &Container) -> bool {
        container.pod.is_none()
            && self.matchers.iter().all(|matcher| match matcher {
                Matcher::Meaning(Meaning::ContainerName { scope, name }) => {
                    let is_users = matches!(scope, EngineScope::OfUser(_));
                    *name == container.name && (is_users || scope.admits_named(container))
                }
                Matcher::Meaning(Meaning::ContainerId { .. }) => true,
                _ => false,
            })
    }

    /// Whether the cgroup right above this container's, whose name is not known, may be that of the
    /// target's pod.
    pub(super) fn may_be_above(&self, container: &ContainerName, inventory: &Inventory) -> bool {
        let known = inventory.container(&container.id);
        let pod = known.and_then(|known| known.pod.as_ref()?.uid.as_ref());
        self.matchers.iter().any(|matcher| match matcher {
            Matcher::Meaning(Meaning::PodUid(uid)) if known.is_some() => pod == Some(uid),
            // A reported container was matched by its name.
            Matcher::Meaning(
                Meaning::PodUid(_)
                | Meaning::PodName { .. }
                | Meaning::PodContainer { .. }
                | Meaning::Workload { .. }
                | Meaning::ContainerName { scope: EngineScope::Cri, .. },
            ) => !inventory.knows(&container.id),
            _ => false,
        })
    }

    /// Whether the cgroup of that path belongs to the target, as far as is known.
    pub fn matches(&self, path: &str, known: &Known<'_>) -> Match {
        let mut found = Match::Other;
        for matcher in &self.matchers {
            match (matcher.matches(path, known), &found) {
                (decided @ (Match::Target(_) | Match::Pause(_)), _) => return decided,
                (Match::Other, _) | (Match::Undecided, Match::Rival { .. }) => {}
                (undecided, _) => found = undecided,
            }
        }
        found
    }
}

impl Matcher {
    fn matches(&self, path: &str, known: &Known<'_>) -> Match {
        match self {
            Self::Meaning(meaning) => known.matches(meaning, path),
            Self::AllContainers => known.any_container(path),
        }
    }

    /// The beginning of an id, when it is so short that it may begin another container's soon.
    fn short_id(&mut self) -> Option<&mut String> {
        match self {
            Self::Meaning(Meaning::ContainerId { prefix, .. }) if prefix.len() < AWAITED_ID => {
                Some(prefix)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
