//! The message of a container that did not start, and which call its profile lacks.
//!
//! A runtime that is refused a call between the load of the filter and the workload's execve says
//! what it wanted to do, seldom which call it made, and never that a filter is the reason. The
//! table [`table`] holds what runtimes wrote when exactly one call was missing; [`recognise`] finds
//! such a message in a line, whatever Docker, Podman, containerd, CRI-O or the kubelet put around
//! it. A line is never guessed at: what no experiment showed is not recognised.

mod matching;
mod render;
pub mod table;

use std::collections::BTreeMap;

use crate::{
    profile::{
        base::{BaseCall, OciRuntime},
        policy::{Policy, Verdict},
    },
    syscalls::{self, Abi},
};
pub use matching::{reason, says_little};
pub use render::{killed, needed, rule};
use table::{Row, Stage, rows};

/// What a shell and the engines give as the status of a process that SIGSYS ended: 128 + 31.
pub const KILLED: u8 = 159;

/// Words that only lines about containers have.
const OF_CONTAINERS: [&str; 7] =
    ["OCI", "container", "Container", "containerd", "docker", "podman", "crio"];

/// How lines name the status of a process that a filter killed.
const KILLED_FORMS: [&str; 8] = [
    "exited (159)",
    "exit code 159",
    "exit code: 159",
    "exit status 159",
    "exitcode\":159",
    "exitcode\": 159",
    "exitcode=159",
    "bad system call",
];

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// A runtime could not do its work.
    Failure(StartupFailure),
    /// A process ended by SIGSYS: a filter killed it. The line does not say at which call.
    Killed,
}

/// A runtime that could not do its work under a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupFailure {
    /// The reason in the message, as it is in the table; `*` stands for a name or a number.
    pub reason: String,
    /// Whether the message is one of an error number. Otherwise the runtime only saw that the
    /// container's process was gone, or that it did not answer.
    pub is_error_number: bool,
    /// The calls of which one is missing, sorted by runtime and name.
    pub candidates: Vec<Candidate>,
}

/// A call that may be the missing one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The runtime that needs it.
    pub runtime: OciRuntime,
    /// The call, with what the runtime makes it for.
    pub call: &'static BaseCall,
    /// What the runtime was doing.
    pub stages: Vec<Stage>,
    /// The versions that gave this message without it; none was seen to where it is empty.
    pub versions: Vec<&'static str>,
}

/// What a line says about a container that did not start; None when it says nothing of the kind.
pub fn recognise(line: &str) -> Option<Recognised> {
    recognise_by(line, rows())
}

/// The same by some of the rows.
pub fn recognise_by<'rows>(
    line: &str,
    rows: impl IntoIterator<Item = &'rows Row>,
) -> Option<Recognised> {
    let text = matching::unquoted(line);
    if let Some(failure) = failure(&text, rows) {
        return Some(Recognised::Failure(failure));
    }
    let lower = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let is_killed = KILLED_FORMS.iter().any(|form| {
        let mut found = lower.match_indices(form);
        found.any(|(at, _)| {
            !lower[at + form.len()..].starts_with(|next: char| next.is_ascii_digit())
        })
    });
    is_killed.then_some(Recognised::Killed)
}

/// A runtime's message in the text, by these rows.
fn failure<'rows>(
    text: &str,
    rows: impl IntoIterator<Item = &'rows Row>,
) -> Option<StartupFailure> {
    let is_logged = text.starts_with('{') && text.contains("\"level\":\"error\"");
    let is_of_containers =
        is_logged || words(text).any(|word| OF_CONTAINERS.contains(&word)) || named(text).is_some();
    let written = rows.into_iter().filter(|row| !row.message.is_empty());
    let found = written.filter_map(|row| {
        let forms = matching::forms(reason(row.message));
        let reason =
            forms.into_iter().find(|form| matching::is_in(text, form, is_of_containers))?;
        Some((reason, row))
    });
    let mut found: Vec<(String, &Row)> = found.collect();
    let longest = found.iter().map(|(reason, _)| reason.len()).max()?;
    found.retain(|(reason, _)| reason.len() == longest);
    let reason = found.first()?.0.clone();
    let mut matching: Vec<&Row> = found.into_iter().map(|(_, row)| row).collect();
    // What the line says besides narrows the choice, unless it contradicts every row.
    if let Some(runtime) = named(text) {
        narrow(&mut matching, |row| row.runtime == runtime);
    }
    if let Some(stages) = stages(text) {
        narrow(&mut matching, |row| row.stages.iter().any(|stage| stages.contains(stage)));
    }
    let is_error_number = matching::has_errno(&reason);
    let besides: fn(&BaseCall) -> bool = match (is_error_number, says_little(&reason)) {
        (true, false) => |_| false,
        // It was refused with an error number, and the runtime did not go on.
        (true, true) => |call| call.required,
        // Whatever the process was doing.
        (false, _) => |_| true,
    };
    Some(StartupFailure { candidates: candidates(&matching, besides), reason, is_error_number })
}

/// Keeps the rows that fit, if any does.
fn narrow(rows: &mut Vec<&Row>, fits: impl Fn(&Row) -> bool) {
    if rows.iter().any(|row| fits(row)) {
        rows.retain(|row| fits(row));
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|one: char| !one.is_alphanumeric())
}

/// The runtime that the text names, when it names one only.
fn named(text: &str) -> Option<OciRuntime> {
    let is_named = |runtime: &OciRuntime| words(text).any(|word| word == runtime.name());
    let mut named = OciRuntime::ALL.into_iter().filter(is_named);
    named.next().filter(|_| named.next().is_none())
}

/// What the runtime was doing, as far as the text says so.
fn stages(text: &str) -> Option<&'static [Stage]> {
    let known: [(&str, &[Stage]); 6] = [
        ("exec failed", &[Stage::Exec, Stage::ExecAsUser]),
        ("OCI runtime start failed", &[Stage::Start]),
        ("OCI runtime create failed", &[Stage::Create]),
        ("container create failed", &[Stage::Create]),
        ("runc create failed", &[Stage::Create]),
        ("runc run failed", &[Stage::Run]),
    ];
    known.into_iter().find(|(words, _)| text.contains(words)).map(|(_, stages)| stages)
}

/// The calls of the rows, each once for a runtime; and those of its base set that may have given the
/// message as well, because it says too little.
fn candidates(rows: &[&Row], besides: fn(&BaseCall) -> bool) -> Vec<Candidate> {
    let mut found: BTreeMap<(OciRuntime, &str), Candidate> = BTreeMap::new();
    for row in rows {
        let set = row.runtime.base_set();
        let Some(call) = set.calls.iter().find(|call| call.name == row.call) else { continue };
        let candidate = found.entry((row.runtime, row.call)).or_insert_with(|| Candidate {
            runtime: row.runtime,
            call,
            stages: Vec::new(),
            versions: Vec::new(),
        });
        candidate.stages.extend(&row.stages);
        candidate.stages.sort_unstable();
        candidate.stages.dedup();
        candidate.versions.extend(&row.versions);
    }
    for row in rows {
        let others = row.runtime.base_set().calls.iter().filter(|call| besides(call));
        for call in others {
            found.entry((row.runtime, call.name.as_str())).or_insert_with(|| Candidate {
                runtime: row.runtime,
                call,
                stages: row.stages.clone(),
                versions: Vec::new(),
            });
        }
    }
    for candidate in found.values_mut() {
        // As the base set lists them, the oldest first; then those that were not run.
        let proven = &candidate.runtime.base_set().proven.start;
        let place = |version: &str| proven.iter().position(|known| known == version);
        let order = |version: &&'static str| (place(version).unwrap_or(usize::MAX), *version);
        candidate.versions.sort_unstable_by_key(order);
        candidate.versions.dedup();
    }
    found.into_values().collect()
}

impl StartupFailure {
    /// The candidates that a profile refuses; all of them where it refuses none.
    pub fn lacking_in(&self, policy: &Policy) -> Vec<&Candidate> {
        let refused = |candidate: &&Candidate| {
            let number = syscalls::number(Abi::NATIVE, &candidate.call.name);
            let number = number.and_then(|number| u32::try_from(number).ok());
            let verdict = number.and_then(|number| policy.always(Abi::NATIVE, number));
            verdict.is_some_and(Verdict::refuses)
        };
        let lacking: Vec<_> = self.candidates.iter().filter(refused).collect();
        if lacking.is_empty() { self.candidates.iter().collect() } else { lacking }
    }

    /// The candidates that are left when a profile is known; all of them without one.
    pub fn left_by(&self, policy: Option<&Policy>) -> Vec<&Candidate> {
        policy.map_or_else(|| self.candidates.iter().collect(), |policy| self.lacking_in(policy))
    }

    /// The names of the calls, each once, sorted.
    pub fn calls(&self) -> Vec<&'static str> {
        let mut names: Vec<_> =
            self.candidates.iter().map(|candidate| candidate.call.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
