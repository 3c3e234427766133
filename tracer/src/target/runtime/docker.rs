//! Docker's API, which Podman speaks as well.

use std::collections::HashMap;
use std::path::Path;

use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerSummaryStateEnum, EventMessage},
    query_parameters::{EventsOptions, ListContainersOptions},
};
use futures_util::StreamExt as _;

use super::{PATIENCE, bounded};
use crate::target::cgroup::CgroupRoot;
use crate::target::inventory::{Container, ContainerState, Told};
use crate::target::names::{self, Engine};
use crate::target::owner;

/// The largest answer that is read: that of some 50,000 containers.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// The same of an engine that a user runs: a user must not keep root busy.
const MAX_BYTES_OF_USER: u64 = 1 << 20;

/// All containers, those that do not run among them. The error is None when there is no socket. Of a `user` only a socket is asked
/// that the user serves: what is in its place may lead elsewhere.
pub(super) async fn told(
    socket: &Path,
    engine: Engine,
    user: Option<u32>,
) -> Result<Told, Option<String>> {
    let failed = |error: bollard::errors::Error| Some(crate::text::escape(&error.to_string()));
    let bytes = if user.is_some() { MAX_BYTES_OF_USER } else { MAX_BYTES };
    let docker = connect(socket, bytes, user).await?;
    let root = CgroupRoot::find(Path::new("/proc")).ok();
    let home = owner::home(root.as_ref(), socket).await;
    let options = ListContainersOptions { all: true, ..ListContainersOptions::default() };
    let found = docker.list_containers(Some(options)).await.map_err(failed)?;
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
    Ok(Told { containers: known.collect(), home, ..Told::default() })
}

/// Hands out each container that is made since a moment (seconds since 1970), until the socket is closed or nobody takes them
/// any more: of those that live for milliseconds only, nobody tells later.
pub(super) async fn follow(
    socket: &Path,
    engine: Engine,
    since: u64,
    take: impl Fn(Container) -> bool,
) {
    let Ok(docker) = connect(socket, u64::MAX, None).await else { return };
    let filters = [("type", "container"), ("event", "create")];
    let filters = filters.map(|(key, value)| (key.to_owned(), vec![value.to_owned()]));
    let options = EventsOptions {
        since: Some(since.to_string()),
        filters: Some(HashMap::from(filters)),
        ..EventsOptions::default()
    };
    let mut events = std::pin::pin!(docker.events(Some(options)));
    while let Some(Ok(event)) = events.next().await {
        if created(event, engine).is_some_and(|container| !take(container)) {
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
async fn connect(socket: &Path, bytes: u64, user: Option<u32>) -> Result<Docker, Option<String>> {
    if !socket.exists() {
        return Err(None);
    }
    let failed = |error: bollard::errors::Error| Some(crate::text::escape(&error.to_string()));
    let transport = bounded::transport(socket.to_owned(), bytes, user);
    let docker = Docker::connect_with_custom_transport(
        transport,
        Some("http://localhost"),
        PATIENCE.as_secs(),
        API_DEFAULT_VERSION,
    )
    .map_err(failed)?;
    // An older one refuses the version that this program would like.
    docker.negotiate_version().await.map_err(failed)
}
