//! A file of its own, written at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::output_dir::{Content, Kept, OutputDir, Visibility, directory_of};
use super::staged::Durability;
use super::{OutputError, Owner};

/// What comes after the name of a file that is kept.
const OLD: &str = ".old";

/// A file that is written at once. It takes the place of a regular file of its name.
#[derive(Debug)]
pub struct SingleFile {
    output_dir: Arc<OutputDir>,
    name: String,
    /// What has the name before is kept as `NAME.old`.
    keeps_old: bool,
}

impl SingleFile {
    /// Finds out what would make writing fail. Nothing is changed.
    ///
    /// The file will belong to `owner` when the directory does and this process is root.
    ///
    /// # Errors
    /// The directory cannot be used, or something else than a regular file has that name.
    pub fn prepare(path: &Path, owner: Option<Owner>) -> Result<Self, OutputError> {
        Self::prepare_for(path, owner, "--out")
    }

    /// The same for a file that another option than `--out` names.
    ///
    /// # Errors
    /// As above.
    pub fn prepare_for(
        path: &Path,
        owner: Option<Owner>,
        option: &'static str,
    ) -> Result<Self, OutputError> {
        let wrong = || OutputError::NotAName { path: path.to_owned() };
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(wrong());
        }
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(wrong)?;
        let output_dir = OutputDir::open(&directory_of(path).ok_or_else(wrong)?, owner, option)?;
        output_dir.check_target(name)?;
        let output_dir = Arc::new(output_dir);
        Ok(Self { output_dir, name: name.to_owned(), keeps_old: false })
    }

    /// The same, with what has the name before kept as `NAME.old`.
    ///
    /// # Errors
    /// Something else than a regular file has that name.
    pub fn keeping_old(self) -> Result<Self, OutputError> {
        self.output_dir.check_target(&format!("{}{OLD}", self.name))?;
        Ok(Self { keeps_old: true, ..self })
    }

    /// The file, for messages.
    pub fn path(&self) -> PathBuf {
        self.output_dir.path_of(&self.name)
    }

    /// Where what another run wrote is kept since the file was written; None when nothing is.
    pub fn old(&self) -> Option<PathBuf> {
        let old = self.output_dir.written().get(&self.name).cloned().flatten();
        old.map(|old| self.output_dir.path_of(&old))
    }

    /// Writes the file, to the disk as well.
    ///
    /// # Errors
    /// It cannot be written; what was there is there still.
    pub fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let old = format!("{}{OLD}", self.name);
        let kept = if self.keeps_old { Kept::As(old) } else { Kept::Nowhere };
        let name = self.name.clone();
        let file = Content { name, bytes, visibility: Visibility::Umask, kept };
        self.output_dir.stage(vec![file], Durability::OnDisk)?.commit()
    }
}
