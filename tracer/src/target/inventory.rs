//! What container runtimes say runs on this host, as plain data. Pure.
//!
//! Everything here came from a runtime or from files that others write: names are data. What ties a container to a cgroup
//! is its id, which the cgroup's name carries, and the place where its runtime lives.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::membership::{Members, PodFacts};
use super::names::{self, Engine, PodUid};
pub use super::pod::Pod;
use super::territory::{Home, Territory, tops};

/// When more containers of one user are known than this, those that were told before are forgotten.
const MAX_OF_USER: usize = 1 << 12;

/// The containers and pods of this host, and how they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every container that somebody knows, those that do not run among them; by id.
    pub containers: BTreeMap<String, Container>,
    /// Every pod that somebody knows, by UID.
    pub pods: BTreeMap<String, Pod>,
    /// Ids of the containers that hold the namespaces of pods (pause containers): they run no workload.
    pub sandboxes: BTreeSet<String>,
    /// Where those live who told of a container or a pod, by its id or the digits of its UID.
    homes: BTreeMap<String, Vec<Home>>,
    /// Where all of those live who told anything.
    tellers: Vec<Home>,
    /// The cgroups right above containers of pods that are in no cgroup of their pod: the kubelet makes none here
    /// (`cgroupsPerQOS: false`).
    pub loose_pods: BTreeSet<String>,
    /// What the engines of users told, by user and id: each of them tells of containers in the tree of its user only.
    users: BTreeMap<u32, BTreeMap<String, Container>>,
    /// What is known of pods beyond their names.
    pub members: Members,
    /// Who was asked, and what came of it.
    pub sources: Vec<Source>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Who made it.
    pub engine: Engine,
    /// 64 hexadecimal digits, lower case.
    pub id: String,
    /// As its engine calls it, without a leading slash; in a pod as the pod calls it. Empty when it is not known.
    pub name: String,
    /// What it is doing.
    pub state: ContainerState,
    /// The pod that it is in.
    pub pod: Option<Pod>,
    /// The image that it was made of, as its engine spells it.
    pub image: Option<String>,
}

impl Container {
    /// Its name in full: `NAMESPACE/POD/CONTAINER` in a pod; the id when nobody named it.
    pub fn full_name(&self) -> String {
        match &self.pod {
            Some(pod) => format!("{}/{}", pod.path(), self.name),
            None if self.name.is_empty() => self.id.clone(),
            None => self.name.clone(),
        }
    }
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, never started.
    Created,
    /// Running, or paused.
    Running,
    /// Ended.
    Exited,
    /// The engine says something else, or nothing.
    Unknown,
}

/// Somebody who was asked for containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Who: `docker`, `podman`, `podman's storage`, `CRI`, `the kubelet's logs`.
    pub name: &'static str,
    /// The socket or the folder, escaped.
    pub address: String,
    /// What came of it.
    pub answer: Answer,
    /// How long it took.
    pub time: Duration,
}

/// One line: who was asked, and what came of it.
impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, address, answer, time } = self;
        let millis = time.as_secs_f64() * 1e3;
        match answer {
            Answer::Containers(count) => {
                write!(formatter, "{name} at {address}: {count} containers, in {millis:.1} ms")
            }
            Answer::Absent => write!(formatter, "{name} at {address}: not there"),
            Answer::Failed(why) => {
                write!(formatter, "warning: {name} at {address}: {why} (after {millis:.1} ms)")
            }
        }
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// So many containers.
    Containers(usize),
    /// There is no such socket or folder.
    Absent,
    /// What went wrong, escaped.
    Failed(String),
}

impl Inventory {
    /// Adds what somebody told. Who knows the pod of a container is believed, else who told of it first; of a container's
    /// state the last.
    pub fn add(&mut self, told: Told) {
        if let Some(home) = &told.home {
            self.add_teller(home);
            let ids = told.containers.iter().map(|container| container.id.clone());
            let uids = told.pods.iter().filter_map(|pod| PodUid::parse(&pod.uid));
            let uids = uids.map(|uid| uid.digits().to_owned());
            for known in ids.chain(told.sandboxes.iter().cloned()).chain(uids) {
                self.add_home(known, home);
            }
        }
        for container in told.containers {
            match self.containers.get_mut(&container.id) {
                Some(known) if known.pod.is_some() || container.pod.is_none() => {
                    known.state = container.state;
                }
                _ => {
                    self.containers.insert(container.id.clone(), container);
                }
            }
        }
        self.pods.extend(told.pods.into_iter().map(|pod| (pod.uid.clone(), pod)));
        self.sandboxes.extend(told.sandboxes);
        for (uid, facts) in told.facts {
            self.members.add(&uid, facts);
        }
    }

    /// Adds what an engine of a user told. It is believed of containers in that user's tree, and of nothing else.
    pub fn add_of_user(&mut self, user: u32, told: Told) {
        let alone = |container| Container { pod: None, ..container };
        self.keep_of_user(user, told.containers.into_iter().map(alone));
    }

    fn keep_of_user(&mut self, user: u32, containers: impl Iterator<Item = Container>) {
        let known = self.users.entry(user).or_default();
        // An engine that makes up ids does not fill the memory.
        if known.len() > MAX_OF_USER {
            known.clear();
        }
        known.extend(containers.map(|container| (container.id.clone(), container)));
    }

    fn add_home(&mut self, known: String, home: &Home) {
        let homes = self.homes.entry(known).or_default();
        if !homes.contains(home) {
            homes.push(home.clone());
        }
    }

    fn add_teller(&mut self, home: &Home) {
        if !self.tellers.contains(home) {
            self.tellers.push(home.clone());
        }
    }

    /// Adds everything that is in another one, whose sources are the newer ones.
    pub fn merge(&mut self, other: Self) {
        let Self { containers, pods, sandboxes, homes, tellers, users, members, sources, .. } =
            other;
        for (user, containers) in users {
            self.keep_of_user(user, containers.into_values());
        }
        tellers.iter().for_each(|home| self.add_teller(home));
        for (known, homes) in homes {
            for home in homes {
                self.add_home(known.clone(), &home);
            }
        }
        self.add(Told {
            containers: containers.into_values().collect(),
            pods: pods.into_values().collect(),
            sandboxes: sandboxes.into_iter().collect(),
            home: None,
            facts: Vec::new(),
        });
        self.members.merge(members);
        self.sources = sources;
    }

    /// Where those live who told of a container or a pod, by its id or the digits of its UID.
    pub fn homes(&self, known: &str) -> &[Home] {
        self.homes.get(known).map_or(&[], Vec::as_slice)
    }

    /// May one of those who told of anything have made a container in that territory?
    pub fn may_be_made_in(&self, territory: &Territory) -> bool {
        territory.is_hosts()
            || self.tellers.iter().any(|home| home.may_make_in(territory) != Some(false))
    }

    /// The container with that id.
    pub fn container(&self, id: &str) -> Option<&Container> {
        self.containers.get(id)
    }

    /// The container with that id in a territory, as the engines of its user told.
    pub fn of_user(&self, id: &str, territory: &Territory) -> Option<&Container> {
        let known = self.users.get(&territory.user)?.get(id)?;
        (territory.container.is_none() && self.container(id).is_none()).then_some(known)
    }

    /// An engine of that user answered.
    pub fn has_engine_of(&self, user: u32) -> bool {
        self.users.contains_key(&user)
    }

    /// All containers that engines of users told of, with the users.
    pub fn of_users(&self) -> impl Iterator<Item = (u32, &Container)> {
        let all = self.users.iter();
        all.flat_map(|(user, known)| known.values().map(|container| (*user, container)))
    }

    /// Somebody who may tell what that id is in a territory told it.
    pub fn knows_in(&self, id: &str, territory: Option<&Territory>) -> bool {
        self.knows(id) || territory.is_some_and(|territory| self.of_user(id, territory).is_some())
    }

    /// Somebody told what that id is.
    pub fn knows(&self, id: &str) -> bool {
        self.sandboxes.contains(id) || self.container(id).is_some()
    }

    /// Somebody tells the labels of the pods of a namespace.
    pub fn knows_labels(&self, namespace: &str) -> bool {
        let is_runtime = |source: &Source| {
            source.name == "CRI" && matches!(source.answer, Answer::Containers(_))
        };
        self.members.is_asked(namespace) || self.sources.iter().any(is_runtime)
    }

    /// The pod whose cgroup is in the path, when somebody told of it.
    pub fn pod_in(&self, path: &str) -> Option<&Pod> {
        tops(path).find_map(|top| self.pod(&names::pod(names::leaf(top).1)?))
    }

    /// The pod whose cgroup carries that UID.
    pub fn pod(&self, uid: &PodUid) -> Option<&Pod> {
        self.pods.values().find(|pod| PodUid::parse(&pod.uid).as_ref() == Some(uid))
    }
}

/// What one of those who were asked told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Containers.
    pub containers: Vec<Container>,
    /// Pods.
    pub pods: Vec<Pod>,
    /// Ids of pause containers.
    pub sandboxes: Vec<String>,
    /// What is known of pods beyond their names, by UID.
    pub facts: Vec<(String, PodFacts)>,
    /// Where whoever told lives, when that is known.
    pub home: Option<Home>,
}
