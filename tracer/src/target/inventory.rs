//! What container runtimes say runs on this host, as plain data. Pure.
//!
//! Everything here came from a runtime or from files that others write: names are data. What ties a container to a cgroup
//! is its id, which the cgroup's name carries; a process id from a runtime is never used without checking that.

use std::time::Duration;

use super::names::{Engine, PodUid};

/// The containers of this host, and how they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every container that somebody knows, those that do not run among them. Each once.
    pub containers: Vec<Container>,
    /// Every pod that somebody knows, also one without containers. Each once.
    pub pods: Vec<Pod>,
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
    /// As its engine calls it, without a leading slash; for a container of a pod the name that the pod gives it.
    pub name: String,
    /// The pod that it belongs to.
    pub pod: Option<Pod>,
    /// It only holds the pod's namespaces: the pause container.
    pub is_sandbox: bool,
    /// The image, as the engine names it.
    pub image: Option<String>,
    /// The OCI runtime: `runc`, `crun`.
    pub runtime: Option<String>,
    /// What it is doing.
    pub state: ContainerState,
    /// Its first process in the initial pid namespace, as the engine says.
    pub process: Option<u32>,
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

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Its namespace in Kubernetes; empty for a pod of Podman.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID, as the name of its cgroup carries it. None for a pod of Podman.
    pub uid: Option<PodUid>,
}

/// Somebody who was asked for containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Who: `docker`, `podman`, `cri`, `kubelet`.
    pub name: &'static str,
    /// The socket or the folder.
    pub address: String,
    /// What came of it.
    pub answer: Answer,
    /// How long it took.
    pub time: Duration,
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
    /// Adds containers, each id once: the first who tells of one is believed.
    pub fn add(&mut self, containers: Vec<Container>) {
        for container in containers {
            if self.container(&container.id).is_none() {
                self.containers.push(container);
            }
        }
    }

    /// The container with that id.
    pub fn container(&self, id: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.id == id)
    }
}
