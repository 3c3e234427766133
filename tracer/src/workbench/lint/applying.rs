//! Applies the changes that findings propose, once.

use super::{
    finding::{Finding, Fix, LintRule},
    rules::text,
};
use crate::workbench::json_text::{self, Edit};

/// How often a text is checked again: a change may show what another one hid.
pub const MOST_PASSES: usize = 30;

/// Applies the changes of findings that do not overlap; the second value holds the code of each
/// that was applied. Where the text is no JSON that is mended first, and alone.
pub fn apply(
    text: &str,
    findings: &[Finding],
    admits: impl Fn(&Fix) -> bool,
) -> (String, Vec<&'static str>) {
    let admitted = |finding: &&Finding| finding.fix.as_ref().is_some_and(&admits);
    let mut chosen: Vec<&Finding> = findings.iter().filter(admitted).collect();
    if chosen.iter().any(|finding| is_of_the_text(finding.rule)) {
        chosen.retain(|finding| is_of_the_text(finding.rule));
    }
    let groups: Vec<&[Edit]> =
        chosen.iter().filter_map(|finding| finding.fix.as_ref()).map(|fix| &*fix.edits).collect();
    let (text, applied) = json_text::apply(text, &groups);
    (text, applied.into_iter().map(|at| chosen[at].rule.code).collect())
}

/// It is about text that is no JSON: nothing else is changed before that is mended.
fn is_of_the_text(rule: &LintRule) -> bool {
    text::RULES.iter().any(|known| known.code == rule.code)
}
