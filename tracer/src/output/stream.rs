//! A file that is written to bit by bit.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::output_dir::{OutputDir, Visibility, directory_of};
use super::staged::Durability;
use super::{OutputError, OutputStep, Owner};

/// A file that is written to bit by bit. It takes the place of a regular file of its name with the
/// first bytes.
#[derive(Debug)]
pub struct Stream {
    output_dir: Arc<OutputDir>,
    name: String,
    file: Option<File>,
}

impl Stream {
    /// Finds out what would make writing fail. Nothing is changed.
    ///
    /// The file will belong to `owner` when the directory does and this process is root.
    ///
    /// # Errors
    /// The directory cannot be used, or something else than a regular file has that name.
    pub fn prepare(path: &Path, owner: Option<Owner>) -> Result<Self, OutputError> {
        let wrong = || OutputError::NotAName { path: path.to_owned() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
        let output_dir =
            OutputDir::open(&directory_of(path).ok_or_else(wrong)?, owner, "--events")?;
        output_dir.check_target(name)?;
        Ok(Self { output_dir: Arc::new(output_dir), name: name.to_owned(), file: None })
    }

    /// Appends some bytes.
    ///
    /// # Errors
    /// The file cannot be created or written to.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        let failed = |error| self.output_dir.failed(OutputStep::Write, error);
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let temp_file =
                    self.output_dir.create()?.fill(b"", Visibility::Umask, Durability::InMemory)?;
                let file = temp_file.file.try_clone().map_err(failed)?;
                temp_file.rename(&self.name)?;
                empty.insert(file)
            }
        };
        file.write_all(bytes).map_err(failed)
    }
}
