//! Somewhere else, for what could not be written where it should.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::{Content, Kept, Place, Readers, random};
use super::staged::Durability;
use super::{OutputError, Owner, Step};

/// Writes a recording into the first of these folders that takes it, under a name that no file has, for its owner alone.
/// Returns the path; None when none takes it.
pub fn keep(folders: &[PathBuf], owner: Option<Owner>, recording: &[u8]) -> Option<PathBuf> {
    folders.iter().find_map(|folder| write(folder, owner, recording).ok())
}

fn write(folder: &Path, owner: Option<Owner>, bytes: &[u8]) -> Result<PathBuf, OutputError> {
    let place = Arc::new(Place::open(folder, owner, "TMPDIR")?);
    let number = random().map_err(|errno| place.failed(Step::Create, errno))?;
    let name = format!("tracer-{number:016x}.recording.json");
    let path = place.path_of(&name);
    let file = Content { name, bytes, readers: Readers::Owner, kept: Kept::Nowhere };
    place.stage(vec![file], Durability::OnDisk)?.commit()?;
    Ok(path)
}
