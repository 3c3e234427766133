//! `tracer explain`: what a profile or a recording says.

use anyhow::{Context, Result};

use super::{
    decided::{beside, tell},
    input::Input,
    width::columns,
};
use crate::{
    cli::Explain,
    command::{
        Exit,
        capabilities::CapabilityBasis,
        closing::{Block, Rest},
        decisions::InForce,
        recordings, summary,
        usage::usage,
    },
    json,
    message::print,
    profile::{Derivation, Profile, ProfileOptions, policy::Policy},
    recording::{Decided, Recording},
    syscalls::{self, Abi},
    text::escape,
    workbench::{
        explain::{self, ExplainSubject, one, render},
        paragraph::wrap,
    },
};

/// Prints what a profile or a recording says, as a whole or of one syscall.
///
/// # Errors
/// It or the decisions cannot be read, no syscall has the name, or nothing can be printed.
pub fn run(options: &Explain) -> Result<Exit> {
    let basis = match &options.caps {
        Some(typed) => CapabilityBasis::typed(typed)?,
        None => CapabilityBasis::assumed(),
    };
    let name = options.syscall.as_deref().map(known).transpose()?;
    let text = match Input::read(&options.file, &basis)? {
        Input::Profile { name: file, policy } => of_profile(options, name, &file, &policy)?,
        Input::Recording { name: file, recording } => {
            of_recording(options, name, &file, &recording)?
        }
    };
    print(&text).context("the standard output could not be written")?;
    Ok(Exit::Complete)
}

/// What is decided is in the profile already, so that it matters for one syscall alone.
fn of_profile(
    options: &Explain,
    name: Option<&'static str>,
    file: &str,
    policy: &Policy,
) -> Result<String> {
    let recording = recordings::beside(&options.file);
    let recording = recording.as_ref();
    let subject = ExplainSubject { name: file, policy, recording, is_derived: false };
    let Some(name) = name else {
        if options.decisions.decisions_file.is_some() {
            return Err(usage(
                &"--decisions is for one syscall of a profile\n\nhint: name it behind FILE: tracer explain FILE SYSCALL --decisions FILE",
            ));
        }
        return Ok(whole(options, &subject));
    };
    let decisions = beside(&options.decisions, Some(&options.file))?;
    let derivation = recording.and_then(|recording| derive(recording, None).ok());
    Ok(of_one(options, &subject, name, (derivation.as_ref(), decisions.as_ref())))
}

/// What is decided counts for the profile that `tracer profile` would write beside the recording.
fn of_recording(
    options: &Explain,
    name: Option<&'static str>,
    file: &str,
    recording: &Recording,
) -> Result<String> {
    let decisions = beside(&options.decisions, Some(&options.file))?;
    let derivation = derive(recording, decisions.as_ref()).with_context(|| file.to_owned())?;
    let policy = derivation.profile.policy();
    let recording = Some(recording);
    let subject = ExplainSubject { name: file, policy: &policy, recording, is_derived: true };
    if let Some(name) = name {
        return Ok(of_one(options, &subject, name, (Some(&derivation), decisions.as_ref())));
    }
    if let Some(decisions) = decisions {
        tell(&decisions);
    }
    let mut text = whole(options, &subject);
    if !options.json {
        text.push_str(&evidence(file, subject.recording, &derivation));
    }
    Ok(text)
}

fn whole(options: &Explain, subject: &ExplainSubject<'_>) -> String {
    let explanation = explain::explain(subject);
    match options.json {
        true => json::pretty(&explanation),
        false => render::whole(&explanation, columns()),
    }
}

fn of_one(
    options: &Explain,
    subject: &ExplainSubject<'_>,
    name: &'static str,
    (derivation, decisions): (Option<&Derivation>, Option<&InForce>),
) -> String {
    let reasons = reasons(subject, name, derivation);
    let Some(mut explained) = one::explain(subject, name, reasons) else { return String::new() };
    explained.decision = decisions.and_then(|decisions| decisions.about(name));
    match options.json {
        true => json::pretty(&explained),
        false => render::one(subject.name, &explained, columns()),
    }
}

/// What the closing block of the recording says, or has no room for; nothing when there is nothing
/// to say.
fn evidence(file: &str, recording: Option<&Recording>, derivation: &Derivation) -> String {
    let parts = recording.map(|recording| summary::evidence(recording, derivation));
    let rest = Rest::File(format!("tracer report {file} -o -"));
    let text = Block::new(parts.unwrap_or_default(), rest).render(None);
    let lines = text.lines().map(|line| {
        let words = line.trim_start();
        let first = &line[..line.len() - words.len()];
        wrap(first, words, first.len() + 2, columns())
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// The syscall that was typed: its name, or its number on x86_64.
fn known(typed: &str) -> Result<&'static str> {
    let number = typed.parse().ok().and_then(|number| syscalls::name(Abi::X86_64, number));
    let named = |abi| syscalls::name(abi, syscalls::number(abi, typed)?);
    number.or_else(|| Abi::ALL.into_iter().find_map(named)).ok_or_else(|| {
        let hint = match syscalls::closest(typed) {
            Some(meant) => format!("\n\nhint: is {meant} meant?"),
            None => String::new(),
        };
        usage(&format!("no ABI has a syscall {}{hint}", escape(typed)))
    })
}

/// Why a syscall is in a profile: what the recording says that the profile was written with, then
/// what is derived from it.
pub(super) fn reasons(
    subject: &ExplainSubject<'_>,
    name: &str,
    derivation: Option<&Derivation>,
) -> Vec<String> {
    let derived = subject.recording.and_then(|recording| recording.derived.as_ref());
    let added = derived.into_iter().flat_map(|derived| &derived.added);
    let mut reasons: Vec<String> = added
        .filter(|added| added.name == name)
        .map(|added| escape(&added.reason).to_string())
        .collect();
    // Of a syscall that was seen as well, and of one that was left out.
    let decided = derived.into_iter().flat_map(|derived| &derived.decided);
    let decided = decided.chain(derivation.into_iter().flat_map(|one| &one.decided));
    for sentence in decided.filter(|decided| decided.name == name).map(Decided::sentence) {
        if !reasons.iter().any(|known| known.contains(&sentence)) {
            reasons.push(sentence);
        }
    }
    let allowed = derivation.and_then(|derivation| derivation.profile.allowed.get(name));
    for reason in allowed.into_iter().flatten().map(ToString::to_string) {
        if !reasons.iter().any(|known| known.contains(&reason)) {
            reasons.push(reason);
        }
    }
    reasons
}

/// What is derived from a recording without options, as it was decided.
pub(super) fn derive(recording: &Recording, decisions: Option<&InForce>) -> Result<Derivation> {
    let mut options = ProfileOptions::default();
    if let Some(decisions) = decisions {
        options = decisions.apply(None, options)?;
    }
    Ok(Profile::derive(std::slice::from_ref(recording), &options)?)
}
