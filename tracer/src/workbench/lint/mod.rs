//! What is wrong with a profile, for whom, and the corrected text.
//!
//! [`rules`] hold the judgement: those of the reader of profiles ([`crate::profile::oci`]) with a
//! code, a place and a fix; those on the form of a file; and those on what it means, for which a
//! profile with faults is taken as if its faults were mended. What each consumer does is data
//! ([`matrix`]), and so is what runtimes need (`profiles/runtime`).

pub mod applying;
mod check;
pub mod consumer;
pub mod finding;
pub mod fixing;
pub mod matrix;
mod meaning;
pub mod report;
pub mod rules;
mod subject;

use self::finding::{Finding, Severity};
pub use check::lint;

/// Everything that was found in a text.
#[derive(Clone, Debug, Default)]
pub struct LintReport {
    /// The findings, in the order of the text.
    pub findings: Vec<Finding>,
}

impl LintReport {
    /// How many findings are so bad.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// The worst finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}
