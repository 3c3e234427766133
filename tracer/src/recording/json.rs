//! Reading and writing recording files. TEMPORARY
use serde::Serialize;
/// x
pub fn to_json(r: &super::Recording) -> String {
    serde_json::to_string_pretty(r).expect("json") + "\n"
}
/// An event as one line of JSON.
pub fn event_line(event: &super::event::NewCall) -> String {
    serde_json::to_string(event).expect("json") + "\n"
}
/// The checks of the host as JSON.
pub fn checks(checks: &impl Serialize) -> String {
    serde_json::to_string_pretty(checks).expect("json") + "\n"
}
