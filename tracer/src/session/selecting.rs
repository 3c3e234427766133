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
        names::{ContainerName, Engine},
        runtime::{Asker, News},
        wanted::{Verdict, Wanted, containers_in, is_in_pod_cgroup},
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
    /// Docker tells of every container that it makes.
    docker_tells: bool,
}

struct Unknown {
    /// Its cgroup and those below.
    paths: BTreeSet<String>,
    since: Instant,
    /// Answers that did not tell of it.
    answers: u32,
    /// Whether it is the target's depends on its name.
    undecided: bool,
    /// And somebody else than Docker may know that.
    beyond_docker: bool,
}

impl Selecting {
    pub(super) fn new(
        selections: Vec<Selection>,
        wanted: Vec<Wanted>,
        inventory: Inventory,
        asker: Option<Asker>,
    ) -> Self {
        let docker_tells = asker.is_some();
        Self {
            wanted,
            selections,
            inventory,
            asker,
            unknown: BTreeMap::new(),
            foreign: BTreeSet::new(),
            docker_tells,
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
        self.inventory.pods_without_cgroups |= self.is_loose(path);
        let mut lines = Vec::new();
        let (mut undecided, mut beyond_docker) = (false, false);
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
                Verdict::Undecided => {
                    undecided = true;
                    beyond_docker |= !wanted.is_dockers();
                }
                Verdict::Other => {}
            }
        }
        if undecided || self.is_selected(path) {
            self.inquire(path, undecided, beyond_docker);
        }
        lines
    }

    /// A container of a pod, outside the cgroup of a pod.
    fn is_loose(&self, path: &str) -> bool {
        let is_pods = |name: &ContainerName| {
            self.inventory.container(&name.id).is_some_and(|container| container.pod.is_some())
        };
        !self.inventory.pods_without_cgroups
            && containers_in(path).any(|(_, name)| is_pods(&name))
            && !is_in_pod_cgroup(path)
    }

    /// Asks for the containers in a path that nobody told of.
    fn inquire(&mut self, path: &str, undecided: bool, beyond_docker: bool) {
        let Some(asker) = &self.asker else { return };
        for (_, name) in containers_in(path) {
            if self.inventory.knows(&name.id) || self.foreign.contains(&name.id) {
                continue;
            }
            let unknown = self.unknown.entry(name.id).or_insert_with(|| {
                asker.ask();
                Unknown {
                    paths: BTreeSet::new(),
                    since: Instant::now(),
                    answers: 0,
                    undecided,
                    beyond_docker,
                }
            });
            unknown.undecided |= undecided;
            unknown.beyond_docker |= beyond_docker;
            unknown.paths.insert(path.to_owned());
        }
    }

    /// Takes what a runtime told; lines that say which targets came.
    pub(super) fn take_news(&mut self, news: News, root: &CgroupRoot) -> Vec<String> {
        self.docker_tells &= !matches!(news, News::Silent(Engine::Docker));
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
        let missing = |unknown: &&Unknown| {
            let is_dockers = self.docker_tells && !unknown.beyond_docker;
            unknown.undecided && !is_dockers && (failed || !unknown.runs(root))
        };
        self.unknown.values().filter(missing).count() as u64
    }

    /// The container that a cgroup belongs to: the innermost that a runtime of this host told of (a node may be a container
    /// itself), else the outermost.
    pub(super) fn identity(&self, path: &str) -> Option<ContainerIdentity> {
        let found: Vec<ContainerName> = containers_in(path).map(|(_, name)| name).collect();
        let known = |name: &ContainerName| self.inventory.container(&name.id);
        let name = found.iter().rfind(|name| known(name).is_some()).or(found.first())?;
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
