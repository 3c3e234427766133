//! The description of a form that a profile is written in. The table of them: [`super::forms`].

use super::{choice::ConditionalHandling, error::ConvertError, note::Note};
use crate::profile::{RuntimeChoice, oci::OciProfile, policy::RuleContext};

/// A form. No two have the same name.
#[derive(Debug)]
pub struct Form {
    /// What the user types for it.
    pub name: &'static str,
    /// The container runtimes that may load the filter: a profile that is derived from a recording
    /// allows what they need.
    pub runtime: RuntimeChoice,
    /// It can say that another process decides on a call (`SCMP_ACT_NOTIFY`).
    pub names_a_listener: bool,
    /// The patch for pods is written beside it.
    pub has_patch: bool,
    /// Writes the text.
    pub(super) write: fn(&OciProfile, &Choices<'_>) -> Result<Written, ConvertError>,
}

/// The text, and where it differs from the profile.
pub type Written = (String, Vec<Note>);

/// What a form depends on besides the profile.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    /// The facts by which conditions are decided, in forms that have none.
    pub context: &'a RuleContext,
    /// What becomes of conditions on arguments, in forms that have none.
    pub conditional: ConditionalHandling,
    /// The name of the resource.
    pub name: &'a str,
}
