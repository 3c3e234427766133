//! The runtime specification's JSON, as a part of a `config.json`.

use crate::{
    profile::{
        RuntimeChoice,
        oci::{Dialect, encode},
    },
    workbench::convert::{form::Form, resolve::resolve},
};

/// The field `linux.seccomp` of a `config.json`.
pub(super) const OCI: &Form = &Form {
    name: "oci",
    runtime: RuntimeChoice::Any,
    names_a_listener: true,
    has_patch: false,
    write: |profile, choices| {
        let (profile, notes) = resolve(profile, choices.context);
        Ok((configuration(&encode(&profile, Dialect::Oci)), notes))
    },
};

/// The profile at its place in a `config.json`.
fn configuration(profile: &str) -> String {
    let indented: Vec<String> =
        profile.trim_end().lines().map(|line| format!("    {line}")).collect();
    let profile = indented.join("\n");
    format!("{{\n  \"linux\": {{\n    \"seccomp\": {}\n  }}\n}}\n", profile.trim_start())
}
