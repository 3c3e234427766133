//! `tracer`: record, derive, write.

use std::{
    fs,
    io::{IsTerminal, Write, stderr, stdin},
    path::Path,
    process::ExitStatus,
};

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, getgrouplist};

use super::{
    Exit, derivation,
    lookup::look_up,
    owner,
    summary::{self, Source},
    usage,
};
use crate::{
    cli::Record,
    kernel::{User, forward_kernel_log},
    live::{Detail, Live},
    output::{Destination, create_stream},
    preflight,
    profile::Profile,
    recording::{Recording, assembly::Selection, event::NewCall, json},
    session::{self, CommandRequest, Observers, Outcome, Request, Stops},
    target::{cgroup::CgroupRoot, grammar::TargetSpec, resolve::resolve},
};

/// Records a workload and writes its profile.
///
/// # Errors
/// Nothing was written then.
pub fn run(typed: &Record) -> Result<Exit> {
    let choices = &typed.derivation;
    let options = derivation::options(choices)?;
    let specs = typed
        .targets
        .iter()
        .map(|text| text.parse::<TargetSpec>().map_err(|error| usage(&error)))
        .collect::<Result<Vec<_>>>()?;
    if derivation::is_printed(&typed.out) && !typed.command.is_empty() {
        return Err(usage(
            &"`--out -` cannot be used with a command: standard output is the command's\n\nhint: write to a file, for example --out profile.json",
        ));
    }
    let facts = preflight::gather(&preflight::Sources::default());
    preflight::required_for_tracing(&preflight::judge(&facts))?;
    let root = CgroupRoot::find(Path::new("/proc"))?;
    let command = command_request(typed)?;
    let selections = selections(&root, &specs)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the event loop could not be started")?;
    let mut stops = {
        let _context = runtime.enter();
        Stops::catch(!ignores_hangup())?
    };
    let destination = derivation::prepare(&typed.out)?;
    let events = typed.events.as_deref().map(|path| create_stream(path, owner())).transpose()?;
    let request = Request {
        root,
        selections,
        command,
        duration: typed.duration,
        until_quiet: typed.until_quiet,
        btf: !typed.no_btf,
        counts: !typed.no_counts,
        log: choices.verbose,
        accept_late_start: choices.accept_late_start,
        terminal: stdin().is_terminal(),
    };
    if choices.verbose {
        forward_kernel_log(|line| eprintln!("{line}"));
    }
    let session = |observers: Observers<'_>| {
        runtime.block_on(session::record(&request, &mut stops, observers))
    };
    let mut outcome = observe(typed, session, destination.as_ref(), events)?;
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

fn selections(root: &CgroupRoot, specs: &[TargetSpec]) -> Result<Vec<Selection>> {
    if specs.is_empty() {
        return Ok(Vec::new());
    }
    let tree = root.tree()?;
    specs
        .iter()
        .map(|spec| {
            let target = resolve(spec, &tree)?;
            Ok(Selection { name: target.name, kind: target.kind, paths: target.cgroups })
        })
        .collect()
}

fn command_request(typed: &Record) -> Result<Option<CommandRequest>> {
    let Some(name) = typed.command.first() else { return Ok(None) };
    let program = look_up(Path::new(name))?;
    let user = typed.user.as_deref().map(user).transpose()?;
    if user.is_none() && rustix::process::geteuid().is_root() && !typed.derivation.quiet {
        eprintln!("warning: the command runs as root\nhint: --user NAME runs it as somebody else");
    }
    Ok(Some(CommandRequest {
        program,
        arguments: typed.command.clone(),
        environment: std::env::vars_os().collect(),
        user,
    }))
}

/// A user by name or number, with the groups it is in.
fn user(text: &str) -> Result<User> {
    let known = match text.parse() {
        Ok(id) => nix::unistd::User::from_uid(Uid::from_raw(id)),
        Err(_) => nix::unistd::User::from_name(text),
    };
    match (known.context("the user database could not be read")?, text.parse()) {
        (Some(user), _) => {
            let name = std::ffi::CString::new(user.name).context("a user name")?;
            let groups =
                getgrouplist(&name, user.gid).context("the group database could not be read")?;
            let groups = groups.into_iter().map(Gid::as_raw).collect();
            Ok(User { id: user.uid.as_raw(), group: user.gid.as_raw(), groups })
        }
        (None, Ok(id)) => Ok(User { id, group: id, groups: vec![id] }),
        (None, Err(_)) => Err(usage(&format!("there is no user `{}`", crate::text::escape(text)))),
    }
}

/// SIGHUP was ignored when this program was started, as nohup(1) does (proc(5), `SigIgn`).
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Runs the session, and shows it.
fn observe(
    typed: &Record,
    session: impl FnOnce(Observers<'_>) -> Result<Outcome>,
    destination: Option<&Destination>,
    mut events: Option<fs::File>,
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
            eprintln!("warning: the recording so far could not be saved: {error}");
        }
    };
    let mut failed = false;
    let mut new_call = |call: &NewCall| {
        let Some(events) = &mut events else { return };
        if let Err(error) = events.write_all(json::event_line(call).as_bytes())
            && !std::mem::replace(&mut failed, true)
        {
            eprintln!("warning: events could not be written: {error}");
        }
    };
    let observers = Observers { live: &mut live, autosave: &mut autosave, new_call: &mut new_call };
    let outcome = session(observers);
    live.finish();
    outcome.inspect_err(|_| discard_partial(destination))
}

fn discard_partial(destination: Option<&Destination>) {
    if let Some(destination) = destination {
        // What failed before is reported; a partial recording that stays behind is no second failure.
        let _ = destination.remove_partial();
    }
}
