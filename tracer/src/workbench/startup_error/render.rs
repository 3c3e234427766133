//! What is said about a message, in sentences.

use super::{Candidate, KILLED, Stage, StartupFailure, matching::is_not_permitted};
use crate::profile::base::BaseCall;

/// More calls than these are listed without what each is for.
const EXPLAINED: usize = 3;
/// More calls than these are not listed at all.
const LISTED: usize = 12;
/// Said where a message names no error number.
const NO_REASON: &str = "the message says only that the container's process was gone or did not \
                         answer: another cause than the profile is possible";
/// Said of EPERM.
const OTHER_CAUSES: &str = "a missing capability or a security module gives the same message";

impl Stage {
    /// What the runtime was doing, after "while it".
    pub fn doing(self) -> &'static str {
        match self {
            Self::Run => "ran the container",
            Self::Create => "created the container",
            Self::Start => "started the container",
            Self::Exec => "executed a program in the container",
            Self::ExecAsUser => "executed a program in the container as another user",
        }
    }
}

impl StartupFailure {
    /// What is said about it: the call, the stage, the remedy; `candidates` are those that are left
    /// when a profile was looked at.
    pub fn sentences(&self, candidates: &[&Candidate]) -> Vec<String> {
        let mut names: Vec<_> = candidates.iter().map(|one| one.call.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let runtimes = runtimes(candidates);
        let what = match names[..] {
            [name] => name.to_owned(),
            _ if names.len() <= LISTED => format!("one of {}", names.join(", ")),
            _ => format!("one of {} calls", names.len()),
        };
        // ENOSYS has hardly any other cause.
        let is_sure = self.is_error_number && !is_not_permitted(&self.reason);
        let lacks = if is_sure { "lacks" } else { "may lack" };
        let doing = doing(candidates);
        let mut sentences =
            vec![format!("{runtimes} failed while it {doing}: the profile {lacks} {what}")];
        if !self.is_error_number {
            sentences.push(NO_REASON.to_owned());
        } else if is_not_permitted(&self.reason) {
            sentences.push(OTHER_CAUSES.to_owned());
        }
        if names.len() <= EXPLAINED {
            sentences.extend(candidates.iter().map(|one| one.explained()));
        }
        sentences.push(if names.len() <= LISTED {
            format!("add to the profile: {}", rule(&names))
        } else {
            format!("`tracer lint` lists the calls of {runtimes} that the profile lacks")
        });
        sentences
    }
}

impl Candidate {
    /// Which runtime needs the call for what, and since when.
    pub fn explained(&self) -> String {
        let BaseCall { name, reason, .. } = self.call;
        format!("{} makes {name}{}: {reason}", self.runtime.name(), needed(self.call))
    }
}

/// Since which releases a call is needed.
pub fn needed(call: &BaseCall) -> String {
    if !call.only.is_empty() {
        format!(" (needed by {} only)", call.only.join(", "))
    } else if call.since.is_empty() {
        String::new()
    } else {
        format!(" (since {})", call.since.join(", "))
    }
}

/// The rule that allows the calls.
pub fn rule(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!(r#"{{ "names": [{}], "action": "SCMP_ACT_ALLOW" }}"#, names.join(", "))
}

/// What is said about a process that SIGSYS ended.
pub fn killed() -> Vec<String> {
    vec![
        format!("status {KILLED} is 128 + 31: SIGSYS ended the process, a filter killed it"),
        "the kernel's audit log has the number of the call (type 1326)".to_owned(),
    ]
}

fn runtimes(candidates: &[&Candidate]) -> String {
    let mut names: Vec<_> = candidates.iter().map(|one| one.runtime.name()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(" or ")
}

fn doing(candidates: &[&Candidate]) -> String {
    let mut stages: Vec<_> = candidates.iter().flat_map(|one| &one.stages).copied().collect();
    stages.sort_unstable();
    stages.dedup();
    // `run` is `create` and `start` in one, and which user it is changes little.
    if stages.len() > 1 {
        stages.retain(|stage| ![Stage::Run, Stage::ExecAsUser].contains(stage));
    }
    let doing: Vec<_> = stages.into_iter().map(Stage::doing).collect();
    doing.join(" or ")
}
