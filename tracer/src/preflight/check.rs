//! One requirement of tracing, and what was found of it.

use serde::Serialize;
use thiserror::Error;

use crate::text::escape;

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PreflightCheck {
    /// What it is about, in a few words.
    pub name: &'static str,
    /// The verdict.
    pub status: CheckStatus,
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
pub enum CheckStatus {
    /// It is there, or nothing speaks against it.
    Ok,
    /// It is not there.
    Missing,
    /// Tracing works, with less.
    Warning,
}

impl CheckStatus {
    pub(super) fn word(self) -> &'static str {
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

/// A check that is passed.
pub(super) fn ok(name: &'static str, required: bool, detail: impl Into<String>) -> PreflightCheck {
    PreflightCheck {
        name,
        status: CheckStatus::Ok,
        detail: detail.into(),
        consequence: "",
        remedy: None,
        required,
    }
}

impl PreflightCheck {
    pub(super) fn missing(self, consequence: &'static str, remedy: impl Into<String>) -> Self {
        Self { status: CheckStatus::Missing, consequence, remedy: Some(remedy.into()), ..self }
    }

    pub(super) fn warning(self, consequence: &'static str, remedy: impl Into<String>) -> Self {
        Self { status: CheckStatus::Warning, consequence, remedy: Some(remedy.into()), ..self }
    }
}

/// Major and minor version of a kernel's release: `6.12.9-amd64` is (6, 12).
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn hint(remedy: Option<&str>) -> String {
    remedy.map(|remedy| format!("\n\nhint: {}", escape(remedy))).unwrap_or_default()
}
