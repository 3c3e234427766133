//! The lines of the report about the calls that the user takes out of a profile.

use std::fmt::Write as _;

use crate::{
    profile::Exclusion,
    text::{Escaped, escape},
};

/// Who takes a call out: what was typed, or else a decision.
pub(super) fn who(name: &str, typed: &[String]) -> &'static str {
    if typed.iter().any(|typed| typed == name) { "--exclude" } else { "a decision (tracer.toml)" }
}

/// The lines; `typed` are the calls that the command line takes out.
pub(super) fn lines(exclusion: &Exclusion, typed: &[String]) -> String {
    let mut text = String::new();
    let needed = exclusion.needed.iter().map(|(name, who)| match who.as_slice() {
        [] => escape(name).into(),
        who => format!("{} ({})", escape(name), who.join(", ")),
    });
    let needed: Vec<String> = needed.collect();
    let outcome = if exclusion.starts_nothing() {
        "no container can start under the profile, because it does not allow execve"
    } else {
        "a container will not start under the profile, or not everywhere"
    };
    // Writing to a String cannot fail.
    if !needed.is_empty() {
        let mut by: Vec<&str> = exclusion.needed.keys().map(|name| who(name, typed)).collect();
        by.sort_unstable();
        by.dedup();
        let (verb, by) = (if by.len() == 1 { "leaves" } else { "leave" }, by.join(" and "));
        let _ = writeln!(
            text,
            "warning: {outcome}: {by} {verb} out calls that the start needs: {}",
            needed.join(", ")
        );
    }
    // A decision stands for what may be seen later: `tracer lint` tells when it changes nothing.
    let in_vain = exclusion.in_vain.iter().filter(|name| typed.contains(name));
    let names: Vec<Escaped> = in_vain.map(|name| escape(name)).collect();
    if !names.is_empty() {
        let _ = writeln!(
            text,
            "note: --exclude had no effect on {}: nothing would have allowed it",
            names.join(", ")
        );
    }
    text
}
