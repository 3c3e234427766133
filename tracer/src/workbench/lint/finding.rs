//! What lint finds: the rule, the place, what is wrong, for whom, what to do, and the change that
//! does it.

use super::{
    consumer::{Audience, Consumer},
    matrix::{Effect, Feature},
};
use crate::workbench::json_text::{Edit, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// The consumers do not agree, or something will break.
    Warning,
    /// A consumer refuses the profile or takes it for something else, or a container does not
    /// start.
    Error,
}

impl Severity {
    /// The word, for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How sure lint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// It may be meant.
    Possible,
    /// It is hardly meant.
    Likely,
    /// It is so.
    Certain,
}

impl Confidence {
    /// The word, for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// A kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LintRule {
    /// The code, in small letters with dashes. It is an interface: programs and people name rules
    /// by it.
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub summary: &'static str,
    /// How bad it is at most.
    pub severity: Severity,
}

/// Whether a fix may be applied without a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// Whoever reads the profile today reads the same afterwards; the others come to read it too.
    Safe,
    /// It says what is probably meant.
    Guess,
}

/// A change that puts a finding right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Whether it may be applied without a look.
    pub safety: Safety,
    /// The changes of the text, all or none.
    pub edits: Vec<Edit>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind.
    pub rule: &'static LintRule,
    /// How bad it is for the audience.
    pub severity: Severity,
    /// How sure lint is.
    pub confidence: Confidence,
    /// The field: `syscalls[3].action`; nothing of the whole file.
    pub path: String,
    /// Its place in the text.
    pub span: Span,
    /// What is wrong. Text of the file in it is escaped.
    pub message: String,
    /// What it is in this place: findings that differ in it alone are listed together. Empty where
    /// there is nothing to add.
    pub detail: String,
    /// What to do.
    pub remedy: String,
    /// What each consumer does, where it depends on the consumer.
    pub effects: Vec<(Consumer, Effect)>,
    /// The same for people; empty where it does not depend on the consumer.
    pub effects_text: String,
    /// The change that puts it right.
    pub fix: Option<Fix>,
}

impl Finding {
    /// A finding about a place, as bad as its rule.
    pub fn new(rule: &'static LintRule, path: impl Into<String>, span: Span) -> Self {
        Self {
            rule,
            severity: rule.severity,
            confidence: Confidence::Certain,
            path: path.into(),
            span,
            message: rule.summary.to_owned(),
            detail: String::new(),
            remedy: String::new(),
            effects: Vec::new(),
            effects_text: String::new(),
            fix: None,
        }
    }

    /// Says what is wrong there.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Says what it is in this place.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Says what is wrong, and what it is in this place.
    pub fn full_message(&self) -> String {
        match self.detail.as_str() {
            "" => self.message.clone(),
            detail => format!("{}: {detail}", self.message),
        }
    }

    /// Says what to do.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Sets how bad it is.
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets how sure it is.
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// Adds a change that puts it right.
    pub fn fix(mut self, safety: Safety, edits: impl IntoIterator<Item = Edit>) -> Self {
        let edits: Vec<Edit> = edits.into_iter().collect();
        self.fix = (!edits.is_empty()).then_some(Fix { safety, edits });
        self
    }

    /// Rates it by what each consumer of the audience does; None when all of them read it as it is
    /// meant.
    pub fn for_audience(mut self, feature: &Feature, audience: &Audience) -> Option<Self> {
        self.effects = feature.effects(audience);
        self.effects_text = feature.describe(&self.effects);
        let worst = self.effects.iter().map(|(_, effect)| *effect).max()?;
        let severity = match worst {
            Effect::Reads => return None,
            Effect::Ignores => Severity::Warning,
            Effect::Misreads | Effect::Refuses => Severity::Error,
        };
        self.severity = severity.min(self.rule.severity);
        Some(self)
    }
}
