//! The description of a file that is written for a profile. The table of them: [`super::formats`].

use super::output_dir::Visibility;
use crate::{
    profile::{
        Profile,
        kubernetes::{LocalhostProfile, PatchSubject},
    },
    recording::Recording,
};

/// One of the files that belong to an output name `X.json`. No two have the same suffix.
#[derive(Debug)]
pub struct Format {
    /// What follows the `X` in the name of the file.
    pub suffix: &'static str,
    /// What the file is, for the summary.
    pub title: &'static str,
    /// Who may read the file.
    pub(super) visibility: Visibility,
    /// Makes the content of the file.
    pub(super) render: fn(&Export<'_>) -> String,
}

/// What the content of a file is made from.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// The `X` of the names of the files.
    pub stem: &'a str,
    /// The profile.
    pub profile: &'a Profile,
    /// The evidence.
    pub recording: &'a Recording,
    /// The workloads whose pods the profile is for.
    pub subject: &'a PatchSubject,
    /// The path in the pod: where the profile was installed, or where it might be.
    pub localhost: &'a LocalhostProfile,
    /// The kubelet's root directory on the nodes.
    pub kubelet_root: &'a str,
}

impl Format {
    /// The name of the file.
    pub fn name(&self, stem: &str) -> String {
        format!("{stem}{}", self.suffix)
    }

    /// The content of the file.
    pub fn render(&self, export: &Export<'_>) -> String {
        (self.render)(export)
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.suffix == other.suffix
    }
}

impl Eq for Format {}
