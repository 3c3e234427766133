//! A file that is written to bit by bit.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::place::{Place, Readers, folder_of};
use super::staged::Durability;
use super::{OutputError, Owner, Step};

/// A file that is written to bit by bit. It takes the place of a regular file of its name with the first bytes.
#[derive(Debug)]
pub struct Stream {
    place: Arc<Place>,
    name: String,
    file: Option<File>,
}

impl Stream {
    /// Finds out what would make writing fail. Nothing is changed.
    ///
    /// The file will belong to `owner` when the folder does and this process is root.
    ///
    /// # Errors
    /// The folder cannot be used, or something else than a regular file has that name.
    pub fn prepare(path: &Path, owner: Option<Owner>) -> Result<Self, OutputError> {
        let wrong = || OutputError::NotAName { path: path.to_owned() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
        let place = Place::open(&folder_of(path).ok_or_else(wrong)?, owner, "--events")?;
        place.check_target(name)?;
        Ok(Self { place: Arc::new(place), name: name.to_owned(), file: None })
    }

    /// Appends some bytes.
    ///
    /// # Errors
    /// The file cannot be created or written to.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        let failed = |error| self.place.failed(Step::Write, error);
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let unfinished = self.place.create()?.fill(
                    b"",
                    Readers::AsTheUmaskSays,
                    Durability::InMemory,
                )?;
                let file = unfinished.file.try_clone().map_err(failed)?;
                unfinished.rename(&self.name)?;
                empty.insert(file)
            }
        };
        file.write_all(bytes).map_err(failed)
    }
}
