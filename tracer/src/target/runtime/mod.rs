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
use super::cluster::Question;
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
    /// The engines that users run without root.
    pub users: Vec<UserEngines>,
    /// The API server of Kubernetes, when the user lets it be asked.
    pub cluster: Option<Question>,
    /// What was named and cannot be asked, for people.
    pub ignored: Vec<String>,
}

/// Where the engines of a user are asked, who may only tell of containers in that user's own tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEngines {
    /// The user's number.
    pub user: u32,
    /// Docker's socket.
    pub docker: PathBuf,
    /// Podman's socket.
    pub podman: PathBuf,
    /// Where Podman keeps this user's containers.
    pub storage: Option<PathBuf>,
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
            users: Vec::new(),
            cluster: None,
            ignored: Vec::new(),
        }
    }
}

/// Asks all of them at once.
pub async fn ask(addresses: &Addresses) -> Inventory {
    let cri = addresses.cri.iter().map(|socket| asked("CRI", socket, cri::told(socket)));
    let (cri, docker, podman) = tokio::join!(
        join_all(cri),
        asked("docker", &addresses.docker, docker::told(&addresses.docker, Engine::Docker, None)),
        asked("podman", &addresses.podman, docker::told(&addresses.podman, Engine::Podman, None)),
    );
    let (without_cri, without_podman) =
        (cri.iter().all(|(_, told)| told.is_none()), podman.1.is_none());
    let mut answers = cri;
    answers.extend([docker, podman]);
    if without_podman {
        let stored = std::future::ready(storage::told(&addresses.storage, None));
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
    for (user, source, told) in
        join_all(addresses.users.iter().map(ask_user)).await.into_iter().flatten()
    {
        inventory.sources.push(source);
        inventory.add_of_user(user, told);
    }
    inventory
}

/// Asks the engines of one user. Who does not answer, or not as it should be, is as good as not there: no user makes others wait,
/// or a recording incomplete.
async fn ask_user(engines: &UserEngines) -> Vec<(u32, Source, Told)> {
    let UserEngines { user, docker, podman, storage } = engines;
    let storage = async {
        let Some(storage) = storage else { return None };
        let told = std::future::ready(storage::told(storage, Some(*user)));
        Some(asked("podman's storage of a user", storage, told).await)
    };
    let (docker, podman, storage) = tokio::join!(
        asked("docker of a user", docker, docker::told(docker, Engine::Docker, Some(*user))),
        asked("podman of a user", podman, docker::told(podman, Engine::Podman, Some(*user))),
        storage,
    );
    let answers = [docker, podman].into_iter().chain(storage);
    answers.filter_map(|(source, told)| Some((*user, source, told?))).collect()
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
