//! Can this host trace? Each check says what was found, what follows, and the remedy.
//!
//! [`facts`] gathers what the kernel tells, [`judge`](mod@judge) decides over it without looking anywhere.

pub mod facts;
pub mod hook;
pub mod judge;
pub mod localhost;

use std::fmt::Write as _;

use serde::Serialize;
use thiserror::Error;

pub use facts::{Facts, Sources, gather};
pub use hook::{HookChoice, choose};
pub use judge::judge;
pub use localhost::localhost;

use crate::text::escape;

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about, in a few words.
    pub name: &'static str,
    /// The verdict.
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// What cannot be done without it; empty when all is well.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub consequence: &'static str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Nothing can be traced without it.
    pub required: bool,
}

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is there, or nothing speaks against it.
    Ok,
    /// It is not there.
    Missing,
    /// Tracing works, with less.
    Warning,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Warning => "warning",
        }
    }
}

/// Something that tracing needs is not there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name}: {}: {consequence}{}", escape(.detail), hint(.remedy.as_deref()))]
pub struct PreflightError {
    /// The check.
    pub name: &'static str,
    /// What was found.
    pub detail: String,
    /// What cannot be done.
    pub consequence: &'static str,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// Can this host trace at all?
pub fn can_trace(checks: &[Check]) -> bool {
    required_for_tracing(checks).is_ok()
}

/// The first requirement that is missing, as an error.
pub fn required_for_tracing(checks: &[Check]) -> Result<(), PreflightError> {
    let missing = checks.iter().find(|check| check.required && check.status == Status::Missing);
    match missing {
        None => Ok(()),
        Some(check) => Err(PreflightError {
            name: check.name,
            detail: check.detail.clone(),
            consequence: check.consequence,
            remedy: check.remedy.clone(),
        }),
    }
}

/// A warning for whoever names targets, when the hierarchy is seen in part only.
pub fn hidden_targets(facts: &Facts) -> Option<String> {
    let Check { detail, consequence, remedy, .. } = judge::part_of_hierarchy(&facts.cgroup)?;
    let hint = remedy.map(|remedy| format!("\nhint: {remedy}")).unwrap_or_default();
    Some(format!("warning: cgroup v2 {}: {consequence}{hint}", escape(&detail)))
}

/// A check that is a warning, for whoever is about to trace.
pub fn warning(check: &Check) -> Option<String> {
    let Check { name, detail, consequence, remedy, .. } = check;
    if check.status != Status::Warning {
        return None;
    }
    let hint = remedy.as_ref().map(|remedy| format!("\nhint: {}", escape(remedy)));
    let hint = hint.unwrap_or_default();
    Some(format!("warning: {name}: {}: {consequence}{hint}", escape(detail)))
}

/// Major and minor version of a kernel's release: `6.12.9-amd64` is (6, 12).
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// One line for each check, with the remedy in the line below where there is one.
pub fn render(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let (status, name) = (check.status.word(), check.name);
        // Writing to a String cannot fail.
        let _ = write!(text, "{status:<8} {name:<width$}  {}", escape(&check.detail));
        if !check.consequence.is_empty() {
            let _ = write!(text, ": {}", check.consequence);
        }
        text.push('\n');
        if let Some(remedy) = &check.remedy {
            let _ = writeln!(text, "{:<8} {:<width$}  remedy: {}", "", "", escape(remedy));
        }
    }
    text
}

fn hint(remedy: Option<&str>) -> String {
    remedy.map(|remedy| format!("\n\nhint: {}", escape(remedy))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
