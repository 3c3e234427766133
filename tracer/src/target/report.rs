//! What container runtimes report, as plain data. Pure.
//!
//! Names and images come from a runtime, or from files that others write: they are data. What ties
//! a container to a cgroup is its id, which the cgroup's name carries, and the place where its
//! runtime lives.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use super::membership::PodFacts;
use super::names::{Engine, PodUid};
use super::pod::Pod;
use super::territory::Home;
use crate::text::Escaped;

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The engine that made it.
    pub engine: Engine,
    /// 64 hexadecimal digits, lower case.
    pub id: String,
    /// As its engine calls it, without a leading slash; in a pod as the pod calls it. Empty when it
    /// is not known.
    pub name: String,
    /// What it is doing.
    pub state: ContainerState,
    /// The pod that it is in.
    pub pod: Option<Pod>,
    /// The image that it was made of, as its engine spells it.
    pub image: Option<String>,
}

impl Container {
    /// Its name in full: `NAMESPACE/POD/CONTAINER` in a pod; the id when its name is not known.
    pub fn full_name(&self) -> String {
        match &self.pod {
            Some(pod) => format!("{}/{}", pod.path(), self.name),
            None if self.name.is_empty() => self.id.clone(),
            None => self.name.clone(),
        }
    }

    /// How `--cgroup` names a container that a user runs without root: `podman:user@1000/web`.
    pub fn name_of_user(&self, user: u32) -> String {
        format!("{}:user@{user}/{}", self.engine, self.full_name())
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
    /// The engine reports something else, or no state.
    Unknown,
}

/// What one runtime, or the API server of Kubernetes, reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeReport {
    /// Containers.
    pub containers: Vec<Container>,
    /// Pods.
    pub pods: Vec<Pod>,
    /// Ids of pause containers.
    pub sandboxes: Vec<String>,
    /// What is known of pods beyond their names.
    pub facts: Vec<(PodUid, PodFacts)>,
    /// Where the runtime lives, when that is known.
    pub home: Option<Home>,
}

impl RuntimeReport {
    /// What an earlier report of the same runtime does not hold.
    pub fn beyond(&self, earlier: &Self) -> Self {
        let containers: HashMap<&str, &Container> =
            earlier.containers.iter().map(|one| (one.id.as_str(), one)).collect();
        let pods: BTreeSet<&Pod> = earlier.pods.iter().collect();
        let sandboxes: BTreeSet<&String> = earlier.sandboxes.iter().collect();
        let facts: BTreeMap<&PodUid, &PodFacts> =
            earlier.facts.iter().map(|(uid, facts)| (uid, facts)).collect();
        let new_container = |one: &&Container| containers.get(one.id.as_str()) != Some(one);
        let new_facts = |(uid, new): &&(PodUid, PodFacts)| facts.get(uid) != Some(&new);
        Self {
            containers: self.containers.iter().filter(new_container).cloned().collect(),
            pods: self.pods.iter().filter(|pod| !pods.contains(pod)).cloned().collect(),
            sandboxes: self
                .sandboxes
                .iter()
                .filter(|id| !sandboxes.contains(id))
                .cloned()
                .collect(),
            facts: self.facts.iter().filter(new_facts).cloned().collect(),
            home: self.home.clone(),
        }
    }

    /// It says nothing of any container or pod.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty()
            && self.pods.is_empty()
            && self.sandboxes.is_empty()
            && self.facts.is_empty()
    }
}

/// A kind of container runtime, or of files that stand in for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuntimeName {
    /// The container runtime interface of Kubernetes, whatever serves it.
    Cri,
    /// Docker's API.
    Docker,
    /// Podman's socket.
    Podman,
    /// The files in which Podman keeps its containers.
    PodmanStorage,
    /// The names of the kubelet's log files.
    KubeletLogs,
}

impl RuntimeName {
    /// Whether a container whose cgroup names this engine may be one that it reports until the
    /// container is removed. Log files outlive their containers, and say nothing about that.
    pub fn may_have_made(self, engine: Engine) -> bool {
        match self {
            Self::Docker => matches!(engine, Engine::Docker | Engine::Unknown),
            Self::Podman | Self::PodmanStorage => {
                matches!(engine, Engine::Podman | Engine::Unknown)
            }
            Self::Cri => matches!(
                engine,
                Engine::Docker | Engine::Containerd | Engine::Crio | Engine::Unknown
            ),
            Self::KubeletLogs => false,
        }
    }
}

impl fmt::Display for RuntimeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cri => "CRI",
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::PodmanStorage => "podman's storage",
            Self::KubeletLogs => "the kubelet's logs",
        })
    }
}

/// A runtime that was asked for its containers, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedRuntime {
    /// Which runtime.
    pub name: RuntimeName,
    /// The user who runs it without root; None for the host's own.
    pub user: Option<u32>,
    /// Its socket or directory.
    pub address: Escaped,
    /// What it answered.
    pub answer: RuntimeResponse,
    /// How long it took.
    pub time: Duration,
}

impl AskedRuntime {
    /// Whether it is the host's runtime of that name, and reported its containers.
    pub fn has_reported(&self, name: RuntimeName) -> bool {
        self.name == name
            && self.user.is_none()
            && matches!(self.answer, RuntimeResponse::Containers(_))
    }
}

/// One line for people: which runtime, where, and what it answered.
impl fmt::Display for AskedRuntime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, user, address, answer, time } = self;
        let millis = time.as_secs_f64() * 1e3;
        let name = match user {
            Some(_) => format!("{name} of a user"),
            None => name.to_string(),
        };
        match answer {
            RuntimeResponse::Containers(count) => {
                write!(formatter, "{name} at {address}: {count} containers, in {millis:.1} ms")
            }
            RuntimeResponse::Absent => write!(formatter, "{name} at {address}: not there"),
            RuntimeResponse::Failed(why) => {
                write!(formatter, "warning: {name} at {address}: {why} (after {millis:.1} ms)")
            }
        }
    }
}

/// What a runtime answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeResponse {
    /// It reported so many containers.
    Containers(usize),
    /// There is no such socket or directory.
    Absent,
    /// What went wrong, escaped.
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: char, state: ContainerState) -> Container {
        Container {
            engine: Engine::Containerd,
            id: id.to_string().repeat(64),
            name: "app".to_owned(),
            state,
            pod: None,
            image: None,
        }
    }

    #[test]
    fn a_report_goes_beyond_an_earlier_one_by_what_is_new_or_changed() {
        let pod = |name: &str| Pod { namespace: "shop".into(), name: name.into(), uid: None };
        let [left, ended, stays, came] = [
            container('a', ContainerState::Running),
            container('b', ContainerState::Running),
            container('c', ContainerState::Running),
            container('d', ContainerState::Created),
        ];
        let earlier = RuntimeReport {
            containers: vec![left, ended.clone(), stays.clone()],
            pods: vec![pod("web-0")],
            sandboxes: vec!["e".repeat(64)],
            ..RuntimeReport::default()
        };
        let exited = Container { state: ContainerState::Exited, ..ended };
        let later = RuntimeReport {
            containers: vec![exited.clone(), stays, came.clone()],
            pods: vec![pod("web-0"), pod("web-1")],
            sandboxes: vec!["e".repeat(64), "f".repeat(64)],
            ..RuntimeReport::default()
        };
        let new = later.beyond(&earlier);
        assert_eq!(new.containers, [exited, came]);
        assert_eq!(new.pods, [pod("web-1")]);
        assert_eq!(new.sandboxes, ["f".repeat(64)]);
        assert!(!new.is_empty());
        assert!(later.beyond(&later).is_empty());
    }
}
