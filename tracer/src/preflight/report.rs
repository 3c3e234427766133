//! Checks for people: whether tracing is possible, warnings, and the table of `tracer check`.

use std::fmt::Write as _;

use super::{
    check::{CheckStatus, PreflightCheck, PreflightError},
    evaluate::part_of_hierarchy,
    facts::HostFacts,
};
use crate::text::escape;

/// Can this host trace at all?
pub fn can_trace(checks: &[PreflightCheck]) -> bool {
    required_for_tracing(checks).is_ok()
}

/// The first requirement that is missing, as an error.
pub fn required_for_tracing(checks: &[PreflightCheck]) -> Result<(), PreflightError> {
    let missing =
        checks.iter().find(|check| check.required && check.status == CheckStatus::Missing);
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
pub fn hidden_targets(facts: &HostFacts) -> Option<String> {
    let PreflightCheck { detail, consequence, remedy, .. } = part_of_hierarchy(&facts.cgroup)?;
    let hint = remedy.map(|remedy| format!("\nhint: {remedy}")).unwrap_or_default();
    Some(format!("warning: cgroup v2 {}: {consequence}{hint}", escape(&detail)))
}

/// A check that is a warning, for whoever is about to trace.
pub fn warning(check: &PreflightCheck) -> Option<String> {
    let PreflightCheck { name, detail, consequence, remedy, .. } = check;
    if check.status != CheckStatus::Warning {
        return None;
    }
    let hint = remedy.as_ref().map(|remedy| format!("\nhint: {}", escape(remedy)));
    let hint = hint.unwrap_or_default();
    Some(format!("warning: {name}: {}: {consequence}{hint}", escape(detail)))
}

/// One line for each check, with the remedy in the line below where there is one.
pub fn render(checks: &[PreflightCheck]) -> String {
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
