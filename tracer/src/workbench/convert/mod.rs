//! A profile in the form that another tool takes: the same calls pass with the same arguments, or
//! it is said where not.
//!
//! [`convert()`] writes it, in one of the [`forms`]. What a form cannot say is a [`ConvertError`]
//! that names the rule, unless what comes out is narrower, or refuses the same in another way: then
//! a [`Note`] says so. Nothing gets wider unless the user asked for it.

mod choice;
mod conditional;
pub mod denylist;
pub mod error;
mod form;
pub mod forms;
pub mod note;
mod resolve;

pub use self::{
    choice::ConditionalHandling,
    error::ConvertError,
    form::{Choices, Form, Written},
    note::Note,
};
use crate::profile::{
    oci::OciProfile,
    policy::{Policy, PolicyError},
};

/// Writes a profile in a form.
///
/// # Errors
/// The profile contradicts itself, or the form has no words for a part of it.
pub fn convert(
    profile: &OciProfile,
    form: &Form,
    choices: &Choices<'_>,
) -> Result<Written, ConvertError> {
    match Policy::new(profile, choices.context) {
        // The process that decides is the runtime's matter.
        Err(PolicyError::Notify { .. }) if form.names_a_listener => {}
        result => drop(result?),
    }
    (form.write)(profile, choices)
}
