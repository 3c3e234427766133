//! Docker's JSON.

use crate::{
    profile::{
        RuntimeChoice,
        oci::{Dialect, encode},
    },
    workbench::convert::form::Form,
};

/// Docker's JSON, with its conditions on capabilities, architectures and kernels.
pub(super) const DOCKER: &Form = &Form {
    name: "docker",
    runtime: RuntimeChoice::Any,
    names_a_listener: true,
    has_patch: false,
    write: |profile, _| Ok((encode(profile, Dialect::Docker), Vec::new())),
};
