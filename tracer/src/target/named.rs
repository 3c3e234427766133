//! From the name of a container to its id, by what the runtimes say. Pure.

use thiserror::Error;

use super::grammar::{EngineScope, Meaning, TargetSpec};
use super::inventory::{Answer, Container, ContainerState, Inventory};
use crate::text::escape;

/// How many names a message lists.
const NAMES_SHOWN: usize = 5;
/// How alike a name must be to be offered, from 0 to 1.
const ALIKE: f64 = 0.6;

/// Why a name tells no container.
#[derive(Debug, Error)]
pub enum NameError {
    /// Nobody knows it.
    #[error("no container is named `{}`{}\n\nhint: `tracer list` shows what runs here{}", escape(.name), offered(.nearest), told(.failures))]
    Unknown {
        /// As typed.
        name: String,
        /// Names that are alike.
        nearest: Vec<String>,
        /// Who could not be asked, and why.
        failures: Vec<String>,
    },
    /// Several are named so.
    #[error("`{}` is the name of several containers:{}\n\nhint: name one of these ids", escape(.name), listed(.ids))]
    Ambiguous {
        /// As typed.
        name: String,
        /// Engine and id of each.
        ids: Vec<String>,
    },
    /// It is there, and does not run.
    #[error("the container `{}` {}\n\nhint: start it while tracing: --wait awaits it", escape(.name), what_it_does(*.state))]
    NotRunning {
        /// As typed.
        name: String,
        /// What the engine says.
        state: ContainerState,
    },
}

/// The name in what was typed, and whose containers are meant; None when it cannot be the name of a container.
pub fn name_of(spec: &TargetSpec) -> Option<(EngineScope, &str)> {
    spec.meanings.iter().find_map(|meaning| match meaning {
        Meaning::ContainerName { scope, name } => Some((*scope, name.as_str())),
        // What looks like the beginning of an id may be a name.
        Meaning::ContainerId { scope, .. } => {
            let typed = spec.text.split_once(':').map_or(spec.text.as_str(), |(_, value)| value);
            Some((*scope, typed))
        }
        _ => None,
    })
}

/// The container of that name.
///
/// # Errors
/// [`NameError`]: none or several.
pub fn find<'a>(
    scope: EngineScope,
    name: &str,
    inventory: &'a Inventory,
) -> Result<&'a Container, NameError> {
    let admitted = || inventory.containers.iter().filter(|one| scope.admits(one.engine));
    let found: Vec<&Container> = admitted().filter(|one| one.name == name).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let mut alike: Vec<(f64, &str)> = admitted()
                .map(|one| (strsim::jaro_winkler(name, &one.name), one.name.as_str()))
                .filter(|(score, _)| *score >= ALIKE)
                .collect();
            alike.sort_by(|one, other| other.0.total_cmp(&one.0));
            let nearest = alike.into_iter().take(NAMES_SHOWN).map(|(_, name)| name.to_owned());
            Err(NameError::Unknown {
                name: name.to_owned(),
                nearest: nearest.collect(),
                failures: failures(inventory),
            })
        }
        several => Err(NameError::Ambiguous {
            name: name.to_owned(),
            ids: several.iter().map(|one| format!("{}:{}", one.engine, one.id)).collect(),
        }),
    }
}

/// What was typed, as the id of the container that it names.
pub fn by_id(spec: &TargetSpec, container: &Container) -> TargetSpec {
    let meaning = Meaning::ContainerId { scope: EngineScope::Any, prefix: container.id.clone() };
    TargetSpec { text: spec.text.clone(), meanings: vec![meaning] }
}

/// Who could not be asked, and why.
fn failures(inventory: &Inventory) -> Vec<String> {
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

fn told(failures: &[String]) -> String {
    failures.iter().map(|failure| format!("\nwarning: not asked: {failure}")).collect()
}

fn listed(ids: &[String]) -> String {
    ids.iter().map(|id| format!("\n  {}", escape(id))).collect()
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
    use crate::target::names::Engine;

    fn container(engine: Engine, name: &str, digit: char) -> Container {
        Container {
            engine,
            id: digit.to_string().repeat(64),
            name: name.to_owned(),
            state: ContainerState::Running,
        }
    }

    fn inventory() -> Inventory {
        let containers = vec![
            container(Engine::Docker, "web", 'a'),
            container(Engine::Podman, "web", 'b'),
            container(Engine::Docker, "cafe12", 'c'),
        ];
        Inventory { containers, ..Inventory::default() }
    }

    fn found(text: &str) -> Result<String, NameError> {
        let inventory = inventory();
        let spec: TargetSpec = text.parse().expect("a target");
        let (scope, name) = name_of(&spec).expect("a name");
        let container = find(scope, name, &inventory)?;
        let named = by_id(&spec, container);
        assert_eq!(named.text, text);
        assert_eq!(
            named.meanings,
            [Meaning::ContainerId { scope: EngineScope::Any, prefix: container.id.clone() }]
        );
        Ok(container.id.clone())
    }

    #[test]
    fn a_name_tells_a_container_of_its_engine() {
        assert_eq!(found("docker:web").expect("one"), "a".repeat(64));
        assert_eq!(found("podman:web").expect("one"), "b".repeat(64));
        assert_eq!(found("cafe12").expect("a name that looks like an id"), "c".repeat(64));
        assert!(matches!(found("web"), Err(NameError::Ambiguous { ids, .. }) if ids.len() == 2));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let error = found("docker:wep").expect_err("unknown").to_string();
        assert!(error.starts_with("no container is named `wep`; there is web\n"), "{error}");
        let error = found("podman:cafe12").expect_err("of docker").to_string();
        assert!(error.starts_with("no container is named `cafe12`\n"), "{error}");
    }

    #[test]
    fn a_unit_a_path_and_a_pod_have_no_container_name() {
        for text in ["x.service", "/a", "shop/web", "pid:1"] {
            assert_eq!(name_of(&text.parse().expect("a target")), None, "{text}");
        }
    }
}
