//! `tracer verify`: a workload under a profile, and what the profile denies it.

use std::io::{IsTerminal, stderr};

use anyhow::{Context, Result};

use super::{
    Exit, arguments, cluster, derivation,
    events::{self, Events},
    findings::{Ending, Findings},
    judging::Judging,
    privileges,
    profile_file::ProfileFile,
    request::{self, Host, Search, Targets},
    sockets, told,
};
use crate::{
    cli::Verify,
    kernel::forward_kernel_log,
    live::{Detail, Live},
    message::{print, tell},
    output::{Destination, FileKind, OutputError},
    profile::{Runtime, lacking::Lacking, oci},
    recording::{TargetKind, event::NewCall, filters::Filters},
    session::{self, Observers, Outcome, Purpose, Request},
    text::escape_path,
};

/// Watches a workload, and tells what it is denied.
///
/// # Errors
/// Nothing could be watched, or no filter is loaded.
pub fn run(typed: &Verify) -> Result<Exit> {
    let specs = request::specs(&typed.targets, &typed.cluster)?;
    let (mut judging, judge) = Judging::begin(typed.caps.as_deref(), !typed.command.is_empty())?;
    let mut profile = ProfileFile::read(&typed.profile, judge)?;
    let host = request::host(&specs, typed.attach)?;
    let filter = privileges::filter(typed.privileges, &typed.command, &profile, typed.quiet)?;
    let no_new_privs = filter.as_ref().is_some_and(|filter| filter.no_new_privs);
    let command = request::command(&typed.command, typed.user.as_deref(), filter, typed.quiet)?;
    let search = Search {
        wait: typed.wait,
        names: typed.per_container,
        verbose: typed.verbose,
        quiet: typed.quiet,
        ..Search::default()
    };
    let mut addresses = sockets::addresses(&typed.sockets)?;
    addresses.cluster = cluster::question(&specs, &typed.cluster)?;
    let targets = request::targets(&host.root, &specs, &addresses, search)?;
    judging.look_at_running(&host.root, &targets.selections);
    judging.judge(&mut profile)?;
    let (runtime, mut stops) = request::event_loop()?;
    let destination = typed.amend.as_deref().map(derivation::prepare_file).transpose()?;
    let destination = destination.map(Destination::keeping_profiles).transpose()?;
    let events = typed.events.as_deref();
    let events = events.map(|path| events::prepare(path, destination.as_ref())).transpose()?;
    warn(typed, &profile, &targets);
    let request = request_of(typed, host, targets, command);
    if typed.verbose {
        forward_kernel_log(|line| tell(&line));
    }
    let mut live = live(typed);
    let mut events = events.map(Events::new);
    let mut new_call = |call: &NewCall| {
        judging.look_at(call.pid);
        if let Some(events) = &mut events {
            events.write(call);
        }
    };
    let observers = Observers {
        live: &mut live,
        autosave: &mut |_| {},
        snapshot: &mut |_| "SIGUSR1 came: there is nothing to write before the end".to_owned(),
        new_call: &mut new_call,
    };
    let outcome = runtime.block_on(session::record(&request, &mut stops, observers));
    live.finish();
    let outcome = outcome?;
    let unwritten = events.and_then(Events::problem);
    judging.judge(&mut profile)?;
    if let Some(note) = profile.told_judge().filter(|_| !typed.quiet) {
        tell(&note);
    }
    let exit = finish(typed, &profile, &outcome, destination.as_ref(), unwritten.as_ref())?;
    if no_new_privs && exit != Exit::Denied && outcome.failure().is_some() {
        tell(privileges::HINT);
    }
    Ok(exit)
}

/// What is to be watched, and how.
fn request_of(
    typed: &Verify,
    Host { root, hook, fall_back }: Host,
    targets: Targets,
    command: Option<session::CommandRequest>,
) -> Request {
    Request {
        root,
        selections: targets.selections,
        wanted: targets.wanted,
        anywhere: targets.anywhere,
        inventory: targets.inventory,
        addresses: targets.addresses,
        runtimes: targets.runtimes,
        notes: targets.notes,
        wait: typed.wait,
        command,
        duration: typed.duration,
        until_quiet: typed.until_quiet,
        snapshot_every: None,
        btf: !typed.no_btf,
        counts: false,
        denied: true,
        purpose: Purpose::Verify,
        hook,
        fall_back,
        log: typed.verbose,
        accept_late_start: typed.accept_late_start,
    }
}

/// Warns of what no container can start without, before anything runs. A command that tracer starts needs no runtime.
fn warn(typed: &Verify, profile: &ProfileFile, targets: &Targets) {
    let is_container = |kind| matches!(kind, TargetKind::Container | TargetKind::Pod);
    if typed.quiet || !targets.selections.iter().any(|selection| is_container(selection.kind)) {
        return;
    }
    let lacking: Vec<Lacking> =
        Runtime::ALL.into_iter().filter_map(|one| Lacking::of(one, &profile.policy)).collect();
    if lacking.len() == Runtime::ALL.len() {
        tell(&told::missing_for_runtimes(typed, &lacking));
    }
}

/// Judges what was seen, writes the amended profile, and tells.
fn finish(
    typed: &Verify,
    profile: &ProfileFile,
    outcome: &Outcome,
    destination: Option<&Destination>,
    unwritten: Option<&OutputError>,
) -> Result<Exit> {
    let policy = &profile.policy;
    let findings = Findings::of(&outcome.recording, &outcome.passed, policy, typed.per_container);
    let written = destination.filter(|_| findings.contradictions.is_empty());
    if let Some(destination) = written {
        let (names, values) = findings.missing(policy);
        let text = oci::amend(&profile.bytes, &names, &values, &findings.architectures())?;
        let text = oci::answer(text.as_bytes(), &findings.answered())?;
        destination.write(&[(FileKind::Profile, text.as_bytes())])?;
    }
    let own = exit(profile, outcome, &findings, unwritten.is_some());
    let exit = match (own, outcome.failure()) {
        (Exit::Complete, Some(status)) if !typed.ignore_status => Exit::of_failure(status),
        (own, _) => own,
    };
    tell(&told::report(typed, profile, outcome, &findings, misses_logged(profile, outcome)));
    if typed.verbose {
        tell(&arguments::beyond_defaults(policy, std::slice::from_ref(&outcome.recording)));
    }
    if let Some(problem) = unwritten {
        tell(&format!("incomplete: events are missing: {problem}"));
    }
    if let Some(old) = written.and_then(|one| one.old_of(FileKind::Profile)) {
        tell(&format!("{}: what was there before", escape_path(&old)));
    }
    if typed.json {
        let ending = Ending {
            profile: typed.profile.to_string_lossy().into_owned(),
            status: exit.code(),
            filter: filter_name(outcome, &findings),
            incomplete_reasons: &outcome.recording.incomplete_reasons,
            amended: written.map(|one| one.path(FileKind::Profile).to_string_lossy().into_owned()),
        };
        print(&findings.json(&ending)).context("the standard output could not be written")?;
    }
    Ok(exit)
}

/// What is known of the filter on the target, in a word.
fn filter_name(outcome: &Outcome, findings: &Findings) -> &'static str {
    match outcome.filters {
        _ if !findings.contradictions.is_empty() => "another",
        Filters::NoCalls => "unseen",
        Filters::Unknown => "unknown",
        Filters::None => "none",
        Filters::Partly(_) => "partly",
        Filters::All => "loaded",
    }
}

fn live(typed: &Verify) -> Live {
    let detail = match (typed.quiet, stderr().is_terminal() && typed.command.is_empty()) {
        (true, _) => Detail::Quiet,
        (false, true) => Detail::StatusLine,
        (false, false) => Detail::Lines,
    };
    let live = Live::new(detail);
    if typed.verbose { live.with_values() } else { live.of_denied_calls() }
}

fn exit(
    profile: &ProfileFile,
    outcome: &Outcome,
    findings: &Findings,
    misses_events: bool,
) -> Exit {
    if !findings.contradictions.is_empty() {
        return Exit::Failed;
    }
    if findings.whole.sure().next().is_some() {
        return Exit::Denied;
    }
    match outcome.filters {
        Filters::None => Exit::Failed,
        Filters::NoCalls | Filters::Unknown | Filters::Partly(_) => Exit::Incomplete,
        Filters::All if !outcome.recording.complete || misses_events => Exit::Incomplete,
        Filters::All if misses_logged(profile, outcome) => Exit::Incomplete,
        Filters::All => Exit::Complete,
    }
}

/// The profile lets calls pass and logs them, and the log could not be read as a whole.
fn misses_logged(profile: &ProfileFile, outcome: &Outcome) -> bool {
    outcome.audit.is_some() && profile.policy.may_log()
}
