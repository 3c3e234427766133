//! What recording and verifying have in common: from what was typed to the configuration of a
//! session.

use std::{
    ffi::OsString,
    fs,
    io::{IsTerminal, stderr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use super::{
    account::{self, Account},
    lookup::look_up,
};
use crate::{
    bpf::Hook,
    cli::AttachValue,
    live::Detail,
    message::print_err,
    preflight::{self, HookChoice, PreflightCheck},
    session::{CommandRequest, Purpose, SessionConfig, Signals, Targets},
    sys::Filter,
    target::{cgroup::CgroupRoot, grammar::TargetSpec},
};

/// The event loop, with the signals that end a session caught.
pub(super) fn event_loop() -> Result<(Runtime, Signals)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the event loop could not be started")?;
    let signals = {
        let _context = runtime.enter();
        Signals::catch(!ignores_hangup())?
    };
    Ok((runtime, signals))
}

/// A host that can trace.
pub(super) struct TracingHost {
    /// The cgroup file system.
    pub(super) root: CgroupRoot,
    /// Where the programs on system calls are attached.
    pub(super) hook: Hook,
    /// tracer chose that place, and may choose another.
    pub(super) fall_back: bool,
}

/// Makes sure that this host can trace.
pub(super) fn host(specs: &[TargetSpec], attach: AttachValue) -> Result<TracingHost> {
    let choice = match attach {
        AttachValue::Auto => HookChoice::Auto,
        AttachValue::Raw => HookChoice::Raw,
        AttachValue::Classic => HookChoice::Classic,
    };
    let facts = preflight::gather(&preflight::FactSources {
        count_cgroups: false,
        ..preflight::FactSources::default()
    });
    let checks = preflight::evaluate(&facts);
    preflight::required_for_tracing(&checks)?;
    let hook = preflight::choose(&facts, choice)?;
    if let Some(warning) = preflight::hidden_targets(&facts).filter(|_| !specs.is_empty()) {
        print_err(&warning);
    }
    let fall_back = choice == HookChoice::Auto;
    let wanted = |check: &&PreflightCheck| match check.name {
        "attach" => fall_back,
        "kernel" | "lockdown" => true,
        _ => false,
    };
    for warning in checks.iter().filter(wanted).filter_map(preflight::warning) {
        print_err(&warning);
    }
    Ok(TracingHost { root: CgroupRoot::find(Path::new("/proc"))?, hook, fall_back })
}

/// The options that a recording and a verification share.
pub(super) struct WatchOptions {
    /// Targets that do not exist yet are awaited, and their end does not end the session.
    pub(super) wait: bool,
    /// The session ends after this time.
    pub(super) duration: Option<Duration>,
    /// The session ends when there was no new call for this time.
    pub(super) until_quiet: Option<Duration>,
    /// The kernel side logs.
    pub(super) verbose: bool,
    /// A late start counts as complete.
    pub(super) accept_late_start: bool,
}

/// The configuration of a session. A recording counts calls, a verification watches denied ones.
pub(super) fn session_config(
    purpose: Purpose,
    TracingHost { root, hook, fall_back }: TracingHost,
    targets: Targets,
    command: Option<CommandRequest>,
    options: &WatchOptions,
) -> SessionConfig {
    SessionConfig {
        root,
        targets,
        wait: options.wait,
        command,
        duration: options.duration,
        until_quiet: options.until_quiet,
        snapshot_every: None,
        counts: purpose == Purpose::Record,
        denied: purpose == Purpose::Verify,
        hook,
        fall_back,
        purpose,
        log: options.verbose,
        accept_late_start: options.accept_late_start,
    }
}

/// How much is shown while a session lasts. A command has the terminal for itself: its session has
/// no status line.
pub(super) fn detail(quiet: bool, has_status_line: bool) -> Detail {
    match (quiet, stderr().is_terminal() && has_status_line) {
        (true, _) => Detail::Quiet,
        (false, true) => Detail::StatusLine,
        (false, false) => Detail::Lines,
    }
}

/// The command to run; None when none was typed.
pub(super) fn command(
    words: &[OsString],
    user: Option<&str>,
    filter: Option<Filter>,
    quiet: bool,
) -> Result<Option<CommandRequest>> {
    let Some(name) = words.first() else { return Ok(None) };
    let program = look_up(Path::new(name))?;
    let account = user.map(Account::find).transpose()?;
    if account.is_none() && rustix::process::geteuid().is_root() && !quiet {
        print_err(&format!("warning: the command runs as root\n{}", account::hint()));
    }
    let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    if let Some(account) = &account {
        account.change(&mut environment);
    }
    Ok(Some(CommandRequest {
        program,
        arguments: words.to_vec(),
        environment,
        user: account.map(|account| account.user),
        filter,
        keep_arguments: false,
    }))
}

/// SIGHUP was ignored when this program was started, as nohup(1) does (proc(5), `SigIgn`).
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}
