//! The files that are written for a profile: one table, and one module for each format.
//!
//! A new format is a module here and a line in [`FORMATS`]. Everything else reads the table: the
//! names of the files, the order of writing, who may read them, and the lines of the summary.

mod kubernetes;
mod profile;
mod recording;

use super::format::Format;

pub use kubernetes::PATCH;
pub use profile::PROFILE;
pub use recording::{PARTIAL, RECORDING};

/// Every file that is written at the end, in the order of writing. The profile comes last, so that
/// whoever sees a new profile finds its evidence beside it.
pub const FORMATS: &[&Format] = &[RECORDING, PATCH, PROFILE];

/// The partial recording, and the files that are written at the end.
pub fn all() -> impl Iterator<Item = &'static Format> {
    std::iter::once(PARTIAL).chain(FORMATS.iter().copied())
}

/// The position of a format in the order of writing.
pub(super) fn rank(format: &Format) -> usize {
    all().position(|one| one == format).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn suffixes_tell_the_files_apart_and_the_profile_comes_last() {
        let suffixes: BTreeSet<&str> = all().map(|format| format.suffix).collect();
        assert_eq!(suffixes.len(), FORMATS.len() + 1);
        assert_eq!(FORMATS.last(), Some(&PROFILE));
        for (expected, format) in all().enumerate() {
            assert_eq!(rank(format), expected, "{}", format.suffix);
        }
    }
}
