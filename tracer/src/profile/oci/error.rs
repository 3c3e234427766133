//! Why a profile cannot be used, for people.

use std::{
    fmt,
    mem::{Discriminant, discriminant},
};

use super::{
    JsonError, MAX_BYTES,
    fault::{Fault, Problem},
    mistaken::Mistaken,
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
    Problems(Vec<Problem>),
}

/// How many faults that say the same are shown, each with its place.
const SHOWN: usize = 3;
/// How many faults of one kind are shown, whatever each of them says.
const SHOWN_OF_A_KIND: usize = 10;

/// Problems, each on a line of its own when there are several: those of a kind together, the first few and a count.
struct Lines<'a>(&'a [Problem]);

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
fn kinds(problems: &[Problem]) -> Vec<Vec<&Problem>> {
    let mut places: Vec<Discriminant<Fault>> = Vec::new();
    let mut kinds: Vec<Vec<&Problem>> = Vec::new();
    for problem in problems {
        let kind = discriminant(&problem.fault);
        match places.iter().position(|known| *known == kind) {
            Some(place) => kinds[place].push(problem),
            None => {
                places.push(kind);
                kinds.push(vec![problem]);
            }
        }
    }
    kinds
}

fn write_kind(formatter: &mut fmt::Formatter<'_>, problems: &[&Problem]) -> fmt::Result {
    // What was shown, each with its count: few, so that a flood of faults is compared and not written out.
    let mut told: Vec<(&Fault, usize)> = Vec::new();
    let (mut shown, mut more) = (0, Vec::new());
    for problem in problems {
        let place = told.iter().position(|(fault, _)| **fault == problem.fault);
        let count = place.map_or(0, |place| told[place].1);
        if count == SHOWN || shown == SHOWN_OF_A_KIND {
            more.push(*problem);
            continue;
        }
        match place {
            Some(place) => told[place].1 += 1,
            None => told.push((&problem.fault, 1)),
        }
        shown += 1;
        write!(formatter, "\n  {problem}")?;
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
