//! The file that answers are written to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use time::Date;

use crate::{
    command::{
        decisions::{
            DecisionsFileError, directory_of,
            find::{self, FoundDecisions},
            warn,
        },
        environment::owner,
        input::{self, ExpectedFile},
    },
    output::SingleFile,
    text::escape_path,
    workbench::decisions::{self, Decisions, FILE_NAME, NewDecision},
};

/// The option that names the file.
const OPTION: &str = "--decisions";

/// The decisions so far, and where further ones go.
pub(super) struct Store {
    path: PathBuf,
    /// A person named the file.
    is_typed: bool,
    decisions: Decisions,
    today: Date,
}

impl Store {
    /// Opens the file that was typed, the one that counts for a profile, or a new one beside the
    /// profile.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub(super) fn open(typed: Option<&Path>, profile: &Path, today: Date) -> Result<Self> {
        let (path, is_typed) = match typed {
            Some(path) => (path.to_owned(), true),
            None => (beside(profile)?, false),
        };
        // What would make writing fail is known before anything is asked.
        SingleFile::prepare_for(&path, owner(), OPTION)?;
        let mut store = Self { path, is_typed, decisions: Decisions::default(), today };
        store.decisions = store.parse(&store.text()?)?;
        Ok(store)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A decision about the syscall counts.
    pub(super) fn is_decided(&self, name: &str) -> bool {
        self.decisions.of(name, self.today).is_some()
    }

    /// Why a decision about the syscall was made that has ended.
    pub(super) fn ended(&self, name: &str) -> Option<String> {
        let mut ended = self.decisions.expired(self.today);
        let ended = ended.find(|entry| entry.syscalls.iter().any(|known| known.text == name))?;
        Some(format!("{} ({})", ended.choice.name(), ended.reason()))
    }

    /// Writes a decision. The file is read again: somebody may have changed it meanwhile.
    ///
    /// # Errors
    /// It cannot be read or written; what was there is there still.
    pub(super) fn add(&mut self, new: &NewDecision<'_>) -> Result<()> {
        let text = String::from_utf8_lossy(&self.text()?).into_owned();
        let written = decisions::add(&text, new)
            .map_err(|problem| DecisionsFileError { path: self.path.clone(), problem })?;
        let decisions = self.parse(written.as_bytes())?;
        let file = SingleFile::prepare_for(&self.path, owner(), OPTION)?;
        file.write(written.as_bytes())
            .with_context(|| format!("{} could not be written", escape_path(&self.path)))?;
        self.decisions = decisions;
        Ok(())
    }

    fn parse(&self, bytes: &[u8]) -> Result<Decisions> {
        let refused = |problem| DecisionsFileError { path: self.path.clone(), problem };
        Ok(decisions::read(bytes).map_err(refused)?)
    }

    /// What is in the file; nothing when there is none yet.
    fn text(&self) -> Result<Vec<u8>> {
        if self.is_typed {
            let exists = self.path.exists();
            let read = || input::read(ExpectedFile::Decisions, &self.path);
            return Ok(if exists { read()? } else { Vec::new() });
        }
        match find::read(&self.path, &find::trusted()) {
            Ok(bytes) => Ok(bytes.unwrap_or_default()),
            Err(why) => {
                bail!("{} is not used: {why}\n\nhint: {}", escape_path(&self.path), why.remedy())
            }
        }
    }
}

/// The file that counts for a profile, or else the one to be beside it. A new file there would hide
/// the one above.
fn beside(profile: &Path) -> Result<PathBuf> {
    let directory = directory_of(profile);
    let FoundDecisions { file, ignored } = find::find(directory, &find::trusted());
    let own = find::existing(directory)
        .with_context(|| format!("there is no directory {}", escape_path(directory)))?
        .join(FILE_NAME);
    let (own_ignored, others): (Vec<_>, Vec<_>) =
        ignored.into_iter().partition(|one| one.path == own);
    others.iter().for_each(warn);
    match (file, own_ignored.into_iter().next()) {
        // Neither is it used nor replaced: somebody wrote it.
        (_, Some(ignored)) => bail!("{ignored}\n\nhint: {}", ignored.why.remedy()),
        (Some((path, _)), None) => Ok(path),
        (None, None) => Ok(own),
    }
}
