//! What is odd in a profile and has a meaning all the same: who reads it, said once for all of a
//! kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::{Discriminant, discriminant},
};

/// Something odd and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The field, or the rule: `syscalls[3]`.
    pub path: String,
    /// What is odd there.
    pub oddity: Oddity,
}

/// What is odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A rule about one call, by `name`.
    OldName,
    /// An error number by its name, beside the same as a number.
    ErrnoNamedAsWell,
    /// An error number by its name alone, which most consumers do not read.
    ErrnoNamedAlone {
        /// The name.
        name: String,
        /// Its number.
        number: u16,
    },
    /// A key that no consumer knows.
    UnknownKey,
    /// A key in other letters, which all that know it read in any case.
    KeyCase {
        /// As it is written.
        right: &'static str,
    },
}

/// How many places are named one by one.
const SHOWN: usize = 3;

/// A sentence for each kind of remark, in the order in which the kinds come first.
pub fn sentences(remarks: &[Remark]) -> Vec<String> {
    let mut order: Vec<Discriminant<Oddity>> = Vec::new();
    let mut kinds: Vec<Vec<&Remark>> = Vec::new();
    for remark in remarks {
        let kind = discriminant(&remark.oddity);
        match order.iter().position(|known| *known == kind) {
            Some(place) => kinds[place].push(remark),
            None => {
                order.push(kind);
                kinds.push(vec![remark]);
            }
        }
    }
    kinds.iter().filter_map(|kind| sentence(kind)).collect()
}

fn sentence(remarks: &[&Remark]) -> Option<String> {
    let count = remarks.len();
    let places = places(remarks);
    let counted = |one: &str, several: &str| {
        if count == 1 { format!("1 {one}") } else { format!("{count} {several}") }
    };
    Some(match &remarks.first()?.oddity {
        Oddity::OldName => format!(
            "{} the old form `name` ({places}): Docker, Podman and CRI-O read it as `names`; containerd and runc take such a rule for an empty one, silently, and crun refuses it",
            counted("rule uses", "rules use")
        ),
        Oddity::ErrnoNamedAsWell => format!(
            "{} by name beside the same number ({places}): Podman and CRI-O read the name, all others the number",
            counted("error is written", "errors are written")
        ),
        Oddity::ErrnoNamedAlone { .. } => format!(
            "{} by name alone ({places}): Podman and CRI-O read it, Docker, containerd, runc and crun ignore it and return EPERM; write the number as well, as errnoRet or defaultErrnoRet: {}",
            counted("error is written", "errors are written"),
            numbers(remarks)
        ),
        Oddity::UnknownKey => format!(
            "{}, which every consumer ignores: {places}",
            counted("field is unknown", "fields are unknown")
        ),
        Oddity::KeyCase { .. } => format!(
            "{} in other letters ({places}), which Docker, Podman and CRI-O read all the same, and the others ignore in any: write {}",
            counted("field is written", "fields are written"),
            spellings(remarks)
        ),
    })
}

/// The places: a few one by one, many by the first and the last.
fn places(remarks: &[&Remark]) -> String {
    let paths: Vec<&str> = remarks.iter().map(|remark| remark.path.as_str()).collect();
    match paths.as_slice() {
        [first, .., last] if paths.len() > SHOWN => format!("{first} to {last}"),
        few => few.join(", "),
    }
}

/// The numbers of the names that are there.
fn numbers(remarks: &[&Remark]) -> String {
    let named = remarks.iter().filter_map(|remark| match &remark.oddity {
        Oddity::ErrnoNamedAlone { name, number } => Some((*number, name.as_str())),
        _ => None,
    });
    let named: BTreeMap<u16, &str> = named.collect();
    let named_numbers: Vec<String> =
        named.iter().map(|(number, name)| format!("{name} is {number}")).collect();
    named_numbers.join(", ")
}

fn spellings(remarks: &[&Remark]) -> String {
    let right = remarks.iter().filter_map(|remark| match remark.oddity {
        Oddity::KeyCase { right } => Some(format!("`{right}`")),
        _ => None,
    });
    right.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}
