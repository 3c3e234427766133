//! Asks the container runtimes of this host what they run. Their answers are data: only ids of the right form are taken,
//! and nothing but the id ties a container to a cgroup.

mod bounded;
mod cri;
mod docker;
mod follow;
mod logs;
mod storage;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

pub use self::follow::{Asker, Listener, News, follow};
use super::inventory::{Answer, Inventory, Source, Told};
use super::names::Engine;

/// The longest that one runtime may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the runtimes are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Sockets of the container runtime interface of Kubernetes.
    pub cri: Vec<PathBuf>,
    /// Docker's socket.
    pub docker: PathBuf,
    /// Podman's socket, which speaks Docker's language.
    pub podman: PathBuf,
    /// Where Podman keeps its containers: read when its socket is not there.
    pub storage: PathBuf,
    /// Where the kubelet keeps logs: read when no socket of the container runtime interface answers.
    pub logs: PathBuf,
    /// What was named and cannot be asked, for people.
    pub ignored: Vec<String>,
}

impl Default for Addresses {
    /// The usual places of a host: those of containerd, CRI-O and cri-dockerd, and of the distributions of Kubernetes that bring
    /// a containerd of their own (k3s and RKE2, k0s, `MicroK8s`).
    fn default() -> Self {
        let cri = [
            "/run/containerd/containerd.sock",
            "/run/crio/crio.sock",
            "/run/cri-dockerd.sock",
            "/run/k3s/containerd/containerd.sock",
            "/run/k0s/containerd.sock",
            "/var/snap/microk8s/common/run/containerd.sock",
        ];
        Self {
            cri: cri.map(PathBuf::from).to_vec(),
            docker: "/var/run/docker.sock".into(),
            podman: "/run/podman/podman.sock".into(),
            storage: "/var/lib/containers/storage".into(),
            logs: "/var/log".into(),
            ignored: Vec::new(),
        }
    }
}

/// Asks all of them at once.
pub async fn ask(addresses: &Addresses) -> Inventory {
    let cri = addresses.cri.iter().map(|socket| asked("CRI", socket, cri::told(socket)));
    let (cri, docker, podman) = tokio::join!(
        join_all(cri),
        asked("docker", &addresses.docker, docker::told(&addresses.docker, Engine::Docker)),
        asked("podman", &addresses.podman, docker::told(&addresses.podman, Engine::Podman)),
    );
    let (without_cri, without_podman) =
        (cri.iter().all(|(_, told)| told.is_none()), podman.1.is_none());
    let mut answers = cri;
    answers.extend([docker, podman]);
    if without_podman {
        let stored = std::future::ready(storage::told(&addresses.storage));
        answers.push(asked("podman's storage", &addresses.storage, stored).await);
    }
    if without_cri {
        let logs = std::future::ready(logs::told(&addresses.logs));
        answers.push(asked("the kubelet's logs", &addresses.logs, logs).await);
    }
    let mut inventory = Inventory::default();
    for (source, told) in answers {
        inventory.sources.push(source);
        inventory.add(told.unwrap_or_default());
    }
    inventory
}

/// What came of asking somebody, within [`PATIENCE`]. The error of `answer` is None when there is nobody.
async fn asked(
    name: &'static str,
    address: &Path,
    answer: impl Future<Output = Result<Told, Option<String>>>,
) -> (Source, Option<Told>) {
    let began = Instant::now();
    let (answer, told) = match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(told)) => (Answer::Containers(told.containers.len()), Some(told)),
        Ok(Err(None)) => (Answer::Absent, None),
        Ok(Err(Some(error))) => (Answer::Failed(error), None),
        Err(_) => (Answer::Failed(format!("no answer within {} s", PATIENCE.as_secs())), None),
    };
    let address = crate::text::escape_path(address);
    (Source { name, address, answer, time: began.elapsed() }, told)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
