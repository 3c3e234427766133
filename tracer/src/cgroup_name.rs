//! Reads the name of a cgroup: container, pod, systemd unit. Pure.
//!
//! Sources: containerd `internal/cri/server/helpers.go` (`getCgroupsPath`), CRI-O
//! `internal/config/cgmgr`, Kubernetes `pkg/kubelet/cm/cgroup_manager_linux.go` and
//! `pod_container_manager_linux.go`, opencontainers/cgroups `systemd/common.go`, Podman
//! `libpod/container_internal_linux.go`, systemd `src/basic/cgroup-util.c` (`cg_escape`).
//!
//! Whoever makes a cgroup chooses its name, so that names are hints for finding a target, never
//! proof.

use std::fmt;

use crate::cgroup_path::{components, leaf, levels, parent};

/// Length of a full container id.
const CONTAINER_ID_LENGTH: usize = 64;

/// The longest name of a unit, in bytes: `UNIT_NAME_MAX` of systemd, with the closing NUL.
const UNIT_NAME_MAX: usize = 255;

/// The engine that made a container, as far as the name of its cgroup says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// Docker, or cri-dockerd in a pod.
    Docker,
    /// Podman, Buildah.
    Podman,
    /// containerd for Kubernetes.
    Containerd,
    /// CRI-O.
    Crio,
    /// nerdctl.
    Nerdctl,
    /// The name is the bare id.
    Unknown,
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
            Self::Crio => "cri-o",
            Self::Nerdctl => "nerdctl",
            Self::Unknown => "container",
        })
    }
}

/// A container that a cgroup belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerName {
    /// What made it.
    pub engine: Engine,
    /// Its id: 64 hexadecimal digits, lower case.
    pub id: String,
}

/// A pod's UID: 32 hexadecimal digits, lower case, no dashes, so that every spelling compares
/// equal.
///
/// The cgroup of a static pod carries the hash of its configuration instead, which has the same
/// form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodUid(String);

impl PodUid {
    /// Reads a UUID with dashes or underscores, or 32 digits without.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = match text.len() {
            32 => text.to_ascii_lowercase(),
            36 => {
                let separator = text.chars().find(|character| matches!(character, '-' | '_'))?;
                let groups: Vec<&str> = text.split(separator).collect();
                let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
                if lengths != [8, 4, 4, 4, 12] {
                    return None;
                }
                groups.concat().to_ascii_lowercase()
            }
            _ => return None,
        };
        is_hex(&digits).then_some(Self(digits))
    }

    /// The 32 digits.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

/// The usual spelling of a UID, with dashes.
impl fmt::Display for PodUid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = &self.0;
        write!(
            formatter,
            "{}-{}-{}-{}-{}",
            &digits[..8],
            &digits[8..12],
            &digits[12..16],
            &digits[16..20],
            &digits[20..]
        )
    }
}

/// The container that a cgroup is the root of, by its name and that of its parent.
///
/// The monitors of Podman and CRI-O (`conmon`) live in cgroups of their own, which are no
/// containers; neither are the pods of Podman.
pub fn container(path: &str) -> Option<ContainerName> {
    if podman_pod(path).is_some() {
        return None;
    }
    let component = leaf(path);
    let name = component.strip_suffix(".scope").unwrap_or(component);
    if let Some((engine, id)) = prefixed(name) {
        return is_container_id(id).then(|| ContainerName { engine, id: id.to_owned() });
    }
    if name.len() != component.len() || name.len() != CONTAINER_ID_LENGTH || !is_lower_hex(name) {
        return None;
    }
    let engine = if name_of_parent(path) == "docker" { Engine::Docker } else { Engine::Unknown };
    Some(ContainerName { engine, id: name.to_owned() })
}

/// The container that a path is in, and the path below that container.
pub fn container_above(path: &str) -> Option<(String, &str)> {
    levels(path).find_map(|level| {
        let below = path.get(level.len()..)?.trim_start_matches('/');
        Some((container(level)?.id, below))
    })
}

/// The pod of Podman's that a cgroup is the root of: its id, which has the form of a container's.
///
/// Without systemd Podman makes `/libpod_parent/ID` (`CgroupfsDefaultCgroupParent`), and
/// `libpod-ID` below it for each container; with systemd `machine-libpod_pod_ID.slice`, for users
/// `user-libpod_pod_ID.slice` (`libpod/runtime_pod_linux.go`).
pub fn podman_pod(path: &str) -> Option<&str> {
    let component = leaf(path);
    let id = match component.strip_suffix(".slice") {
        Some(slice) => {
            let (above, id) = slice.split_once("-libpod_pod_")?;
            matches!(above, "machine" | "user").then_some(id)?
        }
        None => component,
    };
    let is_pods = id.len() < component.len() || name_of_parent(path) == "libpod_parent";
    (is_pods && is_container_id(id)).then_some(id)
}

/// Does a cgroup of that name hold the monitor of a container (`conmon`), as Podman and CRI-O name
/// it? It holds the set-up of the container as well, and no workload.
///
/// Without systemd it is `conmon`, beside the container, from Podman 6 on in its pod's cgroup; with
/// systemd `libpod-conmon-ID.scope` (`libpod/oci_conmon_linux.go`), `crio-conmon-ID.scope`.
pub fn is_monitor(component: &str) -> bool {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let id = ["libpod-conmon-", "crio-conmon-"].iter().find_map(|prefix| name.strip_prefix(prefix));
    component == "conmon" || id.is_some_and(is_container_id)
}

/// The pod that a cgroup belongs to by its own name.
///
/// Accepts `pod<uid>` (cgroupfs driver) and `...kubepods...-pod<uid_>.slice` (systemd driver)
/// behind any prefix, and the one-component form that a runtime without the systemd driver makes of
/// the latter, `kubepods-...-pod<uid_>.slice:cri-containerd:<id>`.
pub fn pod(component: &str) -> Option<PodUid> {
    let name = component.split(':').next()?;
    if let Some(slice) = name.strip_suffix(".slice") {
        let (prefix, uid) = slice.rsplit_once("pod")?;
        return (prefix.ends_with('-') && prefix.contains("kubepods"))
            .then(|| PodUid::parse(uid))
            .flatten();
    }
    PodUid::parse(name.strip_prefix("pod")?)
}

/// The systemd unit that a cgroup is the root of: its name without the underscore that systemd puts
/// before names which would collide with a file of the kernel's.
pub fn unit(component: &str) -> Option<&str> {
    let name = component.strip_prefix('_').unwrap_or(component);
    is_unit(name).then_some(name)
}

/// Is a cgroup with the name of a unit below slices only? Then it is not below a user's systemd, a
/// container or another service: the system manager made it, when its name is true.
pub fn is_host_unit(path: &str) -> bool {
    are_slices(parent(path).unwrap_or_default())
}

/// A unit of a user's manager, by its path: the user, and the unit's name. systemd runs the manager
/// of user 1000 in `/user.slice/user-1000.slice/user@1000.service`, and that makes its units below
/// (`user@.service(5)`).
pub fn user_unit(path: &str) -> Option<(u32, &str)> {
    let (user, below) = path.strip_prefix("/user.slice/user-")?.split_once(".slice/user@")?;
    let below = below.strip_prefix(user)?.strip_prefix(".service")?;
    let (above, last) = below.rsplit_once('/')?;
    let user = user.parse().ok().filter(|_| user.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((user, unit(last).filter(|_| are_slices(above))?))
}

fn are_slices(path: &str) -> bool {
    components(path).all(|part| part.ends_with(".slice"))
}

/// Is this the name of a unit that has a cgroup: a service, a scope or a slice?
pub fn is_unit(name: &str) -> bool {
    let Some((stem, suffix)) = name.rsplit_once('.') else { return false };
    matches!(suffix, "service" | "scope" | "slice")
        && !stem.is_empty()
        && name.len() <= UNIT_NAME_MAX
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte))
}

/// What the name of a cgroup carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Carried {
    /// The id of a container.
    Container(String),
    /// The UID of a pod.
    Pod(PodUid),
}

impl Carried {
    /// The id; of a UID the digits.
    pub fn text(&self) -> &str {
        match self {
            Self::Container(id) => id,
            Self::Pod(uid) => uid.digits(),
        }
    }
}

/// What the name of a cgroup carries. The one-component form of a pod's container carries both an
/// id and a UID.
pub fn carried(path: &str) -> impl Iterator<Item = Carried> {
    let container = container(path).map(|name| name.id);
    // A pod of Podman's has an id as well, of the same form.
    let id = container.or_else(|| podman_pod(path).map(str::to_owned));
    id.map(Carried::Container).into_iter().chain(pod(leaf(path)).map(Carried::Pod))
}

/// The name of the cgroup right above another; empty when that is the root.
pub fn name_of_parent(path: &str) -> &str {
    parent(path).map_or("", leaf)
}

/// Is every character a hexadecimal digit (and is there one)?
pub fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Splits `docker-<id>` and its like, and `<slice>:<prefix>:<id>`.
fn prefixed(name: &str) -> Option<(Engine, &str)> {
    let mut parts = name.split(':');
    if let (Some(_), Some(prefix), Some(id), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        return Some((engine(prefix)?, id));
    }
    let (prefix, id) = name.rsplit_once('-')?;
    Some((engine(prefix)?, id))
}

fn engine(prefix: &str) -> Option<Engine> {
    match prefix {
        "docker" => Some(Engine::Docker),
        "libpod" => Some(Engine::Podman),
        "cri-containerd" => Some(Engine::Containerd),
        "crio" => Some(Engine::Crio),
        "nerdctl" => Some(Engine::Nerdctl),
        _ => None,
    }
}

/// A full id.
pub fn is_container_id(id: &str) -> bool {
    id.len() == CONTAINER_ID_LENGTH && is_lower_hex(id)
}

fn is_lower_hex(text: &str) -> bool {
    is_hex(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
#[path = "cgroup_name_tests.rs"]
mod tests;
