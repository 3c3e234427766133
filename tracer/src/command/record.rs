//! `tracer`: record, derive, write.

use std::{
    io::{IsTerminal, stderr},
    path::Path,
    process::ExitStatus,
};

use anyhow::Result;

use super::{
    Exit, derivation, owner, request,
    summary::{self, Source},
    usage,
};
use crate::{
    cli::Record,
    kernel::forward_kernel_log,
    live::{Detail, Live},
    message::tell,
    output::{Destination, FileKind, Stream},
    profile::{Options, Profile},
    recording::{Recording, event::NewCall, json},
    session::{self, Observers, Outcome, Purpose, Request},
    target::runtime::Addresses,
    text::escape_path,
};

/// Records a workload and writes its profile.
///
/// # Errors
/// Nothing was written then.
pub fn run(typed: &Record) -> Result<Exit> {
    let choices = &typed.derivation;
    let options = derivation::options(choices)?;
    let specs = request::specs(&typed.targets)?;
    if derivation::is_printed(&typed.out) && !typed.command.is_empty() {
        return Err(usage(
            &"`--out -` cannot be used with a command: standard output is the command's\n\nhint: write to a file, for example --out profile.json",
        ));
    }
    let root = request::host(&specs)?;
    let command = request::command(&typed.command, typed.user.as_deref(), None, choices.quiet)?;
    let (selections, awaited) = request::targets(&root, &specs, &addresses(typed), typed.wait)?;
    let (runtime, mut stops) = request::event_loop()?;
    let destination = derivation::prepare(&typed.out)?;
    let events =
        typed.events.as_deref().map(|path| events(path, destination.as_ref())).transpose()?;
    let request = Request {
        root,
        selections,
        awaited,
        wait: typed.wait,
        command,
        duration: typed.duration,
        until_quiet: typed.until_quiet,
        btf: !typed.no_btf,
        counts: !typed.no_counts,
        denied: typed.denied || choices.include_denied,
        purpose: Purpose::Record,
        log: choices.verbose,
        accept_late_start: choices.accept_late_start,
    };
    if choices.verbose {
        forward_kernel_log(|line| tell(&line));
    }
    let session = |observers: Observers<'_>| {
        runtime.block_on(session::record(&request, &mut stops, observers))
    };
    let mut snapshot = |recording: &Recording| snapshot(recording, &options, destination.as_ref());
    let mut outcome = observe(typed, session, destination.as_ref(), events, &mut snapshot)?;
    let derivation = Profile::derive(std::slice::from_ref(&outcome.recording), &options);
    let derivation = derivation.inspect_err(|_| discard_partial(destination.as_ref()))?;
    outcome.recording.derived = Some(derivation.derived());
    derivation::write(destination.as_ref(), &outcome.recording, &derivation)?;
    let destination = destination.as_ref();
    summary::tell(
        choices,
        &Source::Session(&outcome),
        &outcome.recording,
        &derivation,
        destination,
    );
    Ok(exit(typed, &outcome))
}

/// Where the runtimes are asked.
fn addresses(typed: &Record) -> Addresses {
    let mut addresses = Addresses::default();
    if let Some(socket) = &typed.docker_host {
        addresses.docker.clone_from(socket);
    }
    addresses
}

/// The file for events, which must not be one of the others.
fn events(path: &Path, destination: Option<&Destination>) -> Result<Stream> {
    let taken = |destination: &Destination| {
        FileKind::ALL.into_iter().any(|kind| destination.path(kind).file_name() == path.file_name())
    };
    if path == Path::new("-") || destination.is_some_and(taken) {
        return Err(usage(&format!(
            "--events {} cannot be written to\n\nhint: name a file of its own, for example events.jsonl",
            escape_path(path)
        )));
    }
    Ok(Stream::prepare(path, owner())?)
}

fn exit(typed: &Record, outcome: &Outcome) -> Exit {
    match outcome.command {
        Some(status) if typed.forward_exit => Exit::Forwarded(forwarded(status)),
        _ if outcome.recording.complete => Exit::Complete,
        _ => Exit::Incomplete,
    }
}

/// A status as shells tell it: 128 and the number for a signal.
fn forwarded(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Runs the session, and shows it.
fn observe(
    typed: &Record,
    session: impl FnOnce(Observers<'_>) -> Result<Outcome>,
    destination: Option<&Destination>,
    mut events: Option<Stream>,
    snapshot: &mut dyn FnMut(&Recording) -> String,
) -> Result<Outcome> {
    let detail = match (typed.derivation.quiet, stderr().is_terminal() && typed.command.is_empty())
    {
        (true, _) => Detail::Quiet,
        (false, true) => Detail::StatusLine,
        (false, false) => Detail::Lines,
    };
    let mut live = Live::new(detail);
    let mut autosave = |recording: &Recording| {
        let Some(destination) = destination else { return };
        if let Err(error) = destination.save_partial(json::to_json(recording).as_bytes()) {
            tell(&format!("warning: the recording so far could not be saved: {error}"));
        }
    };
    let mut failed = false;
    let mut new_call = |call: &NewCall| {
        let Some(events) = &mut events else { return };
        if let Err(error) = events.write(json::event_line(call).as_bytes())
            && !std::mem::replace(&mut failed, true)
        {
            tell(&format!("warning: events could not be written: {error}"));
        }
    };
    let observers =
        Observers { live: &mut live, autosave: &mut autosave, snapshot, new_call: &mut new_call };
    let outcome = session(observers);
    live.finish();
    outcome.inspect_err(|_| {
        let partial = destination.map(|destination| destination.path(FileKind::Partial));
        if let Some(partial) = partial.filter(|partial| partial.exists()) {
            tell(&format!(
                "what was recorded until shortly before is in {}",
                escape_path(&partial)
            ));
        }
    })
}

/// Writes the files as they would be if the recording ended now; what came of it. A failure loses nothing: the recording
/// goes on.
fn snapshot(recording: &Recording, options: &Options, destination: Option<&Destination>) -> String {
    let Some(destination) = destination else {
        return "no snapshot: standard output takes one profile, at the end".to_owned();
    };
    let written = Profile::derive(std::slice::from_ref(recording), options)
        .map_err(anyhow::Error::from)
        .and_then(|derivation| {
            let mut recording = recording.clone();
            recording.derived = Some(derivation.derived());
            derivation::write(Some(destination), &recording, &derivation)?;
            Ok(derivation.profile.allowed.len())
        });
    let profile = escape_path(&destination.path(FileKind::Profile));
    match written {
        Ok(calls) => format!("snapshot: {profile} allows {calls} calls; the recording goes on"),
        Err(error) => format!("warning: no snapshot was written: {error:#}\nthe recording goes on"),
    }
}

fn discard_partial(destination: Option<&Destination>) {
    if let Some(destination) = destination {
        // What failed before is reported; a partial recording that stays behind is no second failure.
        let _ = destination.remove_partial();
    }
}
