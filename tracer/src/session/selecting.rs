//! Which of the cgroups that come are the target's, by what the runtimes say of the containers in them.
//!
//! A container's runtime knows its name before the first process of it runs, and may have forgotten it a moment after the last one
//! ended: whoever is new is asked for at once, and again as long as nobody tells. All calls of all watched cgroups are
//! recorded meanwhile, so that nothing depends on how soon the answer comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{
    recording::{ContainerIdentity, assembly::Selection},
    target::{
        cgroup::CgroupRoot,
        inventory::{Answer, Inventory},
        names,
        runtime::{Asker, News},
        wanted::{Verdict, Wanted, containers_in},
    },
    text::escape,
};

/// How long a container may run that nobody knows before it is taken for one that nobody will ever tell of. (CRI-O tells of a container
/// only when it is made, and its first process runs by then.)
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers without it until a container that has ended is given up.
const ANSWERS: u32 = 3;

/// The targets, and how more of their cgroups are found.
pub(super) struct Selecting {
    wanted: Vec<Wanted>,
    /// The targets; the paths of those that are followed come as their cgroups do.
    pub(super) selections: Vec<Selection>,
    inventory: Inventory,
    /// None when no name matters.
    asker: Option<Asker>,
    /// Containers that nobody told of yet, by id.
    unknown: BTreeMap<String, Unknown>,
    /// Containers that run and that nobody knows.
    foreign: BTreeSet<String>,
}

struct Unknown {
    /// Its cgroup and those below.
    paths: BTreeSet<String>,
    since: Instant,
    /// Answers that did not tell of it.
    answers: u32,
    /// Whether it is the target's depends on its name.
    undecided: bool,
}

impl Selecting {
    pub(super) fn new(
        selections: Vec<Selection>,
        wanted: Vec<Wanted>,
        inventory: Inventory,
        asker: Option<Asker>,
    ) -> Self {
        Self {
            wanted,
            selections,
            inventory,
            asker,
            unknown: BTreeMap::new(),
            foreign: BTreeSet::new(),
        }
    }

    /// The cgroup of that path is the target's.
    pub(super) fn is_selected(&self, path: &str) -> bool {
        self.selections.iter().any(|selection| selection.holds(path))
    }

    /// Whether it is will be told.
    pub(super) fn is_undecided(&self, path: &str) -> bool {
        !self.unknown.is_empty()
            && containers_in(path)
                .any(|(_, name)| self.unknown.get(&name.id).is_some_and(|one| one.undecided))
    }

    /// Takes a cgroup into the selections when it is a target's; lines that say which targets came.
    pub(super) fn place(&mut self, path: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut undecided = false;
        for wanted in &self.wanted {
            match wanted.judge(path, &self.inventory) {
                Verdict::Target(top) => {
                    if add(&mut self.selections, &wanted.name, &top, |selection| {
                        &mut selection.paths
                    }) {
                        lines.push(format!("{} is {}", escape(&wanted.name), escape(&top)));
                    }
                }
                Verdict::Pause(top) => {
                    add(&mut self.selections, &wanted.name, &top, |selection| {
                        &mut selection.without
                    });
                }
                Verdict::Undecided => undecided = true,
                Verdict::Other => {}
            }
        }
        if undecided || self.is_selected(path) {
            self.inquire(path, undecided);
        }
        lines
    }

    /// Asks for the containers in a path that nobody told of.
    fn inquire(&mut self, path: &str, undecided: bool) {
        let Some(asker) = &self.asker else { return };
        for (_, name) in containers_in(path) {
            if self.inventory.knows(&name.id) || self.foreign.contains(&name.id) {
                continue;
            }
            let unknown = self.unknown.entry(name.id).or_insert_with(|| {
                asker.ask();
                Unknown { paths: BTreeSet::new(), since: Instant::now(), answers: 0, undecided }
            });
            unknown.undecided |= undecided;
            unknown.paths.insert(path.to_owned());
        }
    }

    /// Takes what a runtime told; lines that say which targets came.
    pub(super) fn take_news(&mut self, news: News, root: &CgroupRoot) -> Vec<String> {
        let is_answer = news.take_into(&mut self.inventory);
        let told: Vec<String> =
            self.unknown.keys().filter(|id| self.inventory.knows(id)).cloned().collect();
        let mut lines = Vec::new();
        for unknown in told.iter().filter_map(|id| self.unknown.remove(id)).collect::<Vec<_>>() {
            for path in unknown.paths {
                lines.extend(self.place(&path));
            }
        }
        if is_answer {
            self.give_up(root);
        }
        lines
    }

    /// Those that run, and that no runtime knows, are nobody's.
    fn give_up(&mut self, root: &CgroupRoot) {
        for unknown in self.unknown.values_mut() {
            unknown.answers += 1;
        }
        let foreign = &mut self.foreign;
        self.unknown.retain(|id, unknown| {
            let is_foreign = unknown.since.elapsed() > PATIENCE && unknown.runs(root);
            if is_foreign {
                foreign.insert(id.clone());
            }
            !is_foreign
        });
    }

    /// Asks again for those that nobody told of.
    pub(super) fn ask_again(&self) {
        let open = |unknown: &Unknown| {
            unknown.answers < ANSWERS || unknown.since.elapsed() < PATIENCE * 2
        };
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
        let failed = self
            .inventory
            .sources
            .iter()
            .any(|source| matches!(source.answer, Answer::Failed(_)));
        let missing = |unknown: &&Unknown| unknown.undecided && (failed || !unknown.runs(root));
        self.unknown.values().filter(missing).count() as u64
    }

    /// The container that a cgroup belongs to: the uppermost, but for one in a pod whose node is a container itself.
    pub(super) fn identity(&self, path: &str) -> Option<ContainerIdentity> {
        let mut containers = containers_in(path);
        let first = containers.next()?;
        let known = |name: &names::ContainerName| self.inventory.container(&name.id);
        let (_, name) = std::iter::once(first.clone())
            .chain(containers)
            .filter(|(_, name)| known(name).is_some())
            .last()
            .unwrap_or(first);
        let container = known(&name);
        let pod = container.and_then(|container| container.pod.as_ref());
        let engine = container.map_or(name.engine, |container| container.engine);
        Some(ContainerIdentity {
            engine: (engine != names::Engine::Unknown).then(|| engine.to_string()),
            id: name.id.clone(),
            name: container.map(|one| one.name.clone()).filter(|name| !name.is_empty()),
            namespace: pod.map(|pod| pod.namespace.clone()),
            pod: pod.map(|pod| pod.name.clone()),
            image: container.and_then(|container| container.image.clone()),
        })
    }
}

impl Unknown {
    fn runs(&self, root: &CgroupRoot) -> bool {
        self.paths.iter().any(|path| root.id(path).is_ok())
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
