//! What recording and verifying have in common: from what was typed to a request.

use std::{ffi::OsString, fs, path::Path};

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, getgrouplist};
use tokio::runtime::Runtime;

use super::{lookup::look_up, usage};
use crate::{
    kernel::{Filter, User},
    message::tell,
    preflight,
    recording::{TargetKind, assembly::Selection},
    session::{CommandRequest, Stops},
    target::{
        CgroupError, CgroupTree, ResolveError,
        awaited::Awaited,
        cgroup::CgroupRoot,
        grammar::{Meaning, TargetSpec},
        named::{self, NameError},
        resolve::resolve,
        runtime::{Addresses, ask},
    },
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

/// The cgroup file system, on a host that can trace.
pub(super) fn host(specs: &[TargetSpec]) -> Result<CgroupRoot> {
    let facts = preflight::gather(&preflight::Sources::default());
    preflight::required_for_tracing(&preflight::judge(&facts))?;
    if let Some(warning) = preflight::hidden_targets(&facts).filter(|_| !specs.is_empty()) {
        tell(&warning);
    }
    Ok(CgroupRoot::find(Path::new("/proc"))?)
}

/// The targets that exist, resolved.
pub(super) fn selections(root: &CgroupRoot, specs: &[TargetSpec]) -> Result<Vec<Selection>> {
    let (selections, _) = targets(root, specs, &Addresses::default(), false)?;
    Ok(selections)
}

/// The targets, resolved; with `wait`, those that do not exist yet as well.
pub(super) fn targets(
    root: &CgroupRoot,
    specs: &[TargetSpec],
    addresses: &Addresses,
    wait: bool,
) -> Result<(Vec<Selection>, Vec<Awaited>)> {
    let (mut selections, mut awaited) = (Vec::new(), Vec::new());
    if specs.is_empty() {
        return Ok((selections, awaited));
    }
    let tree = root.tree()?;
    for typed in specs {
        let spec = &known_by_id(typed, &tree, addresses, wait)?;
        let (name, kind, paths) = match (resolve(spec, &tree), Awaited::new(spec)) {
            (Ok(target), _) => (target.name, target.kind, target.cgroups),
            (Err(ResolveError::NotFound { .. }), Some(target)) if wait => {
                let kind = target.kind();
                awaited.push(target);
                (spec.text.clone(), kind, Vec::new())
            }
            (Err(ResolveError::Cgroup(CgroupError::Missing { path, .. })), _) if wait => {
                (spec.text.clone(), TargetKind::Path, vec![root.place(&path)?])
            }
            (Err(error), _) => return Err(error.into()),
        };
        selections.push(Selection { name, kind, paths });
    }
    Ok((selections, awaited))
}

/// What was typed, with the id of the container that it names in the place of the name. The runtimes are asked only when
/// the cgroups do not tell.
fn known_by_id(
    typed: &TargetSpec,
    tree: &CgroupTree,
    addresses: &Addresses,
    wait: bool,
) -> Result<TargetSpec> {
    let unknown = matches!(
        resolve(typed, tree),
        Err(ResolveError::NameUnsupported { .. } | ResolveError::NotFound { .. })
    );
    let Some((scope, name)) = named::name_of(typed).filter(|_| unknown) else {
        return Ok(typed.clone());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtimes could not be asked")?;
    let inventory = runtime.block_on(ask(addresses));
    let only_a_name =
        typed.meanings.iter().all(|meaning| matches!(meaning, Meaning::ContainerName { .. }));
    let container = match named::find(scope, name, &inventory) {
        Ok(container) => container,
        Err(NameError::Unknown { .. }) if !only_a_name => return Ok(typed.clone()),
        Err(error) => return Err(error.into()),
    };
    let known = named::by_id(typed, container);
    match resolve(&known, tree) {
        Err(ResolveError::NotFound { .. }) if !wait => {
            let (name, state) = (name.to_owned(), container.state);
            Err(NameError::NotRunning { name, state }.into())
        }
        _ => Ok(known),
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
