//! What the name of a cgroup tells: container, pod, systemd unit. Pure.
//!
//! Sources: containerd `internal/cri/server/helpers.go` (`getCgroupsPath`), CRI-O `internal/config/cgmgr`, Kubernetes
//! `pkg/kubelet/cm/cgroup_manager_linux.go` and `pod_container_manager_linux.go`, opencontainers/cgroups
//! `systemd/common.go`, Podman `libpod/container_internal_linux.go`, systemd `src/basic/cgroup-util.c` (`cg_escape`).
//!
//! The names are chosen by whoever made the cgroup, so that they are hints for finding a target, never proof.

use std::fmt;

use crate::recording::TargetKind;

/// Length of a full container id.
const CONTAINER_ID_LENGTH: usize = 64;

/// The longest name of a unit, in bytes: `UNIT_NAME_MAX` of systemd, with the closing NUL.
const UNIT_NAME_MAX: usize = 255;

/// What made a container, as far as the name of its cgroup tells.
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

/// A pod's UID: 32 hexadecimal digits, lower case, no dashes, so that every spelling compares equal.
///
/// The cgroup of a static pod carries the hash of its configuration instead, which has the same form.
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

/// The container that a cgroup is the root of, from the name of the cgroup and that of its parent.
///
/// Podman's and CRI-O's monitors (`conmon`) live in cgroups of their own, which are no containers; neither are Podman's pods.
pub fn container(parent: Option<&str>, component: &str) -> Option<ContainerName> {
    if podman_pod(parent, component).is_some() {
        return None;
    }
    let name = component.strip_suffix(".scope").unwrap_or(component);
    if let Some((engine, id)) = prefixed(name) {
        return is_container_id(id).then(|| ContainerName { engine, id: id.to_owned() });
    }
    if name.len() != component.len() || name.len() != CONTAINER_ID_LENGTH || !is_lower_hex(name) {
        return None;
    }
    let engine = if parent == Some("docker") { Engine::Docker } else { Engine::Unknown };
    Some(ContainerName { engine, id: name.to_owned() })
}

/// The pod of Podman's that a cgroup is the root of: its id, which has the form of a container's.
///
/// Without systemd Podman makes `/libpod_parent/ID` (`CgroupfsDefaultCgroupParent`), and `libpod-ID` below it for each
/// container; with systemd `machine-libpod_pod_ID.slice`, for users `user-libpod_pod_ID.slice` (`libpod/runtime_pod_linux.go`).
pub fn podman_pod<'name>(parent: Option<&str>, component: &'name str) -> Option<&'name str> {
    let id = match component.strip_suffix(".slice") {
        Some(slice) => {
            let (above, id) = slice.split_once("-libpod_pod_")?;
            matches!(above, "machine" | "user").then_some(id)?
        }
        None => component,
    };
    let is_pods = id.len() < component.len() || parent == Some("libpod_parent");
    (is_pods && is_container_id(id)).then_some(id)
}

/// Does a cgroup of that name hold the monitor of a container (`conmon`), as Podman and CRI-O name it? It holds the
/// set-up of the container as well, and no workload.
///
/// Without systemd it is `conmon`, beside the container, from Podman 6 on in its pod's cgroup; with systemd
/// `libpod-conmon-ID.scope` (`libpod/oci_conmon_linux.go`), `crio-conmon-ID.scope`.
pub fn is_monitor(component: &str) -> bool {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let id = ["libpod-conmon-", "crio-conmon-"].iter().find_map(|prefix| name.strip_prefix(prefix));
    component == "conmon" || id.is_some_and(is_container_id)
}

/// The pod that a cgroup belongs to by its own name.
///
/// Accepts `pod<uid>` (cgroupfs driver) and `...kubepods...-pod<uid_>.slice` (systemd driver) behind any prefix, and
/// the one-component form that a runtime without the systemd driver makes of the latter,
/// `kubepods-...-pod<uid_>.slice:cri-containerd:<id>`.
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

/// The systemd unit that a cgroup is the root of: its name without the underscore that systemd puts before names
/// which would collide with a file of the kernel's.
pub fn unit(component: &str) -> Option<&str> {
    let name = component.strip_prefix('_').unwrap_or(component);
    is_unit(name).then_some(name)
}

/// Is a cgroup with the name of a unit below slices only? Then it is not below a user's systemd, a container or another
/// service: the system manager made it, when its name is true.
pub fn is_host_unit(path: &str) -> bool {
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    are_slices(above)
}

/// A unit of a user's manager, by its path: the user, and the unit's name. systemd runs the manager of user 1000 in
/// `/user.slice/user-1000.slice/user@1000.service`, and that makes its units below (`user@.service(5)`).
pub fn user_unit(path: &str) -> Option<(u32, &str)> {
    let (user, below) = path.strip_prefix("/user.slice/user-")?.split_once(".slice/user@")?;
    let below = below.strip_prefix(user)?.strip_prefix(".service")?;
    let (above, last) = below.rsplit_once('/')?;
    let user = user.parse().ok().filter(|_| user.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((user, unit(last).filter(|_| are_slices(above))?))
}

fn are_slices(path: &str) -> bool {
    path.split('/').filter(|part| !part.is_empty()).all(|part| part.ends_with(".slice"))
}

/// Is this the name of a unit that has a cgroup: a service, a scope or a slice?
pub fn is_unit(name: &str) -> bool {
    let Some((stem, suffix)) = name.rsplit_once('.') else { return false };
    matches!(suffix, "service" | "scope" | "slice")
        && !stem.is_empty()
        && name.len() <= UNIT_NAME_MAX
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte))
}

/// What a cgroup is by its path: a container or a pod (of its own or of one above it), else a unit, else a path.
pub fn kind(path: &str) -> TargetKind {
    let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let parents = std::iter::once(None).chain(components.iter().copied().map(Some));
    if parents.zip(&components).any(|(parent, component)| container(parent, component).is_some()) {
        return TargetKind::Container;
    }
    if components.iter().any(|component| pod(component).is_some()) {
        return TargetKind::Pod;
    }
    match components.last() {
        Some(last) if unit(last).is_some() => TargetKind::Unit,
        _ => TargetKind::Path,
    }
}

/// The last component of a cgroup path, and the one above it.
pub fn leaf(path: &str) -> (Option<&str>, &str) {
    let mut components = path.rsplit('/');
    let last = components.next().unwrap_or_default();
    (components.next().filter(|parent| !parent.is_empty()), last)
}

/// The cgroup right above another; empty for the uppermost.
pub fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
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
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const UID: &str = "123e4567-e89b-12d3-a456-426614174000";
    const UID_: &str = "123e4567_e89b_12d3_a456_426614174000";
    const HASH: &str = "d41d8cd98f00b204e9800998ecf8427e";

    /// Path, container of the last component, pod of any component.
    fn table() -> Vec<(String, Option<Engine>, Option<&'static str>)> {
        let pods = "/kubepods.slice/kubepods-burstable.slice";
        let slice = format!("{pods}/kubepods-burstable-pod{UID_}.slice");
        let kind = "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice";
        vec![
            (slice.clone(), None, Some(UID)),
            (format!("{slice}/cri-containerd-{ID}.scope"), Some(Engine::Containerd), Some(UID)),
            (format!("{slice}/crio-{ID}.scope"), Some(Engine::Crio), Some(UID)),
            (format!("{slice}/crio-{ID}.scope/container"), None, Some(UID)),
            (format!("{slice}/crio-conmon-{ID}.scope"), None, Some(UID)),
            (format!("{slice}/docker-{ID}.scope"), Some(Engine::Docker), Some(UID)),
            (format!("/kubepods.slice/kubepods-pod{UID_}.slice"), None, Some(UID)),
            (
                format!(
                    "{kind}/kubelet-kubepods-besteffort-pod{UID_}.slice/cri-containerd-{ID}.scope"
                ),
                Some(Engine::Containerd),
                Some(UID),
            ),
            (format!("/kubepods/burstable/pod{UID}/{ID}"), Some(Engine::Unknown), Some(UID)),
            (format!("/kubepods/pod{UID}/crio-{ID}"), Some(Engine::Crio), Some(UID)),
            (format!("/docker/{ID}/kubepods/pod{UID}/{ID}"), Some(Engine::Unknown), Some(UID)),
            (format!("/kubepods/burstable/pod{HASH}/{ID}"), Some(Engine::Unknown), Some(HASH)),
            (
                format!(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{HASH}.slice"
                ),
                None,
                Some(HASH),
            ),
            (
                format!(
                    "/system.slice/containerd.service/kubepods-besteffort-pod{UID_}.slice:cri-containerd:{ID}"
                ),
                Some(Engine::Containerd),
                Some(UID),
            ),
            (format!("/docker/{ID}"), Some(Engine::Docker), None),
            (format!("/system.slice/docker-{ID}.scope"), Some(Engine::Docker), None),
            (format!("/machine.slice/libpod-{ID}.scope"), Some(Engine::Podman), None),
            (format!("/machine.slice/libpod-{ID}.scope/container"), None, None),
            (format!("/machine.slice/libpod-conmon-{ID}.scope"), None, None),
            (format!("/libpod_parent/libpod-{ID}"), Some(Engine::Podman), None),
            (format!("/machine.slice/machine-libpod_pod_{ID}.slice"), None, None),
            (format!("/libpod_parent/{ID}"), None, None),
            (format!("/libpod_parent/{ID}/libpod-{ID}"), Some(Engine::Podman), None),
            (format!("/system.slice/nerdctl-{ID}.scope"), Some(Engine::Nerdctl), None),
            (format!("/default/{ID}"), Some(Engine::Unknown), None),
            ("/system.slice/nginx.service".to_owned(), None, None),
            ("/docker/buildkit".to_owned(), None, None),
            (format!("/system.slice/docker-{}.scope", &ID[1..]), None, None),
            (format!("/docker/{}", ID.to_uppercase()), None, None),
            (format!("/docker/{ID}.scope"), None, None),
            (format!("/x/pod{UID}.slice"), None, None),
            (format!("/x/mypod{UID}"), None, None),
            (format!("/x/tripod-pod{UID_}.slice"), None, None),
        ]
    }

    #[test]
    fn known_layouts() {
        for (path, engine, uid) in table() {
            let (parent, last) = leaf(&path);
            let found = container(parent, last);
            assert_eq!(found.as_ref().map(|found| found.engine), engine, "{path}");
            assert!(found.is_none_or(|found| found.id == ID), "{path}");
            let pods: Vec<PodUid> = path.split('/').filter_map(pod).collect();
            assert_eq!(pods.first(), uid.and_then(PodUid::parse).as_ref(), "{path}");
        }
    }

    #[test]
    fn pods_of_podman_and_monitors_are_told_by_their_names() {
        for (parent, name) in [
            ("libpod_parent", ID.to_owned()),
            ("machine.slice", format!("machine-libpod_pod_{ID}.slice")),
            ("user.slice", format!("user-libpod_pod_{ID}.slice")),
        ] {
            assert_eq!(podman_pod(Some(parent), &name), Some(ID), "{name}");
            assert_eq!(container(Some(parent), &name), None, "{name}");
        }
        for (parent, name) in [
            ("docker", ID.to_owned()),
            ("libpod_parent", format!("libpod-{ID}")),
            ("libpod_parent", ID[1..].to_owned()),
            ("libpod_parent", format!("{ID}.slice")),
            ("x", format!("x-libpod_pod_{ID}.slice")),
            ("machine.slice", "machine-libpod_pod_.slice".to_owned()),
        ] {
            assert_eq!(podman_pod(Some(parent), &name), None, "{name}");
        }
        assert_eq!(podman_pod(None, ID), None);
        for name in ["conmon", &format!("libpod-conmon-{ID}.scope"), &format!("crio-conmon-{ID}")] {
            assert!(is_monitor(name), "{name}");
        }
        for name in
            ["conmon.scope", "conmon-1", "libpod-conmon-web.scope", "", &format!("libpod-{ID}")]
        {
            assert!(!is_monitor(name), "{name}");
        }
    }

    #[test]
    fn every_spelling_of_a_uid_is_the_same_pod() {
        let uid = PodUid::parse(UID).expect("a UID");
        assert_eq!(uid.to_string(), UID);
        for spelling in [UID_.to_owned(), UID.replace('-', ""), UID.to_uppercase()] {
            assert_eq!(PodUid::parse(&spelling).as_ref(), Some(&uid), "{spelling}");
        }
        for wrong in [
            "",
            "123e4567",
            "123e4567-e89b_12d3-a456-426614174000",
            "123e4567e89b-12d3-a456-42661-4174000",
            "g23e4567-e89b-12d3-a456-426614174000",
            "éé3e4567-e89b-12d3-a456-426614174000",
        ] {
            assert_eq!(PodUid::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn units() {
        assert_eq!(unit("nginx.service"), Some("nginx.service"));
        assert_eq!(unit("_cpu.slice"), Some("cpu.slice"));
        assert_eq!(unit("user@1000.service"), Some("user@1000.service"));
        assert_eq!(unit("dev-disk\\x2d1.slice"), Some("dev-disk\\x2d1.slice"));
        for wrong in ["nginx", "nginx.socket", ".service", "a b.service", "a/b.service", "é.scope"]
        {
            assert_eq!(unit(wrong), None, "{wrong}");
        }
        assert_eq!(unit(&format!("{}.service", "a".repeat(250))), None);
    }

    #[test]
    fn kinds() {
        assert_eq!(kind(&format!("/docker/{ID}/init")), TargetKind::Container);
        assert_eq!(kind(&format!("/kubepods/pod{UID}")), TargetKind::Pod);
        assert_eq!(kind("/system.slice/nginx.service"), TargetKind::Unit);
        assert_eq!(kind("/system.slice/nginx.service/worker"), TargetKind::Path);
        assert_eq!(kind("/"), TargetKind::Path);
    }

    /// Names that look almost right, cut and joined in every way by a small generator: no panic, and what is found
    /// has the form of an id.
    #[test]
    fn odd_names_are_not_misread() {
        let pieces = [
            "docker-",
            "libpod-",
            "conmon-",
            "crio-",
            "cri-containerd-",
            "pod",
            "kubepods-",
            ".scope",
            ".slice",
            ":",
            "\n",
            "\u{1b}[2J",
            "\u{202e}",
            "é",
            "名",
            "\\x2d",
            "_",
            "-",
            ".",
            ID,
            UID,
            UID_,
            HASH,
            "\0",
            "0",
            "/",
        ];
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or(0)
        };
        for _ in 0..50_000 {
            let count = next() % 6;
            let name: String = (0..count).map(|_| pieces[next() % pieces.len()]).collect();
            let (parent, last) = leaf(&name);
            if let Some(found) = container(parent, last) {
                assert_eq!(found.id.len(), 64, "{name:?}");
                assert!(is_lower_hex(&found.id), "{name:?}");
                assert!(!last.contains("conmon"), "{name:?}");
                assert!(last.trim_end_matches(".scope").ends_with(&found.id), "{name:?}");
            }
            if let Some(uid) = pod(last) {
                assert!(last.replace(['-', '_'], "").contains(uid.digits()), "{name:?}");
            }
            let _ = (unit(last), kind(&name));
        }
        let long = "p".repeat(253);
        assert_eq!(container(None, &long), None);
        assert_eq!(pod(&long), None);
    }
}
