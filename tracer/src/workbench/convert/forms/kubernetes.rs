//! The runtime specification's JSON, which every container runtime takes, and with them the
//! directory of the kubelet.

use crate::{
    profile::{
        RuntimeChoice,
        oci::{Dialect, encode},
    },
    workbench::convert::{form::Form, resolve::resolve},
};

/// A profile for the kubelet's directory, with the patch for pods beside it.
pub(super) const KUBERNETES: &Form = &Form {
    name: "kubernetes",
    runtime: RuntimeChoice::Any,
    names_a_listener: true,
    has_patch: true,
    write: |profile, choices| {
        let (profile, notes) = resolve(profile, choices.context);
        Ok((encode(&profile, Dialect::Oci), notes))
    },
};
