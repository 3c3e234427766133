//! Why a file of decisions cannot be read.

use super::Choice;
use crate::{
    text::escape,
    workbench::json_text::{Position, Span},
};

/// A file of decisions cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {problem}", .position.line, .position.column)]
pub struct DecisionsError {
    /// The place.
    pub span: Span,
    /// The same for people.
    pub position: Position,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It has more bytes than are read.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// How many are read.
        limit: usize,
    },
    /// It is no text.
    #[error("the file is not UTF-8")]
    NotUtf8,
    /// It has two bytes for each character.
    #[error("the file is UTF-16, and TOML is UTF-8")]
    Utf16,
    /// It is a file that is known, and no decisions are in such files.
    #[error("the file is {what}, not a file of decisions")]
    Mistaken {
        /// What it is.
        what: String,
    },
    /// It is no TOML.
    #[error("this is not TOML: {message}")]
    NotToml {
        /// What the parser says; escaped.
        message: String,
    },
    /// A key that means nothing here.
    #[error("`{}` is no key here", escape(.key))]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// Decisions in another form than tables.
    #[error("`{key}` is {}, and must be a table that begins with [[{key}]]", article(.found))]
    NotTables {
        /// The key.
        key: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A decision lacks something.
    #[error("the decision has no `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value of another kind.
    #[error("`{key}` must be {expected}, and is {}", article(.found))]
    Kind {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// An empty list, or a reason without words.
    #[error("`{key}` is empty")]
    Empty {
        /// The key.
        key: &'static str,
    },
    /// A reason that is a document.
    #[error("`{key}` has {bytes} bytes, {limit} at most")]
    Long {
        /// The key.
        key: &'static str,
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A date with a time, or no date of the calendar.
    #[error("`until` must be a date without a time")]
    NotADate,
    /// A syscall is both allowed and denied.
    #[error(
        "{} is to be {}, and line {} says the opposite",
        escape(.name),
        verb(*.choice),
        .other.line
    )]
    Contradiction {
        /// The syscall.
        name: String,
        /// What is decided here.
        choice: Choice,
        /// Where the opposite is decided.
        other: Position,
    },
}

impl Problem {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "name the file of decisions, or split it",
            Self::NotUtf8 => "save it as UTF-8",
            Self::Utf16 => "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW",
            Self::Mistaken { .. } => "name the file of decisions itself, tracer.toml",
            Self::NotToml { .. } => "docs/decisions.md shows the form of the file",
            Self::UnknownKey { .. } => {
                "a decision is a table [[allow]] or [[deny]] with `syscalls`, `because` and, if it ends, `until`"
            }
            Self::NotTables { .. } | Self::Missing { .. } | Self::Empty { .. } => {
                "write a table [[allow]] or [[deny]] with syscalls = [\"NAME\"] and because = \"REASON\""
            }
            Self::Long { .. } => "write the reason in a sentence, and where to read more",
            Self::Kind { key: "until", .. } | Self::NotADate => {
                "write the last day without quotes: until = 2027-03-01"
            }
            Self::Kind { .. } => "write syscalls = [\"NAME\"] and because = \"REASON\"",
            Self::Contradiction { .. } => "decide for one of them, and remove the other",
        }
    }
}

fn verb(choice: Choice) -> &'static str {
    match choice {
        Choice::Allow => "allowed",
        Choice::Deny => "denied",
    }
}

/// A word with its article.
fn article(word: &str) -> String {
    let is_vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {word}", if is_vowel { "an" } else { "a" })
}
