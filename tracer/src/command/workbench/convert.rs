//! `tracer convert`: a profile in the form that another tool takes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{
    decided::{beside, tell},
    input::{document, facts, remark},
};
use crate::{
    cli::{ConditionalValue, Convert, ConvertTo, Style},
    command::{Exit, capabilities::CapabilityBasis, environment::owner, subject, usage::usage},
    message::{print, print_err},
    output::{
        Destination, OutputError, SingleFile,
        formats::{PATCH, PROFILE},
    },
    profile::{
        Profile, ProfileOptions,
        kubernetes::{DEFAULT_KUBELET_ROOT, LocalhostProfile, PatchFiles, PatchSubject, patch},
        oci::{self, OciProfile},
        policy::Policy,
    },
    recording::Recording,
    text::{escape, escape_path},
    workbench::{
        convert::{Choices, ConditionalHandling, Form, Note, convert, denylist::denylist, forms},
        document::Document,
    },
};

/// What is converted.
struct Source {
    profile: OciProfile,
    /// What makes the pods, of a recording.
    subject: PatchSubject,
    is_complete: bool,
}

/// The result.
#[derive(Clone, Debug)]
pub struct Converted {
    /// What it is called in messages.
    name: String,
    /// The text, in the other form.
    pub text: String,
    /// Where it differs from what was read.
    pub notes: Vec<Note>,
    subject: PatchSubject,
    is_complete: bool,
}

/// Writes what was named in another form.
///
/// # Errors
/// It cannot be read, the form has no words for it, or it cannot be written.
pub fn run(options: &Convert) -> Result<Exit> {
    let output = Output::prepare(options)?;
    let converted = converted(options)?;
    for note in &converted.notes {
        print_err(&note.to_string());
    }
    output.write(&converted.text, &converted.subject)?;
    if converted.is_complete {
        return Ok(Exit::Complete);
    }
    print_err(&format!(
        "warning: {} is incomplete: what it lacks is missing in the result as well",
        converted.name
    ));
    Ok(Exit::Incomplete)
}

/// What was named, in another form.
///
/// # Errors
/// It cannot be read, or the form has no words for it.
pub fn converted(options: &Convert) -> Result<Converted> {
    let basis = match &options.caps {
        Some(typed) => CapabilityBasis::typed(typed)?,
        None => CapabilityBasis::assumed(),
    };
    let (form, resource) = (form(options.to)?, resource_name(options)?);
    let (name, document) = document(&options.file)?;
    let in_it = || name.clone();
    let source = match document {
        Document::Recording(recording) => {
            of_recording(&recording, options, form).with_context(in_it)?
        }
        Document::Profile { .. } if options.decisions.decisions_file.is_some() => {
            return Err(usage(
                &"--decisions is for a recording: a profile has what was decided already",
            ));
        }
        Document::Profile { profile, .. } => {
            remark(&name, &profile, &basis);
            Source { profile: *profile, subject: PatchSubject::default(), is_complete: true }
        }
    };
    let Source { mut profile, subject, is_complete } = source;
    let context = facts(&basis);
    if options.style == Style::Denylist {
        let policy = Policy::new(&profile, &context).with_context(in_it)?;
        profile = denylist(&policy).with_context(in_it)?;
    }
    let conditional = match options.conditional {
        ConditionalValue::Error => ConditionalHandling::Error,
        ConditionalValue::Allow => ConditionalHandling::Allow,
        ConditionalValue::Deny => ConditionalHandling::Deny,
    };
    let choices = Choices { context: &context, conditional, name: &resource };
    let (text, notes) = convert(&profile, form, &choices).with_context(in_it)?;
    Ok(Converted { name, text, notes, subject, is_complete })
}

/// The form that was typed: the table names each value as the command line does, as the tests
/// prove.
fn form(to: ConvertTo) -> Result<&'static Form> {
    forms::by_name(&to.name()).with_context(|| format!("--to {}: there is no such form", to.name()))
}

/// The profile of a recording, as it was decided, for what loads the form.
fn of_recording(recording: &Recording, typed: &Convert, form: &Form) -> Result<Source> {
    let mut options = ProfileOptions::default();
    options.runtime = form.runtime;
    if let Some(decisions) = beside(&typed.decisions, Some(&typed.file))? {
        tell(&decisions);
        options = decisions.apply(None, options)?;
    }
    let derivation = Profile::derive(std::slice::from_ref(recording), &options)?;
    let profile = oci::read(oci::write(&derivation.profile).as_bytes())?;
    let subject = subject::of_targets(&recording.targets);
    Ok(Source { profile, subject, is_complete: recording.complete })
}

/// The name of the resource: as it was typed, or made of the file's.
fn resource_name(options: &Convert) -> Result<String> {
    let is_allowed =
        |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-.".contains(char);
    let is_name = |name: &str| {
        name.chars().all(is_allowed)
            && name.len() <= 253
            && name
                .split('.')
                .all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-'))
    };
    if let Some(name) = &options.name {
        return match is_name(name) {
            true => Ok(name.clone()),
            false => Err(usage(&format!(
                "--name {}: Kubernetes takes at most 253 small letters, digits, - and ., and none of these two at an end",
                escape(name)
            ))),
        };
    }
    let file = options.out.as_deref().unwrap_or(&options.file);
    let stem = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let kept: String = stem.chars().map(|char| if is_allowed(char) { char } else { '-' }).collect();
    let kept = kept.trim_matches('-');
    Ok(if is_name(kept) { kept.to_owned() } else { "profile".to_owned() })
}

/// Where the result goes. Opened before anything is read.
enum Output {
    Printed,
    File(SingleFile),
    /// The profile, and the patch beside it.
    Kubernetes(Destination),
}

impl Output {
    fn prepare(options: &Convert) -> Result<Self> {
        let out: Option<&PathBuf> = options.out.as_ref().filter(|path| *path != Path::new("-"));
        Ok(match (out, form(options.to)?.has_patch) {
            (None, true) => {
                return Err(usage(
                    &"--to kubernetes writes two files\n\nhint: name them: --out NAME.json writes NAME.json and NAME.kubernetes.yaml",
                ));
            }
            (None, false) => Self::Printed,
            (Some(path), true) => {
                let destination = Destination::prepare(path, owner())
                    .and_then(Destination::keeping_profiles)
                    .map_err(|error| match error {
                        OutputError::NotAJsonName { .. } | OutputError::IsARecording { .. } => {
                            usage(&error)
                        }
                        other => other.into(),
                    })?;
                Self::Kubernetes(destination)
            }
            (Some(path), false) => Self::File(SingleFile::prepare(path, owner())?.keeping_old()?),
        })
    }

    fn write(&self, text: &str, subject: &PatchSubject) -> Result<()> {
        match self {
            Self::Printed => print(text).context("the standard output could not be written"),
            Self::File(file) => {
                file.write(text.as_bytes())?;
                let old =
                    file.old().map(|old| format!("; {} is what was there", escape_path(&old)));
                print_err(&format!(
                    "{}: written{}",
                    escape_path(&file.path()),
                    old.unwrap_or_default()
                ));
                Ok(())
            }
            Self::Kubernetes(destination) => {
                let [profile, own] = [PROFILE, PATCH].map(|it| it.name(destination.stem()));
                let localhost = LocalhostProfile::new(&format!("profiles/{profile}"))?;
                let files = PatchFiles {
                    profile: &profile,
                    patch: &own,
                    kubelet_root: DEFAULT_KUBELET_ROOT,
                };
                let patch = patch(&localhost, &files, subject);
                destination.write(&[(PROFILE, text.as_bytes()), (PATCH, patch.as_bytes())])?;
                for format in [PROFILE, PATCH] {
                    print_err(&format!(
                        "{}: {}",
                        escape_path(&destination.path(format)),
                        format.title
                    ));
                }
                Ok(())
            }
        }
    }
}
