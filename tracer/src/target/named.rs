//! Why a name tells nothing that runs, by what the runtimes say. Pure.

use thiserror::Error;

use super::grammar::{EngineScope, Meaning, TargetSpec};
use super::inventory::{Answer, Container, ContainerState, Inventory, Pod, Source};
use crate::text::escape;

/// How many names a message lists.
const NAMES_SHOWN: usize = 5;
/// How alike a name must be to be offered, from 0 to 1.
const ALIKE: f64 = 0.6;

/// Why a name tells no container or pod.
#[derive(Debug, Error)]
pub enum NameError {
    /// Nobody knows it.
    #[error("no {what} is named `{}`{}\n\nhint: `tracer list` shows what runs here, --wait awaits what does not yet{}{}", escape(.name), offered(.nearest), process_hint(.name), told(.failures))]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// As typed, without a prefix.
        name: String,
        /// Names that are alike.
        nearest: Vec<String>,
        /// Who could not be asked, and why.
        failures: Vec<String>,
    },
    /// It is there, and does not run.
    #[error("the container `{}` {}\n\nhint: start it while tracing: --wait awaits it", escape(.name), what_it_does(*.state))]
    NotRunning {
        /// As typed, without a prefix.
        name: String,
        /// What the engine says.
        state: ContainerState,
    },
    /// The pod is there, and none of its containers runs.
    #[error("no container of the pod `{}` runs in a cgroup of this host\n\nhint: start it while tracing: --wait awaits it", escape(.name))]
    EmptyPod {
        /// `NAMESPACE/POD`
        name: String,
    },
}

/// Why there is nothing of that name; None when no meaning of what was typed is a name.
pub(super) fn why_absent(spec: &TargetSpec, inventory: &Inventory) -> Option<NameError> {
    let reasons: Vec<NameError> =
        spec.meanings.iter().filter_map(|meaning| reason(meaning, inventory)).collect();
    // The one that knows of it says more than that another meaning is unknown.
    let known = reasons.iter().position(|reason| !matches!(reason, NameError::Unknown { .. }));
    reasons.into_iter().nth(known.unwrap_or_default())
}

fn reason(meaning: &Meaning, inventory: &Inventory) -> Option<NameError> {
    match meaning {
        Meaning::ContainerName { scope, name } => {
            let admitted = || admitted(*scope, inventory);
            let known = admitted().find(|one| one.name == *name);
            let names = admitted().map(|one| one.name.clone());
            Some(absent_container(name, *scope, known, names.collect(), inventory))
        }
        Meaning::PodContainer { namespace, pod, container } => {
            let name = format!("{namespace}/{pod}/{container}");
            let in_pods = || admitted(EngineScope::Cri, inventory);
            let known = in_pods().find(|one| one.full_name() == name);
            let names = in_pods().map(Container::full_name);
            Some(absent_container(&name, EngineScope::Cri, known, names.collect(), inventory))
        }
        Meaning::PodName { namespace, pod } => {
            let name = format!("{namespace}/{pod}");
            let names: Vec<String> = inventory.pods.values().map(Pod::path).collect();
            Some(if names.contains(&name) {
                NameError::EmptyPod { name }
            } else {
                unknown("pod", name, EngineScope::Cri, names, inventory)
            })
        }
        _ => None,
    }
}

fn admitted(scope: EngineScope, inventory: &Inventory) -> impl Iterator<Item = &Container> {
    inventory.containers.values().filter(move |one| scope.admits_named(one))
}

fn absent_container(
    name: &str,
    scope: EngineScope,
    known: Option<&Container>,
    names: Vec<String>,
    inventory: &Inventory,
) -> NameError {
    let name = name.to_owned();
    match known {
        Some(container) => NameError::NotRunning { name, state: container.state },
        None => unknown("container", name, scope, names, inventory),
    }
}

fn unknown(
    what: &'static str,
    name: String,
    scope: EngineScope,
    mut names: Vec<String>,
    inventory: &Inventory,
) -> NameError {
    names.sort();
    names.dedup();
    let mut alike: Vec<(f64, String)> = names
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&name, &known), known))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    alike.sort_by(|one, other| other.0.total_cmp(&one.0));
    let nearest = alike.into_iter().take(NAMES_SHOWN).map(|(_, name)| name).collect();
    let mut failures = failures(inventory);
    failures.extend(missing(scope, inventory));
    NameError::Unknown { what, name, nearest, failures }
}

/// Of whom a name is wanted, when nobody of that kind is there to be asked.
fn missing(scope: EngineScope, inventory: &Inventory) -> Vec<String> {
    let is_meant = |source: &&Source| match scope {
        EngineScope::Any => true,
        EngineScope::Docker => source.name == "docker",
        EngineScope::Podman => source.name.starts_with("podman"),
        EngineScope::Cri => matches!(source.name, "CRI" | "the kubelet's logs"),
    };
    let meant: Vec<&Source> = inventory.sources.iter().filter(is_meant).collect();
    if meant.iter().any(|source| source.answer != Answer::Absent) {
        return Vec::new();
    }
    meant.iter().map(|source| format!("{} at {}: not there", source.name, source.address)).collect()
}

/// Who could not be asked, and why.
pub fn failures(inventory: &Inventory) -> Vec<String> {
    let failed = inventory.sources.iter().filter_map(|source| match &source.answer {
        Answer::Failed(why) => Some(format!("{} at {}: {why}", source.name, source.address)),
        Answer::Containers(_) | Answer::Absent => None,
    });
    failed.collect()
}

fn offered(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<String> = names.iter().map(|name| escape(name)).collect();
    format!("; there is {}", names.join(", "))
}

/// A number may have been meant as a process.
fn process_hint(name: &str) -> String {
    if name.len() < 10 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("; for a process write pid:{name}");
    }
    String::new()
}

fn told(failures: &[String]) -> String {
    failures.iter().map(|failure| format!("\nwarning: not asked: {failure}")).collect()
}

fn what_it_does(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Created => "was created and never started",
        ContainerState::Exited => "has ended",
        ContainerState::Running | ContainerState::Unknown => "has no cgroup here: it does not run",
    }
}
