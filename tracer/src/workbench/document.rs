//! Any file that may be named: a profile, a recording, or a file of another tool that holds a
//! profile, such as a unit of systemd.

use crate::{
    profile::oci::{self, Embedded, MAX_BYTES, Mistaken, OciProfile, ReadError},
    recording::{
        Recording,
        json::{self, RecordingError},
    },
    workbench::systemd::{
        settings::{self, UnitError, UnitFilter},
        unit,
    },
};

/// The field of a unit that holds its filter.
const FILTER: &str = "SystemCallFilter=";

/// What a file is.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A profile.
    Profile {
        /// The profile.
        profile: Box<OciProfile>,
        /// The field of the file that holds it, when the file is something else: `.linux.seccomp`.
        field: Option<&'static str>,
        /// The other profile that this one is added to, which is not in the file.
        base: Option<String>,
        /// What is odd in the file of another tool, in sentences.
        notes: Vec<String>,
    },
    /// A recording.
    Recording(Box<Recording>),
}

/// Why a file is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It looks like a profile.
    #[error(transparent)]
    Profile(#[from] ReadError),
    /// It looks like a recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// It looks like a unit of systemd.
    #[error(transparent)]
    Unit(#[from] UnitError),
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// It is neither a profile nor a recording, or a faulty one.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        // No profile is that large.
        if bytes.len() > MAX_BYTES {
            return Ok(Self::Recording(json::from_json(bytes)?.into()));
        }
        if let Some(text) = str::from_utf8(bytes).ok().filter(|text| unit::is_unit(text)) {
            let UnitFilter { profile, notes } = settings::read(text)?;
            let profile = profile.into();
            return Ok(Self::Profile { profile, field: Some(FILTER), base: None, notes });
        }
        match oci::read_embedded(bytes) {
            Ok(Embedded { profile, field, base }) => {
                Ok(Self::Profile { profile: profile.into(), field, base, notes: Vec::new() })
            }
            Err(ReadError::Mistaken(Mistaken::Recording)) => {
                Ok(Self::Recording(json::from_json(bytes)?.into()))
            }
            Err(error) => Err(error.into()),
        }
    }
}
