//! From what was typed as targets to the targets of a session.

use anyhow::{Context, Result};

use super::{cluster, environment::owner, sockets, usage::usage};
use crate::{
    cli::Cluster,
    message::print_err,
    recording::{TargetKind, selection::Selection},
    session::Targets,
    target::{
        CgroupError, ResolveError,
        cgroup::CgroupRoot,
        grammar::TargetSpec,
        inventory::Inventory,
        matcher::TargetMatcher,
        not_found::failures,
        resolve::resolve,
        runtime::{Addresses, ask},
    },
    text::escape,
};

/// What was typed as targets.
pub(super) fn specs(typed: &[String], cluster: &Cluster) -> Result<Vec<TargetSpec>> {
    let specs: Result<Vec<_>> =
        typed.iter().map(|text| text.parse().map_err(|error| usage(&error))).collect();
    cluster::narrowed(specs?, cluster)
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
    /// The runtimes that were asked are printed.
    pub(super) verbose: bool,
    /// Nothing but errors is printed.
    pub(super) quiet: bool,
}

/// Finds the targets. The runtimes are asked only when names matter.
pub(super) fn find(
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
    let all = search.all_containers.then(TargetMatcher::all_containers);
    let known: Vec<Option<TargetMatcher>> = specs.iter().map(TargetMatcher::new).collect();
    let needs_names =
        search.names || known.iter().flatten().chain(&all).any(TargetMatcher::needs_names);
    if needs_names && !search.quiet {
        sockets::warn_of_ignored(addresses);
    }
    let mut inventory =
        if needs_names { ask_all(addresses, search.verbose)? } else { Inventory::default() };
    if let Some(question) = &addresses.cluster {
        cluster::resolve(question, &mut inventory, search.verbose)?;
    }
    let tree = root.tree()?;
    let (mut selections, mut matchers, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (spec, matcher) in specs.iter().zip(known) {
        let found = resolve(spec, &tree, &inventory);
        if search.wait
            && let Err(absence) = &found
        {
            notes.push(format!("waiting for {}: {}", escape(&spec.text), absence.state()));
        }
        let found = selection(root, spec, matcher.as_ref(), found, search.wait)?;
        matchers.extend(match matcher {
            Some(matcher) if search.wait => {
                Some(matcher.narrow_to_engine(&inventory).pin_short_ids(&found.paths))
            }
            // The containers of a pod come and go, also while it is there.
            Some(matcher) if found.kind == TargetKind::Pod => {
                Some(matcher.pin_to_uids(&found.paths))
            }
            _ => None,
        });
        selections.push(found);
    }
    if let Some(all) = all {
        let (name, kind) = (all.name.clone(), all.kind());
        selections.push(Selection { name, kind, paths: Vec::new(), without: Vec::new() });
        matchers.push(all);
    }
    if !notes.is_empty() {
        notes.extend(failures(&inventory).iter().map(|failure| format!("warning: {failure}")));
    }
    let watch_whole_hierarchy = !matchers.is_empty() && (search.wait || search.all_containers);
    let runtimes = addresses.clone();
    let addresses = needs_names.then(|| runtimes.clone());
    Ok(Targets {
        selections,
        matchers,
        watch_whole_hierarchy,
        inventory,
        addresses,
        runtimes,
        notes,
    })
}

/// What was found of a target; what was not is awaited when it may come.
fn selection(
    root: &CgroupRoot,
    spec: &TargetSpec,
    matcher: Option<&TargetMatcher>,
    found: Result<Selection, ResolveError>,
    wait: bool,
) -> Result<Selection> {
    let name = spec.text.clone();
    match (found, matcher) {
        (Ok(found), _) => Ok(found),
        (Err(error), Some(matcher)) if wait && error.is_absence() => {
            Ok(Selection { name, kind: matcher.kind(), paths: Vec::new(), without: Vec::new() })
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
        inventory.asked.iter().for_each(|asked| print_err(&asked.to_string()));
    }
    Ok(inventory)
}
