//! Podman's and CRI-O's JSON.

use crate::{
    profile::{
        RuntimeChoice,
        oci::{Dialect, encode},
    },
    workbench::convert::{form::Form, resolve::without_kernels},
};

/// Podman's and CRI-O's JSON, which has no conditions on kernels.
pub(super) const PODMAN: &Form = &Form {
    name: "podman",
    runtime: RuntimeChoice::Any,
    names_a_listener: true,
    has_patch: false,
    write: |profile, _| {
        let (profile, notes) = without_kernels(profile);
        Ok((encode(&profile, Dialect::Podman), notes))
    },
};
