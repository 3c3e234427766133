//! Why a profile cannot be used, for people.

use std::{
    fmt,
    mem::{Discriminant, discriminant},
};

use super::{
    JsonError, MAX_BYTES,
    mistaken::Mistaken,
    profile_error::{ErrorKind, ProfileError},
};
use crate::encoding::EncodingError;

/// Why a profile cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Larger than any profile.
    #[error("more than {MAX_BYTES} bytes, which no profile has\n\nhint: name the profile itself")]
    TooLarge,
    /// The bytes are no text.
    #[error("{error}\n\nhint: {}", error.remedy())]
    Encoding {
        /// What they are.
        error: EncodingError,
    },
    /// Something else that is known.
    #[error("{}\n\nhint: {}", .0, .0.remedy())]
    Mistaken(Mistaken),
    /// The JSON ends too early.
    #[error(
        "truncated: the file ends in line {line}, column {column}, before the profile does\n\nhint: copy the whole file again"
    )]
    Truncated {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The text is not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] JsonError),
    /// The text is not YAML.
    #[error("not YAML: {0}")]
    Yaml(JsonError),
    /// The text has comments, which JSON has not.
    #[error(
        "line {line}, column {column}: JSON has no comments; remove them; Docker, Podman, containerd, CRI-O and runc refuse them, some versions of crun skip them"
    )]
    Comment {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// Fields are wrong.
    #[error("{}", Lines(.0))]
    Invalid(Vec<ProfileError>),
}

impl ReadError {
    /// What to do about it, where the message itself does not say so.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Json(_) => Some(
                "write JSON: keys and texts in double quotation marks, a comma between two items",
            ),
            Self::Yaml(_) => Some("correct the YAML there, or write the profile as JSON"),
            Self::Comment { .. } => Some("`tracer lint FILE` names each comment and each comma"),
            Self::Invalid(_) => {
                Some("`tracer lint FILE` shows the line of each fault, and what to write there")
            }
            Self::TooLarge | Self::Encoding { .. } | Self::Mistaken(_) | Self::Truncated { .. } => {
                None
            }
        }
    }
}

/// How many faults that say the same are shown, each with its place.
const SHOWN: usize = 3;
/// How many faults of one kind are shown, whatever each of them says.
const SHOWN_OF_A_KIND: usize = 10;

/// Problems, each on a line of its own when there are several: those of a kind together, the first
/// few and a count.
struct Lines<'a>(&'a [ProfileError]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0 {
            return only.fmt(formatter);
        }
        write!(formatter, "{} faults", self.0.len())?;
        for kind in kinds(self.0) {
            write_kind(formatter, &kind)?;
        }
        Ok(())
    }
}

/// The problems by their kinds, in the order in which the kinds come first.
fn kinds(errors: &[ProfileError]) -> Vec<Vec<&ProfileError>> {
    let mut places: Vec<Discriminant<ErrorKind>> = Vec::new();
    let mut kinds: Vec<Vec<&ProfileError>> = Vec::new();
    for error in errors {
        let kind = discriminant(&error.kind);
        match places.iter().position(|known| *known == kind) {
            Some(place) => kinds[place].push(error),
            None => {
                places.push(kind);
                kinds.push(vec![error]);
            }
        }
    }
    kinds
}

fn write_kind(formatter: &mut fmt::Formatter<'_>, errors: &[&ProfileError]) -> fmt::Result {
    // What was shown, each with its count: few, so that a flood of faults is compared and not
    // written out.
    let mut counts: Vec<(&ErrorKind, usize)> = Vec::new();
    let (mut shown, mut more) = (0, Vec::new());
    for error in errors {
        let place = counts.iter().position(|(kind, _)| **kind == error.kind);
        let count = place.map_or(0, |place| counts[place].1);
        if count == SHOWN || shown == SHOWN_OF_A_KIND {
            more.push(*error);
            continue;
        }
        match place {
            Some(place) => counts[place].1 += 1,
            None => counts.push((&error.kind, 1)),
        }
        shown += 1;
        write!(formatter, "\n  {error}")?;
    }
    match more.as_slice() {
        [] => Ok(()),
        // A line that says "one more" is no shorter than the one.
        [only] => write!(formatter, "\n  {only}"),
        [first, .., last] => write!(
            formatter,
            "\n  and {} more of this kind: {} to {}",
            more.len(),
            first.path,
            last.path
        ),
    }
}
