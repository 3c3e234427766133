//! Somewhere else, for what could not be written where it should.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::output_dir::{Content, Kept, OutputDir, Visibility, random};
use super::staged::Durability;
use super::{OutputError, OutputStep, Owner};

/// Writes a recording into the first of these directories that takes it, under a name that no file
/// has, for its owner alone. Returns the path; None when none takes it.
pub fn keep(directories: &[PathBuf], owner: Option<Owner>, recording: &[u8]) -> Option<PathBuf> {
    directories.iter().find_map(|directory| write(directory, owner, recording).ok())
}

fn write(directory: &Path, owner: Option<Owner>, bytes: &[u8]) -> Result<PathBuf, OutputError> {
    let output_dir = Arc::new(OutputDir::open(directory, owner, "TMPDIR")?);
    let number = random().map_err(|errno| output_dir.failed(OutputStep::Create, errno))?;
    let name = format!("tracer-{number:016x}.recording.json");
    let path = output_dir.path_of(&name);
    let file = Content { name, bytes, visibility: Visibility::Owner, kept: Kept::Nowhere };
    output_dir.stage(vec![file], Durability::OnDisk)?.commit()?;
    Ok(path)
}
