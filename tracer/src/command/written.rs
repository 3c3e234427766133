//! What the closing block says of the files that were written.

use super::{
    closing::{ClosingPart, Weight},
    outputs::{DerivedProfile, Outputs},
};
use crate::{
    output::{
        Installation,
        formats::{FORMATS, PARTIAL, PROFILE, RECORDING},
    },
    profile::kubernetes,
    recording::starts::pods,
    text::{escape, escape_path},
};

/// The most files of profiles that one line names.
const NAMED: usize = 20;

/// The files: of one profile each, of many the profiles.
pub(super) fn parts(products: &[DerivedProfile], outputs: &Outputs) -> Vec<ClosingPart> {
    let whole = products.iter().filter(|product| product.label.is_none());
    let whole = whole.flat_map(|product| files(product, outputs)).collect();
    // What there is no profile of comes first: nobody would look for it.
    let (written, failed): (Vec<&DerivedProfile>, Vec<&DerivedProfile>) = products
        .iter()
        .filter(|product| product.label.is_some())
        .partition(|product| product.derivation.is_ok());
    let labelled = failed.into_iter().chain(written);
    let labelled = labelled.map(|product| of_label(product, outputs)).collect();
    let mut parts = vec![
        ClosingPart::list(Weight::Result, whole, "file").of_files(),
        ClosingPart::list(Weight::Result, labelled, "profile").of_files(),
    ];
    parts.extend(old(products, outputs));
    if let Some(installation) = &outputs.installation {
        let path = escape_path(&installation.path());
        let profile = kubernetes::quoted(installation.profile().as_str());
        let context = format!(
            "securityContext: {{ seccompProfile: {{ type: Localhost, localhostProfile: {profile} }} }}"
        );
        let line = format!("{path}: the profile, for pods on this node\n{context}");
        parts.push(ClosingPart::text(Weight::Result, line));
    }
    parts
}

/// The files of a profile of everything together.
fn files(product: &DerivedProfile, outputs: &Outputs) -> Vec<String> {
    let Some(destination) = outputs.files(product) else { return Vec::new() };
    let others = FORMATS.iter().filter(|format| **format != PROFILE);
    let formats = std::iter::once(&PROFILE).chain(others);
    formats
        .map(|format| format!("{}: {}", escape_path(&destination.path(format)), format.title))
        .collect()
}

/// The profile of a target or a container.
fn of_label(product: &DerivedProfile, outputs: &Outputs) -> String {
    let label = escape(product.label.as_deref().unwrap_or_default());
    let derivation = match &product.derivation {
        Ok(derivation) => derivation,
        Err(error) => return format!("no profile of {label}: {error}"),
    };
    let allowed = derivation.profile.allowed.len();
    let path = outputs.files(product).map(|files| escape_path(&files.path(PROFILE)));
    let complete = if product.recording.complete { "complete" } else { "incomplete" };
    let pods = match pods(&product.recording) {
        (_, 0 | 1) => String::new(),
        (whole, all) => format!(", seen from their start in {whole} of {all} pods"),
    };
    let path = path.unwrap_or_default();
    format!("{path}: the profile of {label}, {allowed} calls, {complete}{pods}")
}

/// The evidence of other runs that was there before.
fn old(products: &[DerivedProfile], outputs: &Outputs) -> [ClosingPart; 2] {
    let destinations = products.iter().filter_map(|product| outputs.files(product));
    let recordings = destinations.filter_map(|one| one.old_of(RECORDING));
    let partial = outputs.autosave().and_then(|one| one.old_of(PARTIAL));
    let old = recordings.chain(partial);
    let old = old.map(|path| format!("{}: the older evidence", escape_path(&path))).collect();
    let lines = outputs.earlier_lines().map(str::to_owned).collect();
    [
        ClosingPart::list(Weight::Finding, old, "older recording").of_files(),
        ClosingPart::list(Weight::Finding, lines, "line of older recordings").of_files(),
    ]
}

/// What was written, on one line.
pub(super) fn profiles(products: &[DerivedProfile], outputs: &Outputs) -> String {
    let path = |product| {
        let destination = outputs.files(product);
        let installed = || outputs.installation.as_ref().map(Installation::path);
        destination.map(|one| one.path(PROFILE)).or_else(installed)
    };
    let lines = products.iter().filter_map(|product| {
        let calls = product.derivation.as_ref().ok()?.profile.allowed.len();
        Some(format!("{} allows {calls} calls", escape_path(&path(product)?)))
    });
    let lines: Vec<String> = lines.collect();
    match lines.len() {
        0..=NAMED => lines.join(", "),
        many => format!("{many} profiles were written"),
    }
}
