//! The files in which Podman keeps its containers (containers/storage, `containers.json` of the
//! storage driver).

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use futures_util::future::{BoxFuture, ready};
use serde::Deserialize;

use super::interface::{Endpoint, ListError, Runtime, UserDirectories};
use crate::target::names::{self, Engine};
use crate::target::owner;
use crate::target::report::{Container, ContainerState, RuntimeName, RuntimeReport};
use crate::text::escape_path;

/// The most bytes that a file may have.
const MAX_BYTES: u64 = 16 << 20;
/// And of a user's: a user must not keep root busy.
const MAX_BYTES_OF_USER: u64 = 1 << 20;

/// What is read of a container.
#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

/// Podman's files, where its service does not run.
pub(super) struct PodmanStorage;

impl Runtime for PodmanStorage {
    fn name(&self) -> RuntimeName {
        RuntimeName::PodmanStorage
    }

    fn usual_addresses(&self) -> &'static [&'static str] {
        &["/var/lib/containers/storage"]
    }

    fn address_of_user(&self, directories: UserDirectories<'_>) -> Option<PathBuf> {
        Some(directories.home?.join(".local/share/containers/storage"))
    }

    fn stands_in_for(&self) -> Option<RuntimeName> {
        Some(RuntimeName::Podman)
    }

    fn list_containers<'a>(
        &'a self,
        endpoint: Endpoint<'a>,
    ) -> BoxFuture<'a, Result<RuntimeReport, ListError>> {
        Box::pin(ready(list(endpoint)))
    }
}

fn list(endpoint: Endpoint<'_>) -> Result<RuntimeReport, ListError> {
    let Endpoint { address: storage, user } = endpoint;
    let mut found = Vec::new();
    let mut present = false;
    for driver in ["overlay", "vfs", "btrfs", "zfs"] {
        for name in ["containers.json", "volatile-containers.json"] {
            let path = storage.join(format!("{driver}-containers")).join(name);
            let Ok(file) = open(&path, user) else { continue };
            present = true;
            let failed = |error: &dyn std::fmt::Display| {
                ListError::Failed(format!("{}: {error}", escape_path(&path)))
            };
            let mut bytes = Vec::new();
            file.take(if user.is_some() { MAX_BYTES_OF_USER } else { MAX_BYTES })
                .read_to_end(&mut bytes)
                .map_err(|error| failed(&error))?;
            let stored: Vec<Stored> =
                serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
            found.extend(stored.into_iter().filter_map(container));
        }
    }
    if !present {
        return Err(ListError::Absent);
    }
    let home = owner::home_of_directory(storage);
    Ok(RuntimeReport { containers: found, home, ..RuntimeReport::default() })
}

/// Opens a file. What a user put in its place may be a link, or a pipe that nobody writes to.
fn open(path: &Path, user: Option<u32>) -> io::Result<File> {
    let Some(user) = user else { return File::open(path) };
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.uid() == user {
        Ok(file)
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

fn container(stored: Stored) -> Option<Container> {
    let name = stored.names.into_iter().next()?;
    names::is_container_id(&stored.id).then_some(Container {
        engine: Engine::Podman,
        id: stored.id,
        name,
        state: ContainerState::Unknown,
        pod: None,
        image: None,
    })
}
