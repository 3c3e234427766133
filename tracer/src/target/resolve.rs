//! From what the user named to cgroups.
//!
//! Works on a snapshot of the hierarchy and on what the runtimes told; only processes and typed paths are looked up in the
//! file system.

use std::fmt::Write as _;

use thiserror::Error;

use super::cgroup::{CgroupNode, CgroupTree};
use super::error::CgroupError;
use super::grammar::{EngineScope, Meaning, TargetSpec};
use super::inventory::Inventory;
use super::named::{self, NameError};
use super::names::{self, ContainerName};
use super::wanted::{Verdict, Wanted};
use crate::recording::TargetKind;
use crate::text::escape;

/// How many candidates the message about an ambiguous name lists.
const CANDIDATES_SHOWN: usize = 10;

/// A target that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedTarget {
    /// As the user typed it.
    pub name: String,
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// Its cgroups, by their paths in the hierarchy: never empty, none below another. Everything below them belongs
    /// to the target, but for `without`.
    pub cgroups: Vec<String>,
    /// Cgroups of pause containers in it: they and what is below are not the target's.
    pub without: Vec<String>,
}

/// One of several things that a name can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How to name it without ambiguity.
    pub name: String,
    /// Its cgroup.
    pub path: String,
}

/// Why a target could not be found.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// Nothing fits.
    #[error(
        "no {} `{}` is running\n\nhint: `tracer list` shows what runs; --wait awaits what does not yet",
        wanted(.meanings),
        escape(.text)
    )]
    NotFound {
        /// As typed.
        text: String,
        /// What was looked for.
        meanings: Vec<Meaning>,
    },
    /// Several things fit.
    #[error("`{}` is ambiguous:{}\n\nhint: name one of these in full", escape(.text), listed(.candidates))]
    Ambiguous {
        /// As typed.
        text: String,
        /// What fits.
        candidates: Vec<Candidate>,
    },
    /// The runtimes know no container or pod of that name that runs.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The process is not in a cgroup of its own.
    #[error(
        "process {process} is in the root of cgroup v2, together with everything that is in no cgroup of its own{}\n\nhint: \
         start it with `tracer -- COMMAND`, or put it into a cgroup: mkdir {directory}/NAME; echo {process} > {directory}/NAME/cgroup.procs",
        if *.v1 { "; this host puts its workloads into cgroup v1" } else { "" }
    )]
    InRoot {
        /// Its id.
        process: u32,
        /// The host has v1 hierarchies.
        v1: bool,
        /// Where cgroup v2 is mounted, escaped.
        directory: String,
    },
    /// The cgroup file system said no.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

impl ResolveError {
    /// There is nothing of that name now; it may come.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Name(_))
    }
}

/// Finds the cgroups of what the user named. Names need an inventory; without one, no name is known.
pub fn resolve(
    spec: &TargetSpec,
    tree: &CgroupTree,
    inventory: &Inventory,
) -> Result<ResolvedTarget, ResolveError> {
    let mut found: Vec<Match> = Vec::new();
    for meaning in &spec.meanings {
        for one in look_up(meaning, tree, inventory)? {
            // The beginning of a container's id may be its name as well.
            if !found.iter().any(|known| known.cgroups == one.cgroups) {
                found.push(one);
            }
        }
    }
    let text = || spec.text.clone();
    match found.len() {
        1 => {}
        0 => return Err(absent(spec, inventory)),
        _ => {
            let candidates = found.into_iter().flat_map(Match::candidates).collect();
            return Err(ResolveError::Ambiguous { text: text(), candidates });
        }
    }
    let Match { kind, cgroups, without, .. } = found.remove(0);
    Ok(ResolvedTarget { name: text(), kind, cgroups, without })
}

/// Why nothing fits.
fn absent(spec: &TargetSpec, inventory: &Inventory) -> ResolveError {
    let named = named::why_absent(spec, inventory);
    named.map_or_else(
        || ResolveError::NotFound { text: spec.text.clone(), meanings: spec.meanings.clone() },
        ResolveError::Name,
    )
}

/// One thing that fits.
struct Match {
    kind: TargetKind,
    name: String,
    cgroups: Vec<String>,
    without: Vec<String>,
}

impl Match {
    fn new(kind: TargetKind, name: String, cgroup: String) -> Self {
        Self { kind, name, cgroups: vec![cgroup], without: Vec::new() }
    }

    fn candidates(self) -> impl Iterator<Item = Candidate> {
        let name = self.name;
        self.cgroups.into_iter().map(move |path| Candidate { name: name.clone(), path })
    }
}

fn look_up(
    meaning: &Meaning,
    tree: &CgroupTree,
    inventory: &Inventory,
) -> Result<Vec<Match>, ResolveError> {
    Ok(match meaning {
        Meaning::Path(typed) => {
            let path = tree.root.locate(typed)?;
            vec![Match::new(TargetKind::Path, path.clone(), path)]
        }
        Meaning::Process(process) => vec![of_process(*process, tree)?],
        Meaning::PodUid(_) | Meaning::PodName { .. } => {
            pod(meaning, tree, inventory).into_iter().collect()
        }
        Meaning::ContainerId { scope, prefix } => containers(*scope, prefix, tree),
        Meaning::PodContainer { .. } | Meaning::ContainerName { .. } => {
            named_containers(meaning, tree, inventory)
        }
        Meaning::Unit(name) => units(name, tree),
    })
}

fn of_process(process: u32, tree: &CgroupTree) -> Result<Match, ResolveError> {
    let path = tree.root.of_process(process)?;
    if path == "/" {
        let directory = crate::text::escape_path(tree.root.mount_point());
        return Err(ResolveError::InRoot { process, v1: tree.root.has_v1(), directory });
    }
    // A cgroup that this program cannot reach is found out now, not when tracing begins.
    tree.root.id(&path)?;
    Ok(Match::new(TargetKind::Process, format!("pid:{process}"), path))
}

/// A pod is one thing however many cgroups it has.
fn pod(meaning: &Meaning, tree: &CgroupTree, inventory: &Inventory) -> Option<Match> {
    let wanted = Wanted::meaning(meaning);
    let (mut cgroups, mut without) = (Vec::new(), Vec::new());
    for node in &tree.nodes {
        match wanted.judge(&node.path, inventory) {
            Verdict::Target(top) => push_new(&mut cgroups, top),
            Verdict::Pause(top) => push_new(&mut without, top),
            Verdict::Undecided | Verdict::Other => {}
        }
    }
    let name = match meaning {
        Meaning::PodUid(uid) => format!("pod:{uid}"),
        Meaning::PodName { namespace, pod } => format!("{namespace}/{pod}"),
        _ => String::new(),
    };
    (!cgroups.is_empty()).then_some(Match { kind: TargetKind::Pod, name, cgroups, without })
}

/// The containers of a name that have a cgroup.
fn named_containers(meaning: &Meaning, tree: &CgroupTree, inventory: &Inventory) -> Vec<Match> {
    let wanted = Wanted::meaning(meaning);
    let mut found: Vec<Match> = Vec::new();
    for node in &tree.nodes {
        let Verdict::Target(top) = wanted.judge(&node.path, inventory) else { continue };
        if found.iter().any(|known| known.cgroups.contains(&top)) {
            continue;
        }
        let known = container_of(&top).and_then(|name| inventory.container(&name.id));
        let name = known.map_or_else(String::new, |container| match container.pod {
            Some(_) => container.full_name(),
            None => format!("{}:{}", container.engine, container.id),
        });
        found.push(Match::new(TargetKind::Container, name, top));
    }
    found
}

fn push_new(paths: &mut Vec<String>, path: String) {
    if !paths.contains(&path) {
        paths.push(path);
    }
}

/// All containers whose id begins so; a container that several cgroups claim is ambiguous as well.
fn containers(scope: EngineScope, prefix: &str, tree: &CgroupTree) -> Vec<Match> {
    let fits = |name: &ContainerName| scope.admits(name.engine) && name.id.starts_with(prefix);
    let paths = topmost(
        tree.nodes.iter().filter(|node| container_of(&node.path).is_some_and(|name| fits(&name))),
    );
    paths
        .into_iter()
        .filter_map(|path| {
            let name = container_of(&path)?.id;
            Some(Match::new(TargetKind::Container, name, path))
        })
        .collect()
}

/// As systemctl does, the units of the host's systemd come before those of a user's or of one in a container.
fn units(name: &str, tree: &CgroupTree) -> Vec<Match> {
    let paths: Vec<&str> = tree
        .nodes
        .iter()
        .map(|node| node.path.as_str())
        .filter(|path| names::unit(names::leaf(path).1) == Some(name))
        .collect();
    let host: Vec<&str> = paths.iter().copied().filter(|path| is_host_unit(path)).collect();
    let chosen = if host.is_empty() { paths } else { host };
    chosen
        .into_iter()
        .map(|path| Match::new(TargetKind::Unit, format!("path:{path}"), path.to_owned()))
        .collect()
}

/// Is every cgroup above this one a slice? Then it is not below a user's systemd, a container or another service.
fn is_host_unit(path: &str) -> bool {
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    above.split('/').filter(|part| !part.is_empty()).all(|part| part.ends_with(".slice"))
}

fn container_of(path: &str) -> Option<ContainerName> {
    let (parent, last) = names::leaf(path);
    names::container(parent, last)
}

/// The paths of these nodes without those that are below another of them. Relies on the order of the tree only for
/// the order of the result.
fn topmost<'a>(nodes: impl Iterator<Item = &'a CgroupNode>) -> Vec<String> {
    let paths: Vec<&str> = nodes.map(|node| node.path.as_str()).collect();
    let is_below = |path: &str, above: &str| {
        path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
    };
    paths
        .iter()
        .filter(|path| !paths.iter().any(|above| is_below(path, above)))
        .map(|path| (*path).to_owned())
        .collect()
}

/// What was looked for, in words.
fn wanted(meanings: &[Meaning]) -> String {
    let mut words: Vec<&str> = meanings
        .iter()
        .map(|meaning| match meaning {
            Meaning::Path(_) => "cgroup",
            Meaning::Process(_) => "process",
            Meaning::PodUid(_) | Meaning::PodName { .. } => "pod",
            Meaning::ContainerId { .. }
            | Meaning::ContainerName { .. }
            | Meaning::PodContainer { .. } => "container",
            Meaning::Unit(_) => "unit",
        })
        .collect();
    words.dedup();
    words.join(" or ")
}

fn listed(candidates: &[Candidate]) -> String {
    let mut lines = String::new();
    for candidate in candidates.iter().take(CANDIDATES_SHOWN) {
        // Writing to a String cannot fail.
        let _ = write!(lines, "\n  {}  {}", escape(&candidate.name), escape(&candidate.path));
    }
    if candidates.len() > CANDIDATES_SHOWN {
        let _ = write!(lines, "\n  and {} more", candidates.len() - CANDIDATES_SHOWN);
    }
    lines
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
