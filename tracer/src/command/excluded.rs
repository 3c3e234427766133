//! What is told of the calls that the user takes out of a profile.

use std::fmt::Write as _;

use crate::{profile::Exclusion, text::escape};

/// The lines.
pub(super) fn lines(exclusion: &Exclusion) -> String {
    let mut text = String::new();
    let needed = exclusion.needed.iter().map(|(name, who)| match who.as_slice() {
        [] => escape(name),
        who => format!("{} ({})", escape(name), who.join(", ")),
    });
    let needed: Vec<String> = needed.collect();
    let outcome = if exclusion.starts_nothing() {
        "no container will start under the profile, for nothing can be executed"
    } else {
        "a container will not start under the profile, or not everywhere"
    };
    // Writing to a String cannot fail.
    if !needed.is_empty() {
        let _ = writeln!(
            text,
            "warning: {outcome}: --exclude leaves out what the start needs: {}",
            needed.join(", ")
        );
    }
    if !exclusion.in_vain.is_empty() {
        let names: Vec<String> = exclusion.in_vain.iter().map(|name| escape(name)).collect();
        let _ = writeln!(
            text,
            "note: --exclude had no effect on {}: nothing would have allowed it",
            names.join(", ")
        );
    }
    text
}
