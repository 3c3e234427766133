//! Follows the targets: decides which of the cgroups that come belong to them, by the reports of
//! the runtimes.
//!
//! A container's runtime knows its name before the first process of it runs, and may have forgotten
//! it a moment after the last one ended. So a new container is asked for at once, and again as long
//! as no runtime reports it. All calls of all watched cgroups are recorded meanwhile: nothing
//! depends on how soon the answer comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{
    hierarchy::Hierarchy,
    identities::Identities,
    pending::{Doubt, PendingContainers},
};
use crate::{
    cgroup_path::{CgroupPath, UNKNOWN_NAME, is_at_or_below},
    recording::{TargetKind, selection::Selection},
    target::{
        claims::Claims,
        inventory::Inventory,
        known::Match,
        matcher::TargetMatcher,
        names::{Carried, Engine},
        pod::Pod,
        report::RuntimeName,
        runtime::RuntimeUpdate,
        sandboxes::Sandboxes,
        territory::{containers_in, monitor_in},
        unplaced::KnownTargets,
    },
    text::escape,
};

/// Most cgroups for which a line says that they are not what their names say: anyone can make many.
const RIVALS_SHOWN: usize = 8;
/// Most containers without a report that lines name.
const UNRESOLVED_SHOWN: usize = 8;

/// The targets, and how more of their cgroups are found.
pub(super) struct TargetTracker {
    /// The targets; the paths of those that are followed come as their cgroups do.
    pub(super) selections: Vec<Selection>,
    /// What is known of cgroups.
    pub(super) identities: Identities,
    hierarchy: Box<dyn Hierarchy>,
    /// Asks all runtimes for their containers; None when no name matters.
    poll: Option<Box<dyn Fn()>>,
    /// Cgroups that carry a target's name and are not taken for it, as far as a line said so.
    rivals: BTreeSet<CgroupPath>,
    /// Containers that no runtime has reported.
    pending: PendingContainers,
    sandboxes: Sandboxes,
    /// Docker reports every container that it creates.
    docker_events_on: bool,
}

impl TargetTracker {
    /// `poll` asks all runtimes for their containers; without it, no name matters.
    pub(super) fn new(
        selections: Vec<Selection>,
        matchers: Vec<TargetMatcher>,
        inventory: Inventory,
        hierarchy: Box<dyn Hierarchy>,
        poll: Option<Box<dyn Fn()>>,
    ) -> Self {
        let docker_events_on = poll.is_some();
        Self {
            selections,
            identities: Identities { matchers, inventory, claims: Claims::default() },
            hierarchy,
            poll,
            rivals: BTreeSet::new(),
            pending: PendingContainers::default(),
            sandboxes: Sandboxes::default(),
            docker_events_on,
        }
    }

    /// What the runtimes reported.
    pub(super) fn into_inventory(self) -> Inventory {
        self.identities.inventory
    }

    /// Whether the cgroup of that path belongs to a target.
    pub(super) fn is_selected(&self, path: &str) -> bool {
        self.selections.iter().any(|selection| selection.holds(path))
    }

    /// Whether the cgroup of that path is the uppermost one of a target.
    pub(super) fn is_top(&self, path: &str) -> bool {
        self.selections.iter().any(|selection| selection.paths.iter().any(|top| top == path))
    }

    /// Whether the cgroup of that path belongs to no target, whatever is reported later. An
    /// unmanaged container may still.
    pub(super) fn is_foreign(&self, path: &str) -> bool {
        let has_gaps = path.contains(&format!("/{UNKNOWN_NAME}"));
        let may_be = has_gaps && self.may_hold(path, &BTreeMap::new());
        !self.is_selected(path) && !may_be && self.identities.is_settled_as_other(path)
    }

    /// Whether a report that is still pending decides if the cgroup of that path belongs to a
    /// target.
    pub(super) fn is_undecided(&self, path: &str) -> bool {
        self.pending.is_undecided(path)
    }

    /// Whether a cgroup with a path that has gaps may belong to a target. `standing`: the cgroups
    /// that exist at and above the targets' paths, ids by path.
    pub(super) fn may_hold(&self, path: &str, standing: &BTreeMap<CgroupPath, u64>) -> bool {
        let Self { selections, identities: Identities { matchers, inventory, .. }, .. } = self;
        KnownTargets { selections, matchers, inventory, standing }.may_hold(path)
    }

    /// Adds a cgroup, and selects it when it belongs to a target. Returns lines that say which
    /// targets came.
    pub(super) fn on_cgroup(&mut self, id: u64, path: &str, now: Instant) -> Vec<String> {
        let hierarchy = &self.hierarchy;
        let new = self.identities.claims.add(path, |top| hierarchy.territory(top));
        self.sandboxes.add(id, path);
        let loose = self.identities.loose_pod(path).map(CgroupPath::from);
        self.identities.inventory.loose_pods.extend(loose);
        let mut lines = self.select(id, path, now);
        // The cgroup that had the name before may have it rightfully no more.
        for name in new {
            if self.identities.claims.paths(&name).nth(1).is_some() {
                lines.extend(self.reconsider(&name, now));
            }
        }
        if let Some(monitor) = monitor_in(path) {
            self.leave_out(monitor);
        }
        lines
    }

    /// Takes a runtime's update. Returns lines that say which targets came.
    pub(super) fn on_update(&mut self, update: RuntimeUpdate, now: Instant) -> Vec<String> {
        if matches!(update, RuntimeUpdate::EventsEnded(RuntimeName::Docker)) {
            self.docker_events_on = false;
        }
        let mut lines: Vec<String> = update.line().into_iter().collect();
        let answered = update.add_to(&mut self.identities.inventory);
        let pauses = self.sandboxes.without_a_log(&self.identities.inventory);
        self.identities.inventory.sandboxes.extend(pauses);
        lines.extend(self.select_reported(now));
        // The place where a runtime lives may decide which cgroup is its container.
        let has_home = |name: &&Carried| !self.identities.inventory.homes(name).is_empty();
        let doubtful: Vec<Carried> =
            self.identities.claims.doubtful().filter(has_home).cloned().collect();
        for name in doubtful {
            lines.extend(self.reconsider(&name, now));
        }
        if let Some(began) = answered {
            lines.extend(self.expire(began, now));
        }
        lines
    }

    /// Asks again for the containers that are pending.
    pub(super) fn poll_again(&self, now: Instant) {
        if let Some(poll) = &self.poll
            && self.pending.is_worth_asking(now)
        {
            poll();
        }
    }

    /// Expects one more answer about each pending container: what was written meanwhile, such as
    /// the kubelet's log files, may say its name.
    pub(super) fn expect_another_answer(&mut self, now: Instant) {
        self.pending.expect_another_answer(now);
    }

    /// Whether some container identity is still pending.
    pub(super) fn is_any_pending(&self) -> bool {
        self.pending.is_any_open()
    }

    /// How many containers may belong to a target and were never reported.
    pub(super) fn unresolved(&self) -> u64 {
        self.unresolved_paths().count() as u64
    }

    /// Lines that name the first of these containers.
    pub(super) fn unresolved_lines(&self) -> Vec<String> {
        let line = |path: &CgroupPath| {
            format!("warning: no runtime reported the name of the container {}", escape(path))
        };
        self.unresolved_paths().take(UNRESOLVED_SHOWN).map(line).collect()
    }

    fn unresolved_paths(&self) -> impl Iterator<Item = &CgroupPath> {
        let hierarchy = self.hierarchy.as_ref();
        self.pending.unresolved(&self.identities, hierarchy, self.docker_events_on)
    }

    /// Lets names and labels decide at the end for pods that the API server did not report.
    pub(super) fn decide_without_api(&mut self, now: Instant) -> Vec<String> {
        let pods = self.pending.pods_without_report(&self.identities, None);
        self.stop_awaiting(pods, now)
    }

    /// Leaves out a monitor below a target's cgroup: it runs no workload. What tracer starts
    /// itself, or a process that was named, belongs to the workload wherever it is.
    fn leave_out(&mut self, monitor: &str) {
        let is_below = |path: &CgroupPath| path != monitor && is_at_or_below(monitor, path);
        for selection in &mut self.selections {
            let is_whole = matches!(selection.kind, TargetKind::Command | TargetKind::Process);
            let is_left_out = selection.without.iter().any(|known| known == monitor);
            if !is_whole && !is_left_out && selection.paths.iter().any(is_below) {
                selection.without.push(monitor.into());
            }
        }
    }

    /// Selects a cgroup when it belongs to a target, and asks for its container when that is not
    /// known.
    fn select(&mut self, id: u64, path: &str, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        let mut doubt = Doubt::default();
        for at in 0..self.identities.matchers.len() {
            let matcher = &self.identities.matchers[at];
            match matcher.matches(path, &self.identities.known()) {
                Match::Target(top) => {
                    let name = matcher.name.clone();
                    if add(&mut self.selections, &name, &top, |selection| &mut selection.paths) {
                        let remark = self.identities.remark(&top);
                        lines.push(format!("{} is {}{remark}", escape(&name), escape(&top)));
                        self.narrow(at);
                    }
                }
                Match::Pause(top) => {
                    add(&mut self.selections, &matcher.name, &top, |selection| {
                        &mut selection.without
                    });
                }
                Match::Rival { path, contested } => {
                    if self.rivals.len() < RIVALS_SHOWN && self.rivals.insert(path.clone()) {
                        let remark = self.identities.remark(&path);
                        let name = escape(&matcher.name);
                        lines.push(rival(&path, &remark, &name, contested));
                    }
                }
                Match::Undecided => {
                    doubt.to_ask = true;
                    if !matcher.is_id() && !self.is_taken(matcher, id, path) {
                        doubt.undecided = true;
                        doubt.other_engines_possible |= !matcher.only_docker_can_resolve();
                    }
                }
                Match::Other => {}
            }
        }
        if doubt.to_ask || self.is_selected(path) {
            self.request_identity(path, id, doubt, now);
        }
        lines
    }

    /// A target was found: when one engine alone gave its name, the name is followed there alone;
    /// and what may have been the target in its place is not any more.
    fn narrow(&mut self, at: usize) {
        let Identities { matchers, inventory, .. } = &mut self.identities;
        matchers[at] = matchers[at].clone().narrow_to_engine(inventory);
        self.pending.reassess(&self.identities);
    }

    /// Decides anew which of the cgroups that carry a name belong to the targets.
    fn reconsider(&mut self, name: &Carried, now: Instant) -> Vec<String> {
        let paths: Vec<CgroupPath> = self.identities.claims.paths(name).cloned().collect();
        let (mut before, mut lines) = (Vec::new(), Vec::new());
        for matcher in &self.identities.matchers {
            let selections = self.selections.iter_mut();
            for selection in selections.filter(|selection| selection.name == matcher.name) {
                before.extend(selection.paths.extract_if(.., |path| paths.contains(path)));
            }
        }
        for path in paths {
            // For a cgroup that is gone, no other holder of its name is known.
            let id = self.hierarchy.id(&path).unwrap_or_default();
            let selected = self.select(id, &path, now);
            let was_known = before.contains(&path);
            lines.extend(
                selected.into_iter().filter(|line| !was_known || line.starts_with("warning")),
            );
        }
        lines
    }

    /// Whether the container with the target's name existed before this cgroup was made, and still
    /// does: no other container of its engine can have the name. Cgroup ids grow with time.
    fn is_taken(&self, matcher: &TargetMatcher, id: u64, path: &str) -> bool {
        let Identities { inventory, claims, .. } = &self.identities;
        // A user's own engine may give the name as well.
        let is_users = |top: &str| claims.territory(top).is_some_and(|one| one.user != 0);
        if containers_in(path).any(|(top, _)| is_users(top)) {
            return false;
        }
        let engine = containers_in(path).next().map(|(_, name)| name.engine);
        let found = self.selections.iter().filter(|selection| selection.name == matcher.name);
        found.flat_map(|selection| &selection.paths).any(|holder| {
            let container = containers_in(holder).last();
            let known = container.and_then(|(_, name)| inventory.container(&name.id));
            known.is_some_and(|known| {
                matcher.names(known)
                    && (engine == Some(known.engine) || engine == Some(Engine::Unknown))
                    && self.hierarchy.id(holder).is_some_and(|before| before < id)
            })
        })
    }

    /// Asks the runtimes for the containers in a path that none has reported.
    fn request_identity(&mut self, path: &str, cgroup: u64, doubt: Doubt, now: Instant) {
        if let Some(poll) = &self.poll
            && self.pending.add(path, cgroup, doubt, &self.identities, now)
        {
            poll();
        }
    }

    /// Decides again about the cgroups of containers whose report came.
    fn select_reported(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, id) in self.pending.take_reported(&self.identities) {
            lines.extend(self.on_cgroup(id, &path, now));
        }
        lines
    }

    /// After the answer of all runtimes to a poll that began then: running containers unknown to every runtime are unmanaged,
    /// unless one reports them later (containerd reports a pause container only when its network
    /// exists). For pods that the API server did not report, other evidence decides.
    fn expire(&mut self, began: Instant, now: Instant) -> Vec<String> {
        // One that did not answer in time may know the container.
        if !self.identities.has_failed() {
            self.pending.count_answer(began);
        }
        let pods = self.pending.pods_without_report(&self.identities, Some(now));
        let lines = self.stop_awaiting(pods, now);
        self.pending.expire(&self.identities, self.hierarchy.as_ref(), now);
        lines
    }

    /// Lets names and labels decide for pods that the API server did not report.
    fn stop_awaiting(&mut self, pods: Vec<Pod>, now: Instant) -> Vec<String> {
        if pods.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for pod in pods {
            lines.push(format!(
                "warning: the API server did not report the pod {}: its name and labels decide",
                escape(&pod.path())
            ));
            self.identities.inventory.members.stop_awaiting(pod);
        }
        lines.extend(self.select_reported(now));
        lines
    }
}

/// The line about a cgroup that carries a target's name and is not taken for the target.
fn rival(path: &str, remark: &str, name: &str, contested: bool) -> String {
    let why =
        if contested { "nothing shows which cgroup is the right one" } else { "another cgroup is" };
    let path = escape(path);
    format!(
        "warning: {path}{remark} carries the name of {name} and is not recorded under it: {why}"
    )
}

/// Adds a path to the selections of a name; whether it is new.
fn add(
    selections: &mut [Selection],
    name: &str,
    path: &CgroupPath,
    paths: impl Fn(&mut Selection) -> &mut Vec<CgroupPath>,
) -> bool {
    let mut is_new = false;
    for selection in selections.iter_mut().filter(|selection| selection.name == name) {
        let paths = paths(selection);
        if !paths.contains(path) {
            paths.push(path.clone());
            is_new = true;
        }
    }
    is_new
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
