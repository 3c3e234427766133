//! All that the container runtimes of this host reported, put together. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::membership::Members;
use super::names::{self, Carried, PodUid};
use super::pod::Pod;
use super::report::{AskedRuntime, Container, RuntimeName, RuntimeReport};
use super::territory::{Home, Territory};
use crate::cgroup_path::{CgroupPath, components};

/// When more containers of one user are known than this, those that were reported before are
/// forgotten.
const MAX_OF_USER: usize = 1 << 12;

/// The containers and pods of this host, and how they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every container that a runtime reported, those that do not run among them; by id.
    pub containers: BTreeMap<String, Container>,
    /// Every pod that was reported, by UID.
    pods: BTreeMap<PodUid, Pod>,
    /// The pods whose UID is not known.
    pods_without_uid: BTreeSet<Pod>,
    /// Ids of the containers that hold the namespaces of pods (pause containers): they run no
    /// workload.
    pub sandboxes: BTreeSet<String>,
    /// Where the runtimes live that reported a container or a pod.
    homes: BTreeMap<Carried, Vec<Home>>,
    /// Where all runtimes live that reported anything.
    runtime_homes: Vec<Home>,
    /// The cgroups right above containers of pods that are in no cgroup of their pod: the kubelet
    /// makes none here (`cgroupsPerQOS: false`).
    pub loose_pods: BTreeSet<CgroupPath>,
    /// What the engines of users reported, by user and id: each of them counts in the tree of its
    /// user only.
    users: BTreeMap<u32, BTreeMap<String, Container>>,
    /// What is known of pods beyond their names.
    pub members: Members,
    /// The runtimes that were asked, and their answers.
    pub asked: Vec<AskedRuntime>,
}

impl Inventory {
    /// Adds what a runtime reported. For a container's identity, a report that names its pod wins,
    /// otherwise the first report. For its state, the last report wins.
    pub fn add(&mut self, report: RuntimeReport) {
        if let Some(home) = &report.home {
            self.add_runtime_home(home);
            let ids = report.containers.iter().map(|container| &container.id);
            let ids = ids.chain(&report.sandboxes).cloned().map(Carried::Container);
            let uids = report.pods.iter().filter_map(|pod| pod.uid.clone()).map(Carried::Pod);
            for reported in ids.chain(uids) {
                self.add_home(reported, home);
            }
        }
        for container in report.containers {
            match self.containers.get_mut(&container.id) {
                Some(known) if known.pod.is_some() || container.pod.is_none() => {
                    known.state = container.state;
                }
                _ => {
                    self.containers.insert(container.id.clone(), container);
                }
            }
        }
        for pod in report.pods {
            match &pod.uid {
                Some(uid) => {
                    self.pods.insert(uid.clone(), pod);
                }
                None => {
                    self.pods_without_uid.insert(pod);
                }
            }
        }
        self.sandboxes.extend(report.sandboxes);
        for (uid, facts) in report.facts {
            self.members.add(uid, facts);
        }
    }

    /// Adds what an engine of a user reported. It is believed for containers in that user's tree,
    /// and for nothing else.
    pub fn add_of_user(&mut self, user: u32, report: RuntimeReport) {
        let alone = |container| Container { pod: None, ..container };
        self.keep_of_user(user, report.containers.into_iter().map(alone));
    }

    fn keep_of_user(&mut self, user: u32, containers: impl Iterator<Item = Container>) {
        let known = self.users.entry(user).or_default();
        // An engine that makes up ids does not fill the memory.
        if known.len() > MAX_OF_USER {
            known.clear();
        }
        known.extend(containers.map(|container| (container.id.clone(), container)));
    }

    fn add_home(&mut self, reported: Carried, home: &Home) {
        let homes = self.homes.entry(reported).or_default();
        if !homes.contains(home) {
            homes.push(home.clone());
        }
    }

    fn add_runtime_home(&mut self, home: &Home) {
        if !self.runtime_homes.contains(home) {
            self.runtime_homes.push(home.clone());
        }
    }

    /// Adds everything that is in another one, whose answers are the newer ones.
    pub fn merge(&mut self, other: Self) {
        for (user, containers) in other.users {
            self.keep_of_user(user, containers.into_values());
        }
        other.runtime_homes.iter().for_each(|home| self.add_runtime_home(home));
        for (reported, homes) in other.homes {
            for home in homes {
                self.add_home(reported.clone(), &home);
            }
        }
        self.add(RuntimeReport {
            containers: other.containers.into_values().collect(),
            pods: other.pods.into_values().chain(other.pods_without_uid).collect(),
            sandboxes: other.sandboxes.into_iter().collect(),
            home: None,
            facts: Vec::new(),
        });
        self.members.merge(other.members);
        self.asked = other.asked;
    }

    /// Where the runtimes live that reported a container or a pod.
    pub fn homes(&self, reported: &Carried) -> &[Home] {
        self.homes.get(reported).map_or(&[], Vec::as_slice)
    }

    /// Whether one of the runtimes that reported anything may have made a container in that
    /// territory.
    pub fn may_be_made_in(&self, territory: &Territory) -> bool {
        territory.is_hosts()
            || self.runtime_homes.iter().any(|home| home.may_make_in(territory) != Some(false))
    }

    /// The container with that id.
    pub fn container(&self, id: &str) -> Option<&Container> {
        self.containers.get(id)
    }

    /// The container with that id in a territory, as the engines of its user reported it.
    pub fn of_user(&self, id: &str, territory: &Territory) -> Option<&Container> {
        let known = self.users.get(&territory.user)?.get(id)?;
        (territory.container.is_none() && self.container(id).is_none()).then_some(known)
    }

    /// Whether an engine of that user answered.
    pub fn has_engine_of(&self, user: u32) -> bool {
        self.users.contains_key(&user)
    }

    /// All containers that engines of users reported, with the users.
    pub fn of_users(&self) -> impl Iterator<Item = (u32, &Container)> {
        let all = self.users.iter();
        all.flat_map(|(user, known)| known.values().map(|container| (*user, container)))
    }

    /// Whether a runtime that counts in a territory reported that id.
    pub fn knows_in(&self, id: &str, territory: Option<&Territory>) -> bool {
        self.knows(id) || territory.is_some_and(|territory| self.of_user(id, territory).is_some())
    }

    /// Whether a runtime of the host reported that id.
    pub fn knows(&self, id: &str) -> bool {
        self.sandboxes.contains(id) || self.container(id).is_some()
    }

    /// Whether the host's runtime of that name was asked and reported its containers.
    pub fn has_report_of(&self, name: RuntimeName) -> bool {
        self.asked.iter().any(|asked| asked.has_reported(name))
    }

    /// Whether the API server or a runtime reports the labels of the pods of a namespace.
    pub fn knows_labels(&self, namespace: &str) -> bool {
        self.members.is_asked(namespace) || self.has_report_of(RuntimeName::Cri)
    }

    /// All pods.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values().chain(&self.pods_without_uid)
    }

    /// The pod whose cgroup is in the path, when it was reported.
    pub fn pod_in(&self, path: &str) -> Option<&Pod> {
        components(path).find_map(|name| self.pod(&names::pod(name)?))
    }

    /// The pod whose cgroup carries that UID.
    pub fn pod(&self, uid: &PodUid) -> Option<&Pod> {
        self.pods.get(uid)
    }
}
