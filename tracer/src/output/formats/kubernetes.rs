//! `X.kubernetes.yaml`: the patch with which the pods of a workload run under the profile.

use super::profile::PROFILE;
use crate::{
    output::{
        format::{Export, Format},
        output_dir::Visibility,
    },
    profile::kubernetes::{PatchFiles, patch},
};

/// The patch for Kubernetes.
pub const PATCH: &Format = &Format {
    suffix: ".kubernetes.yaml",
    title: "the Kubernetes patch",
    visibility: Visibility::Umask,
    render,
};

fn render(export: &Export<'_>) -> String {
    let [profile, own] = [PROFILE, PATCH].map(|format| format.name(export.stem));
    let files = PatchFiles { profile: &profile, patch: &own, kubelet_root: export.kubelet_root };
    patch(export.localhost, &files, export.subject)
}
