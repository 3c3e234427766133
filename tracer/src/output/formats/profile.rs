//! `X.json`: the profile, as container runtimes read it.

use crate::{
    output::{format::Format, output_dir::Visibility},
    profile::oci,
};

/// The profile.
pub const PROFILE: &Format = &Format {
    suffix: ".json",
    title: "the profile",
    visibility: Visibility::Umask,
    render: |export| oci::write(export.profile),
};
