//! The engines whose containers a target's prefix selects: `docker:`, `podman:`, `cri:`, or all.
//! Pure.

use super::names::Engine;
use super::report::{AskedRuntime, Container, RuntimeName};

/// The engines whose containers a target can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineScope {
    /// Anyone's.
    Any,
    /// `docker:`
    Docker,
    /// `podman:`
    Podman,
    /// `cri:`, whatever serves Kubernetes.
    Cri,
    /// `docker:user@1000/` and `podman:user@1000/`: those of the engines that this user runs
    /// without root.
    OfUser(u32),
}

impl EngineScope {
    /// Whether a container of this engine can be meant. One whose engine the cgroup's name does not
    /// say always can.
    pub fn admits(self, engine: Engine) -> bool {
        match self {
            Self::Any => true,
            _ if engine == Engine::Unknown => true,
            Self::Docker => engine == Engine::Docker,
            Self::Podman => engine == Engine::Podman,
            Self::OfUser(_) => matches!(engine, Engine::Docker | Engine::Podman),
            Self::Cri => matches!(engine, Engine::Containerd | Engine::Crio | Engine::Docker),
        }
    }

    /// The scope of a container's engine.
    pub fn of(container: &Container) -> Self {
        match container.engine {
            _ if container.pod.is_some() => Self::Cri,
            Engine::Docker => Self::Docker,
            Engine::Podman => Self::Podman,
            _ => Self::Any,
        }
    }

    /// Whether this container can be meant by its name. `cri:` means containers of pods.
    pub fn admits_named(self, container: &Container) -> bool {
        match self {
            Self::Cri => container.pod.is_some(),
            _ => self.admits(container.engine),
        }
    }

    /// Whether this runtime knows the names of such containers. Of the engines that users run, only
    /// those are asked that were found, so that none of them can be missing.
    pub fn is_known_to(self, asked: &AskedRuntime) -> bool {
        match self {
            Self::Any => true,
            Self::Docker => asked.name == RuntimeName::Docker && asked.user.is_none(),
            Self::Podman => matches!(asked.name, RuntimeName::Podman | RuntimeName::PodmanStorage),
            Self::Cri => matches!(asked.name, RuntimeName::Cri | RuntimeName::KubeletLogs),
            Self::OfUser(_) => false,
        }
    }
}
