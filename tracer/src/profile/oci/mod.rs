//! The OCI form of a profile (`linux.seccomp` in the runtime specification's `config-linux.md`), as JSON.
//!
//! [`write()`] makes the one form that Docker, Podman, containerd, CRI-O, runc and crun all read as it is. [`read()`] takes
//! what any of them takes, and refuses what one of them would ignore or refuse, with the name of the field and of those
//! who would accept it: a rule that is ignored in silence is worse than an error.

mod amend;
mod fault;
mod fields;
mod form;
mod read;
mod tree;
mod write;

use serde::de::DeserializeOwned;

pub use self::{
    amend::{amend, answer},
    fault::{Fault, Problem},
    form::{
        ACTIONS, Action, Architectures, Condition, Constraint, Flag, Listed, MapEntry, OPERATORS,
        OciProfile, Operator, Rule,
    },
    read::{ReadError, read},
    write::write,
};
use crate::text;

/// Text that is not the JSON that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1; 0 when the line is empty.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// Reads a value of a known form.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let position = format!(" at line {line} column {column}");
        let message = error.to_string();
        let message = text::escape(message.strip_suffix(&position).unwrap_or(&message));
        JsonError { line, column, message }
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
