//! What people decided about syscalls, as a recording keeps it beside the profile.

use serde::{Deserialize, Serialize};

use crate::text::escape;

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// The profile allows the syscall.
    Allow,
    /// The profile leaves the syscall out.
    Deny,
}

impl Choice {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Allow, Self::Deny];

    /// The name of the tables in `tracer.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A decision that the profile follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The syscall's name.
    pub name: String,
    /// What is decided.
    pub choice: Choice,
    /// Why.
    pub because: String,
    /// The last day on which it counts, as `2027-03-01`; absent when it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Decided {
    /// Why and until when, for people: `debug sidecar, until 2027-03-01`.
    pub fn reason(&self) -> String {
        let because = escape(&self.because);
        match &self.until {
            Some(day) => format!("{because}, until {}", escape(day)),
            None => because.into(),
        }
    }

    /// What the decision makes of the syscall, and why: `allowed by decision: debug sidecar`.
    pub fn sentence(&self) -> String {
        let what = match self.choice {
            Choice::Allow => "allowed",
            Choice::Deny => "left out",
        };
        format!("{what} by decision: {}", self.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_a_sentence_that_no_terminal_obeys() {
        let decided = Decided {
            name: "ptrace".into(),
            choice: Choice::Allow,
            because: "debug \u{1b}[2J".into(),
            until: Some("2027-03-01".into()),
        };
        let sentence = r"allowed by decision: debug \x1b[2J, until 2027-03-01";
        assert_eq!(decided.sentence(), sentence);
        let denied = Decided { choice: Choice::Deny, until: None, ..decided };
        assert_eq!(denied.sentence(), r"left out by decision: debug \x1b[2J");
    }
}
