//! Reads what the user typed to name a target. Pure.

use thiserror::Error;

use super::membership::PodGroup;
use super::names::{self, PodUid};
use super::scope::EngineScope;
use super::selector::Selector;
use super::workload::{self, is_label, is_pod_name};
use crate::text::escape;

/// Digits of a full container id.
const ID_MAX: usize = 64;

/// A target as the user named it: the text, and what it can mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    /// As typed.
    pub text: String,
    /// What the text can mean, never empty. Several meanings are tried together; what exists
    /// decides.
    pub meanings: Vec<Meaning>,
}

/// One meaning of what the user typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A cgroup, by its path below the cgroup2 mount or in the file system.
    Path(String),
    /// The cgroup of a process.
    Process(u32),
    /// A pod, by its UID.
    PodUid(PodUid),
    /// A pod, by its name in Kubernetes.
    PodName {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
    },
    /// A pod's name without its namespace: the message can say what was meant, but no pod is found
    /// by it.
    PodWithoutNamespace(String),
    /// A container of a pod, by their names in Kubernetes.
    PodContainer {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
        /// The container's name.
        container: String,
    },
    /// Pods by what made them, by the beginning of their names or by labels; or one container of
    /// each.
    Workload {
        /// Which pods.
        group: PodGroup,
        /// The container's name; None for the whole pods.
        container: Option<String>,
    },
    /// A container, by its id.
    ContainerId {
        /// Whose containers are meant.
        scope: EngineScope,
        /// The id or its beginning: lower case.
        prefix: String,
    },
    /// A container, by its name in the runtime.
    ContainerName {
        /// Whose containers are meant.
        scope: EngineScope,
        /// The name.
        name: String,
    },
    /// A unit of the system manager of systemd, with its suffix.
    Unit(String),
    /// A unit of a user's manager.
    UserUnit {
        /// The user's number.
        user: u32,
        /// The unit, with its suffix.
        unit: String,
    },
}

impl TargetSpec {
    /// The same; the name of a container may as well be that of one that this user runs without
    /// root.
    #[must_use]
    pub fn also_of_user(mut self, user: u32) -> Self {
        let bare = self.meanings.iter().find_map(|meaning| match meaning {
            Meaning::ContainerName {
                scope: EngineScope::Any | EngineScope::Docker | EngineScope::Podman,
                name,
            } => Some(name.clone()),
            _ => None,
        });
        let meaning = |name| Meaning::ContainerName { scope: EngineScope::OfUser(user), name };
        self.meanings.extend(bare.map(meaning));
        self
    }
}

impl TargetSpec {
    /// The same, of pods with certain labels only; the recording names it so.
    ///
    /// # Errors
    /// The target is not a number of pods.
    pub fn narrowed(mut self, selector: &Selector) -> Result<Self, GrammarError> {
        let [Meaning::Workload { group, .. }] = self.meanings.as_mut_slice() else {
            return Err(GrammarError::NotManyPods { text: self.text });
        };
        group.selector.clone_from(selector);
        self.text = format!("{} -l {selector}", self.text);
        Ok(self)
    }

    /// The pods that it means, when it means a number of them.
    pub fn group(&self) -> Option<&PodGroup> {
        self.meanings.iter().find_map(|meaning| match meaning {
            Meaning::Workload { group, .. } => Some(group),
            _ => None,
        })
    }
}

impl Meaning {
    /// Whether only a container runtime knows the container or pod of that name.
    pub fn is_name(&self) -> bool {
        matches!(
            self,
            Self::PodName { .. }
                | Self::PodWithoutNamespace(_)
                | Self::PodContainer { .. }
                | Self::Workload { .. }
                | Self::ContainerName { .. }
        )
    }
}

/// Why a text names no target.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GrammarError {
    /// Nothing was typed, or nothing behind the prefix.
    #[error("the target `{}` names nothing{FORMS}", escape(.text))]
    Empty {
        /// As typed.
        text: String,
    },
    /// `pid:` without a number.
    #[error("`{}` is not a process id\n\nhint: write pid:NUMBER, for example pid:4711", escape(.value))]
    NotAProcess {
        /// What stands behind the prefix.
        value: String,
    },
    /// `path:` with a path that is not absolute.
    #[error("the cgroup path `{0}` does not start with `/`\n\nhint: write /{0}", escape(.value))]
    RelativePath {
        /// What stands behind the prefix.
        value: String,
    },
    /// `pod:` with something that is neither a UID nor names.
    #[error(
        "`{}` is neither a pod UID nor NAMESPACE/POD nor NAMESPACE/POD/CONTAINER\n\nhint: `kubectl get pod POD -o jsonpath='{{.metadata.uid}}'` prints the UID",
        escape(.value)
    )]
    NotAPod {
        /// What stands behind the prefix.
        value: String,
    },
    /// `unit:` with something that is not the name of a service, scope or slice.
    #[error(
        "`{}` is not the name of a service, scope or slice\n\nhint: only these units have a cgroup; `systemctl list-units` shows them; one of a user's manager is unit:user@1000/NAME",
        escape(.value)
    )]
    NotAUnit {
        /// What stands behind the prefix.
        value: String,
    },
    /// `docker:`, `podman:` or `cri:` with something that is neither an id nor a name.
    #[error("`{}` is neither a container id nor a container name{}", escape(.value), path_hint(.value))]
    NotAContainer {
        /// What stands behind the prefix.
        value: String,
    },
    /// A selector for something that is not a number of pods.
    #[error(
        "labels select among pods, and `{}` is no group of pods\n\nhint: write --cgroup 'NAMESPACE/*' -l app=web; -l also narrows NAMESPACE/BEGINNING* and NAMESPACE/deployment/NAME",
        escape(.text)
    )]
    NotManyPods {
        /// As typed.
        text: String,
    },
    /// No form fits.
    #[error("`{}` names no kind of target{}{FORMS}", escape(.text), path_hint(.text))]
    Unknown {
        /// As typed.
        text: String,
    },
}

/// The forms that a target has, for messages.
const FORMS: &str = "\n\nhint: a target is a cgroup path (/system.slice/x.service), a unit (x.service, unit:user@1000/x), NAMESPACE/POD, \
     NAMESPACE/POD/CONTAINER, NAMESPACE/deployment/NAME, NAMESPACE/POD-*, NAMESPACE/*, a pod UID, a container's name or id, or pid:NUMBER";

/// A cgroup's path may lack its slash.
fn path_hint(text: &str) -> String {
    if !text.contains('/') || text.contains("://") {
        return String::new();
    }
    format!("\n\nhint: a cgroup's path begins with a slash: /{}", escape(text))
}

impl std::str::FromStr for TargetSpec {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        let meanings = match text.split_once(':') {
            _ if text.is_empty() => return Err(GrammarError::Empty { text: String::new() }),
            Some((scheme, rest)) if rest.starts_with("//") => {
                with_scheme(text, scheme, &rest[2..])?
            }
            _ if text.starts_with('/') => vec![Meaning::Path(text.to_owned())],
            Some((prefix, value)) => match forced(prefix, value) {
                Some(_) if value.is_empty() => {
                    return Err(GrammarError::Empty { text: text.to_owned() });
                }
                Some(meanings) => meanings?,
                None => bare(text)?,
            },
            None => bare(text)?,
        };
        Ok(Self { text: text.to_owned(), meanings })
    }
}

/// The meanings of an id as Kubernetes writes it, behind the name of its runtime (`containerID` in
/// the status of a pod).
fn with_scheme(text: &str, scheme: &str, id: &str) -> Result<Vec<Meaning>, GrammarError> {
    let scope = match scheme {
        "docker" => EngineScope::Docker,
        "podman" => EngineScope::Podman,
        "containerd" | "cri-o" => EngineScope::Cri,
        _ => return Err(GrammarError::Unknown { text: text.to_owned() }),
    };
    let found = container_id(scope, id);
    let refused = || GrammarError::NotAContainer { value: id.to_owned() };
    found.map(|id| vec![id]).ok_or_else(refused)
}

/// The meanings of a value behind a prefix; none when there is no such prefix.
fn forced(prefix: &str, value: &str) -> Option<Result<Vec<Meaning>, GrammarError>> {
    let owned = || value.to_owned();
    Some(match prefix {
        "path" if value.starts_with('/') => Ok(vec![Meaning::Path(owned())]),
        "path" => Err(GrammarError::RelativePath { value: owned() }),
        "pid" => process(value).map(|id| vec![id]),
        "pod" => pod(value),
        "docker" => forced_container(EngineScope::Docker, value),
        "podman" => forced_container(EngineScope::Podman, value),
        "cri" => forced_container(EngineScope::Cri, value),
        "unit" => unit(value).map(|unit| vec![unit]),
        _ => return None,
    })
}

/// The meanings of a text without a prefix.
fn bare(text: &str) -> Result<Vec<Meaning>, GrammarError> {
    if names::is_unit(text) {
        return Ok(vec![Meaning::Unit(text.to_owned())]);
    }
    if let Some(pods) = workload(text).or_else(|| pod_name(text)) {
        return Ok(vec![pods]);
    }
    let meanings: Vec<Meaning> = match PodUid::parse(text).map(Meaning::PodUid) {
        Some(uid) => {
            let id = container_id(EngineScope::Any, text);
            std::iter::once(uid).chain(id).collect()
        }
        None => container(EngineScope::Any, text),
    };
    if meanings.is_empty() {
        return Err(GrammarError::Unknown { text: text.to_owned() });
    }
    Ok(meanings)
}

fn process(value: &str) -> Result<Meaning, GrammarError> {
    match value.parse::<u32>() {
        Ok(id) if id > 0 && value.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Meaning::Process(id))
        }
        _ => Err(GrammarError::NotAProcess { value: value.to_owned() }),
    }
}

fn pod(value: &str) -> Result<Vec<Meaning>, GrammarError> {
    PodUid::parse(value)
        .map(Meaning::PodUid)
        .or_else(|| workload(value))
        .or_else(|| pod_name(value))
        .or_else(|| is_pod_name(value).then(|| Meaning::PodWithoutNamespace(value.to_owned())))
        .map(|meaning| vec![meaning])
        .ok_or_else(|| GrammarError::NotAPod { value: value.to_owned() })
}

/// What looks like the beginning of an id may be a name as well.
fn container(scope: EngineScope, text: &str) -> Vec<Meaning> {
    let id = container_id(scope, text);
    let name = container_name(scope, text).filter(|_| text.len() < ID_MAX || id.is_none());
    id.into_iter().chain(name).collect()
}

fn forced_container(scope: EngineScope, value: &str) -> Result<Vec<Meaning>, GrammarError> {
    if let Some((user, name)) = of_user(value).filter(|_| scope != EngineScope::Cri) {
        let meaning = container_name(EngineScope::OfUser(user), name);
        let refused = || GrammarError::NotAContainer { value: value.to_owned() };
        return meaning.map(|meaning| vec![meaning]).ok_or_else(refused);
    }
    let mut meanings = container(scope, value);
    if scope == EngineScope::Cri {
        meanings.extend(
            pod_name(value).filter(|meaning| matches!(meaning, Meaning::PodContainer { .. })),
        );
    }
    if meanings.is_empty() {
        return Err(GrammarError::NotAContainer { value: value.to_owned() });
    }
    Ok(meanings)
}

/// As systemctl does: a name without a suffix is a service. `user@UID/NAME` is one of the manager
/// of that user.
fn unit(value: &str) -> Result<Meaning, GrammarError> {
    let (user, name) = of_user(value).map_or((None, value), |(user, name)| (Some(user), name));
    let full = if name.contains('.') { name.to_owned() } else { format!("{name}.service") };
    match user {
        _ if !names::is_unit(&full) => {}
        Some(user) => return Ok(Meaning::UserUnit { user, unit: full }),
        None => return Ok(Meaning::Unit(full)),
    }
    Err(GrammarError::NotAUnit { value: value.to_owned() })
}

/// `user@UID/NAME`
fn of_user(value: &str) -> Option<(u32, &str)> {
    let (user, name) = value.strip_prefix("user@")?.split_once('/')?;
    let is_number = user.bytes().all(|byte| byte.is_ascii_digit());
    Some((user.parse().ok().filter(|_| is_number)?, name))
}

fn container_id(scope: EngineScope, text: &str) -> Option<Meaning> {
    (text.len() <= ID_MAX && names::is_hex(text))
        .then(|| Meaning::ContainerId { scope, prefix: text.to_ascii_lowercase() })
}

/// The characters that Docker and Podman allow in a name: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
fn container_name(scope: EngineScope, text: &str) -> Option<Meaning> {
    let fits = text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    fits.then(|| Meaning::ContainerName { scope, name: text.to_owned() })
}

fn workload(text: &str) -> Option<Meaning> {
    let (namespace, pods, container) = workload::parse(text)?;
    let group = PodGroup { namespace, pods, selector: Selector::default() };
    Some(Meaning::Workload { group, container })
}

/// A namespace and a container's name are DNS labels of at most 63 characters, a pod's name is a
/// DNS subdomain of at most 253.
fn pod_name(text: &str) -> Option<Meaning> {
    let mut parts = text.split('/');
    let (namespace, pod) = (parts.next()?, parts.next()?);
    let container = parts.next();
    let fits = parts.next().is_none()
        && is_label(namespace)
        && is_pod_name(pod)
        && container.is_none_or(is_label);
    let (namespace, pod) = (namespace.to_owned(), pod.to_owned());
    fits.then(|| match container {
        None => Meaning::PodName { namespace, pod },
        Some(container) => {
            Meaning::PodContainer { namespace, pod, container: container.to_owned() }
        }
    })
}

#[cfg(test)]
#[path = "grammar_tests.rs"]
mod tests;
