//! `tracer verify`: a workload under a profile, and what the profile denies it.

use anyhow::{Context, Result};

use super::{
    arguments,
    closing::in_full,
    cluster, derivation,
    events::{self, EventsFile},
    exit::Exit,
    findings::{Findings, RunOutcome},
    privileges,
    profile_file::ProfileFile,
    session_config::{self, WatchOptions, session_config},
    sockets,
    target_capabilities::TargetCapabilities,
    targets::{self, Search},
    verify_report,
};
use crate::{
    bpf::{Preparation, forward_kernel_log},
    cli::Verify,
    live::Live,
    message::{print, print_err},
    output::{Destination, OutputError, formats::PROFILE},
    profile::{OciRuntime, lacking::Lacking, oci},
    recording::{TargetKind, event::NewCall, filters::FilterCoverage},
    session::{self, Observers, Purpose, SessionOutcome, Targets},
    text::escape_path,
};

/// Watches a workload, and reports what the profile denies it.
///
/// # Errors
/// Nothing could be watched, or no filter is loaded.
pub fn run(typed: &Verify) -> Result<Exit> {
    let specs = targets::specs(&typed.targets, &typed.cluster)?;
    let (mut capabilities, basis) =
        TargetCapabilities::begin(typed.caps.as_deref(), !typed.command.is_empty())?;
    let mut profile = ProfileFile::read(&typed.profile, basis)?;
    let preparation = Preparation::begin(!typed.no_btf);
    let host = session_config::host(&specs, typed.attach)?;
    let filter = privileges::filter(typed.privileges, &typed.command, &profile, typed.quiet)?;
    let no_new_privs = filter.as_ref().is_some_and(|filter| filter.no_new_privs);
    let command =
        session_config::command(&typed.command, typed.user.as_deref(), filter, typed.quiet)?;
    let search = Search {
        wait: typed.wait,
        names: typed.per_container,
        verbose: typed.verbose,
        quiet: typed.quiet,
        ..Search::default()
    };
    let mut addresses = sockets::addresses(&typed.sockets)?;
    addresses.cluster = cluster::question(&specs, &typed.cluster)?;
    let targets = targets::find(&host.root, &specs, &addresses, search)?;
    capabilities.look_at_running(&host.root, &targets.selections);
    capabilities.evaluate(&mut profile)?;
    let watch = WatchOptions {
        wait: typed.wait,
        duration: typed.duration,
        until_quiet: typed.until_quiet,
        verbose: typed.verbose,
        accept_late_start: typed.accept_late_start,
    };
    let config = session_config(Purpose::Verify, host, targets, command, &watch);
    if typed.verbose {
        forward_kernel_log(|line| print_err(&line));
    }
    let loading = session::load(&config, preparation);
    let (runtime, mut signals) = session_config::event_loop()?;
    let destination = typed.amend.as_deref().map(derivation::prepare_file).transpose()?;
    let destination = destination.map(Destination::keeping_profiles).transpose()?;
    let events = typed.events.as_deref();
    let events = events.map(|path| events::prepare(path, destination.as_ref())).transpose()?;
    warn(typed, &profile, &config.targets);
    let mut live = live(typed);
    let mut events = events.map(EventsFile::new);
    let mut new_call = |call: &NewCall| {
        capabilities.look_at(call.pid);
        if let Some(events) = &mut events {
            events.write(call);
        }
    };
    let observers = Observers {
        live: &mut live,
        autosave: &mut |_| {},
        snapshot: &mut |_| "SIGUSR1 arrived: verify writes nothing before the end".to_owned(),
        new_call: &mut new_call,
    };
    let outcome = runtime.block_on(session::record(&config, loading, &mut signals, observers));
    live.finish();
    let outcome = outcome?;
    let unwritten = events.and_then(EventsFile::problem);
    capabilities.evaluate(&mut profile)?;
    if let Some(note) = profile.capabilities_note().filter(|_| !typed.quiet) {
        print_err(&note);
    }
    let exit = finish(typed, &profile, &outcome, destination.as_ref(), unwritten.as_ref())?;
    if no_new_privs && exit != Exit::Denied && outcome.failure().is_some() {
        print_err(privileges::HINT);
    }
    Ok(exit)
}

/// Warns of what no container can start without, before anything runs. A command that tracer starts
/// needs no runtime.
fn warn(typed: &Verify, profile: &ProfileFile, targets: &Targets) {
    let is_container = |kind| matches!(kind, TargetKind::Container | TargetKind::Pod);
    if typed.quiet || !targets.selections.iter().any(|selection| is_container(selection.kind)) {
        return;
    }
    let lacking: Vec<Lacking> =
        OciRuntime::ALL.into_iter().filter_map(|one| Lacking::of(one, &profile.policy)).collect();
    if lacking.len() == OciRuntime::ALL.len() {
        print_err(&verify_report::missing_for_runtimes(typed, &lacking));
    }
}

/// Compares what was seen with the profile, writes the amended profile, and reports.
fn finish(
    typed: &Verify,
    profile: &ProfileFile,
    outcome: &SessionOutcome,
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
        destination.write(&[(PROFILE, text.as_bytes())])?;
    }
    let misses_logged = misses_logged(profile, outcome);
    let is_whole = unwritten.is_none() && misses_logged.is_none();
    let own = exit(outcome, &findings, is_whole);
    let exit = match (own, outcome.failure()) {
        (Exit::Complete, Some(status)) if !typed.ignore_status => Exit::of_failure(status),
        (own, _) => own,
    };
    print_err(&verify_report::report(typed, profile, outcome, &findings, misses_logged.as_deref()));
    if typed.verbose {
        let recordings = std::slice::from_ref(&outcome.recording);
        print_err(&in_full(vec![arguments::beyond_defaults(policy, recordings)]));
    }
    if let Some(problem) = unwritten {
        print_err(&format!("incomplete: events are missing: {problem}"));
    }
    if let Some(old) = written.and_then(|one| one.old_of(PROFILE)) {
        print_err(&format!("{}: the older file", escape_path(&old)));
    }
    if typed.json {
        let recording = &outcome.recording;
        let reasons: Vec<&str> =
            recording.incomplete_reasons.iter().chain(&misses_logged).map(String::as_str).collect();
        let ending = RunOutcome {
            profile: typed.profile.to_string_lossy().into_owned(),
            status: exit.code(),
            filter: filter_name(outcome, &findings),
            incomplete_reasons: &reasons,
            amended: written.map(|one| one.path(PROFILE).to_string_lossy().into_owned()),
        };
        print(&findings.json(&ending)).context("the standard output could not be written")?;
    }
    Ok(exit)
}

/// What is known of the filter on the target, in a word.
fn filter_name(outcome: &SessionOutcome, findings: &Findings) -> &'static str {
    match outcome.filters {
        _ if !findings.contradictions.is_empty() => "another",
        FilterCoverage::NoCalls => "unseen",
        FilterCoverage::Unknown => "unknown",
        FilterCoverage::None => "none",
        FilterCoverage::Partly(_) => "partly",
        FilterCoverage::All => "loaded",
    }
}

fn live(typed: &Verify) -> Live {
    let detail = session_config::detail(typed.quiet, typed.command.is_empty());
    let live = Live::new(detail);
    if typed.verbose { live.with_values() } else { live.of_denied_calls() }
}

/// `is_whole`: no event is missing, and no call that the profile logs.
fn exit(outcome: &SessionOutcome, findings: &Findings, is_whole: bool) -> Exit {
    if !findings.contradictions.is_empty() {
        return Exit::Failed;
    }
    if findings.whole.sure().next().is_some() {
        return Exit::Denied;
    }
    match outcome.filters {
        FilterCoverage::None => Exit::Failed,
        FilterCoverage::NoCalls | FilterCoverage::Unknown | FilterCoverage::Partly(_) => {
            Exit::Incomplete
        }
        FilterCoverage::All if outcome.recording.complete && is_whole => Exit::Complete,
        FilterCoverage::All => Exit::Incomplete,
    }
}

/// What is missing where the profile lets calls pass and logs them, and the log could not be read as
/// a whole.
fn misses_logged(profile: &ProfileFile, outcome: &SessionOutcome) -> Option<String> {
    let reason = outcome.audit.as_ref().filter(|_| profile.policy.may_log())?;
    Some(format!("calls that the profile logs may be missing: {reason}"))
}
