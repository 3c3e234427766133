//! What a recording holds of the arguments of a call.

use serde::{Deserialize, Serialize};

use crate::text::Escaped;

/// What was seen of one argument of a call. What is looked at stands in
/// [`tracer_ebpf::arguments::ARGUMENTS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// Which argument, from 0.
    pub index: u8,
    /// The bits of it that count. Two entries of one call may have one index and different masks.
    pub mask: u64,
    /// The values, cut to the mask, sorted, each once: those of the phases that the profile allows,
    /// or of the call's own phase when it is in none of them. Empty when [`Self::any`] is set, and
    /// else never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ArgumentValue>,
    /// More values were seen than are kept, or one could not be read or found no place: every value
    /// counts as seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any: bool,
}

/// One value of an argument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgumentValue {
    /// The value, cut to the mask.
    pub value: u64,
    /// When it was first seen, in seconds since the recording began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen_seconds: Option<f64>,
    /// Command name of the task that was first seen to pass it. Escaped on output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Escaped>,
}
