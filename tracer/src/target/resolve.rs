//! Finds the cgroups of what the user named.
//!
//! Works on a snapshot of the hierarchy and on what the runtimes reported; only processes and typed
//! paths are looked up in the file system.

use std::fmt::Write as _;

use thiserror::Error;

use super::cgroup::CgroupTree;
use super::claims::Claims;
use super::error::CgroupError;
use super::grammar::{Meaning, TargetSpec};
use super::inventory::Inventory;
use super::known::{Known, Match};
use super::matcher::{SHORT_ID, TargetMatcher};
use super::names;
use super::not_found::{self, NameError};
use super::owner;
use super::territory::Territory;
use crate::cgroup_path::CgroupPath;
use crate::recording::{TargetKind, selection::Selection};
use crate::text::escape;

/// How many candidates the message about an ambiguous name lists.
const CANDIDATES_SHOWN: usize = 10;

/// One of several things that a name can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetCandidate {
    /// How to name it without ambiguity.
    pub name: String,
    /// Its cgroup.
    pub path: CgroupPath,
}

/// Why a target could not be found.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// Nothing fits.
    #[error(
        "no {} `{}` is running\n\nhint: `tracer list` shows what runs here; --wait waits for what does not run yet{}",
        looked_for(.meanings),
        escape(.text),
        unit_hint(.meanings)
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
        candidates: Vec<TargetCandidate>,
    },
    /// A cgroup carries the name, where its runtime makes none.
    #[error(
        "the cgroup {} carries the name of `{}` and lies where its runtime makes no containers{}\n\nhint: if you trust the maker of the cgroup, name its path",
        escape(.path), escape(.text), .territory.remark()
    )]
    Foreign {
        /// As typed.
        text: String,
        /// The cgroup.
        path: CgroupPath,
        /// Where it lies.
        territory: Territory,
    },
    /// No runtime knows a running container or pod of that name.
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
    /// Whether nothing has that name now, and something may have it later.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Name(reason) => {
                !matches!(reason, NameError::NoNamespace { .. } | NameError::NoLabels { .. })
            }
            Self::NotFound { .. } | Self::Foreign { .. } => true,
            _ => false,
        }
    }

    /// What exists instead, in one line.
    pub fn state(&self) -> String {
        let message = self.to_string();
        message.lines().next().unwrap_or_default().to_owned()
    }
}

/// Finds the cgroups of what the user named: at least one, and none below another. Names need an
/// inventory; without one, no name is known.
pub fn resolve(
    spec: &TargetSpec,
    tree: &CgroupTree,
    inventory: &Inventory,
) -> Result<Selection, ResolveError> {
    let mut claims = Claims::default();
    for node in &tree.nodes {
        claims.add(&node.path, |top| owner::territory(&tree.root, top));
    }
    let known = Known { inventory, claims: &claims };
    let (mut found, mut contested): (Vec<Found>, Vec<CgroupPath>) = (Vec::new(), Vec::new());
    // As Docker does: a container with that name is meant before one whose id begins so.
    let meanings = spec.meanings.iter();
    let (beginnings, others): (Vec<_>, Vec<_>) = meanings.partition(|one| is_beginning(one));
    for meaning in others.into_iter().chain(beginnings) {
        if is_beginning(meaning) && !found.is_empty() {
            continue;
        }
        for one in look_up(meaning, tree, &known, &mut contested)? {
            // The beginning of a container's id may be its name as well.
            if !found.iter().any(|known| known.paths == one.paths) {
                found.push(one);
            }
        }
    }
    let text = || spec.text.clone();
    match found.len() {
        1 => {}
        0 if contested.is_empty() => return Err(absent(spec, tree, inventory)),
        0 => return Err(doubtful(spec, contested, &claims)),
        _ => {
            let candidates = found.into_iter().flat_map(Found::candidates).collect();
            return Err(ResolveError::Ambiguous { text: text(), candidates });
        }
    }
    let Found { kind, paths, without, .. } = found.remove(0);
    Ok(Selection { name: text(), kind, paths, without })
}

/// The beginning of an id, so few digits that a name may as well be meant.
fn is_beginning(meaning: &Meaning) -> bool {
    matches!(meaning, Meaning::ContainerId { prefix, .. } if prefix.len() < SHORT_ID)
}

/// Why nothing fits.
fn absent(spec: &TargetSpec, tree: &CgroupTree, inventory: &Inventory) -> ResolveError {
    let reason = not_found::why_absent(spec, inventory, paths_without_slash(&spec.text, tree));
    reason.map_or_else(
        || ResolveError::NotFound { text: spec.text.clone(), meanings: spec.meanings.clone() },
        ResolveError::Name,
    )
}

/// The cgroups whose paths were typed without the slash, or begin so.
fn paths_without_slash(text: &str, tree: &CgroupTree) -> Vec<CgroupPath> {
    let typed = CgroupPath::root().join(text);
    if tree.node(&typed).is_some() {
        return vec![typed];
    }
    // A name alone is the beginning of too many.
    if !text.contains('/') {
        return Vec::new();
    }
    let depth = typed.matches('/').count();
    let fits =
        |path: &&CgroupPath| path.starts_with(typed.as_str()) && path.matches('/').count() == depth;
    tree.nodes.iter().map(|node| &node.path).filter(fits).cloned().collect()
}

/// Why no cgroup is taken, though some carry the name.
fn doubtful(spec: &TargetSpec, mut paths: Vec<CgroupPath>, claims: &Claims) -> ResolveError {
    let text = spec.text.clone();
    if let [_] = paths.as_slice() {
        let path = paths.remove(0);
        let territory = claims.territory(&path).cloned().unwrap_or_default();
        return ResolveError::Foreign { text, path, territory };
    }
    let candidate = |path: CgroupPath| TargetCandidate { name: format!("path:{path}"), path };
    ResolveError::Ambiguous { text, candidates: paths.into_iter().map(candidate).collect() }
}

/// One thing that fits.
struct Found {
    kind: TargetKind,
    /// How to name it without ambiguity.
    name: String,
    paths: Vec<CgroupPath>,
    without: Vec<CgroupPath>,
}

impl Found {
    fn new(kind: TargetKind, name: String, path: CgroupPath) -> Self {
        Self { kind, name, paths: vec![path], without: Vec::new() }
    }

    fn candidates(self) -> impl Iterator<Item = TargetCandidate> {
        let name = self.name;
        self.paths.into_iter().map(move |path| TargetCandidate { name: name.clone(), path })
    }
}

/// Everything that a meaning fits. Cgroups that carry the name, when it is not known which one of
/// them is meant, are put aside.
fn look_up(
    meaning: &Meaning,
    tree: &CgroupTree,
    known: &Known<'_>,
    contested: &mut Vec<CgroupPath>,
) -> Result<Vec<Found>, ResolveError> {
    let kind = match meaning {
        Meaning::Path(typed) => {
            let path = tree.root.locate(typed)?;
            return Ok(vec![Found::new(TargetKind::Path, path.to_string(), path)]);
        }
        Meaning::Process(process) => return Ok(vec![of_process(*process, tree)?]),
        Meaning::PodWithoutNamespace(_) => return Ok(Vec::new()),
        Meaning::PodUid(_) | Meaning::PodName { .. } | Meaning::Workload { .. } => TargetKind::Pod,
        Meaning::ContainerId { .. }
        | Meaning::PodContainer { .. }
        | Meaning::ContainerName { .. } => TargetKind::Container,
        Meaning::Unit(_) | Meaning::UserUnit { .. } => TargetKind::Unit,
    };
    let matcher = TargetMatcher::from_meaning(meaning);
    let (mut paths, mut without) = (Vec::new(), Vec::new());
    for node in &tree.nodes {
        match matcher.matches(&node.path, known) {
            Match::Target(top) => push_new(&mut paths, top),
            Match::Pause(top) => push_new(&mut without, top),
            Match::Rival { path, contested: true } => push_new(contested, path),
            Match::Rival { .. } | Match::Undecided | Match::Other => {}
        }
    }
    Ok(match kind {
        // A pod is one thing however many cgroups it has.
        TargetKind::Pod if paths.is_empty() => Vec::new(),
        TargetKind::Pod => vec![Found { kind, name: pod_name(meaning), paths, without }],
        TargetKind::Unit => {
            paths.into_iter().map(|path| Found::new(kind, format!("path:{path}"), path)).collect()
        }
        _ => paths
            .into_iter()
            .map(|path| Found::new(kind, container_name(meaning, &path, known), path))
            .collect(),
    })
}

fn of_process(process: u32, tree: &CgroupTree) -> Result<Found, ResolveError> {
    let path = tree.root.of_process(process)?;
    if path == "/" {
        let directory = crate::text::escape_path(tree.root.mount_point()).into();
        return Err(ResolveError::InRoot { process, v1: tree.root.has_v1(), directory });
    }
    // A cgroup that this program cannot reach is found out now, not when tracing begins.
    tree.root.id(&path)?;
    Ok(Found::new(TargetKind::Process, format!("pid:{process}"), path))
}

/// How to name a pod without ambiguity.
fn pod_name(meaning: &Meaning) -> String {
    match meaning {
        Meaning::PodUid(uid) => format!("pod:{uid}"),
        Meaning::PodName { namespace, pod } => format!("{namespace}/{pod}"),
        _ => String::new(),
    }
}

/// How to name a container without ambiguity.
fn container_name(meaning: &Meaning, path: &str, known: &Known<'_>) -> String {
    let id = names::container(path).map(|name| name.id).unwrap_or_default();
    match known.inventory.container(&id).filter(|_| meaning.is_name()) {
        None => id,
        Some(container) if container.pod.is_some() => container.full_name(),
        Some(container) => format!("{}:{}", container.engine, container.id),
    }
}

fn push_new(paths: &mut Vec<CgroupPath>, path: CgroupPath) {
    if !paths.contains(&path) {
        paths.push(path);
    }
}

/// Units of users' managers and of containers have names of their own, and static pods have two
/// UIDs.
fn unit_hint(meanings: &[Meaning]) -> &'static str {
    match meanings {
        [Meaning::PodUid(_), ..] => {
            "; of a static pod, the cgroup carries its annotation kubernetes.io/config.hash instead of the UID"
        }
        [Meaning::Unit(_)] => {
            "; a unit of a user's manager is named unit:user@1000/NAME, one in a container by its path"
        }
        _ => "",
    }
}

/// What was looked for, in words.
fn looked_for(meanings: &[Meaning]) -> String {
    let mut words: Vec<&str> = meanings
        .iter()
        .map(|meaning| match meaning {
            Meaning::Path(_) => "cgroup",
            Meaning::Process(_) => "process",
            Meaning::PodUid(_)
            | Meaning::PodName { .. }
            | Meaning::PodWithoutNamespace(_)
            | Meaning::Workload { .. } => "pod",
            Meaning::ContainerId { .. }
            | Meaning::ContainerName { .. }
            | Meaning::PodContainer { .. } => "container",
            Meaning::Unit(_) => "unit",
            Meaning::UserUnit { .. } => "unit of a user's manager",
        })
        .collect();
    words.dedup();
    words.join(" or ")
}

fn listed(candidates: &[TargetCandidate]) -> String {
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
