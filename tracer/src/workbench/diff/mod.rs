//! Where two profiles, two recordings, or a profile and recordings differ: by effect, never by
//! text.
//!
//! [`policies`] compares what two profiles make of each call, through each ABI and for all
//! arguments. [`seen`] compares what was recorded. [`shadow`] asks a profile what it would have
//! denied to what was recorded. [`render`] writes it for people.

pub mod diagram;
pub mod policies;
pub mod render;
pub mod seen;
pub mod shadow;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    profile::{beyond::FirstSeen, defaults::DefaultsEngine, policy::Verdict},
    recording::DenyOutcome,
    syscalls::Abi,
};

/// How a call differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It passes, and never did.
    Added,
    /// It passes for more arguments than before.
    Wider,
    /// It passes for some arguments for which it did not, and no longer for others.
    OtherArguments,
    /// It passes for fewer arguments than before.
    Narrower,
    /// It never passes, and did.
    Removed,
    /// It passes for the same arguments, and something else happens: another error number, or a
    /// record in the log.
    Action,
    /// Its conditions are too many to compare.
    Unknown,
}

impl ChangeKind {
    /// Something passes that did not.
    pub fn adds(self) -> bool {
        matches!(self, Self::Added | Self::Wider | Self::OtherArguments | Self::Unknown)
    }
}

/// A call that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The call.
    pub name: &'static str,
    /// The ABIs through which it differs in this way.
    pub abis: Vec<Abi>,
    /// The ABIs are not all that both sides have the call in.
    pub some_abis: bool,
    /// How.
    pub kind: ChangeKind,
    /// What happens to it under the first.
    pub before: String,
    /// What happens to it under the second.
    pub after: String,
    /// Values of arguments with which it passes, and did not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gained: Vec<String>,
    /// Values of arguments with which it passed, and no longer does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The engines whose defaults refuse what passes now.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub refused_by: BTreeSet<DefaultsEngine>,
    /// The kind of harm that can be done with what passes now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<&'static str>,
    /// When it was recorded first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sighting: Option<FirstSeen>,
}

/// An architecture that one side lists and the other does not, so that there every call through its
/// ABI kills the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ArchitectureChange {
    /// The ABI.
    pub abi: Abi,
    /// The second lists it.
    pub added: bool,
    /// How many of its calls pass there, for some arguments at least.
    pub allowed: usize,
}

/// Where two sides differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// How many calls of x86_64 pass on each side, for some arguments at least.
    pub allowed: [usize; 2],
    /// How many of these pass for the same arguments on both.
    pub same: usize,
    /// What happens to calls that no rule is about, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_action: Option<[String; 2]>,
    /// What no rule is about passes, and did not.
    #[serde(skip)]
    pub default_passes: bool,
    /// The architectures of one side alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<ArchitectureChange>,
    /// The flags of the load, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<[String; 2]>,
    /// The calls that differ, by kind and name.
    pub changes: Vec<Change>,
}

impl Comparison {
    /// Nothing differs.
    pub fn is_same(&self) -> bool {
        let Self { default_action, architectures, flags, changes, .. } = self;
        default_action.is_none()
            && architectures.is_empty()
            && flags.is_none()
            && changes.is_empty()
    }

    /// The second lets something pass that the first does not.
    pub fn adds(&self) -> bool {
        self.default_passes
            || self.architectures.iter().any(|one| one.added && one.allowed > 0)
            || self.changes.iter().any(|change| change.kind.adds())
    }

    /// What it lets pass more is refused by a default of a container engine.
    pub fn adds_beyond_defaults(&self) -> bool {
        self.default_passes || self.changes.iter().any(|change| !change.refused_by.is_empty())
    }

    /// What it lets pass more can do much harm.
    pub fn adds_danger(&self) -> bool {
        self.default_passes || self.changes.iter().any(|change| change.risk.is_some())
    }
}

/// What a verdict does, for people.
pub fn effect(verdict: Verdict) -> String {
    match verdict {
        Verdict::Allow => "allowed".to_owned(),
        Verdict::Log => "allowed and logged".to_owned(),
        Verdict::Trace(_) => "left to a tracer".to_owned(),
        Verdict::Errno(number) => format!("fails with {}", DenyOutcome::Errno(number).display()),
        Verdict::Trap => "gets SIGSYS".to_owned(),
        Verdict::KillThread => "kills the thread".to_owned(),
        Verdict::KillProcess => "kills the process".to_owned(),
    }
}
