//! The files in which Podman keeps its containers (containers/storage, `containers.json` of the storage driver).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

use crate::target::inventory::{Container, ContainerState, Told};
use crate::target::names::{self, Engine};
use crate::target::owner;

/// The most bytes that a file may have.
const MAX_BYTES: u64 = 16 << 20;

/// What is read of a container.
#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

/// All containers. The error is None when there is no such folder.
pub(super) fn told(storage: &Path) -> Result<Told, Option<String>> {
    let mut found = Vec::new();
    let mut present = false;
    for driver in ["overlay", "vfs", "btrfs", "zfs"] {
        for name in ["containers.json", "volatile-containers.json"] {
            let path = storage.join(format!("{driver}-containers")).join(name);
            let Ok(file) = File::open(&path) else { continue };
            present = true;
            let failed = |error: &dyn std::fmt::Display| {
                Some(format!("{}: {error}", crate::text::escape_path(&path)))
            };
            let mut bytes = Vec::new();
            file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
            let stored: Vec<Stored> =
                serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
            found.extend(stored.into_iter().filter_map(container));
        }
    }
    let home = owner::home_of_folder(storage);
    if present { Ok(Told { containers: found, home, ..Told::default() }) } else { Err(None) }
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
