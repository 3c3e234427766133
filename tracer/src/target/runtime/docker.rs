//! Docker's API, which Podman speaks as well.

use std::path::Path;

use bollard::{
    API_DEFAULT_VERSION, Docker, models::ContainerSummaryStateEnum,
    query_parameters::ListContainersOptions,
};

use super::PATIENCE;
use crate::target::inventory::{Container, ContainerState};
use crate::target::names::{self, Engine};

/// All containers, those that do not run among them. The error is None when there is no socket.
pub(super) async fn containers(
    socket: &Path,
    engine: Engine,
) -> Result<Vec<Container>, Option<String>> {
    if !socket.exists() {
        return Err(None);
    }
    let failed = |error: bollard::errors::Error| Some(crate::text::escape(&error.to_string()));
    let socket = socket.to_str().ok_or_else(|| Some("the path is not UTF-8".to_owned()))?;
    let docker = Docker::connect_with_unix(socket, PATIENCE.as_secs(), API_DEFAULT_VERSION)
        .map_err(failed)?;
    // An older one refuses the version that this program would like.
    let docker = docker.negotiate_version().await.map_err(failed)?;
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
        Some(Container { engine, id, name: name.trim_start_matches('/').to_owned(), state })
    });
    Ok(known.collect())
}
