//! What people decided about syscalls, as `tracer.toml` holds it: which ones a profile allows or
//! leaves out, why, and until when.
//!
//! ```toml
//! [[allow]]
//! syscalls = ["ptrace"]
//! because = "debug sidecar"
//! until = 2027-03-01
//!
//! [[deny]]
//! syscalls = ["mount"]
//! because = "never in this workload"
//! ```

mod add;
mod date;
mod problem;
mod read;

use std::collections::BTreeSet;

use time::Date;

pub use self::{
    add::{NewDecision, add},
    date::parse_date,
    problem::{DecisionsError, Problem},
    read::read,
};
use super::json_text::Span;
pub use crate::recording::Choice;
use crate::{recording::Decided, syscalls, text::escape};

/// The name of the file.
pub const FILE_NAME: &str = "tracer.toml";

/// The most bytes of a file.
pub const MAX_BYTES: usize = 1 << 20;

/// A name in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name; it may be that of no syscall.
    pub text: String,
    /// Its place.
    pub span: Span,
}

impl Name {
    /// Some ABI has a syscall of this name.
    pub fn is_known(&self) -> bool {
        syscalls::is_known(&self.text)
    }
}

/// The last day on which a decision counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// The day, in UTC.
    pub date: Date,
    /// Its place.
    pub span: Span,
}

/// A decision about some syscalls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is decided.
    pub choice: Choice,
    /// The syscalls.
    pub syscalls: Vec<Name>,
    /// Why.
    pub because: String,
    /// Until when; None: without end.
    pub until: Option<Until>,
}

impl Decision {
    /// Its last day is over.
    pub fn is_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until.date < today)
    }

    /// The last day on which it counts; None: without end.
    pub fn until_date(&self) -> Option<Date> {
        self.until.map(|until| until.date)
    }

    /// What it says of one of its syscalls.
    pub fn about(&self, name: &str) -> Decided {
        Decided {
            name: name.to_owned(),
            choice: self.choice,
            because: self.because.clone(),
            until: self.until_date().map(|day| day.to_string()),
        }
    }

    /// Why and until when, for people: `debug sidecar, until 2027-03-01`.
    pub fn reason(&self) -> String {
        self.about("").reason()
    }

    /// Its names, for people.
    pub fn names(&self) -> String {
        let names: Vec<String> =
            self.syscalls.iter().map(|name| escape(&name.text).into()).collect();
        names.join(", ")
    }
}

/// The decisions of a file, in its order. No syscall is both allowed and denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Each.
    pub entries: Vec<Decision>,
}

impl Decisions {
    /// What counts today: known syscalls, each with its decision, those to be allowed first. Of two
    /// decisions about one syscall the first counts.
    pub fn in_force(&self, today: Date) -> Vec<(&str, &Decision)> {
        let mut named = BTreeSet::new();
        let of_choice = move |choice: Choice| {
            let entries = self.entries.iter().filter(move |entry| entry.choice == choice);
            entries.filter(move |entry| !entry.is_expired(today))
        };
        let entries = Choice::ALL.into_iter().flat_map(of_choice);
        let names = entries.flat_map(|entry| {
            let known = entry.syscalls.iter().filter(|name| name.is_known());
            known.map(move |name| (name.text.as_str(), entry))
        });
        names.filter(|(name, _)| named.insert(*name)).collect()
    }

    /// The decision about a syscall that counts today.
    pub fn of(&self, name: &str, today: Date) -> Option<&Decision> {
        let decided = self.in_force(today);
        decided.into_iter().find(|(known, _)| *known == name).map(|(_, decision)| decision)
    }

    /// What was decided about a syscall: what counts today, or else what counted last.
    pub fn about(&self, name: &str, today: Date) -> Option<&Decision> {
        let names = |entry: &&Decision| entry.syscalls.iter().any(|known| known.text == name);
        let ended = || self.expired(today).filter(names).max_by_key(|entry| entry.until_date());
        self.of(name, today).or_else(ended)
    }

    /// Those that are over.
    pub fn expired(&self, today: Date) -> impl Iterator<Item = &Decision> {
        self.entries.iter().filter(move |entry| entry.is_expired(today))
    }
}

#[cfg(test)]
mod tests;
