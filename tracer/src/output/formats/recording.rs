//! `X.recording.json`: the evidence. It says how somebody's workload runs: only its owner may read
//! it.

use crate::{
    output::{
        format::{Export, Format},
        output_dir::Visibility,
    },
    recording::json,
};

/// The evidence.
pub const RECORDING: &Format = &Format {
    suffix: ".recording.json",
    title: "the evidence",
    visibility: Visibility::Owner,
    render,
};

/// What was recorded so far, saved now and then while recording.
pub const PARTIAL: &Format = &Format {
    suffix: ".recording.json.partial",
    title: "the evidence so far",
    visibility: Visibility::Owner,
    render,
};

fn render(export: &Export<'_>) -> String {
    json::to_json(export.recording)
}
