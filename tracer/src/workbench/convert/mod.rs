//! A profile in the form that another tool takes: the same calls pass with the same arguments, or
//! it is said where not.
//!
//! [`convert()`] writes it. What a form cannot say is a [`ConvertError`] that names the rule,
//! unless what comes out is narrower, or refuses the same in another way: then a [`Note`] says so.
//! Nothing gets wider unless the user asked for it.

mod choice;
pub mod denylist;
pub mod error;
pub mod note;
mod resolve;
mod spo;
mod systemd;

pub use self::{choice::Choice, error::ConvertError, note::Note};
use crate::profile::{
    oci::{Dialect, OciProfile, encode},
    policy::{Policy, PolicyError, RuleContext},
};

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Docker's JSON.
    Docker,
    /// Podman's and CRI-O's JSON.
    Podman,
    /// The runtime specification's JSON, which container runtimes and the kubelet's directory take.
    Runtime,
    /// The same as a part of a `config.json`.
    Configuration,
    /// A resource of the Security Profiles Operator.
    Operator,
    /// A drop-in for a unit of systemd.
    Unit,
}

/// What a form depends on besides the profile.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    /// The facts by which conditions are decided, in forms that have none.
    pub context: &'a RuleContext,
    /// What becomes of conditions on arguments, in forms that have none.
    pub conditional: Choice,
    /// The name of the resource.
    pub name: &'a str,
}

/// Writes a profile in a form.
///
/// # Errors
/// The profile contradicts itself, or the form has no words for a part of it.
pub fn convert(
    profile: &OciProfile,
    form: Form,
    choices: &Choices<'_>,
) -> Result<(String, Vec<Note>), ConvertError> {
    match Policy::new(profile, choices.context) {
        // The process that decides is the runtime's matter; a unit has none.
        Err(PolicyError::Notify { .. }) if form != Form::Unit => {}
        result => drop(result?),
    }
    Ok(match form {
        Form::Docker => (encode(profile, Dialect::Docker), Vec::new()),
        Form::Podman => {
            let (profile, notes) = resolve::without_kernels(profile);
            (encode(&profile, Dialect::Podman), notes)
        }
        Form::Runtime => {
            let (profile, notes) = resolve::resolve(profile, choices.context);
            (encode(&profile, Dialect::Oci), notes)
        }
        Form::Configuration => {
            let (profile, notes) = resolve::resolve(profile, choices.context);
            (configuration(&encode(&profile, Dialect::Oci)), notes)
        }
        Form::Operator => spo::write(profile, choices.context, choices.name)?,
        Form::Unit => systemd::write(profile, choices.context, choices.conditional)?,
    })
}

/// The profile at its place in a `config.json`.
fn configuration(profile: &str) -> String {
    let indented: Vec<String> =
        profile.trim_end().lines().map(|line| format!("    {line}")).collect();
    let profile = indented.join("\n");
    format!("{{\n  \"linux\": {{\n    \"seccomp\": {}\n  }}\n}}\n", profile.trim_start())
}
