//! Docker's API, which Podman serves as well.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerSummaryStateEnum, EventMessage},
    query_parameters::{EventsOptions, ListContainersOptions},
};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;

use super::bounded;
use super::interface::{CreatedContainer, Endpoint, ListError, PATIENCE, Runtime, UserDirectories};
use crate::target::cgroup::CgroupRoot;
use crate::target::names::{self, Engine};
use crate::target::owner;
use crate::target::report::{Container, ContainerState, RuntimeName, RuntimeReport};
use crate::text::escape;

/// The largest answer that is read: that of some 50,000 containers.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// The same of an engine that a user runs: a user must not keep root busy.
const MAX_BYTES_OF_USER: u64 = 1 << 20;

/// Docker.
pub(super) static DOCKER: DockerApi = DockerApi {
    name: RuntimeName::Docker,
    engine: Engine::Docker,
    usual_addresses: &["/var/run/docker.sock"],
    socket_of_user: "docker.sock",
};

/// Podman, where its service runs.
pub(super) static PODMAN: DockerApi = DockerApi {
    name: RuntimeName::Podman,
    engine: Engine::Podman,
    usual_addresses: &["/run/podman/podman.sock"],
    socket_of_user: "podman/podman.sock",
};

/// An engine that serves Docker's API.
pub(super) struct DockerApi {
    name: RuntimeName,
    engine: Engine,
    usual_addresses: &'static [&'static str],
    /// Its socket below a user's directory for sockets.
    socket_of_user: &'static str,
}

impl Runtime for DockerApi {
    fn name(&self) -> RuntimeName {
        self.name
    }

    fn usual_addresses(&self) -> &'static [&'static str] {
        self.usual_addresses
    }

    fn address_of_user(&self, directories: UserDirectories<'_>) -> Option<PathBuf> {
        Some(directories.runtime.join(self.socket_of_user))
    }

    fn list_containers<'a>(
        &'a self,
        endpoint: Endpoint<'a>,
    ) -> BoxFuture<'a, Result<RuntimeReport, ListError>> {
        Box::pin(list(self.engine, endpoint))
    }

    fn watch(
        &self,
        address: PathBuf,
        since: u64,
        created: CreatedContainer,
    ) -> Option<BoxFuture<'static, ()>> {
        let engine = self.engine;
        Some(Box::pin(async move { watch(engine, &address, since, created).await }))
    }
}

async fn list(engine: Engine, endpoint: Endpoint<'_>) -> Result<RuntimeReport, ListError> {
    let Endpoint { address, user } = endpoint;
    let bytes = if user.is_some() { MAX_BYTES_OF_USER } else { MAX_BYTES };
    let docker = connect(address, bytes, user).await?;
    let root = CgroupRoot::find(Path::new("/proc")).ok();
    let home = owner::home(root.as_ref(), address).await;
    let options = ListContainersOptions { all: true, ..ListContainersOptions::default() };
    let found = docker.list_containers(Some(options)).await.map_err(|error| failed(&error))?;
    let known = found.into_iter().filter_map(|summary| {
        let id = summary.id.filter(|id| names::is_container_id(id))?;
        let name = summary.names.unwrap_or_default().into_iter().next().unwrap_or_default();
        let state = match summary.state {
            Some(ContainerSummaryStateEnum::CREATED) => ContainerState::Created,
            Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::PAUSED) => {
                ContainerState::Running
            }
            Some(ContainerSummaryStateEnum::EXITED | ContainerSummaryStateEnum::DEAD) => {
                ContainerState::Exited
            }
            _ => ContainerState::Unknown,
        };
        let name = name.trim_start_matches('/').to_owned();
        Some(Container { engine, id, name, state, pod: None, image: summary.image })
    });
    Ok(RuntimeReport { containers: known.collect(), home, ..RuntimeReport::default() })
}

/// Reports each container that is created since a moment (seconds since 1970), until the socket is
/// closed or nobody listens any more. An engine lists no container that lived for milliseconds
/// only.
async fn watch(engine: Engine, address: &Path, since: u64, report: CreatedContainer) {
    let root = CgroupRoot::find(Path::new("/proc")).ok();
    let home = owner::home(root.as_ref(), address).await;
    let Ok(docker) = connect(address, u64::MAX, None).await else { return };
    let filters = [("type", "container"), ("event", "create")];
    let filters = filters.map(|(key, value)| (key.to_owned(), vec![value.to_owned()]));
    let options = EventsOptions {
        since: Some(since.to_string()),
        filters: Some(HashMap::from(filters)),
        ..EventsOptions::default()
    };
    let mut events = std::pin::pin!(docker.events(Some(options)));
    while let Some(Ok(event)) = events.next().await {
        if created(event, engine).is_some_and(|container| !report(container, home.clone())) {
            return;
        }
    }
}

fn created(event: EventMessage, engine: Engine) -> Option<Container> {
    let actor = event.actor?;
    let id = actor.id.filter(|id| names::is_container_id(id))?;
    let mut attributes = actor.attributes.unwrap_or_default();
    let name = attributes.remove("name")?;
    let image = attributes.remove("image");
    Some(Container { engine, id, name, state: ContainerState::Created, pod: None, image })
}

/// Connects to a socket, of which at most so many bytes are read for each question.
async fn connect(socket: &Path, bytes: u64, user: Option<u32>) -> Result<Docker, ListError> {
    if !socket.exists() {
        return Err(ListError::Absent);
    }
    let transport = bounded::transport(socket.to_owned(), bytes, user);
    let docker = Docker::connect_with_custom_transport(
        transport,
        Some("http://localhost"),
        PATIENCE.as_secs(),
        API_DEFAULT_VERSION,
    )
    .map_err(|error| failed(&error))?;
    // An older one refuses the version that this program would like.
    docker.negotiate_version().await.map_err(|error| failed(&error))
}

fn failed(error: &bollard::errors::Error) -> ListError {
    ListError::Failed(escape(&error.to_string()).into())
}
