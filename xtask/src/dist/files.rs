//! Copying, writing and listing files, with errors that name them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Copies a file, or a directory with all that it holds, to its place, whose directory is made.
pub(super) fn copy(source: &Path, place: &Path) -> Result<()> {
    if !source.is_dir() {
        return copy_file(source, place);
    }
    for path in below(source)? {
        let name = path.strip_prefix(source).context("a file is outside of its directory")?;
        copy_file(&path, &place.join(name))?;
    }
    Ok(())
}

fn copy_file(source: &Path, place: &Path) -> Result<()> {
    make_directory_of(place)?;
    // A binary that is running cannot be written to, but its name can be taken away.
    let temporary = place.with_extension("tmp");
    fs::copy(source, &temporary).with_context(|| {
        format!("failed to copy {} to {}", source.display(), temporary.display())
    })?;
    fs::rename(&temporary, place)
        .with_context(|| format!("failed to rename {} to {}", temporary.display(), place.display()))
}

/// Writes a file, whose directory is made.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    make_directory_of(path)?;
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// Removes a directory with all that it holds, if it is there.
pub(super) fn remove(directory: &Path) -> Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    fs::remove_dir_all(directory)
        .with_context(|| format!("failed to remove {}", directory.display()))
}

/// The regular files below a directory, in order.
pub(super) fn below(directory: &Path) -> Result<Vec<PathBuf>> {
    let is_regular =
        |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    Ok(all(directory)?.into_iter().filter(is_regular).collect())
}

/// Everything below a directory, in order. No link is followed.
pub(super) fn all(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("failed to read the directory {}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        if entry.file_type().with_context(failed)?.is_dir() {
            found.extend(all(&entry.path())?);
        }
        found.push(entry.path());
    }
    found.sort();
    Ok(found)
}

fn make_directory_of(path: &Path) -> Result<()> {
    let directory =
        path.parent().with_context(|| format!("{} has no directory", path.display()))?;
    fs::create_dir_all(directory)
        .with_context(|| format!("failed to create the directory {}", directory.display()))
}
