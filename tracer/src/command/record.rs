//! `tracer`: record, derive, write.

use std::{
    cell::RefCell,
    fmt::Write as _,
    io::{IsTerminal, stderr},
};

use anyhow::{Result, anyhow};
use tokio::runtime::Runtime;

use super::{
    Exit, cluster, derivation,
    events::{self, Events},
    filtered,
    outputs::{self, Outputs},
    refused,
    request::{self, Host, Search},
    rescue, sockets,
    summary::{self, Source},
    usage,
};
use crate::{
    cli::Record,
    kernel::forward_kernel_log,
    live::{Detail, Live},
    message::tell,
    profile::DeriveError,
    recording::{Recording, denied, event::NewCall, json},
    session::{self, Observers, Outcome, Purpose, Request, Stop, Stops},
    target::{TargetSpec, named::alike},
    text::{escape, escape_path},
};

/// Records a workload and writes its profile.
///
/// # Errors
/// Nothing was written then.
pub fn run(typed: &Record) -> Result<Exit> {
    let choices = &typed.derivation;
    let options = derivation::options(choices)?;
    let specs = request::specs(&typed.targets, &typed.cluster)?;
    if outputs::is_printed(&typed.out) && !typed.command.is_empty() {
        return Err(usage(
            &"`--out -` cannot be used with a command: standard output is the command's\n\nhint: write to a file, for example --out profile.json",
        ));
    }
    let Host { root, hook, fall_back } = request::host(&specs, typed.attach)?;
    let mut command = request::command(&typed.command, typed.user.as_deref(), None, choices.quiet)?;
    if let Some(command) = &mut command {
        command.keep_arguments = typed.keep_arguments;
    }
    let search = Search {
        wait: typed.wait,
        all_containers: typed.all_containers,
        names: choices.per_container,
        verbose: choices.verbose,
        quiet: choices.quiet,
    };
    let mut addresses = sockets::addresses(&typed.sockets)?;
    addresses.cluster = cluster::question(&specs, &typed.cluster)?;
    let mut targets = request::targets(&root, &specs, &addresses, search)?;
    let denials = filtered::decide(typed, &root, &targets)?;
    targets.notes.extend(denials.note);
    let (runtime, mut stops) = request::event_loop()?;
    let mut outputs = Outputs::prepare(&typed.out, choices, options, typed.all_containers)?;
    if typed.snapshot_every.is_some() && !outputs.writes_files() {
        return Err(usage(
            &"--snapshot-every writes files, and `--out -` prints one profile at the end\n\nhint: write to a file, for example --out profile.json",
        ));
    }
    if typed.merge {
        targets.notes.extend(outputs.merge_earlier()?);
    }
    let events =
        typed.events.as_deref().map(|path| events::prepare(path, outputs.whole())).transpose()?;
    let request = Request {
        root,
        selections: targets.selections,
        wanted: targets.wanted,
        anywhere: targets.anywhere,
        inventory: targets.inventory,
        addresses: targets.addresses,
        runtimes: targets.runtimes,
        notes: targets.notes,
        wait: typed.wait || typed.all_containers,
        command,
        duration: typed.duration,
        until_quiet: typed.until_quiet,
        snapshot_every: typed.snapshot_every,
        btf: !typed.no_btf,
        counts: !typed.no_counts,
        denied: denials.watched,
        purpose: Purpose::Record,
        hook,
        fall_back,
        log: choices.verbose,
        accept_late_start: choices.accept_late_start,
    };
    if choices.verbose {
        forward_kernel_log(|line| tell(&line));
    }
    let session = |observers: Observers<'_>| {
        runtime.block_on(session::record(&request, &mut stops, observers))
    };
    let mut events = events.map(Events::new);
    let outcome = observe(typed, session, &mut outputs, events.as_mut())?;
    let missing = never_came(typed, &specs, &request, &outcome);
    let exit = finish(typed, missing, &outcome, &mut outputs, events);
    if typed.stay && !matches!(outcome.stop, Stop::Signal(_)) {
        stay(&runtime, &mut stops, &exit);
    }
    exit
}

/// Derives, writes and tells.
fn finish(
    typed: &Record,
    missing: Vec<Missing>,
    outcome: &Outcome,
    outputs: &mut Outputs,
    events: Option<Events>,
) -> Result<Exit> {
    let recording = &outcome.recording;
    let products = match outputs.derive(std::slice::from_ref(recording), recording) {
        Ok(products) => products,
        Err(error) if recording.losses.hide_calls() || denied::all(recording).next().is_some() => {
            return without_profile(recording, outputs, &error);
        }
        Err(error) => {
            outputs.discard_unfinished();
            tell(summary::incomplete(recording).trim_end());
            return Err(match missing.is_empty() {
                true => error.into(),
                false => nothing_came(&missing, &error),
            });
        }
    };
    let written = outputs.write(&products);
    written.inspect_err(|_| rescue::keep(recording, outputs))?;
    outputs.discard_unfinished();
    summary::tell(&typed.derivation, &Source::Session(outcome), recording, &products, outputs);
    for target in missing {
        tell(&format!("note: {} never appeared", target.name));
        if let Some(hint) = target.hint() {
            tell(&hint);
        }
    }
    Ok(match events.and_then(Events::problem) {
        Some(problem) => {
            tell(&format!("incomplete: events are missing: {problem}"));
            exit(typed, outcome, false)
        }
        None => exit(typed, outcome, summary::is_complete(&products)),
    })
}

/// Waits until somebody ends this process, which has nothing left to do.
fn stay(runtime: &Runtime, stops: &mut Stops, exit: &Result<Exit>) {
    if let Err(error) = exit {
        tell(&format!("error: {error:#}"));
    }
    tell("the recording is over; waiting for a signal that ends this program (--stay)");
    runtime.block_on(stops.end());
}

/// A target that was awaited in vain.
struct Missing {
    /// As typed, escaped.
    name: String,
    /// What is known that has a name like it, escaped.
    alike: Vec<String>,
}

impl Missing {
    fn hint(&self) -> Option<String> {
        let alike = self.alike.join(", ");
        (!alike.is_empty()).then(|| format!("hint: not {}, but there was {alike}", self.name))
    }
}

/// The targets that were awaited in vain.
fn never_came(
    typed: &Record,
    specs: &[TargetSpec],
    request: &Request,
    outcome: &Outcome,
) -> Vec<Missing> {
    let was_there = |name: &str| {
        let mut selections = request.selections.iter().filter(|one| one.name == name);
        selections.any(|one| one.paths.iter().any(|path| request.root.id(path).is_ok()))
    };
    let targets = outcome.recording.targets.iter();
    let targets = targets.filter(|target| typed.wait && target.cgroups.is_empty());
    let missing = targets.filter(|target| !was_there(&target.name)).map(|target| {
        let spec = specs.iter().find(|spec| spec.text == target.name);
        let alike = spec.map(|spec| alike(spec, &outcome.inventory)).unwrap_or_default();
        let alike = alike.iter().map(|name| escape(name)).collect();
        Missing { name: escape(&target.name), alike }
    });
    missing.collect()
}

fn nothing_came(missing: &[Missing], error: &DeriveError) -> anyhow::Error {
    let names: Vec<&str> = missing.iter().map(|target| target.name.as_str()).collect();
    let mut text = format!("{} never appeared: {error}", names.join(", "));
    for hint in missing.iter().filter_map(Missing::hint) {
        let _ = write!(text, "\n{hint}");
    }
    anyhow!(text)
}

/// Nothing of a workload was recorded, and something was lost or denied: what, matters more than that there is no profile.
fn without_profile(
    recording: &Recording,
    outputs: &mut Outputs,
    error: &DeriveError,
) -> Result<Exit> {
    let written = outputs.write_evidence(recording);
    let written = written.inspect_err(|_| rescue::keep(recording, outputs))?;
    outputs.discard_unfinished();
    let mut text = refused::denied_at_the_start(recording);
    text.push_str(&summary::incomplete(recording));
    if let Some(path) = written {
        let _ = writeln!(text, "{}: the evidence", escape_path(&path));
    }
    tell(&format!("{text}no profile was written: {error}"));
    Ok(Exit::Incomplete)
}

fn exit(typed: &Record, outcome: &Outcome, complete: bool) -> Exit {
    match outcome.failure() {
        Some(status) if !typed.ignore_status => Exit::of_failure(status),
        _ if complete => Exit::Complete,
        _ => Exit::Incomplete,
    }
}

/// Runs the session, and shows it.
fn observe(
    typed: &Record,
    session: impl FnOnce(Observers<'_>) -> Result<Outcome>,
    outputs: &mut Outputs,
    mut events: Option<&mut Events>,
) -> Result<Outcome> {
    let detail = match (typed.derivation.quiet, stderr().is_terminal() && typed.command.is_empty())
    {
        (true, _) => Detail::Quiet,
        (false, true) => Detail::StatusLine,
        (false, false) => Detail::Lines,
    };
    let mut live = Live::new(detail);
    if typed.derivation.verbose {
        live = live.with_values();
    }
    let outputs = RefCell::new(outputs);
    let mut autosave = |recording: &Recording| {
        let mut outputs = outputs.borrow_mut();
        let recording = outputs.so_far(recording);
        let Some(destination) = outputs.unfinished() else { return };
        if let Err(error) = destination.save_partial(json::to_json(&recording).as_bytes()) {
            tell(&format!("warning: the recording so far could not be saved: {error}"));
        }
    };
    let mut new_call = |call: &NewCall| {
        if let Some(events) = &mut events {
            events.write(call);
        }
    };
    let mut snapshot = |recording: &Recording| snapshot(recording, &mut outputs.borrow_mut());
    let observers = Observers {
        live: &mut live,
        autosave: &mut autosave,
        snapshot: &mut snapshot,
        new_call: &mut new_call,
    };
    let outcome = session(observers);
    live.finish();
    outcome.inspect_err(|_| rescue::tell_partial(&outputs.borrow()))
}

/// Writes the files as they would be if the recording ended now; what came of it. A failure loses nothing: the recording
/// goes on.
fn snapshot(recording: &Recording, outputs: &mut Outputs) -> String {
    if !outputs.writes_files() {
        return "no snapshot: standard output takes one profile, at the end".to_owned();
    }
    let written = outputs
        .derive(std::slice::from_ref(recording), recording)
        .map_err(anyhow::Error::from)
        .and_then(|products| {
            outputs.write_files(&products)?;
            Ok(products)
        });
    match written {
        Ok(products) => {
            let lines = summary::profiles(&products, outputs);
            format!("snapshot: {lines}; the recording goes on")
        }
        Err(error) => format!("warning: no snapshot was written: {error:#}\nthe recording goes on"),
    }
}
