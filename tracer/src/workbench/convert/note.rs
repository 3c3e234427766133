//! What a form says otherwise than the profile.

use std::fmt;

/// How a form differs from the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Something passes that does not pass under the profile.
    Wider,
    /// Something does not pass that passes under the profile, or ends its caller.
    Narrower,
    /// The same passes; something is worth saying.
    Other,
}

/// A difference, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The kind.
    pub difference: Difference,
    /// The sentence.
    pub text: String,
}

impl Note {
    /// Something passes that does not pass under the profile.
    pub fn wider(text: impl Into<String>) -> Self {
        Self { difference: Difference::Wider, text: text.into() }
    }

    /// Something does not pass that passes under the profile.
    pub fn narrower(text: impl Into<String>) -> Self {
        Self { difference: Difference::Narrower, text: text.into() }
    }

    /// Worth saying.
    pub fn other(text: impl Into<String>) -> Self {
        Self { difference: Difference::Other, text: text.into() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.difference {
            Difference::Wider => "warning: wider than the profile: ",
            Difference::Narrower => "warning: narrower than the profile: ",
            Difference::Other => "note: ",
        })?;
        formatter.write_str(&self.text)
    }
}

/// The most names that are written.
const SHOWN: usize = 10;

/// Names for a sentence, the first few and a count.
pub fn names<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<String> = all.into_iter().map(|name| crate::text::escape(name).into()).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => all.join(", "),
        more => format!("{} and {more} more", all[..SHOWN].join(", ")),
    }
}
