//! Decides whether a cgroup may belong to a target although its path is not wholly known. Pure.
//!
//! Of a cgroup that vanishes within milliseconds, and that no process was seen to move into, only
//! its own name and the ids of the cgroups above it are known, not their names. That nearly always
//! rules out a target. A cgroup for which it does not is a loss of the target:
//! - a **path** has a name at each level. A cgroup with an unknown name is not the one that has
//!   this path now, when that one is the older: ids grow with each cgroup that is made
//!   (`fs/kernfs/dir.c`, `__kernfs_new_node`), and no two have one path at once.
//! - a **container's** first process is put into the cgroup that carries the container's id, which
//!   is announced then, or into the cgroup `container` below it (crun with systemd).
//! - the cgroup of a **pod** holds no process. It is made below a cgroup of the kubelet's, and the
//!   container's right below it.
//! - the cgroup of a **unit** lies in that of a slice; its first process may be put into a cgroup
//!   below it (systemd.resource-control(5), `DelegateSubgroup=`).

use std::collections::BTreeMap;

use super::{
    inventory::Inventory,
    matcher::TargetMatcher,
    names::{self, ContainerName},
};
use crate::cgroup_path::{CgroupPath, UNKNOWN_NAME, components};
use crate::recording::{TargetKind, selection::Selection};

/// The cgroup that crun makes below a container's, with systemd (`run.oci.systemd.subgroup`).
const SUBGROUP: &str = "container";

/// Stands for the ids of some cgroups of which nothing is known.
const MANY: u64 = 0;

/// What the path of a cgroup consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Component<'a> {
    /// A name.
    Known(&'a str),
    /// A cgroup with this id; its name is not known.
    Unknown(u64),
}

/// The targets, as far as they are known.
pub struct KnownTargets<'a> {
    /// Where the targets' cgroups are.
    pub selections: &'a [Selection],
    /// The matchers of those that are followed.
    pub matchers: &'a [TargetMatcher],
    /// What runtimes reported.
    pub inventory: &'a Inventory,
    /// The cgroups that exist at and above the selections' paths: ids by path.
    pub standing: &'a BTreeMap<CgroupPath, u64>,
}

impl KnownTargets<'_> {
    /// Whether the cgroup of that path may be a target's. `?ID` in the path stands for the name of
    /// the cgroup with that id, `?0` for some names.
    pub fn may_hold(&self, path: &str) -> bool {
        let components: Vec<Component<'_>> = components(path).map(Component::of).collect();
        // The cgroup of a container is announced each time that it is made, so that its name is
        // known.
        let is_container = |selection: &Selection| {
            let mut matchers = self.matchers.iter().filter(|one| one.name == selection.name);
            matchers.any(|matcher| matcher.kind() == TargetKind::Container)
        };
        let others = self.selections.iter().filter(|selection| !is_container(selection));
        let mut roots = others.flat_map(|selection| &selection.paths);
        roots.any(|root| self.may_be_below(root, &components))
            || self.matchers.iter().any(|one| may_be_of(one, &components, self.inventory))
    }

    /// Whether it may be at or below the cgroup of a path.
    fn may_be_below(&self, root: &str, found: &[Component<'_>]) -> bool {
        let mut above = CgroupPath::root();
        let levels = found.iter().position(|one| *one == Component::Unknown(MANY));
        // Where levels are missing, names cannot be compared any more.
        let comparable = levels.unwrap_or(usize::MAX);
        components(root).take(comparable).enumerate().all(|(level, name)| {
            above = above.join(name);
            match found.get(level) {
                None => false,
                Some(Component::Known(known)) => *known == name,
                Some(Component::Unknown(id)) => {
                    self.standing.get(&above).is_none_or(|standing| standing > id)
                }
            }
        })
    }
}

/// Whether it may belong to a target that is followed by its name or id. The known names were
/// matched before.
fn may_be_of(matcher: &TargetMatcher, found: &[Component<'_>], inventory: &Inventory) -> bool {
    use Component::{Known, Unknown};
    let is_unit = matcher.kind() == TargetKind::Unit;
    match found {
        [.., Unknown(_)] => true,
        [.., Known(above), Unknown(_), Known(_)] if is_unit => above.ends_with(".slice"),
        [.., Unknown(_), Known(SUBGROUP)] => !is_unit,
        [above @ .., Unknown(_), Known(name)] => {
            let container = names::container(name);
            let is_kubelets =
                |one: &Component<'_>| matches!(one, Known(name) if name.starts_with("kubepods"));
            container.is_some_and(|container: ContainerName| {
                above.iter().any(is_kubelets) && matcher.may_be_above(&container, inventory)
            })
        }
        _ => false,
    }
}

impl<'a> Component<'a> {
    fn of(component: &'a str) -> Self {
        let id = component.strip_prefix(UNKNOWN_NAME).and_then(|id| id.parse().ok());
        id.map_or(Self::Known(component), Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::{Engine, PodUid};
    use super::super::pod::Pod;
    use super::super::report::{Container, ContainerState, RuntimeReport};
    use super::*;
    use crate::cgroup_path::levels;

    const UID: &str = "123e4567-e89b-12d3-a456-426614174000";

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        let uid = PodUid::parse(&UID.replace('1', "2"));
        let pod = Pod { namespace: "shop".into(), name: "other".into(), uid };
        inventory.add(RuntimeReport {
            containers: vec![Container {
                engine: Engine::Containerd,
                id: id('c'),
                name: "app".to_owned(),
                state: ContainerState::Running,
                pod: Some(pod),
                image: None,
            }],
            pods: Vec::new(),
            sandboxes: vec![id('d')],
            ..RuntimeReport::default()
        });
        inventory
    }

    /// Of a target that has one cgroup, which exists and has the id 50, as has each above it.
    fn may_be(target: &str, root: Option<&str>, path: &str) -> bool {
        let matcher = match target {
            "all" => Some(TargetMatcher::all_containers()),
            text => TargetMatcher::new(&text.parse().expect("a target")),
        };
        let kind = matcher.as_ref().map_or(TargetKind::Path, TargetMatcher::kind);
        let paths: Vec<CgroupPath> = root.into_iter().map(CgroupPath::from).collect();
        let levels = root.into_iter().flat_map(levels);
        let standing = levels.map(|level| (CgroupPath::from(level), 50)).collect();
        let name = matcher.as_ref().map_or(target, |matcher| &matcher.name).to_owned();
        let selection = Selection { name, kind, paths, without: Vec::new() };
        KnownTargets {
            selections: &[selection],
            matchers: matcher.as_slice(),
            inventory: &inventory(),
            standing: &standing,
        }
        .may_hold(path)
    }

    #[test]
    fn a_path_is_compared_level_by_level() {
        for (path, may) in [
            ("/a/?60/x", false), // /a/b is older
            ("/a/?40/x", true),  // it may have been there before
            ("/?40/b", true),
            ("/?40/x", false), // another name
            ("/?60/b", false),
            ("/?40", false),     // above it
            ("/x/?40/b", false), // elsewhere
            ("/a/?40", true),
            ("/?40/?41/deep/down", true),
            ("/a/?0/x", true), // names of some levels are missing
            ("/c/?0/x", false),
        ] {
            assert_eq!(may_be("/a/b", Some("/a/b"), path), may, "{path}");
        }
        assert!(may_be("/", Some("/"), "/?40/x"));
    }

    #[test]
    fn a_path_that_does_not_exist_may_have_been_there() {
        let selection = Selection {
            name: "/a/b".into(),
            kind: TargetKind::Path,
            paths: vec!["/a/b".into()],
            without: Vec::new(),
        };
        let targets = KnownTargets {
            selections: &[selection],
            matchers: &[],
            inventory: &Inventory::default(),
            standing: &BTreeMap::from([("/a".into(), 10)]),
        };
        for (path, may) in
            [("/a/?60", true), ("/?60/b", false), ("/a/?60/x", true), ("/a/x/?60", false)]
        {
            assert_eq!(targets.may_hold(path), may, "{path}");
        }
    }

    #[test]
    fn a_container_is_announced_with_its_id() {
        let container = format!("/system.slice/docker-{}.scope", id('a'));
        for target in ["docker:web", "web", "podman:web", "aaaaaaaaaaaa", "cri:app", "all"] {
            for (path, may) in [
                ("/?60/b", false),
                ("/?60/?61/b", false),
                ("/system.slice/?60/b", false),
                ("/?60/container", true), // crun's, with systemd
                ("/machine.slice/?60/container", true),
                ("/machine.slice/x/container", false),
                ("/x/?60", true), // its own name is not known
            ] {
                assert_eq!(may_be(target, None, path), may, "{target} {path}");
                assert_eq!(may_be(target, Some(&container), path), may, "{target} {path}");
            }
        }
        // Not what was in the cgroup of this name before: that was announced.
        assert!(!may_be("web", Some(&container), "/system.slice/?40/b"));
        assert!(!may_be("all", Some(&format!("/docker-{}.scope", id('a'))), "/?40/b"));
    }

    #[test]
    fn the_cgroup_of_a_pod_is_made_by_the_kubelet() {
        let [unknown, others, pause] = [id('a'), id('c'), id('d')];
        for target in [UID, "shop/web", "shop/web/app", "cri:app"] {
            for (path, may) in [
                (format!("/kubepods/besteffort/?60/{unknown}"), true),
                (format!("/kubepods.slice/?60/cri-containerd-{unknown}.scope"), true),
                (format!("/?60/cri-containerd-{unknown}.scope"), false),
                (format!("/kubepods/besteffort/?60/{others}"), false),
                (format!("/kubepods/besteffort/?60/{pause}"), false),
                ("/kubepods/besteffort/?60/x".to_owned(), false),
            ] {
                assert_eq!(may_be(target, None, &path), may, "{target} {path}");
            }
        }
        let path = format!("/kubepods/besteffort/?60/{unknown}");
        for target in ["docker:web", "aaaaaaaaaaaa", "all"] {
            assert!(!may_be(target, None, &path), "{target}: the known name decides");
        }
    }

    #[test]
    fn a_unit_lies_in_a_slice() {
        for (path, may) in [
            ("/system.slice/?60/b", true),
            ("/a.slice/a-b.slice/?60/init.scope", true),
            ("/?60/b", false),
            ("/x/?60/b", false),
            ("/system.slice/?60/?61/b", false),
            ("/system.slice/?60", true),
        ] {
            assert_eq!(may_be("web.service", None, path), may, "{path}");
        }
    }
}
