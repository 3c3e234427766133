//! What `tracer lint` says of the decisions that count for profiles.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::{Path, PathBuf},
    slice,
};

use anyhow::Result;

use super::{directory_of, locate, today};
use crate::{
    cli,
    command::{capabilities::CapabilityBasis, recordings},
    profile::{
        Derivation, Profile, ProfileOptions,
        policy::{Policy, RuleContext},
    },
    text::escape_path,
    workbench::{
        decisions::read,
        document::Document,
        lint::{
            LintReport,
            rules::decisions::{DecidedProfile, check, malformed},
        },
    },
};

/// A file of decisions, with what was found in it.
pub struct LintedDecisions {
    /// Its name; escaped.
    pub name: String,
    /// Its text.
    pub text: String,
    /// What was found.
    pub report: LintReport,
}

/// A profile that decisions are about.
struct Evidence {
    name: String,
    policy: Option<Policy>,
    derivation: Option<Derivation>,
}

/// Checks the files of decisions that count for profiles, each with all profiles that it counts
/// for. A profile comes with its path and its text.
///
/// # Errors
/// The file that was typed cannot be read.
pub fn lint_decisions(
    typed: &cli::DecisionOptions,
    profiles: &[(&Path, &str)],
) -> Result<Vec<LintedDecisions>> {
    let mut by_directory: BTreeMap<Option<&Path>, Option<PathBuf>> = BTreeMap::new();
    let mut files: BTreeMap<PathBuf, (Vec<u8>, Vec<Evidence>)> = BTreeMap::new();
    for &(path, text) in profiles {
        // Standard input is nowhere.
        let directory = (path != Path::new("-")).then(|| directory_of(path));
        let file = match by_directory.entry(directory) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                let located = locate(typed, directory)?;
                let file = located.map(|(file, bytes)| {
                    files.entry(file.clone()).or_insert((bytes, Vec::new()));
                    file
                });
                unknown.insert(file).clone()
            }
        };
        if let Some((_, profiles)) = file.and_then(|file| files.get_mut(&file)) {
            profiles.push(Evidence::of(path, text));
        }
    }
    Ok(files
        .into_iter()
        .map(|(path, (bytes, profiles))| of_file(&path, &bytes, &profiles))
        .collect())
}

fn of_file(path: &Path, bytes: &[u8], profiles: &[Evidence]) -> LintedDecisions {
    let findings = match read(bytes) {
        Ok(decisions) => {
            let profiles: Vec<DecidedProfile<'_>> =
                profiles.iter().map(Evidence::decided).collect();
            check(&decisions, today(), &profiles)
        }
        Err(error) => vec![malformed(&error)],
    };
    LintedDecisions {
        name: escape_path(path).into(),
        text: String::from_utf8_lossy(bytes).into_owned(),
        report: LintReport { findings },
    }
}

impl Evidence {
    fn of(path: &Path, text: &str) -> Self {
        let recording = recordings::beside(path);
        let derivation = recording.and_then(|recording| {
            Profile::derive(slice::from_ref(&recording), &ProfileOptions::default()).ok()
        });
        let name =
            if path == Path::new("-") { "stdin".to_owned() } else { escape_path(path).into() };
        Self { name, policy: policy(text), derivation }
    }

    fn decided(&self) -> DecidedProfile<'_> {
        let (policy, derivation) = (self.policy.as_ref(), self.derivation.as_ref());
        DecidedProfile { name: &self.name, policy, derivation }
    }
}

/// What a profile means to a container with Docker's default capabilities; None when it is none.
fn policy(text: &str) -> Option<Policy> {
    let Ok(Document::Profile { profile, .. }) = Document::read(text.as_bytes()) else {
        return None;
    };
    let context =
        RuleContext { capabilities: CapabilityBasis::assumed().set, kernel: (u32::MAX, 0) };
    Policy::new(&profile, &context).ok()
}
