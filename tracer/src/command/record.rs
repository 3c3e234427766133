//! `tracer`: record, derive, write.

use std::{cell::RefCell, fmt::Write as _};

use anyhow::{Result, anyhow};
use tokio::runtime::Runtime;

use super::{
    closing::{ClosingPart, Rest, Weight},
    cluster, decisions, derivation,
    events::{self, EventsFile},
    exit::Exit,
    filtered, layout, next,
    outputs::Outputs,
    refused, rescue,
    session_config::{self, WatchOptions, session_config},
    sockets,
    summary::{self, EvidenceOrigin},
    targets::{self, Search},
    usage::usage,
    written,
};
use crate::{
    bpf::{Preparation, forward_kernel_log},
    cli::{LiveView, Record},
    live::Live,
    message::print_err,
    profile::DeriveError,
    recording::{Recording, denied, event::NewCall, json},
    session::{self, Observers, Purpose, SessionConfig, SessionOutcome, Signals, Stop},
    target::{TargetSpec, not_found::alike},
    text::{Escaped, escape, escape_path},
};

/// Records a workload and writes its profile.
///
/// # Errors
/// Nothing was written then.
pub fn run(typed: &Record) -> Result<Exit> {
    let choices = &typed.derivation;
    let options = decisions::apply(&typed.out, choices, derivation::options(choices)?)?;
    let specs = targets::specs(&typed.targets, &typed.cluster)?;
    if layout::is_printed(&typed.out) && !typed.command.is_empty() {
        return Err(usage(
            &"`--out -` cannot be used with a command: standard output is the command's\n\nhint: write to a file, for example --out profile.json",
        ));
    }
    let preparation = Preparation::begin(!typed.no_btf);
    let host = session_config::host(&specs, typed.attach)?;
    let mut command =
        session_config::command(&typed.command, typed.user.as_deref(), None, choices.quiet)?;
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
    let mut targets = targets::find(&host.root, &specs, &addresses, search)?;
    let denials = filtered::decide(typed, &host.root, &targets)?;
    targets.notes.extend(denials.note);
    let watch = WatchOptions {
        wait: typed.wait || typed.all_containers,
        duration: typed.duration,
        until_quiet: typed.until_quiet,
        verbose: choices.verbose,
        accept_late_start: choices.accept_late_start,
    };
    let mut config = SessionConfig {
        snapshot_every: typed.snapshot_every,
        counts: !typed.no_counts,
        denied: denials.watched,
        ..session_config(Purpose::Record, host, targets, command, &watch)
    };
    if choices.verbose {
        forward_kernel_log(|line| print_err(&line));
    }
    let loading = session::load(&config, preparation);
    let (runtime, mut signals) = session_config::event_loop()?;
    let mut outputs = Outputs::prepare(&typed.out, choices, options, typed.all_containers)?;
    if typed.snapshot_every.is_some() && !outputs.writes_files() {
        return Err(usage(
            &"--snapshot-every writes files, and `--out -` prints one profile at the end\n\nhint: write to a file, for example --out profile.json",
        ));
    }
    if typed.merge {
        config.targets.notes.extend(outputs.merge_earlier()?);
    }
    let events =
        typed.events.as_deref().map(|path| events::prepare(path, outputs.whole())).transpose()?;
    let session = |observers: Observers<'_>| {
        runtime.block_on(session::record(&config, loading, &mut signals, observers))
    };
    let mut events = events.map(EventsFile::new);
    let outcome = observe(typed, session, &mut outputs, events.as_mut())?;
    let missing = never_came(typed, &specs, &config, &outcome);
    let exit = finish(typed, &missing, &outcome, &mut outputs, events);
    if typed.stay && !matches!(outcome.stop, Stop::Signal(_)) {
        stay(&runtime, &mut signals, &exit);
    }
    exit
}

/// Derives the profiles, writes them and reports.
fn finish(
    typed: &Record,
    missing: &[Missing],
    outcome: &SessionOutcome,
    outputs: &mut Outputs,
    events: Option<EventsFile>,
) -> Result<Exit> {
    let recording = &outcome.recording;
    let products = match outputs.derive(std::slice::from_ref(recording), recording) {
        Ok(products) => products,
        Err(error) if recording.losses.hide_calls() || denied::all(recording).next().is_some() => {
            return without_profile(typed, recording, outputs, &error);
        }
        Err(error) => {
            outputs.discard_autosave();
            let incomplete = vec![summary::incomplete(recording)];
            summary::print_block(incomplete, Rest::NoFile, typed.derivation.verbose);
            return Err(match missing.is_empty() {
                true => error.into(),
                false => nothing_came(missing, &error),
            });
        }
    };
    let written = outputs.write(&products);
    written.inspect_err(|_| rescue::keep(recording, outputs))?;
    outputs.discard_autosave();
    let mut last = Vec::new();
    let next = next::line(typed, outcome, &products, outputs);
    let next = next.filter(|_| missing.is_empty());
    last.push(ClosingPart::list(
        Weight::Result,
        missing.iter().map(Missing::note).collect(),
        "target",
    ));
    let problem = events.and_then(EventsFile::problem);
    let complete = problem.is_none() && summary::is_complete(&products);
    last.push(match problem {
        Some(problem) => {
            ClosingPart::text(Weight::Loss, format!("incomplete: events are missing: {problem}"))
        }
        None => ClosingPart::list(Weight::Always, next.into_iter().collect(), ""),
    });
    let source = EvidenceOrigin::Session(outcome);
    summary::print(&typed.derivation, &source, recording, &products, outputs, last);
    Ok(exit(typed, outcome, complete))
}

/// Waits until somebody ends this process, which has nothing left to do.
fn stay(runtime: &Runtime, signals: &mut Signals, exit: &Result<Exit>) {
    if let Err(error) = exit {
        print_err(&format!("error: {error:#}"));
    }
    print_err("the recording has ended; waiting for a signal to exit (--stay)");
    runtime.block_on(signals.end());
}

/// A target that was awaited in vain.
struct Missing {
    /// As typed.
    name: Escaped,
    /// What is known that has a name like it.
    alike: Vec<Escaped>,
}

impl Missing {
    fn note(&self) -> String {
        let hint = self.hint().map(|hint| format!("\n{hint}")).unwrap_or_default();
        format!("note: {} never appeared{hint}", self.name)
    }

    fn hint(&self) -> Option<String> {
        let alike = self.alike.join(", ");
        (!alike.is_empty()).then(|| format!("hint: not {}, but there was {alike}", self.name))
    }
}

/// The targets that were awaited in vain.
fn never_came(
    typed: &Record,
    specs: &[TargetSpec],
    config: &SessionConfig,
    outcome: &SessionOutcome,
) -> Vec<Missing> {
    let was_there = |name: &str| {
        let mut selections = config.targets.selections.iter().filter(|one| one.name == name);
        selections.any(|one| one.paths.iter().any(|path| config.root.id(path).is_ok()))
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

/// Nothing of a workload was recorded, and something was lost or denied: what, matters more than
/// that there is no profile.
fn without_profile(
    typed: &Record,
    recording: &Recording,
    outputs: &mut Outputs,
    error: &DeriveError,
) -> Result<Exit> {
    let written = outputs.write_evidence(recording);
    let written = written.inspect_err(|_| rescue::keep(recording, outputs))?;
    outputs.discard_autosave();
    let mut parts = refused::denied_at_the_start(recording);
    parts.push(summary::incomplete(recording));
    let path = written.map(|path| escape_path(&path));
    let evidence = path.as_ref().map(|path| format!("{path}: the evidence"));
    parts.extend(evidence.map(|line| ClosingPart::text(Weight::Result, line)));
    parts.push(ClosingPart::text(Weight::Always, format!("no profile was written: {error}")));
    let rest = path.map_or(Rest::NoFile, |path| Rest::File(format!("tracer report {path} -o -")));
    summary::print_block(parts, rest, typed.derivation.verbose);
    Ok(Exit::Incomplete)
}

fn exit(typed: &Record, outcome: &SessionOutcome, complete: bool) -> Exit {
    match outcome.failure() {
        Some(status) if !typed.ignore_status => Exit::of_failure(status),
        _ if complete => Exit::Complete,
        _ => Exit::Incomplete,
    }
}

/// Runs the session, and shows it.
fn observe(
    typed: &Record,
    session: impl FnOnce(Observers<'_>) -> Result<SessionOutcome>,
    outputs: &mut Outputs,
    mut events: Option<&mut EventsFile>,
) -> Result<SessionOutcome> {
    let has_status_line = typed.command.is_empty() && typed.live != LiveView::None;
    let mut live = Live::new(session_config::detail(typed.derivation.quiet, has_status_line));
    if typed.live != LiveView::Syscalls {
        live = live.without_calls();
    }
    if typed.derivation.verbose {
        live = live.with_values();
    }
    let outputs = RefCell::new(outputs);
    let mut autosave = |recording: &Recording| {
        let mut outputs = outputs.borrow_mut();
        let recording = outputs.so_far(recording);
        let Some(destination) = outputs.autosave() else { return };
        if let Err(error) = destination.save_partial(json::to_json(&recording).as_bytes()) {
            print_err(&format!("warning: the recording so far could not be saved: {error}"));
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
    outcome.inspect_err(|_| rescue::report_partial(&outputs.borrow()))
}

/// Writes the files as they would be if the recording ended now; what came of it. A failure loses
/// nothing: the recording goes on.
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
            let lines = written::profiles(&products, outputs);
            format!("snapshot: {lines}; the recording goes on")
        }
        Err(error) => format!("warning: no snapshot was written: {error:#}\nthe recording goes on"),
    }
}
