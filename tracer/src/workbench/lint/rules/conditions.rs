//! Conditions on arguments.

use std::collections::BTreeSet;

use super::{
    super::{
        finding::{Confidence, Finding, LintRule, Safety, Severity},
        matrix::{REFUSED, SAME_ARGUMENT},
        meaning::ProfileMeaning,
        subject::LintSubject,
    },
    actions,
};
use crate::{
    profile::oci::{Condition, OPERATORS, Operator},
    text::escape,
};

/// No comparison.
pub static UNKNOWN_OPERATOR: LintRule = LintRule {
    code: "unknown-operator",
    summary: "there is no such comparison",
    severity: Severity::Error,
};
/// A call has six arguments.
pub static ARGUMENT_INDEX: LintRule = LintRule {
    code: "argument-index",
    summary: "a call has the arguments 0 to 5",
    severity: Severity::Error,
};
/// Two conditions on one argument.
pub static SAME_ARGUMENT_RULE: LintRule = LintRule {
    code: "same-argument-twice",
    summary: "two conditions are about one argument: one of them is enough",
    severity: Severity::Warning,
};
/// A value that nothing is compared with.
pub static VALUE_TWO: LintRule = LintRule {
    code: "value-two-unused",
    summary: "valueTwo is read with SCMP_CMP_MASKED_EQ alone",
    severity: Severity::Note,
};
/// A comparison that always holds, or never.
pub static CONSTANT: LintRule = LintRule {
    code: "constant-condition",
    summary: "the comparison always holds, or never",
    severity: Severity::Warning,
};
/// Bits outside of the mask.
pub static MASK: LintRule = LintRule {
    code: "bits-outside-mask",
    summary: "valueTwo has bits outside of the mask, which do not count",
    severity: Severity::Warning,
};

/// The rules of this file.
pub const RULES: &[&LintRule] =
    &[&UNKNOWN_OPERATOR, &ARGUMENT_INDEX, &SAME_ARGUMENT_RULE, &VALUE_TWO, &CONSTANT, &MASK];

/// No comparison.
pub fn unknown_operator(subject: &LintSubject<'_>, path: &str, found: &str) -> Option<Finding> {
    let finding = subject.finding(&UNKNOWN_OPERATOR, path);
    let finding = finding.message(format!("`{}` is no comparison", escape(found)));
    actions::token(finding, subject, (path, found), &OPERATORS)
        .for_audience(&REFUSED, subject.audience)
}

/// No argument.
pub fn index(subject: &LintSubject<'_>, path: &str, found: u64) -> Option<Finding> {
    let finding = subject.finding(&ARGUMENT_INDEX, path);
    finding
        .message(format!("a call has no argument {found}"))
        .remedy("write 0 for the first argument, up to 5 for the sixth")
        .for_audience(&REFUSED, subject.audience)
}

/// Conditions that are read in another way than they look.
pub fn check(subject: &LintSubject<'_>, meaning: &ProfileMeaning, findings: &mut Vec<Finding>) {
    for (path, rule) in meaning.rules() {
        let indices: BTreeSet<u8> =
            rule.conditions.iter().map(|condition| condition.index).collect();
        if indices.len() < rule.conditions.len() {
            let finding = subject
                .finding_of_key(&SAME_ARGUMENT_RULE, &format!("{path}.args"))
                .remedy("write a rule for each of them where one is enough; where all must hold, say it in one comparison")
                .confidence(Confidence::Likely);
            let finding = finding.for_audience(&SAME_ARGUMENT, subject.audience);
            findings.extend(finding.map(|finding| finding.severity(Severity::Warning)));
        }
        for (at, condition) in rule.conditions.iter().enumerate() {
            let path = format!("{path}.args[{at}]");
            findings.extend(of_values(subject, &path, condition));
        }
    }
}

/// What is odd in the values of a condition.
fn of_values(subject: &LintSubject<'_>, path: &str, condition: &Condition) -> Option<Finding> {
    let Condition { value, value_two, operator, .. } = *condition;
    let two = format!("{path}.valueTwo");
    if operator != Operator::MaskedEqual && value_two != 0 {
        let finding = subject.finding_of_key(&VALUE_TWO, &two).remedy("remove valueTwo");
        return Some(finding.fix(Safety::Safe, subject.remove(&two)));
    }
    let constant = match operator {
        Operator::Less if value == 0 => Some("never holds: no argument is less than 0"),
        Operator::GreaterOrEqual if value == 0 => {
            Some("always holds: every argument is at least 0")
        }
        Operator::Greater if value == u64::MAX => Some("never holds: no argument is larger"),
        Operator::LessOrEqual if value == u64::MAX => Some("always holds: no argument is larger"),
        Operator::MaskedEqual if value == 0 => {
            Some("always holds: `value` is the mask, and the mask is 0")
        }
        _ => None,
    };
    if let Some(constant) = constant {
        let finding = subject.finding_of_start(&CONSTANT, path);
        return Some(
            finding.message(format!("the comparison {constant}")).remedy("write what is meant"),
        );
    }
    (operator == Operator::MaskedEqual && value_two & !value != 0).then(|| {
        subject
            .finding(&MASK, &two)
            .message(format!(
                "valueTwo has the bits {:#x} outside of the mask {value:#x}, and they do not count",
                value_two & !value
            ))
            .remedy("`value` is the mask, `valueTwo` what the masked argument is compared with")
    })
}
