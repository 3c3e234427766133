//! `tracer decode`: the syscalls in a pasted text, or in the kernel's log as it is made.

use std::{
    io::{IsTerminal, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{follow, input::Input, logged::LogRecording, width::columns};
use crate::{
    cli::{Decode, DecodeAbi},
    command::{
        Exit,
        capabilities::CapabilityBasis,
        input::{self, ExpectedFile},
        usage::usage,
    },
    encoding::{self, EncodingError},
    json,
    message::print,
    profile::{
        oci::{self, Mistaken, RecognisedFile},
        policy::Policy,
    },
    syscalls::Abi,
    workbench::decode::{
        self, Decoded,
        found::{Asked, CommandName},
        render,
    },
};

/// Which lines are decoded.
const HINT: &str = "tracer decodes audit records (dmesg, journalctl -k, /var/log/audit/audit.log), the output of strace, messages of containers that did not start, and numbers of syscalls";

/// For the message of a program, which says what failed and not by which syscall.
const HINT_OF_A_PROGRAM: &str = "a program that says this was refused a syscall by the profile, or by a missing right: `sudo tracer verify PROFILE --wait --cgroup NAME` shows which, when the container is started again meanwhile";
/// What programs say when a filter refuses a syscall.
const REFUSALS: [&str; 2] = ["function not implemented", "operation not permitted"];

/// Prints the syscalls that a text names, or the kernel's records as they are made.
///
/// # Errors
/// The text or the profile cannot be read, no line is recognised, or nothing can be printed.
pub fn run(options: &Decode) -> Result<Exit> {
    let profile = options.profile.as_deref().map(|path| profile(path, options)).transpose()?;
    let policy = profile.as_ref().map(|(_, policy)| policy);
    let commands: Vec<_> = options.commands.iter().map(|name| CommandName::new(name)).collect();
    let asked = Asked { abi: of_typed(options.abi), profile: policy, commands: &commands };
    if options.follow {
        return follow::run(options, asked);
    }
    let path = match &options.file {
        Some(path) => path.clone(),
        None if stdin().is_terminal() => {
            return Err(usage(&"name a file, or pipe a text to tracer: dmesg | tracer decode"));
        }
        None => PathBuf::from("-"),
    };
    let recording = LogRecording::prepare(options.recording.as_deref())?;
    let decoded = decoded(&path, asked)?;
    let name = profile.as_ref().map(|(name, _)| name.as_str());
    let text = match options.json {
        true => json::pretty(&decoded),
        false => render::text(&decoded, name, columns()),
    };
    let printed = print(&text).context("the standard output could not be written");
    // Also when the reader of the output went away.
    if let Some(recording) = recording {
        recording.write_decoded(&decoded, asked.commands)?;
    }
    printed?;
    Ok(if decoded.complete { Exit::Complete } else { Exit::Incomplete })
}

fn decoded(path: &Path, asked: Asked<'_>) -> Result<Decoded> {
    let name = input::name(path);
    let bytes = input::read(ExpectedFile::Log, path)?;
    match encoding::check(&bytes) {
        Err(EncodingError::Empty) => bail!("{name} is empty\n\nhint: {HINT}"),
        Err(error @ EncodingError::Utf16) => {
            bail!("{name}: the text is UTF-16\n\nhint: {}", error.remedy())
        }
        // What is no text in other ways is shown escaped.
        _ => {}
    }
    let known = oci::recognise(encoding::without_mark(&bytes));
    if let Some(found) = known.as_ref().filter(|known| is_no_log(known)) {
        bail!("{name}: {found}, not a log\n\nhint: `tracer explain` reads it; {HINT}");
    }
    let decoded = decode::decode(&bytes, asked);
    if decoded.is_empty() && decoded.left_out > 0 {
        bail!(
            "{name} names no syscall of {}: {} are of other commands, or of none that is known\n\nhint: `tracer decode` without --command lists them",
            CommandName::list(asked.commands),
            decoded.left_out
        );
    }
    if decoded.is_empty() {
        let line = match &decoded.unrecognised.first {
            Some(first) => format!(", such as line {}: {}", first.line, first.text),
            None => String::new(),
        };
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let is_refusal = REFUSALS.iter().any(|said| text.contains(said));
        let hint = if is_refusal { HINT_OF_A_PROGRAM } else { HINT };
        bail!("{name} names no syscall in a line that tracer recognises{line}\n\nhint: {hint}");
    }
    Ok(decoded)
}

/// Files in which a number alone on a line is no syscall. What Kubernetes and engines print may hold
/// the message of a container that did not start.
fn is_no_log(known: &RecognisedFile) -> bool {
    match known {
        RecognisedFile::Profile => true,
        RecognisedFile::Other(mistaken) => matches!(
            mistaken,
            Mistaken::Recording
                | Mistaken::SeccompProfile { .. }
                | Mistaken::OciConfiguration { .. }
        ),
    }
}

fn of_typed(abi: DecodeAbi) -> Abi {
    match abi {
        DecodeAbi::X86_64 => Abi::X86_64,
        DecodeAbi::I386 => Abi::I386,
        DecodeAbi::X32 => Abi::X32,
    }
}

/// The profile that is asked, with its name.
fn profile(path: &Path, options: &Decode) -> Result<(String, Policy)> {
    let basis = match &options.caps {
        Some(typed) => CapabilityBasis::typed(typed)?,
        None => CapabilityBasis::assumed(),
    };
    match Input::read(path, &basis)? {
        Input::Profile { name, policy } => Ok((name, policy)),
        Input::Recording { name, .. } => bail!(
            "{name} is a recording, not a profile\n\nhint: `tracer profile` derives a profile from it"
        ),
    }
}
