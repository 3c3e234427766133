//! The OCI form of a profile (`linux.seccomp` in the runtime specification's `config-linux.md`), as
//! JSON.
//!
//! [`write()`] makes the one form that Docker, Podman, containerd, CRI-O, runc and crun all read as
//! it is. [`read()`] takes what has one meaning to all who read it, and remarks on what some of
//! them do not read ([`Remark`]). It refuses what they do not agree on, or what is probably a slip,
//! with the name of the field and of those who would accept it: a rule that is ignored in silence
//! is worse than an error.

mod amend;
mod embedded;
mod encode;
mod error;
mod fields;
mod form;
mod json_value;
mod mistaken;
mod profile_error;
mod read;
mod recognise;
mod remark;
mod rule;
mod write;
mod yaml;

use serde::de::DeserializeOwned;

pub use self::{
    amend::{amend, answer},
    embedded::{Embedded, read_embedded},
    encode::{Dialect, encode},
    error::ReadError,
    form::{
        ACTIONS, Action, Architectures, Condition, Constraint, FLAGS, Flag, MapEntry, OPERATORS,
        OciProfile, Operator, Rule, SeccompArch,
    },
    mistaken::Mistaken,
    profile_error::{ErrorKind, ProfileError, closest},
    read::{Diagnosis, diagnose, read},
    recognise::{RecognisedFile, recognise},
    remark::{Oddity, Remark, sentences},
    write::write,
};
use crate::{encoding, text::Escaped};

/// The largest profile that is read, in bytes: thousands of times the largest known, and what a
/// filter cannot hold.
pub const MAX_BYTES: usize = 16 << 20;

/// Text that is not the JSON that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1; 0 when the line is empty.
    pub column: usize,
    /// What is wrong there.
    pub message: Escaped,
    /// The text ends there.
    pub truncated: bool,
}

/// Reads a value of a known form.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = encoding::without_position(&error.to_string(), line, column);
        JsonError { line, column, message, truncated: error.is_eof() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_json_is_placed() {
        let error = parse::<Vec<u8>>(b"[1,\n 2,,]").expect_err("two commas");
        assert_eq!((error.line, error.column), (2, 4));
        assert!(!error.message.contains("line"), "{error}");
    }
}
