//! What recording and verifying have in common: from what was typed to a request.

use std::{ffi::OsString, fs, path::Path};

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, getgrouplist};
use tokio::runtime::Runtime;

use super::{lookup::look_up, usage};
use crate::{
    kernel::{Filter, User},
    message::tell,
    recording::assembly::Selection,
    session::{CommandRequest, Stops},
    target::{cgroup::CgroupRoot, grammar::TargetSpec, resolve::resolve},
};

/// What was typed as targets.
pub(super) fn specs(typed: &[String]) -> Result<Vec<TargetSpec>> {
    typed.iter().map(|text| text.parse().map_err(|error| usage(&error))).collect()
}

/// The event loop, with the signals that end a session caught.
pub(super) fn event_loop() -> Result<(Runtime, Stops)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the event loop could not be started")?;
    let stops = {
        let _context = runtime.enter();
        Stops::catch(!ignores_hangup())?
    };
    Ok((runtime, stops))
}

/// The targets, resolved.
pub(super) fn selections(root: &CgroupRoot, specs: &[TargetSpec]) -> Result<Vec<Selection>> {
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

/// The command to run; None when none was typed.
pub(super) fn command(
    words: &[OsString],
    user: Option<&str>,
    filter: Option<Filter>,
    quiet: bool,
) -> Result<Option<CommandRequest>> {
    let Some(name) = words.first() else { return Ok(None) };
    let program = look_up(Path::new(name))?;
    let user = user.map(self::user).transpose()?;
    if user.is_none() && rustix::process::geteuid().is_root() && !quiet {
        tell("warning: the command runs as root\nhint: --user NAME runs it as somebody else");
    }
    Ok(Some(CommandRequest {
        program,
        arguments: words.to_vec(),
        environment: std::env::vars_os().collect(),
        user,
        filter,
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
