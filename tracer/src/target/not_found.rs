//! Explains why a target name resolved to no running container or pod. Pure.

use thiserror::Error;

use super::grammar::{Meaning, TargetSpec};
use super::inventory::Inventory;
use super::membership::{PodGroup, PodMembership, WorkloadState};
use super::pod::Pod;
use super::report::{AskedRuntime, Container, ContainerState, RuntimeResponse};
use super::scope::EngineScope;
use super::workload::{Pods, WorkloadKind};
use crate::cgroup_path::CgroupPath;
use crate::text::escape;

/// How many names a message lists.
const NAMES_SHOWN: usize = 5;
/// How alike a name must be to be offered, from 0 to 1.
const ALIKE: f64 = 0.6;
/// What a name counts that begins as was typed.
const BEGINS: f64 = 0.7;
/// What it counts, of 1, that only the last part of a name is alike, as the pod's in
/// `NAMESPACE/POD`.
const PART: f64 = 0.95;

/// Why a name resolved to no container or pod.
#[derive(Debug, Error)]
pub enum NameError {
    /// No runtime knows it.
    #[error("no {what} is named `{}`{}\n\nhint: `tracer list` shows what runs here; --wait waits for what does not run yet{}{}{}", escape(.name), offered(.nearest), process_hint(.name), elsewhere(*.all_absent), not_asked(.failures))]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// As typed, without a prefix.
        name: String,
        /// Names that are alike, as they can be typed.
        nearest: Vec<String>,
        /// The runtimes that could know the name are all absent.
        all_absent: bool,
        /// The runtimes that could not be asked, and why.
        failures: Vec<String>,
    },
    /// None of its pods is here.
    #[error("no pod of `{}` is known on this node{}\n\nhint: `tracer list` shows what runs here; --wait waits for what does not run yet{}{}", escape(.name), offered(.nearest), elsewhere(*.all_absent), not_asked(.failures))]
    NoPods {
        /// As it can be typed.
        name: String,
        /// Workloads that are alike, as they can be typed.
        nearest: Vec<String>,
        /// The runtimes that could know the name are all absent.
        all_absent: bool,
        /// The runtimes that could not be asked, and why.
        failures: Vec<String>,
    },
    /// The API server knows no such workload.
    #[error("there is no {} `{}` in the namespace `{}`{}\n\nhint: --wait waits for it; `kubectl get {} -n {}` lists them", .kind.word(), escape(.name), escape(.namespace), offered(.nearest), .kind.word(), escape(.namespace))]
    NoWorkload {
        /// Its kind.
        kind: WorkloadKind,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
        /// Those of its kind that are alike, as they can be typed.
        nearest: Vec<String>,
    },
    /// The API server knows the workload, and it wants no pods.
    #[error("the {} `{}` in the namespace `{}` wants no pods: it is scaled to 0 or suspended, or fits no node\n\nhint: let it run while tracing: --wait waits for its pods", .kind.word(), escape(.name), escape(.namespace))]
    IdleWorkload {
        /// Its kind.
        kind: WorkloadKind,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// Pods are selected by labels, which neither a runtime nor the API server reports.
    #[error("nothing reports which pods have the labels `{}`: neither a container runtime nor the API server\n\nhint: --cri-endpoint names the runtime's socket; --ask-api asks the API server{}", escape(.selector), not_asked(.failures))]
    NoLabels {
        /// As typed.
        selector: String,
        /// The runtimes that could not be asked, and why.
        failures: Vec<String>,
    },
    /// A pod was named without its namespace.
    #[error("`{}` is a pod's name without its namespace{}\n\nhint: write NAMESPACE/POD; `tracer list` and `kubectl get pods -A` show both", escape(.name), offered(.nearest))]
    NoNamespace {
        /// As typed, without a prefix.
        name: String,
        /// Pods that have the name, or one that is alike.
        nearest: Vec<String>,
    },
    /// The container exists and does not run.
    #[error("the container `{}` {}\n\nhint: start it while tracing: --wait waits for it", escape(.name), what_it_does(*.state))]
    NotRunning {
        /// As typed, without a prefix.
        name: String,
        /// What the engine says.
        state: ContainerState,
    },
    /// The pod exists, and none of its containers runs.
    #[error("no container of the pod `{}` runs in a cgroup of this host\n\nhint: start it while tracing: --wait waits for it", escape(.name))]
    EmptyPod {
        /// `NAMESPACE/POD`
        name: String,
    },
}

/// Known names that are like what was typed, as they can be typed; none when that name itself is
/// known.
pub fn alike(spec: &TargetSpec, inventory: &Inventory) -> Vec<String> {
    match why_absent(spec, inventory, Vec::new()) {
        Some(
            NameError::Unknown { nearest, .. }
            | NameError::NoPods { nearest, .. }
            | NameError::NoWorkload { nearest, .. }
            | NameError::NoNamespace { nearest, .. },
        ) => nearest,
        _ => Vec::new(),
    }
}

/// Why nothing has that name; None when no meaning of what was typed is a name. `paths` are cgroups
/// that may have been meant.
pub(super) fn why_absent(
    spec: &TargetSpec,
    inventory: &Inventory,
    paths: Vec<CgroupPath>,
) -> Option<NameError> {
    let reasons: Vec<NameError> =
        spec.meanings.iter().filter_map(|meaning| reason(meaning, inventory)).collect();
    // A reason that knows the name says more than that another meaning is unknown.
    let known = reasons.iter().position(|reason| !matches!(reason, NameError::Unknown { .. }));
    let mut reason = reasons.into_iter().nth(known.unwrap_or_default());
    if let Some(NameError::Unknown { nearest, .. }) = &mut reason {
        nearest.splice(0..0, paths.into_iter().map(String::from));
        nearest.truncate(NAMES_SHOWN);
    }
    reason
}

fn reason(meaning: &Meaning, inventory: &Inventory) -> Option<NameError> {
    match meaning {
        Meaning::ContainerName { scope, name } => {
            let known = admitted(*scope, inventory).find(|one| one.name == *name);
            Some(absent_container(name, *scope, known, inventory))
        }
        Meaning::PodContainer { namespace, pod, container } => {
            let name = format!("{namespace}/{pod}/{container}");
            let known = admitted(EngineScope::Cri, inventory).find(|one| one.full_name() == name);
            Some(absent_container(&name, EngineScope::Cri, known, inventory))
        }
        Meaning::PodName { namespace, pod } => {
            let name = format!("{namespace}/{pod}");
            Some(if inventory.pods().any(|pod| pod.path() == name) {
                NameError::EmptyPod { name }
            } else {
                unknown("pod", name, EngineScope::Cri, inventory)
            })
        }
        Meaning::Workload { group, container } => {
            Some(absent_group(group, container.is_some(), inventory))
        }
        Meaning::PodWithoutNamespace(name) => Some(NameError::NoNamespace {
            name: name.clone(),
            nearest: nearest(name, inventory.pods().map(Pod::path)),
        }),
        _ => None,
    }
}

/// Why none of a group's pods is here.
fn absent_group(group: &PodGroup, is_one_container: bool, inventory: &Inventory) -> NameError {
    let PodGroup { namespace, pods, selector } = group;
    let failures = failures(inventory);
    if !selector.is_empty() && !inventory.knows_labels(namespace) {
        return NameError::NoLabels { selector: selector.to_string(), failures };
    }
    let is_its =
        |pod: &&Pod| matches!(inventory.members.membership(pod, group), PodMembership::Is(_));
    if let Some(reason) = by_api(group, inventory) {
        return reason;
    }
    let name = format!("{namespace}/{pods}");
    if let Some(pod) = inventory.pods().find(is_its).filter(|_| !is_one_container) {
        return NameError::EmptyPod { name: pod.path() };
    }
    let all_absent = are_all_absent(EngineScope::Cri, inventory);
    NameError::NoPods { nearest: nearest(&name, workloads(inventory)), name, all_absent, failures }
}

/// The objects that made the known pods, as they can be typed.
fn workloads(inventory: &Inventory) -> impl Iterator<Item = String> {
    inventory.pods().flat_map(|pod| {
        let facts = inventory.members.facts(pod);
        let owners = facts.map_or(&[][..], |facts| facts.owners.as_slice());
        let made = Pods::of_pod(&pod.name, owners).into_iter();
        made.map(|pods| format!("{}/{pods}", pod.namespace)).collect::<Vec<_>>()
    })
}

/// Why a workload has no pods, as the API server reports it: it does not exist, or wants none.
fn by_api(group: &PodGroup, inventory: &Inventory) -> Option<NameError> {
    let Pods::Of { kind, name } = &group.pods else { return None };
    let (kind, namespace) = (*kind, group.namespace.clone());
    match inventory.members.state(group)? {
        WorkloadState::Present => None,
        WorkloadState::Idle => {
            Some(NameError::IdleWorkload { kind, name: name.clone(), namespace })
        }
        WorkloadState::Absent(others) => {
            let nearest = nearest(name, others.iter().cloned());
            let typed = |other: String| format!("{namespace}/{}/{other}", kind.word());
            let nearest = nearest.into_iter().map(typed).collect();
            Some(NameError::NoWorkload { kind, name: name.clone(), namespace, nearest })
        }
    }
}

fn admitted(scope: EngineScope, inventory: &Inventory) -> impl Iterator<Item = &Container> {
    let hosts = inventory.containers.values();
    let hosts = hosts.filter(move |one| match scope {
        EngineScope::OfUser(_) => false,
        _ => scope.admits_named(one),
    });
    let users = inventory.of_users();
    let users = users.filter(move |(user, _)| scope == EngineScope::OfUser(*user));
    hosts.chain(users.map(|(_, container)| container))
}

fn absent_container(
    name: &str,
    scope: EngineScope,
    known: Option<&Container>,
    inventory: &Inventory,
) -> NameError {
    let name = name.to_owned();
    match known {
        Some(container) => NameError::NotRunning { name, state: container.state },
        None => unknown("container", name, scope, inventory),
    }
}

fn unknown(
    what: &'static str,
    name: String,
    scope: EngineScope,
    inventory: &Inventory,
) -> NameError {
    // A workload may have been meant by its name alone.
    let pods = inventory.pods().map(Pod::path).chain(workloads(inventory));
    let pods = pods.filter(|_| matches!(scope, EngineScope::Any | EngineScope::Cri));
    let containers = admitted(scope, inventory).map(Container::full_name);
    let users = inventory.of_users().filter(|(_, one)| {
        !matches!(scope, EngineScope::Cri)
            && (scope == EngineScope::Any || scope.admits(one.engine))
    });
    let users = users.map(|(user, one)| one.name_of_user(user));
    // Those of users are named with the user.
    let containers = containers.filter(|_| !matches!(scope, EngineScope::OfUser(_)));
    let names = containers.chain(users).filter(|_| what != "pod").chain(pods);
    let nearest = nearest(&name, names);
    NameError::Unknown {
        what,
        name,
        nearest,
        all_absent: are_all_absent(scope, inventory),
        failures: failures(inventory),
    }
}

/// The names that are most like one.
fn nearest(name: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    // Many pods and workloads are alike in their last part: those that are alike as a whole come
    // first.
    let mut alike: Vec<(f64, f64, String)> = names
        .into_iter()
        .map(|known| (likeness(name, &known), likeness_as_a_whole(name, &known), known))
        .filter(|(score, ..)| *score >= ALIKE)
        .collect();
    alike.sort_by(|one, other| other.0.total_cmp(&one.0).then(other.1.total_cmp(&one.1)));
    alike.into_iter().take(NAMES_SHOWN).map(|(.., name)| name).collect()
}

/// How alike a name is to one that was typed, from 0 to 1. The namespace before a pod, and the pod
/// before a container, may be missing, or be something else (`pod/web-0`).
fn likeness(typed: &str, known: &str) -> f64 {
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let parts = strsim::normalized_damerau_levenshtein(&last(typed), &last(known)) * PART;
    let parts = if known.contains('/') { parts } else { 0.0 };
    let whole = likeness_as_a_whole(typed, known);
    let begins = if known.starts_with(typed) { BEGINS } else { 0.0 };
    whole.max(parts).max(begins)
}

fn likeness_as_a_whole(typed: &str, known: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(typed, known)
}

/// Whether the runtimes that could have known such a name are not present.
fn are_all_absent(scope: EngineScope, inventory: &Inventory) -> bool {
    let able: Vec<&AskedRuntime> =
        inventory.asked.iter().filter(|asked| scope.is_known_to(asked)).collect();
    !able.is_empty() && able.iter().all(|asked| asked.answer == RuntimeResponse::Absent)
}

/// The runtimes that could not be asked, and why.
pub fn failures(inventory: &Inventory) -> Vec<String> {
    let failed = inventory.asked.iter().filter_map(|asked| match &asked.answer {
        RuntimeResponse::Failed(why) => Some(format!("{} at {}: {why}", asked.name, asked.address)),
        RuntimeResponse::Containers(_) | RuntimeResponse::Absent => None,
    });
    failed.collect()
}

fn offered(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<_> = names.iter().map(|name| escape(name)).collect();
    format!("; there is {}", names.join(", "))
}

/// A number may have been meant as a process.
fn process_hint(name: &str) -> String {
    if name.len() < 10 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("; for a process write pid:{name}");
    }
    String::new()
}

fn elsewhere(all_absent: bool) -> &'static str {
    if all_absent {
        "; no runtime that knows such names was found in the usual places: --docker-host, --podman-host and --cri-endpoint name other sockets"
    } else {
        ""
    }
}

fn not_asked(failures: &[String]) -> String {
    failures.iter().map(|failure| format!("\nwarning: not asked: {failure}")).collect()
}

fn what_it_does(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Created => "was created and never started",
        ContainerState::Exited => "has ended",
        ContainerState::Running | ContainerState::Unknown => "has no cgroup here: it does not run",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_recognised() {
        let names = ["web", "pweb", "db", "shop/web-0", "shop/web-0/app", "test/api-7d4b9"];
        let offered = |typed: &str| nearest(typed, names.iter().map(|name| (*name).to_owned()));
        for (typed, first) in [
            ("wbe", "web"),
            ("wen", "web"),
            ("webb", "web"),
            ("dbb", "db"),
            ("web-0", "shop/web-0"),
            ("pod/web-0", "shop/web-0"),
            ("shpo/web-0", "shop/web-0"),
            ("shop/web", "shop/web-0"),
            ("shop/web-0/ap", "shop/web-0/app"),
            ("web-0/app", "shop/web-0/app"),
            ("api-7d4b", "test/api-7d4b9"),
        ] {
            let offered = offered(typed);
            assert_eq!(offered.first().map(String::as_str), Some(first), "{typed}: {offered:?}");
        }
        assert!(!offered("wbe").contains(&"pweb".to_owned()));
        let workloads = ["a/deployment/web", "test/deployment/web", "z/deployment/web"];
        let offered = |typed: &str| nearest(typed, workloads.iter().map(|name| (*name).to_owned()));
        for typed in ["test/web", "test/deployment/wbe", "test/deploy/web"] {
            assert_eq!(offered(typed)[0], "test/deployment/web", "the namespace that was typed");
        }
        let offered = |typed: &str| nearest(typed, names.iter().map(|name| (*name).to_owned()));
        assert_eq!(offered("redis"), [""; 0]);
    }
}
