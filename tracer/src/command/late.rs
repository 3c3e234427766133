//! The lines of the report about late starts: one with a count, however many containers ran before
//! tracing began.

use super::{
    closing::{ClosingPart, Weight},
    outputs::DerivedProfile,
};
use crate::{
    recording::{Losses, Recording, parts::silent},
    target::names::is_container_id,
    text::{Escaped, escape},
};

/// How many are named.
const NAMED: usize = 3;

/// The profiles to which nothing happened but a late start, when there are many; and the others.
pub(super) fn apart(lacking: Vec<&DerivedProfile>) -> (Vec<&DerivedProfile>, Vec<&DerivedProfile>) {
    let (late, others): (Vec<_>, Vec<_>) = lacking.iter().partition(|product| {
        let losses = Losses { late_start: 0, ..product.recording.losses };
        product.label.is_some() && losses == Losses::default()
    });
    if late.len() > 1 { (late, others) } else { (Vec::new(), lacking) }
}

/// The reason for all of them; nothing of none.
pub(super) fn incomplete(late: &[&DerivedProfile]) -> Option<String> {
    let labels: Vec<&str> = late.iter().filter_map(|product| product.label.as_deref()).collect();
    (!labels.is_empty()).then(|| format!(
        "incomplete: late start: {} containers or targets ran before tracing began and have not started again, so that calls of their start are missing: {}\nhint: restart them while tracing, or merge recordings of a start (tracer profile); \
         --accept-late-start calls them complete",
        labels.len(),
        some(&labels)
    ))
}

/// The containers that have nothing to show, and that were not asked for by name; nothing of none.
pub(super) fn unseen(recording: &Recording) -> Option<ClosingPart> {
    let silent = silent(recording);
    let labels: Vec<&str> = silent.iter().map(String::as_str).collect();
    let (containers, they) = match labels.len() {
        0 => return None,
        1 => ("container ran", "it gets"),
        _ => ("containers ran", "they get"),
    };
    let line = format!(
        "late: {} {containers} before tracing began, have not started again and made no call, so that {they} no profile: {}",
        labels.len(),
        some(&labels)
    );
    Some(ClosingPart::text(Weight::Finding, line))
}

/// The first few, and how many more. Names come before the ids of containers that have none: people
/// know names.
fn some(labels: &[&str]) -> String {
    let mut labels = labels.to_vec();
    labels.sort_by_key(|label| is_container_id(label));
    let named: Vec<Escaped> = labels.iter().take(NAMED).map(|label| escape(label)).collect();
    match labels.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_are_named() {
        assert_eq!(some(&["a"]), "a");
        assert_eq!(some(&["a", "b", "c"]), "a, b, c");
        assert_eq!(some(&["a", "b", "c", "d", "\u{1b}"]), "a, b, c and 2 more");
        let ids = ["1", "2", "3"].map(|digit| digit.repeat(64));
        let [one, two, three] = ids.each_ref().map(String::as_str);
        assert_eq!(
            some(&[one, two, three, "shop/web"]),
            format!("shop/web, {one}, {two} and 1 more")
        );
    }
}
