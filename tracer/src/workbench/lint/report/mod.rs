//! What was found, for people and for programs.

pub mod github;
pub mod json;
pub mod sarif;
pub mod text;

use super::{LintReport, finding::Finding};
use crate::workbench::json_text::{LineIndex, Position};

/// A file, with what was found in it.
#[derive(Clone, Debug)]
pub struct LintedFile<'a> {
    /// Its name, as it was typed; escaped.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What was found.
    pub report: &'a LintReport,
}

/// Findings that say the same of several places.
struct Group<'a> {
    findings: Vec<&'a Finding>,
}

impl<'a> Group<'a> {
    /// Groups findings by their rules and by what they say, the worst first, else in the order of
    /// the text.
    fn all(report: &'a LintReport) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let key = |finding: &'a Finding| {
            (finding.rule.code, finding.severity, &finding.message, &finding.remedy)
        };
        let mut places = std::collections::BTreeMap::new();
        for finding in &report.findings {
            let at = *places.entry(key(finding)).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.findings.push(finding),
                None => groups.push(Self { findings: vec![finding] }),
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.first().severity));
        groups
    }

    fn first(&self) -> &'a Finding {
        self.findings[0]
    }
}

/// Where findings stand.
fn positions<'a>(file: &LintedFile<'a>) -> impl Fn(&Finding) -> (Position, Position) + use<'a> {
    let lines = LineIndex::new(file.text);
    move |finding| (lines.position(finding.span.start), lines.position(finding.span.end))
}

/// A number of things: "1 error", "2 errors".
fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
