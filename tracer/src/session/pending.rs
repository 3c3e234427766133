//! Containers that no runtime has reported: those whose report is awaited, and those that are taken
//! for unmanaged ones.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{hierarchy::Hierarchy, identities::Identities};
use crate::{
    cgroup_path::CgroupPath,
    target::{known::Match, matcher::TargetMatcher, pod::Pod, territory::containers_in},
};

/// How long a container may run without being reported before it is taken for an unmanaged one.
/// (CRI-O reports a container only when it is made, and its first process runs by then.)
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many answers may leave out a container that has ended before it is not asked for any more.
pub(super) const ANSWERS: u32 = 3;

/// What depends on the report of a container.
#[derive(Clone, Copy, Default)]
pub(super) struct Doubt {
    /// It may have a name that a target has.
    pub(super) to_ask: bool,
    /// Whether it belongs to a target is not known before.
    pub(super) undecided: bool,
    /// An engine other than Docker may report it.
    pub(super) other_engines_possible: bool,
}

/// A container that no runtime has reported.
struct PendingContainer {
    /// Its cgroup and those below, with their ids.
    paths: BTreeMap<CgroupPath, u64>,
    /// When it was seen first.
    since: Instant,
    /// The polls whose answers count began at this moment or later.
    counts_from: Instant,
    /// Answers of all runtimes that left it out.
    answers: u32,
    /// What depends on its report.
    doubt: Doubt,
}

/// All containers that no runtime has reported, by id.
#[derive(Default)]
pub(super) struct PendingContainers {
    pending: BTreeMap<String, PendingContainer>,
    /// Running containers unknown to every runtime: their cgroups and those below, with their ids.
    unmanaged: BTreeMap<String, BTreeMap<CgroupPath, u64>>,
}

impl PendingContainers {
    /// Adds the containers in a path that no runtime has reported. Returns whether one of them is
    /// new.
    pub(super) fn add(
        &mut self,
        path: &str,
        cgroup: u64,
        doubt: Doubt,
        identities: &Identities,
        now: Instant,
    ) -> bool {
        let mut is_any_new = false;
        for (top, name) in containers_in(path) {
            if identities.is_reported(top, &name.id) {
                continue;
            }
            if let Some(paths) = self.unmanaged.get_mut(&name.id) {
                paths.insert(path.into(), cgroup);
                continue;
            }
            let pending = self.pending.entry(name.id).or_insert_with(|| {
                is_any_new = true;
                PendingContainer {
                    paths: BTreeMap::new(),
                    since: now,
                    counts_from: now,
                    answers: 0,
                    doubt,
                }
            });
            pending.doubt.undecided |= doubt.undecided;
            pending.doubt.other_engines_possible |= doubt.other_engines_possible;
            pending.paths.insert(path.into(), cgroup);
        }
        is_any_new
    }

    /// Whether a pending report decides if the cgroup of that path belongs to a target.
    pub(super) fn is_undecided(&self, path: &str) -> bool {
        let is_undecided =
            |id: &str| self.pending.get(id).is_some_and(|pending| pending.doubt.undecided);
        !self.pending.is_empty() && containers_in(path).any(|(_, name)| is_undecided(&name.id))
    }

    /// Whether some container is worth asking for again.
    pub(super) fn is_worth_asking(&self, now: Instant) -> bool {
        self.pending.values().any(|pending| {
            pending.answers < ANSWERS || now.duration_since(pending.since) < PATIENCE * 2
        })
    }

    /// Whether some container identity is still pending.
    pub(super) fn is_any_open(&self) -> bool {
        self.pending.values().any(|pending| pending.answers < ANSWERS)
    }

    /// All runtimes answered once more, to a poll that began then: it tells nothing of containers
    /// that came later.
    pub(super) fn count_answer(&mut self, began: Instant) {
        for pending in self.pending.values_mut().filter(|pending| pending.counts_from <= began) {
            pending.answers += 1;
        }
    }

    /// One more answer must come to a poll that begins at this moment or later.
    pub(super) fn expect_another_answer(&mut self, now: Instant) {
        for pending in self.pending.values_mut() {
            pending.counts_from = now;
            pending.answers = pending.answers.min(ANSWERS - 1);
        }
    }

    /// Decides anew what depends on each report: a target that was found is not another container.
    pub(super) fn reassess(&mut self, identities: &Identities) {
        let known = identities.known();
        for pending in self.pending.values_mut().filter(|pending| pending.doubt.undecided) {
            let is_undecided = |matcher: &&TargetMatcher| {
                let is = |path: &CgroupPath| matcher.matches(path, &known) == Match::Undecided;
                !matcher.is_id() && pending.paths.keys().any(is)
            };
            let undecided: Vec<&TargetMatcher> =
                identities.matchers.iter().filter(is_undecided).collect();
            pending.doubt.other_engines_possible &=
                undecided.iter().any(|matcher| !matcher.only_docker_can_resolve());
            pending.doubt.undecided = !undecided.is_empty();
        }
    }

    /// Takes out the cgroups of the containers about which enough is known now, unmanaged ones
    /// among them.
    pub(super) fn take_reported(&mut self, identities: &Identities) -> Vec<(CgroupPath, u64)> {
        let is_reported = |id: &String, paths: &BTreeMap<CgroupPath, u64>| {
            let all = paths.keys().flat_map(|path| containers_in(path));
            let mut its = all.filter(|(_, name)| name.id == *id);
            its.any(|(top, _)| identities.is_reported(top, id))
        };
        // What is known of a pod may decide without the names of its containers.
        let is_decided = |pending: &PendingContainer| {
            pending.doubt.undecided
                && !pending.paths.keys().any(|path| identities.is_in_doubt(path))
        };
        let is_target = |path: &CgroupPath| identities.is_target(path);
        let pending = self
            .pending
            .extract_if(.., |id, pending| is_reported(id, &pending.paths) || is_decided(pending));
        let mut found: Vec<(CgroupPath, u64)> =
            pending.flat_map(|(_, pending)| pending.paths).collect();
        let unmanaged = self
            .unmanaged
            .extract_if(.., |id, paths| is_reported(id, paths) || paths.keys().any(is_target));
        found.extend(unmanaged.flat_map(|(_, paths)| paths));
        found
    }

    /// Takes running containers that have been pending for too long for unmanaged ones.
    pub(super) fn expire(
        &mut self,
        identities: &Identities,
        hierarchy: &dyn Hierarchy,
        now: Instant,
    ) {
        let expired = self.pending.extract_if(.., |id, pending| {
            pending.is_overdue(now) && pending.runs(hierarchy) && !identities.lacks_facts(id)
        });
        self.unmanaged.extend(expired.map(|(id, pending)| (id, pending.paths)));
    }

    /// The pods of pending containers that the API server has not reported; without `now` of all of
    /// them, else of those that have been pending for too long.
    pub(super) fn pods_without_report(
        &self,
        identities: &Identities,
        now: Option<Instant>,
    ) -> Vec<Pod> {
        let inventory = &identities.inventory;
        let is_over = |pending: &PendingContainer| now.is_none_or(|now| pending.is_overdue(now));
        let over = self.pending.iter().filter(|(_, pending)| is_over(pending));
        let pods = over.filter_map(|(id, pending)| {
            let by_path = || pending.paths.keys().find_map(|path| inventory.pod_in(path));
            let container = inventory.container(id).and_then(|container| container.pod.as_ref());
            container.or_else(by_path).filter(|pod| inventory.members.awaits(pod))
        });
        pods.cloned().collect()
    }

    /// The containers that may belong to a target and were never reported, by their uppermost cgroups:
    /// they have ended, or a runtime that may know them did not answer. `docker_events_on`: Docker
    /// reports every container that it creates, so that none of these is Docker's.
    pub(super) fn unresolved(
        &self,
        identities: &Identities,
        hierarchy: &dyn Hierarchy,
        docker_events_on: bool,
    ) -> impl Iterator<Item = &CgroupPath> {
        let has_failed = identities.has_failed();
        let is_unresolved = move |(id, pending): &(&String, &PendingContainer)| {
            let is_ruled_out = docker_events_on && !pending.doubt.other_engines_possible;
            pending.doubt.undecided
                && !is_ruled_out
                && (has_failed || identities.lacks_facts(id) || !pending.runs(hierarchy))
        };
        let unresolved = self.pending.iter().filter(is_unresolved);
        unresolved.filter_map(|(_, pending)| pending.paths.keys().next())
    }
}

impl PendingContainer {
    /// Whether one of its cgroups still exists.
    fn runs(&self, hierarchy: &dyn Hierarchy) -> bool {
        self.paths.keys().any(|path| hierarchy.id(path).is_some())
    }

    /// Whether it has been pending for longer than a runtime needs.
    fn is_overdue(&self, now: Instant) -> bool {
        now.duration_since(self.since) > PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_answer_is_one_to_a_poll_that_begins_later() {
        let start = Instant::now();
        let pending = PendingContainer {
            paths: BTreeMap::new(),
            since: start,
            counts_from: start,
            answers: 0,
            doubt: Doubt::default(),
        };
        let mut all = PendingContainers::default();
        all.pending.insert("a".to_owned(), pending);
        for _ in 0..ANSWERS {
            all.count_answer(start);
        }
        assert!(!all.is_any_open());
        let end = start + PATIENCE;
        all.expect_another_answer(end);
        all.count_answer(start);
        assert!(all.is_any_open(), "that poll began before");
        all.count_answer(end);
        assert!(!all.is_any_open());
    }
}
