//! Asks the container runtimes of this host what they run. Their answers are data: only ids of the right form are taken,
//! and nothing but the id ties a container to a cgroup.

mod docker;
mod storage;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::inventory::{Answer, Container, Inventory, Source};
use super::names::Engine;

/// The longest that one runtime may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the runtimes are asked.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Docker's socket.
    pub docker: PathBuf,
    /// Podman's socket, which speaks Docker's language.
    pub podman: PathBuf,
    /// Where Podman keeps its containers: read when its socket is not there.
    pub storage: PathBuf,
}

impl Default for Addresses {
    /// The usual places of a host.
    fn default() -> Self {
        Self {
            docker: "/var/run/docker.sock".into(),
            podman: "/run/podman/podman.sock".into(),
            storage: "/var/lib/containers/storage".into(),
        }
    }
}

/// Asks all of them at once.
pub async fn ask(addresses: &Addresses) -> Inventory {
    let (docker, podman) = tokio::join!(
        asked("docker", &addresses.docker, docker::containers(&addresses.docker, Engine::Docker)),
        asked("podman", &addresses.podman, docker::containers(&addresses.podman, Engine::Podman)),
    );
    let mut inventory = Inventory::default();
    let without_socket = podman.1.is_none();
    for (source, containers) in [docker, podman] {
        inventory.sources.push(source);
        inventory.add(containers.unwrap_or_default());
    }
    if without_socket {
        let stored = storage::containers(&addresses.storage);
        let (source, containers) =
            asked("podman's storage", &addresses.storage, std::future::ready(stored)).await;
        inventory.sources.push(source);
        inventory.add(containers.unwrap_or_default());
    }
    inventory
}

/// What came of asking somebody, within [`PATIENCE`]. The error of `answer` is None when there is nobody.
async fn asked(
    name: &'static str,
    address: &std::path::Path,
    answer: impl Future<Output = Result<Vec<Container>, Option<String>>>,
) -> (Source, Option<Vec<Container>>) {
    let began = Instant::now();
    let (answer, containers) = match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(containers)) => (Answer::Containers(containers.len()), Some(containers)),
        Ok(Err(None)) => (Answer::Absent, None),
        Ok(Err(Some(error))) => (Answer::Failed(error), None),
        Err(_) => (Answer::Failed(format!("no answer within {} s", PATIENCE.as_secs())), None),
    };
    let address = crate::text::escape_path(address);
    (Source { name, address, answer, time: began.elapsed() }, containers)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
