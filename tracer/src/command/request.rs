//! What recording and verifying have in common: from what was typed to a request.

use std::{ffi::OsString, fs, path::Path};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

use super::{
    account::{self, Account},
    cluster,
    lookup::look_up,
    owner, sockets, usage,
};
use crate::{
    cli::{Attach, Cluster},
    kernel::{Filter, Hook},
    message::tell,
    preflight::{self, Check, HookChoice},
    recording::{TargetKind, assembly::Selection},
    session::{CommandRequest, Stops},
    target::{
        CgroupError, ResolveError,
        cgroup::CgroupRoot,
        grammar::TargetSpec,
        inventory::Inventory,
        named::failures,
        resolve::{ResolvedTarget, resolve},
        runtime::{Addresses, ask},
        wanted::Wanted,
    },
    text::escape,
};

/// What was typed as targets.
pub(super) fn specs(typed: &[String], cluster: &Cluster) -> Result<Vec<TargetSpec>> {
    let specs: Result<Vec<_>> =
        typed.iter().map(|text| text.parse().map_err(|error| usage(&error))).collect();
    cluster::narrowed(specs?, cluster)
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

/// A host that can trace.
pub(super) struct Host {
    /// The cgroup file system.
    pub(super) root: CgroupRoot,
    /// Where the programs on system calls are attached.
    pub(super) hook: Hook,
    /// tracer chose that place, and may choose another.
    pub(super) fall_back: bool,
}

/// Makes sure that this host can trace.
pub(super) fn host(specs: &[TargetSpec], attach: Attach) -> Result<Host> {
    let choice = match attach {
        Attach::Auto => HookChoice::Auto,
        Attach::Raw => HookChoice::Raw,
        Attach::Classic => HookChoice::Classic,
    };
    let facts = preflight::gather(&preflight::Sources::default());
    let checks = preflight::judge(&facts);
    preflight::required_for_tracing(&checks)?;
    let hook = preflight::choose(&facts, choice)?;
    if let Some(warning) = preflight::hidden_targets(&facts).filter(|_| !specs.is_empty()) {
        tell(&warning);
    }
    let fall_back = choice == HookChoice::Auto;
    let wanted = |check: &&Check| match check.name {
        "attach" => fall_back,
        "kernel" | "lockdown" => true,
        _ => false,
    };
    for warning in checks.iter().filter(wanted).filter_map(preflight::warning) {
        tell(&warning);
    }
    Ok(Host { root: CgroupRoot::find(Path::new("/proc"))?, hook, fall_back })
}

/// The targets of a session, found.
pub(super) struct Targets {
    /// What was named, with the cgroups that are there.
    pub(super) selections: Vec<Selection>,
    /// What is followed as containers come and go.
    pub(super) wanted: Vec<Wanted>,
    /// Some of it may come to be anywhere in the hierarchy.
    pub(super) anywhere: bool,
    /// What the runtimes told.
    pub(super) inventory: Inventory,
    /// Where they are asked on; None when no name matters.
    pub(super) addresses: Option<Addresses>,
    /// Where it is asked whether a container that ended will ever start again.
    pub(super) runtimes: Addresses,
    /// What is to be said of targets that are not there yet.
    pub(super) notes: Vec<String>,
}

/// How targets are looked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Search {
    /// Those that do not exist yet are awaited, and all are followed under their names.
    pub(super) wait: bool,
    /// Every container is a target.
    pub(super) all_containers: bool,
    /// The names of containers are wanted, whatever was typed.
    pub(super) names: bool,
    /// Who was asked is told.
    pub(super) verbose: bool,
    /// Nothing is told but errors.
    pub(super) quiet: bool,
}

/// Finds the targets. The runtimes are asked only when names matter.
pub(super) fn targets(
    root: &CgroupRoot,
    specs: &[TargetSpec],
    addresses: &Addresses,
    search: Search,
) -> Result<Targets> {
    // Who typed may mean a container of their own.
    let typist = owner().map(|owner| owner.user);
    let typist = typist.filter(|user| addresses.users.iter().any(|engines| engines.user == *user));
    let also =
        |spec: &TargetSpec| typist.map_or(spec.clone(), |user| spec.clone().also_of_user(user));
    let specs: Vec<TargetSpec> = specs.iter().map(also).collect();
    let all = search.all_containers.then(Wanted::all_containers);
    let rules: Vec<Option<Wanted>> = specs.iter().map(Wanted::new).collect();
    let needs_names = search.names || rules.iter().flatten().chain(&all).any(Wanted::needs_names);
    if needs_names && !search.quiet {
        sockets::tell_ignored(addresses);
    }
    let mut inventory =
        if needs_names { ask_all(addresses, search.verbose)? } else { Inventory::default() };
    if let Some(question) = &addresses.cluster {
        cluster::look_up(question, &mut inventory, search.verbose)?;
    }
    let tree = root.tree()?;
    let (mut selections, mut wanted, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (spec, rule) in specs.iter().zip(rules) {
        let found = resolve(spec, &tree, &inventory);
        if search.wait
            && let Err(absence) = &found
        {
            notes.push(format!("waiting for {}: {}", escape(&spec.text), absence.state()));
        }
        let found = selection(root, spec, rule.as_ref(), found, search.wait)?;
        wanted.extend(match rule {
            Some(rule) if search.wait => Some(rule.of_known(&inventory).pinned(&found.paths)),
            // The containers of a pod come and go, also while it is there.
            Some(rule) if found.kind == TargetKind::Pod => Some(rule.of_found_pod(&found.paths)),
            _ => None,
        });
        selections.push(found);
    }
    if let Some(all) = all {
        let (name, kind) = (all.name.clone(), all.kind());
        selections.push(Selection { name, kind, paths: Vec::new(), without: Vec::new() });
        wanted.push(all);
    }
    if !notes.is_empty() {
        notes.extend(failures(&inventory).iter().map(|failure| format!("warning: {failure}")));
    }
    let anywhere = !wanted.is_empty() && (search.wait || search.all_containers);
    let runtimes = addresses.clone();
    let addresses = needs_names.then(|| runtimes.clone());
    Ok(Targets { selections, wanted, anywhere, inventory, addresses, runtimes, notes })
}

/// What was found of a target; what was not is awaited when it may come.
fn selection(
    root: &CgroupRoot,
    spec: &TargetSpec,
    rule: Option<&Wanted>,
    found: Result<ResolvedTarget, ResolveError>,
    wait: bool,
) -> Result<Selection> {
    let name = spec.text.clone();
    match (found, rule) {
        (Ok(ResolvedTarget { name, kind, cgroups, without }), _) => {
            Ok(Selection { name, kind, paths: cgroups, without })
        }
        (Err(error), Some(rule)) if wait && error.is_absence() => {
            Ok(Selection { name, kind: rule.kind(), paths: Vec::new(), without: Vec::new() })
        }
        (Err(ResolveError::Cgroup(CgroupError::Missing { path, .. })), _) if wait => {
            let paths = vec![root.place(&path)?];
            Ok(Selection { name, kind: TargetKind::Path, paths, without: Vec::new() })
        }
        (Err(error), _) => Err(error.into()),
    }
}

/// Asks the runtimes of this host for their containers and pods.
pub(super) fn ask_all(addresses: &Addresses, verbose: bool) -> Result<Inventory> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtimes could not be asked")?;
    let inventory = runtime.block_on(ask(addresses));
    if verbose {
        inventory.sources.iter().for_each(|source| tell(&source.to_string()));
    }
    Ok(inventory)
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
        tell(&format!("warning: the command runs as root\n{}", account::hint()));
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
