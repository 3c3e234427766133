//! Applies the changes that findings propose, until none is left.

use super::{
    applying::{MOST_PASSES, apply},
    check::lint,
    consumer::Audience,
    finding::{Fix, Safety},
};

/// Which changes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those that change the meaning for nobody who reads the profile today.
    Safe,
    /// Also those that say what is probably meant.
    All,
}

impl Extent {
    fn admits(self, fix: &Fix) -> bool {
        self == Self::All || fix.safety == Safety::Safe
    }
}

/// A corrected text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The text.
    pub text: String,
    /// What was changed: the code of the rule, and how often.
    pub changes: Vec<(&'static str, usize)>,
}

/// Corrects a text.
pub fn fix(bytes: &[u8], audience: &Audience, extent: Extent) -> Option<Fixed> {
    let mut text = str::from_utf8(bytes).ok()?.to_owned();
    let mut changes: Vec<(&'static str, usize)> = Vec::new();
    for _ in 0..MOST_PASSES {
        let report = lint(text.as_bytes(), audience);
        let (changed, applied) = apply(&text, &report.findings, |fix| extent.admits(fix));
        if applied.is_empty() || changed == text {
            break;
        }
        text = changed;
        for code in applied {
            match changes.iter_mut().find(|(known, _)| *known == code) {
                Some((_, count)) => *count += 1,
                None => changes.push((code, 1)),
            }
        }
    }
    (!changes.is_empty()).then_some(Fixed { text, changes })
}
