//! From what the user named to cgroups.
//!
//! Works on a snapshot of the hierarchy; only processes and typed paths are looked up in the file system.

use std::fmt::Write as _;

use thiserror::Error;

use super::cgroup::{CgroupNode, CgroupTree};
use super::error::CgroupError;
use super::grammar::{EngineScope, Meaning, TargetSpec};
use super::names::{self, ContainerName, PodUid};
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
    /// to the target.
    pub cgroups: Vec<String>,
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
        "no {} `{}` is running\n\nhint: `tracer list` shows what runs, `docker ps` or `crictl ps` which names it has; --wait awaits it{}",
        wanted(.meanings),
        escape(.text),
        name_hint(.meanings)
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
    /// Names of pods are known to Kubernetes only, which is not asked.
    #[error(
        "`{}` is a name that only Kubernetes knows, which is not asked\n\nhint: use the pod's UID (`kubectl get pod POD -o \
         jsonpath='{{.metadata.uid}}'`), a container's id (`crictl ps`), a cgroup path, or pid:NUMBER",
        escape(.text)
    )]
    NameUnsupported {
        /// As typed.
        text: String,
    },
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

/// Finds the cgroups of what the user named.
pub fn resolve(spec: &TargetSpec, tree: &CgroupTree) -> Result<ResolvedTarget, ResolveError> {
    let mut found = Vec::new();
    for meaning in &spec.meanings {
        found.extend(look_up(meaning, tree)?);
    }
    let text = || spec.text.clone();
    match found.len() {
        1 => {}
        0 if spec.meanings.iter().all(is_name) => {
            return Err(ResolveError::NameUnsupported { text: text() });
        }
        0 => return Err(ResolveError::NotFound { text: text(), meanings: spec.meanings.clone() }),
        _ => {
            let candidates = found.into_iter().flat_map(Match::candidates).collect();
            return Err(ResolveError::Ambiguous { text: text(), candidates });
        }
    }
    let Match { kind, cgroups, .. } = found.remove(0);
    Ok(ResolvedTarget { name: text(), kind, cgroups })
}

/// One thing that fits.
struct Match {
    kind: TargetKind,
    name: String,
    cgroups: Vec<String>,
}

impl Match {
    fn candidates(self) -> impl Iterator<Item = Candidate> {
        let name = self.name;
        self.cgroups.into_iter().map(move |path| Candidate { name: name.clone(), path })
    }
}

fn look_up(meaning: &Meaning, tree: &CgroupTree) -> Result<Vec<Match>, ResolveError> {
    Ok(match meaning {
        Meaning::Path(typed) => {
            let path = tree.root.locate(typed)?;
            vec![Match { kind: TargetKind::Path, name: path.clone(), cgroups: vec![path] }]
        }
        Meaning::Process(process) => vec![of_process(*process, tree)?],
        Meaning::PodUid(uid) => pod(uid, tree).into_iter().collect(),
        Meaning::ContainerId { scope, prefix } => containers(*scope, prefix, tree),
        Meaning::Unit(name) => units(name, tree),
        Meaning::PodName { .. } | Meaning::ContainerName { .. } => Vec::new(),
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
    Ok(Match { kind: TargetKind::Process, name: format!("pid:{process}"), cgroups: vec![path] })
}

/// A pod is one thing however many cgroups it has.
fn pod(uid: &PodUid, tree: &CgroupTree) -> Option<Match> {
    let cgroups = topmost(
        tree.nodes
            .iter()
            .filter(|node| names::pod(names::leaf(&node.path).1).as_ref() == Some(uid)),
    );
    (!cgroups.is_empty()).then(|| Match {
        kind: TargetKind::Pod,
        name: format!("pod:{uid}"),
        cgroups,
    })
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
            Some(Match { kind: TargetKind::Container, name, cgroups: vec![path] })
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
        .map(|path| Match {
            kind: TargetKind::Unit,
            name: format!("path:{path}"),
            cgroups: vec![path.to_owned()],
        })
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

fn is_name(meaning: &Meaning) -> bool {
    matches!(meaning, Meaning::PodName { .. } | Meaning::ContainerName { .. })
}

/// What was looked for, in words.
fn wanted(meanings: &[Meaning]) -> String {
    let words: Vec<&str> = meanings
        .iter()
        .map(|meaning| match meaning {
            Meaning::Path(_) => "cgroup",
            Meaning::Process(_) => "process",
            Meaning::PodUid(_) | Meaning::PodName { .. } => "pod",
            Meaning::ContainerId { .. } | Meaning::ContainerName { .. } => "container",
            Meaning::Unit(_) => "unit",
        })
        .collect();
    words.join(" or ")
}

/// A text that was taken for the beginning of an id may have been meant as a name, or as a process.
fn name_hint(meanings: &[Meaning]) -> String {
    let Some(Meaning::ContainerId { prefix, .. }) =
        meanings.iter().find(|meaning| matches!(meaning, Meaning::ContainerId { .. }))
    else {
        return String::new();
    };
    if prefix.bytes().all(|byte| byte.is_ascii_digit()) && prefix.len() < 10 {
        return format!("; for a process write pid:{prefix}");
    }
    String::new()
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
