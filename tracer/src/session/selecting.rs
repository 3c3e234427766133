//! Which of the cgroups that come are the target's, by what the runtimes say of the containers in them.
//!
//! A container's runtime knows its name before the first process of it runs, and may have forgotten it a moment after the last one
//! ended: whoever is new is asked for at once, and again as long as nobody tells. All calls of all watched cgroups are
//! recorded meanwhile, so that nothing depends on how soon the answer comes.

mod decided;
mod identity;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{
    recording::{
        TargetKind,
        assembly::{Selection, UNKNOWN_NAME, is_at_or_below},
    },
    target::{
        cgroup::CgroupRoot,
        claims::{Carried, Claims, Standing},
        inventory::{Answer, Inventory},
        names::{ContainerName, Engine, above},
        owner,
        runtime::{Asker, News},
        sandboxes::Sandboxes,
        territory::{Territory, containers_in, is_in_pod_cgroup, monitor_in},
        unplaced::Targets,
        wanted::{Known, Verdict, Wanted},
    },
    text::escape,
};

use super::unknown::{ANSWERS, Doubt, PATIENCE, Unknown};

/// Most cgroups of which it is told that they are not what their names say: anyone can make many.
const RIVALS_TOLD: usize = 8;

/// The targets, and how more of their cgroups are found.
pub(super) struct Selecting {
    wanted: Vec<Wanted>,
    /// The targets; the paths of those that are followed come as their cgroups do.
    pub(super) selections: Vec<Selection>,
    inventory: Inventory,
    root: CgroupRoot,
    claims: Claims,
    /// Cgroups that carry a target's name and are not taken for it, as far as that was told.
    rivals: BTreeSet<String>,
    /// None when no name matters.
    asker: Option<Asker>,
    /// Containers that nobody told of yet, by id.
    unknown: BTreeMap<String, Unknown>,
    /// Containers that run and that nobody knows: their cgroups and those below, with their ids, by the container's id.
    foreign: BTreeMap<String, BTreeMap<String, u64>>,
    sandboxes: Sandboxes,
    /// Docker tells of every container that it makes.
    docker_tells: bool,
}

impl Selecting {
    pub(super) fn new(
        selections: Vec<Selection>,
        wanted: Vec<Wanted>,
        inventory: Inventory,
        asker: Option<Asker>,
        root: CgroupRoot,
    ) -> Self {
        let docker_tells = asker.is_some();
        Self {
            wanted,
            selections,
            inventory,
            root,
            claims: Claims::default(),
            rivals: BTreeSet::new(),
            asker,
            unknown: BTreeMap::new(),
            foreign: BTreeMap::new(),
            sandboxes: Sandboxes::default(),
            docker_tells,
        }
    }

    /// What the runtimes told.
    pub(super) fn into_inventory(self) -> Inventory {
        self.inventory
    }

    /// The cgroup of that path is the target's.
    pub(super) fn is_selected(&self, path: &str) -> bool {
        self.selections.iter().any(|selection| selection.holds(path))
    }

    /// The cgroup of that path is the uppermost one of a target.
    pub(super) fn is_top(&self, path: &str) -> bool {
        self.selections.iter().any(|selection| selection.paths.iter().any(|top| top == path))
    }

    fn known(&self) -> Known<'_> {
        Known { inventory: &self.inventory, claims: &self.claims }
    }

    /// Whether the cgroup of that path is a target's cannot be told yet.
    fn is_in_doubt(&self, path: &str) -> bool {
        let known = self.known();
        self.wanted.iter().any(|wanted| wanted.judge(path, &known) == Verdict::Undecided)
    }

    /// The cgroup of that path is no target's, whatever will be known. One of a container that no runtime knows may still be.
    pub(super) fn is_foreign(&self, path: &str) -> bool {
        let known = Known { inventory: &self.inventory, claims: &self.claims };
        let is_settled = |wanted: &Wanted| {
            wanted.judge(path, &known) == Verdict::Other
                && containers_in(path).all(|(top, name)| self.knows(top, &name.id))
        };
        let has_gaps = path.contains(&format!("/{UNKNOWN_NAME}"));
        let may_be = has_gaps && self.may_hold(path, &BTreeMap::new());
        !self.is_selected(path) && !may_be && self.wanted.iter().all(is_settled)
    }

    /// Whether it is will be told.
    pub(super) fn is_undecided(&self, path: &str) -> bool {
        !self.unknown.is_empty()
            && containers_in(path)
                .any(|(_, name)| self.unknown.get(&name.id).is_some_and(|one| one.doubt.undecided))
    }

    /// Takes a cgroup into the selections when it is a target's; lines that say which targets came.
    pub(super) fn place(&mut self, id: u64, path: &str) -> Vec<String> {
        let new = self.claims.take(path, |top| owner::territory(&self.root, top));
        self.sandboxes.take(id, path);
        let loose = self.loose(path).map(str::to_owned);
        self.inventory.loose_pods.extend(loose);
        let mut lines = self.judge(id, path);
        // Whoever carried the name before may be it no more.
        for name in new {
            if self.claims.paths(&name).nth(1).is_some() {
                lines.extend(self.reconsider(&name));
            }
        }
        if let Some(monitor) = monitor_in(path) {
            self.leave_out(monitor);
        }
        lines
    }

    /// A monitor below a target's cgroup is no workload. What tracer starts itself, or a process that was named, is one wherever it is.
    fn leave_out(&mut self, monitor: &str) {
        let is_below = |path: &String| path != monitor && is_at_or_below(monitor, path);
        for selection in &mut self.selections {
            let is_whole = matches!(selection.kind, TargetKind::Command | TargetKind::Process);
            let is_left_out = selection.without.iter().any(|known| known == monitor);
            if !is_whole && !is_left_out && selection.paths.iter().any(is_below) {
                selection.without.push(monitor.to_owned());
            }
        }
    }

    fn judge(&mut self, id: u64, path: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut doubt = Doubt::default();
        for at in 0..self.wanted.len() {
            let wanted = &self.wanted[at];
            let known = Known { inventory: &self.inventory, claims: &self.claims };
            let name = escape(&wanted.name);
            match wanted.judge(path, &known) {
                Verdict::Target(top) => {
                    if add(&mut self.selections, &wanted.name, &top, |selection| {
                        &mut selection.paths
                    }) {
                        let territory = self.claims.territory(&top).map(Territory::remark);
                        let remark = territory.unwrap_or_default();
                        lines.push(format!("{name} is {}{remark}", escape(&top)));
                        // One engine alone gave the name.
                        self.wanted[at] = wanted.clone().of_known(&self.inventory);
                        self.judge_again();
                    }
                }
                Verdict::Pause(top) => {
                    add(&mut self.selections, &wanted.name, &top, |selection| {
                        &mut selection.without
                    });
                }
                Verdict::Rival { path, contested } => {
                    if self.rivals.len() < RIVALS_TOLD && self.rivals.insert(path.clone()) {
                        let territory = self.claims.territory(&path).map(Territory::remark);
                        lines.push(format!(
                            "warning: {}{} carries the name of {name} and is not recorded as it: {}",
                            escape(&path),
                            territory.unwrap_or_default(),
                            if contested { "which cgroup is, cannot be told" } else { "another cgroup is" }
                        ));
                    }
                }
                Verdict::Undecided => {
                    doubt.to_ask = true;
                    if !wanted.is_id() && !self.is_taken(wanted, id, path) {
                        doubt.undecided = true;
                        doubt.beyond_docker |= !wanted.is_dockers();
                    }
                }
                Verdict::Other => {}
            }
        }
        if doubt.to_ask || self.is_selected(path) {
            self.inquire(path, id, doubt);
        }
        lines
    }

    /// Judges anew which of the cgroups that carry a name are the targets'.
    fn reconsider(&mut self, name: &Carried) -> Vec<String> {
        let paths: Vec<String> = self.claims.paths(name).map(str::to_owned).collect();
        let (mut before, mut lines) = (Vec::new(), Vec::new());
        for wanted in &self.wanted {
            let selections = self.selections.iter_mut();
            for selection in selections.filter(|selection| selection.name == wanted.name) {
                before.extend(selection.paths.extract_if(.., |path| paths.contains(path)));
            }
        }
        for path in paths {
            // Of one that is gone no other holder of its name is known.
            let id = self.root.id(&path).unwrap_or_default();
            let told = self.judge(id, &path);
            let was_known = before.contains(&path);
            lines.extend(told.into_iter().filter(|line| !was_known || line.starts_with("warning")));
        }
        lines
    }

    /// Cgroups that carry a target's name, of which none can be told to be it: paths by the name, which is an id or a UID.
    pub(super) fn contested(&self) -> BTreeMap<String, Vec<String>> {
        let known = Known { inventory: &self.inventory, claims: &self.claims };
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in self.claims.doubtful() {
            for path in self.claims.paths(name) {
                let is_contested = |wanted: &Wanted| matches!(wanted.judge(path, &known), Verdict::Rival { path: rival, contested: true } if rival == path);
                if self.wanted.iter().any(is_contested) {
                    found.entry(name.text().to_owned()).or_default().push(path.to_owned());
                }
            }
        }
        found
    }

    /// A target was found: what it may have been in its place is none by now.
    fn judge_again(&mut self) {
        let known = Known { inventory: &self.inventory, claims: &self.claims };
        for unknown in self.unknown.values_mut().filter(|unknown| unknown.doubt.undecided) {
            let is_undecided = |wanted: &&Wanted| {
                let judged = |path: &String| wanted.judge(path, &known);
                !wanted.is_id()
                    && unknown.paths.keys().any(|path| judged(path) == Verdict::Undecided)
            };
            let undecided: Vec<&Wanted> = self.wanted.iter().filter(is_undecided).collect();
            unknown.doubt.beyond_docker &= undecided.iter().any(|wanted| !wanted.is_dockers());
            unknown.doubt.undecided = !undecided.is_empty();
        }
    }

    /// The container with the wanted name was there before this cgroup was made, and still is: no other one of its engine can
    /// have the name. Cgroup ids grow with time.
    fn is_taken(&self, wanted: &Wanted, id: u64, path: &str) -> bool {
        let found = self.selections.iter().filter(|selection| selection.name == wanted.name);
        // A user's own engine may give the name as well.
        let is_users = |top: &str| self.claims.territory(top).is_some_and(|one| one.user != 0);
        if containers_in(path).any(|(top, _)| is_users(top)) {
            return false;
        }
        let engine = containers_in(path).next().map(|(_, name)| name.engine);
        found.flat_map(|selection| &selection.paths).any(|holder| {
            let container = containers_in(holder).last();
            let known = container.and_then(|(_, name)| self.inventory.container(&name.id));
            known.is_some_and(|known| {
                wanted.is_named(known)
                    && (engine == Some(known.engine) || engine == Some(Engine::Unknown))
                    && self.root.id(holder).is_ok_and(|before| before < id)
            })
        })
    }

    /// Whether a cgroup with a path that has gaps may be a target's.
    pub(super) fn may_hold(&self, path: &str, standing: &BTreeMap<String, u64>) -> bool {
        let Self { selections, wanted, inventory, .. } = self;
        Targets { selections, wanted, inventory, standing }.may_hold(path)
    }

    /// Somebody who may tell of the container that has this cgroup told of it, and all that is needed of its pod.
    fn knows(&self, top: &str, id: &str) -> bool {
        self.inventory.knows_in(id, self.claims.territory(top)) && !self.lacks_facts(id)
    }

    /// Where a container of a pod lies that is outside the cgroup of a pod.
    fn loose<'path>(&self, path: &'path str) -> Option<&'path str> {
        let is_pods = |top: &str, name: &ContainerName| {
            self.inventory.container(&name.id).is_some_and(|container| container.pod.is_some())
                && self.is_rightful(top, name)
        };
        let mut containers = containers_in(path).filter(|_| !is_in_pod_cgroup(path));
        containers.find(|(top, name)| is_pods(top, name)).map(|(top, _)| above(top))
    }

    /// A cgroup is the container that its name says.
    fn is_rightful(&self, top: &str, name: &ContainerName) -> bool {
        let name = Carried::Container(name.id.clone());
        self.claims.standing(top, &name, &self.inventory) == Standing::Rightful
    }

    /// Asks for the containers in a path that nobody told of.
    fn inquire(&mut self, path: &str, cgroup: u64, doubt: Doubt) {
        let Some(asker) = &self.asker else { return };
        for (top, name) in containers_in(path) {
            if self.knows(top, &name.id) {
                continue;
            }
            if let Some(paths) = self.foreign.get_mut(&name.id) {
                paths.insert(path.to_owned(), cgroup);
                continue;
            }
            let unknown = self.unknown.entry(name.id).or_insert_with(|| {
                asker.ask();
                Unknown { paths: BTreeMap::new(), since: Instant::now(), answers: 0, doubt }
            });
            unknown.doubt.undecided |= doubt.undecided;
            unknown.doubt.beyond_docker |= doubt.beyond_docker;
            unknown.paths.insert(path.to_owned(), cgroup);
        }
    }

    /// Takes what a runtime told; lines that say which targets came.
    pub(super) fn take_news(&mut self, news: News, root: &CgroupRoot) -> Vec<String> {
        self.docker_tells &= !matches!(news, News::Silent(Engine::Docker));
        let told = news.line();
        let is_answer = news.take_into(&mut self.inventory);
        self.inventory.sandboxes.extend(self.sandboxes.told(&self.inventory));
        let mut lines: Vec<String> = told.into_iter().collect();
        for (path, id) in self.known_by_now() {
            lines.extend(self.place(id, &path));
        }
        // Where a runtime lives may tell which cgroup is its container.
        let is_told = |name: &&Carried| !self.inventory.homes(name.text()).is_empty();
        let doubtful: Vec<Carried> = self.claims.doubtful().filter(is_told).cloned().collect();
        for name in doubtful {
            lines.extend(self.reconsider(&name));
        }
        if is_answer {
            lines.extend(self.give_up(root));
        }
        lines
    }

    /// Asks again for those that nobody told of.
    pub(super) fn ask_again(&self) {
        let open =
            |unknown: &Unknown| unknown.answers < ANSWERS || unknown.since.elapsed() < PATIENCE * 2;
        if let Some(asker) = &self.asker
            && self.unknown.values().any(open)
        {
            asker.ask();
        }
    }

    /// Somebody is still to be asked for, or to be told of.
    pub(super) fn is_open(&self) -> bool {
        self.unknown.values().any(|unknown| unknown.answers < ANSWERS)
    }

    /// Containers that may be the target's and that nobody told of: they have ended, or a runtime that may know them did
    /// not answer.
    pub(super) fn unresolved(&self, root: &CgroupRoot) -> u64 {
        let failed =
            self.inventory.sources.iter().any(|source| matches!(source.answer, Answer::Failed(_)));
        let missing = |(id, unknown): &(&String, &Unknown)| {
            let is_dockers = self.docker_tells && !unknown.doubt.beyond_docker;
            unknown.doubt.undecided
                && !is_dockers
                && (failed || self.lacks_facts(id) || !unknown.runs(root))
        };
        self.unknown.iter().filter(missing).count() as u64
    }
}

/// Adds a path to the selections of a name; whether it is new.
fn add(
    selections: &mut [Selection],
    name: &str,
    path: &str,
    paths: impl Fn(&mut Selection) -> &mut Vec<String>,
) -> bool {
    let mut is_new = false;
    for selection in selections.iter_mut().filter(|selection| selection.name == name) {
        let paths = paths(selection);
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
            is_new = true;
        }
    }
    is_new
}
