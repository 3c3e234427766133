//! What can be wrong in a profile: the field, what is right, and who would accept it all the same.

use super::{ACTIONS, OPERATORS, form::FLAGS};
use crate::{
    syscalls::{LONGEST, errno},
    text::escape,
};

/// A fault and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", of(path))]
pub struct ProfileError {
    /// The field: `syscalls[3].action`; nothing of the whole file.
    pub path: String,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// Another kind of value is expected.
    #[error("it must be {expected}, and is {}; no runtime accepts it", escape(found))]
    Kind {
        /// What is right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// It is not there.
    #[error("it is missing; write {right}; {consumers}")]
    Missing {
        /// What is right.
        right: &'static str,
        /// Who accepts a profile without.
        consumers: &'static str,
    },
    /// A key that no consumer knows, and that is probably a misspelt one.
    #[error("there is no such field (is `{meant}` meant?); every consumer ignores it silently")]
    UnknownKey {
        /// The field that may be meant.
        meant: &'static str,
    },
    /// A key in other letters.
    #[error(
        "write it as `{right}`; Docker, Podman, containerd, CRI-O and runc read it in any case, crun ignores it"
    )]
    KeyCase {
        /// The key.
        right: &'static str,
    },
    /// A key that comes twice.
    #[error("it is there twice; the consumers do not agree on which one counts")]
    Twice,
    /// `name` beside `names` in a rule.
    #[error(
        "`names` is there as well; put `{}` into it; Docker, Podman and CRI-O refuse both together, containerd, runc and crun read `names` alone",
        escape(name)
    )]
    NameAsWell {
        /// The call that it names.
        name: String,
    },
    /// The name of an error where a number is expected.
    #[error(
        "{}; no runtime accepts a text, Podman and CRI-O read names in `{field}`",
        number_of(found)
    )]
    ErrnoText {
        /// What is there.
        found: String,
        /// The field for names.
        field: &'static str,
    },
    /// No error.
    #[error(
        "`{}` is no name of an error{}; Podman and CRI-O refuse it, Docker, containerd, runc and crun ignore the field",
        escape(found),
        perhaps(errno::closest(found))
    )]
    ErrnoName {
        /// What is there.
        found: String,
    },
    /// An error by its name, and another one by its number.
    #[error(
        "{name} is {meant}, and `{field}` says {number}; make them the same; Podman and CRI-O go by the name, Docker, containerd, runc and crun by the number"
    )]
    ErrnoContradicts {
        /// The name.
        name: String,
        /// Its number.
        meant: u16,
        /// The field for numbers.
        field: &'static str,
        /// What is there.
        number: u16,
    },
    /// An error number that a filter cannot return.
    #[error(
        "{found} is no error number; write one from 0 to 4095, the largest that the kernel returns; the kernel cuts larger ones, runc refuses those above 32767"
    )]
    ErrnoRange {
        /// What is there.
        found: u64,
    },
    /// An error number with an action that returns none.
    #[error(
        "{action} has no error number: leave the field out; crun refuses it, Docker, Podman, containerd, CRI-O and runc ignore it"
    )]
    ErrnoOfAction {
        /// The action.
        action: &'static str,
    },
    /// No action.
    #[error(
        "`{}` is no action{}; write one of {}; no runtime accepts it",
        escape(found),
        likely(found, &ACTIONS),
        list(&ACTIONS)
    )]
    Action {
        /// What is there.
        found: String,
    },
    /// Another process would have to decide on every call.
    #[error(
        "SCMP_ACT_NOTIFY cannot be the default action: runc refuses it, crun accepts it and nothing answers"
    )]
    NotifyByDefault,
    /// No architecture.
    #[error("`{}` is no architecture; write {right}; {consumers}", escape(found))]
    Architecture {
        /// What is there.
        found: String,
        /// What is right.
        right: &'static str,
        /// Who accepts it.
        consumers: &'static str,
    },
    /// `architectures` and `archMap` in one file.
    #[error(
        "`architectures` is there as well; keep `architectures`, which every consumer reads; Docker, Podman and CRI-O refuse both together, containerd, runc and crun ignore `archMap`"
    )]
    BothArchitectures,
    /// No comparison.
    #[error(
        "`{}` is no comparison{}; write one of {}; no runtime accepts it",
        escape(found),
        likely(found, &OPERATORS),
        list(&OPERATORS)
    )]
    Operator {
        /// What is there.
        found: String,
    },
    /// A call has six arguments.
    #[error("a call has the arguments 0 to 5, not {found}; no runtime accepts it")]
    ArgumentIndex {
        /// What is there.
        found: u64,
    },
    /// A rule about no call.
    #[error(
        "it names no call; name one or remove the rule; containerd and runc ignore the rule, the specification and its schema refuse it"
    )]
    NoNames,
    /// A call without a name.
    #[error("a name is empty; remove it; crun ignores it, runc refuses the profile")]
    EmptyName,
    /// No flag.
    #[error(
        "`{}` is no flag{}; write one of {}; no runtime accepts it",
        escape(found),
        likely(found, &FLAGS),
        list(&FLAGS)
    )]
    Flag {
        /// What is there.
        found: String,
    },
    /// A message for a process that is not named.
    #[error("it needs `listenerPath`, which is missing; the specification forbids it without")]
    MetadataWithoutPath,
    /// No capability.
    #[error(
        "`{}` is no capability; write one as CAP_SYS_ADMIN; Docker, Podman and CRI-O take it for one that the container does not have",
        escape(found)
    )]
    Capability {
        /// What is there.
        found: String,
    },
    /// A token where Go's name is expected.
    #[error(
        "`{}` is no name of an architecture here; write Go's, as `amd64`; Docker, Podman and CRI-O take it for another machine's",
        escape(found)
    )]
    GoArchitecture {
        /// What is there.
        found: String,
    },
    /// No kernel version.
    #[error(
        "`{}` is no kernel version of two numbers; write it as \"5.8\"; Docker refuses it, Podman and CRI-O ignore the field",
        escape(found)
    )]
    MinKernel {
        /// What is there.
        found: String,
    },
}

fn of(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// What to write for the name of an error.
fn number_of(name: &str) -> String {
    match errno::number(name) {
        Some(number) => format!("a number is expected here: {name} is {number}"),
        None => format!("a number is expected here, not `{}`", escape(name)),
    }
}

fn perhaps(meant: Option<&str>) -> String {
    meant.map(|meant| format!(" (is `{meant}` meant?)")).unwrap_or_default()
}

/// The tokens, for a message.
fn list<T>(tokens: &[(&str, T)]) -> String {
    tokens.iter().map(|(token, _)| *token).collect::<Vec<_>>().join(", ")
}

/// The token that may be meant.
fn likely<T>(found: &str, tokens: &[(&'static str, T)]) -> String {
    let tokens: Vec<&'static str> = tokens.iter().map(|(token, _)| *token).collect();
    perhaps(closest(found, &tokens))
}

/// The candidate that is most like a word: its end counts more than a common prefix.
pub fn closest(word: &str, candidates: &[&'static str]) -> Option<&'static str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_uppercase();
    let score = |candidate: &str| {
        let candidate = candidate.to_uppercase();
        if !word.is_empty() && candidate.ends_with(&format!("_{word}")) {
            return 1.0;
        }
        strsim::normalized_damerau_levenshtein(&word, &candidate)
    };
    // Of equals, the first: `max_by` takes the last.
    let scored = candidates.iter().rev().map(|candidate| (score(candidate), *candidate));
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(score, _)| *score > 0.7).map(|(_, candidate)| candidate)
}
