//! What the user takes out of a profile, and what comes of that.

use std::collections::BTreeMap;

use super::{ProfileOptions, Reason, model::Allowed};
use crate::recording::Phase;

/// The call that starts every program.
const EXECVE: &str = "execve";

/// What comes of the calls that the user takes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusion {
    /// Calls that a container's start needs, each with who needs it.
    pub needed: BTreeMap<String, Vec<&'static str>>,
    /// Calls that nothing would have allowed; sorted.
    pub in_vain: Vec<String>,
}

impl Exclusion {
    /// Judges the calls to be taken out, by what is allowed before.
    pub(super) fn of(allowed: &Allowed, options: &ProfileOptions) -> Self {
        let mut exclusion = Self::default();
        for name in options.exclude() {
            let Some(reasons) = allowed.get(name) else {
                exclusion.in_vain.push(name.clone());
                continue;
            };
            let mut who: Vec<&str> = reasons.iter().filter_map(|reason| who(*reason)).collect();
            who.dedup();
            if !who.is_empty() || name == EXECVE {
                exclusion.needed.insert(name.clone(), who);
            }
        }
        exclusion
    }

    /// Nothing at all can be started.
    pub fn starts_nothing(&self) -> bool {
        self.needed.contains_key(EXECVE)
    }
}

/// Who needs a call to start a container.
fn who(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Base { runtime, .. } => Some(runtime.name()),
        Reason::Seen { phase: Phase::ContainerInit, .. } => Some("the recorded start"),
        _ => None,
    }
}
