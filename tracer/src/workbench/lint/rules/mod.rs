//! The rules: a file for each, or for a few that are about the same field.

pub mod actions;
pub mod architectures;
pub mod conditions;
pub mod decisions;
pub mod errnos;
pub mod fallbacks;
pub mod form;
pub mod keys;
pub mod machine;
pub mod names;
pub mod notify;
pub mod overlaps;
pub mod starts;
pub mod support;
pub mod syscalls;
pub mod text;

use std::{collections::HashSet, mem::discriminant};

use super::{
    finding::{Finding, LintRule},
    meaning::ProfileMeaning,
    subject::LintSubject,
};
use crate::profile::oci::{Diagnosis, ErrorKind, Oddity, ProfileError, Remark};

/// Every rule.
pub fn all() -> Vec<&'static LintRule> {
    let mut rules: Vec<&LintRule> = [
        actions::RULES,
        architectures::RULES,
        conditions::RULES,
        decisions::RULES,
        errnos::RULES,
        fallbacks::RULES,
        form::RULES,
        keys::RULES,
        machine::RULES,
        names::RULES,
        notify::RULES,
        overlaps::RULES,
        starts::RULES,
        support::RULES,
        syscalls::RULES,
        text::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect();
    rules.sort_by_key(|rule| rule.code);
    rules
}

/// What the reader of profiles refuses, and what it finds odd. A key that comes many times has one
/// path, and one finding of each rule.
pub fn of_the_reader(subject: &LintSubject<'_>, diagnosis: &Diagnosis) -> Vec<Finding> {
    let (mut refused, mut odd) = (HashSet::new(), HashSet::new());
    let errors = diagnosis.errors.iter();
    let errors = errors.filter(|error| refused.insert((&error.path, discriminant(&error.kind))));
    let oddities = diagnosis.remarks.iter();
    let oddities =
        oddities.filter(|remark| odd.insert((&remark.path, discriminant(&remark.oddity))));
    let errors = errors.filter_map(|error| of_error(subject, error));
    errors.chain(oddities.filter_map(|remark| of_oddity(subject, remark))).collect()
}

fn of_error(
    subject: &LintSubject<'_>,
    ProfileError { path, kind }: &ProfileError,
) -> Option<Finding> {
    match kind {
        ErrorKind::Kind { expected, found } => form::wrong_type(subject, path, expected, found),
        ErrorKind::Missing { .. } => form::missing(subject, path),
        ErrorKind::UnknownKey { meant } => keys::misspelt(subject, path, meant),
        ErrorKind::KeyCase { right } => keys::case(subject, path, right),
        ErrorKind::Twice => keys::twice(subject, path),
        ErrorKind::NameAsWell { name } => names::name_and_names(subject, path, name),
        ErrorKind::ErrnoText { found, .. } => errnos::text(subject, path, found),
        ErrorKind::ErrnoName { found } => errnos::unknown(subject, path, found),
        ErrorKind::ErrnoContradicts { name, meant, field, number } => {
            errnos::contradicts(subject, path, (name, *meant), (field, *number))
        }
        ErrorKind::ErrnoRange { found } => errnos::range(subject, path, *found),
        ErrorKind::ErrnoOfAction { action } => errnos::of_action(subject, path, action),
        ErrorKind::Action { found } => actions::unknown(subject, path, found),
        ErrorKind::NotifyByDefault => notify::by_default(subject, path),
        ErrorKind::Architecture { found, right, .. } => {
            architectures::unknown(subject, path, found, right)
        }
        ErrorKind::BothArchitectures => architectures::both(subject, path),
        ErrorKind::Operator { found } => conditions::unknown_operator(subject, path, found),
        ErrorKind::ArgumentIndex { found } => conditions::index(subject, path, *found),
        ErrorKind::NoNames => names::none(subject, path),
        ErrorKind::EmptyName => names::empty(subject, path),
        ErrorKind::Flag { found } => support::unknown_flag(subject, path, found),
        ErrorKind::MetadataWithoutPath => notify::metadata(subject, path),
        ErrorKind::Capability { found } => machine::unknown_capability(subject, path, found),
        ErrorKind::GoArchitecture { found } => machine::unknown_architecture(subject, path, found),
        ErrorKind::MinKernel { found } => machine::unknown_kernel(subject, path, found),
    }
}

fn of_oddity(subject: &LintSubject<'_>, Remark { path, oddity }: &Remark) -> Option<Finding> {
    match oddity {
        Oddity::OldName => names::old(subject, path),
        Oddity::ErrnoNamedAsWell => errnos::named_as_well(subject, path),
        Oddity::ErrnoNamedAlone { name, number } => {
            errnos::named_alone(subject, path, name, *number)
        }
        Oddity::UnknownKey => keys::unknown(subject, path),
        Oddity::KeyCase { right } => keys::case_of_additions(subject, path, right),
    }
}

/// What the reader accepts and people hardly mean, by the form of the file.
pub fn of_the_form(subject: &LintSubject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    architectures::check(subject, &mut findings);
    support::check(subject, &mut findings);
    syscalls::check(subject, &mut findings);
    findings
}

/// The same, by what the profile means.
pub fn of_the_meaning(subject: &LintSubject<'_>, meaning: &ProfileMeaning) -> Vec<Finding> {
    let mut findings = Vec::new();
    actions::check(subject, meaning, &mut findings);
    notify::check(subject, meaning, &mut findings);
    conditions::check(subject, meaning, &mut findings);
    machine::check(subject, meaning, &mut findings);
    overlaps::check(subject, meaning, &mut findings);
    fallbacks::check(subject, meaning, &mut findings);
    starts::check(subject, meaning, &mut findings);
    findings
}
