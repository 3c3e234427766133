//! `tracer verify`: a workload under a profile, and what the profile denies it.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    io::{IsTerminal, stderr},
};

use anyhow::Result;

use super::{
    Exit,
    denied::{self, DeniedCall, Intended},
    derivation,
    judging::Judging,
    privileges,
    profile_file::ProfileFile,
    request::{self, Host, Search},
    sockets, summary,
};
use crate::{
    cli::Verify,
    kernel::forward_kernel_log,
    live::{Detail, Live},
    message::tell,
    output::{Destination, FileKind},
    profile::{Architecture, advice::advice, base, oci},
    recording::{Call, Refusal, event::NewCall, filters::Filters},
    session::{self, Observers, Outcome, Purpose, Request},
    syscalls::{self, Abi},
    text::{escape, escape_path},
};

/// What tells the entries of a denied call apart.
type Key = (Abi, i32, Option<Refusal>);

/// Watches a workload, and tells what it is denied.
///
/// # Errors
/// Nothing could be watched, or no filter is loaded.
pub fn run(typed: &Verify) -> Result<Exit> {
    let specs = request::specs(&typed.targets)?;
    let (mut judging, judge) = Judging::begin(typed.caps.as_deref(), !typed.command.is_empty())?;
    let mut profile = ProfileFile::read(&typed.profile, judge)?;
    let Host { root, hook, fall_back } = request::host(&specs, typed.attach)?;
    let filter = privileges::filter(typed.privileges, &typed.command, &profile, typed.quiet)?;
    let no_new_privs = filter.as_ref().is_some_and(|filter| filter.no_new_privs);
    let command = request::command(&typed.command, typed.user.as_deref(), filter, typed.quiet)?;
    let search = Search { verbose: typed.verbose, quiet: typed.quiet, ..Search::default() };
    let targets = request::targets(&root, &specs, &sockets::addresses(&typed.sockets)?, search)?;
    judging.look_at_running(&root, &targets.selections);
    judging.judge(&mut profile)?;
    let (runtime, mut stops) = request::event_loop()?;
    let destination = typed.amend.as_deref().map(derivation::prepare_file).transpose()?;
    let destination = destination.map(Destination::keeping_profiles).transpose()?;
    let request = Request {
        root,
        selections: targets.selections,
        wanted: targets.wanted,
        anywhere: targets.anywhere,
        inventory: targets.inventory,
        addresses: targets.addresses,
        runtimes: targets.runtimes,
        notes: targets.notes,
        wait: false,
        command,
        duration: typed.duration,
        until_quiet: typed.until_quiet,
        btf: !typed.no_btf,
        counts: false,
        denied: true,
        purpose: Purpose::Verify,
        hook,
        fall_back,
        log: typed.verbose,
        accept_late_start: typed.accept_late_start,
    };
    if typed.verbose {
        forward_kernel_log(|line| tell(&line));
    }
    let mut pids = HashMap::new();
    let mut live = live(typed);
    let mut new_call = |call: &NewCall| {
        pids.entry((call.abi, call.number, call.refused)).or_insert(call.pid);
        judging.look_at(call.pid);
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
    judging.judge(&mut profile)?;
    let (calls, intended) = denied::apart(denied::list(&outcome.recording), &profile.policy);
    if let Some(destination) = &destination {
        amend(destination, &profile, &calls)?;
    }
    tell(&report(typed, &profile, &outcome, &calls, &intended, &pids));
    if no_new_privs && calls.is_empty() && outcome.failure().is_some() {
        tell(privileges::HINT);
    }
    if let Some(old) = destination.as_ref().and_then(|one| one.old_of(FileKind::Profile)) {
        tell(&format!("{}: what was there before", escape_path(&old)));
    }
    Ok(match (exit(&profile, &outcome, &calls), outcome.failure()) {
        (Exit::Complete, Some(status)) if !typed.ignore_status => Exit::of_failure(status),
        (own, _) => own,
    })
}

fn live(typed: &Verify) -> Live {
    let detail = match (typed.quiet, stderr().is_terminal() && typed.command.is_empty()) {
        (true, _) => Detail::Quiet,
        (false, true) => Detail::StatusLine,
        (false, false) => Detail::Lines,
    };
    let live = Live::new(detail);
    if typed.verbose { live } else { live.of_denied_calls() }
}

fn exit(profile: &ProfileFile, outcome: &Outcome, calls: &[DeniedCall]) -> Exit {
    if calls.iter().any(|denied| !denied.call.doubtful) {
        return Exit::Denied;
    }
    match outcome.filters {
        Filters::None => Exit::Failed,
        Filters::NoCalls | Filters::Unknown | Filters::Partly(_) => Exit::Incomplete,
        Filters::All if !outcome.recording.complete => Exit::Incomplete,
        Filters::All if misses_logged(profile, outcome) => Exit::Incomplete,
        Filters::All => Exit::Complete,
    }
}

/// The profile lets calls pass and logs them, and the log could not be read as a whole.
fn misses_logged(profile: &ProfileFile, outcome: &Outcome) -> bool {
    outcome.audit.is_some() && profile.policy.may_log()
}

fn report(
    typed: &Verify,
    profile: &ProfileFile,
    outcome: &Outcome,
    calls: &[DeniedCall],
    intended: &[Intended],
    pids: &HashMap<Key, u32>,
) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    if !typed.quiet {
        let _ = writeln!(text, "\n{}", summary::ending(outcome));
        if let Some(note) = profile.told_judge() {
            let _ = writeln!(text, "{note}");
        }
    }
    for denied in calls {
        let Call { abi, number, refused, .. } = denied.call;
        let pid = pids.get(&(abi, number, refused)).copied();
        let _ = writeln!(text, "denied: {}", denied.line(pid));
        if denied.call.doubtful {
            let skipped = outcome.recording.losses.recursion_misses;
            let _ = writeln!(
                text,
                "  doubtful: it may have been allowed: the kernel skipped {skipped} runs of its program"
            );
        } else {
            let _ = writeln!(text, "  hint: {}", advice(&denied.call, &profile.policy));
        }
    }
    if !typed.quiet {
        text.push_str(&denied::intended_lines(intended));
    }
    if calls.is_empty() && outcome.filters == Filters::All && !typed.quiet {
        let else_ = if intended.is_empty() { "" } else { "else " };
        let _ = writeln!(text, "nothing {else_}was denied");
    }
    write_filters(&mut text, typed, &outcome.filters, calls.is_empty());
    if let Some(reason) = &outcome.audit {
        if misses_logged(profile, outcome) {
            let _ =
                writeln!(text, "incomplete: calls that the profile logs may be missing: {reason}");
        } else if typed.verbose {
            let _ = writeln!(text, "note: calls that a filter logs would not be seen: {reason}");
        }
    }
    text.push_str(&summary::incomplete(&outcome.recording));
    if !typed.quiet {
        text.push_str(&summary::accepted(None, &outcome.recording));
    }
    text.push_str(&summary::failure(outcome));
    if let Some(path) = &typed.amend {
        let _ = writeln!(text, "{}: the profile with the denied calls allowed", escape_path(path));
    }
    text
}

fn write_filters(text: &mut String, typed: &Verify, filters: &Filters, none_denied: bool) {
    match filters {
        Filters::None if none_denied => {
            let _ = writeln!(
                text,
                "error: nothing is enforced: the target was started without a seccomp filter\n\nhint: start it under the profile, for example docker run --security-opt seccomp={}",
                escape_path(&typed.profile)
            );
        }
        Filters::NoCalls => text.push_str(
            "incomplete: no call of the target was seen, so that nothing was verified\nhint: let it work while it is watched\n",
        ),
        Filters::Unknown => text.push_str(
            "incomplete: without kernel BTF it cannot be told whether a filter is loaded\n",
        ),
        Filters::Partly(paths) => {
            for path in paths {
                let _ = writeln!(text, "incomplete: nothing is enforced in {}", escape(path));
            }
        }
        Filters::None | Filters::All => {}
    }
}

/// Writes the profile with the denied calls allowed; those that a runtime only tries are answered.
fn amend(destination: &Destination, profile: &ProfileFile, calls: &[DeniedCall]) -> Result<()> {
    // What may have been allowed all the same widens no profile.
    let sure = || calls.iter().map(|denied| &denied.call).filter(|call| !call.doubtful);
    let names = |tried: bool| -> BTreeSet<String> {
        let calls = sure().filter(|call| base::optional_of_runtime(call).is_some() == tried);
        let names = calls.filter_map(|call| syscalls::name(call.abi, call.number));
        names.map(str::to_owned).collect()
    };
    let architectures: BTreeSet<Architecture> = sure().map(|call| call.abi.into()).collect();
    let text = oci::amend(&profile.bytes, &names(false), &architectures)?;
    let text = oci::answer(text.as_bytes(), &names(true))?;
    destination.write(&[(FileKind::Profile, text.as_bytes())])?;
    Ok(())
}
