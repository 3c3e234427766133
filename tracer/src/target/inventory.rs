//! What container runtimes say runs on this host, as plain data. Pure.
//!
//! Everything here came from a runtime or from files that others write: names are data. What ties a container to a cgroup
//! is its id, which the cgroup's name carries.

use std::time::Duration;

use super::names::Engine;

/// The containers of this host, and how they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every container that somebody knows, those that do not run among them. Each once.
    pub containers: Vec<Container>,
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
    /// As its engine calls it, without a leading slash.
    pub name: String,
    /// What it is doing.
    pub state: ContainerState,
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
    /// Who: `docker`, `podman`, `podman's storage`.
    pub name: &'static str,
    /// The socket or the folder, escaped.
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
