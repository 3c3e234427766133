//! Says in whose part of the hierarchy a cgroup lies: which user, besides root, could have made it.
//! Pure.
//!
//! Whoever may write to a cgroup's directory makes cgroups below it, with names of any kind
//! (cgroups(7), "Cgroups delegation"). systemd gives such directories to the managers of users and
//! to services with `Delegate=`; a container with a writable cgroup file system has its own.

use super::names::{self, ContainerName};
use crate::cgroup_path::{CgroupPath, components, leaf, levels, parent};

/// Stands for every user, where others than its owner may write to a directory.
pub const ANYBODY: u32 = u32::MAX;

/// A part of the hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Territory {
    /// The user who may make cgroups in it, as root may: 0 when root alone may.
    pub user: u32,
    /// Cgroup of the innermost container that it is in.
    pub container: Option<CgroupPath>,
}

impl Territory {
    /// That of a cgroup, by the first user other than root who owns a cgroup above it.
    pub fn new(path: &str, user: Option<u32>) -> Self {
        let container = containers_above(path).last().map(|(top, _)| top.into());
        Self { user: user.unwrap_or_default(), container }
    }

    /// Nobody but root makes cgroups in it, outside of all containers.
    pub fn is_hosts(&self) -> bool {
        self.user == 0 && self.container.is_none()
    }

    /// Nobody but root and that user makes cgroups in it, outside of all containers.
    pub fn is_users(&self, user: u32) -> bool {
        user != 0 && user != ANYBODY && self.user == user && self.container.is_none()
    }

    /// For people: ` (...)`, or nothing for the host's.
    pub fn remark(&self) -> String {
        let user = match self.user {
            0 => None,
            ANYBODY => Some("in a tree that several users may write to".to_owned()),
            user => Some(format!("in a tree of user {user}")),
        };
        let container = self.container.as_ref().map(|_| "inside another container".to_owned());
        let remarks: Vec<String> = user.into_iter().chain(container).collect();
        if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) }
    }
}

/// Where a container runtime lives, and the user that it runs as: it makes its containers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The user that it runs as.
    pub user: u32,
    /// Its own cgroup; None when its process cannot be looked up from here.
    pub path: Option<CgroupPath>,
}

impl Home {
    /// Whether the runtime can have made a container in a territory; None when that is not known.
    pub fn may_make_in(&self, territory: &Territory) -> Option<bool> {
        if territory.user != 0 && territory.user != self.user {
            return Some(false);
        }
        let Some(path) = &self.path else {
            return territory.container.is_none().then_some(true);
        };
        let own = containers_in(path).last().map(|(top, _)| top);
        Some(territory.container.is_none() || own == territory.container.as_deref())
    }
}

/// A cgroup in the path has the name of a pod's.
pub fn is_in_pod_cgroup(path: &str) -> bool {
    components(path).any(|name| names::pod(name).is_some())
}

/// The containers in a path, with their cgroups, from the top.
pub fn containers_in(path: &str) -> impl Iterator<Item = (&str, ContainerName)> {
    levels(path).filter_map(|top| Some((top, names::container(top)?)))
}

/// Those above a cgroup.
fn containers_above(path: &str) -> impl Iterator<Item = (&str, ContainerName)> {
    containers_in(path).filter(move |(top, _)| top.len() < path.len())
}

/// The cgroup of a container's monitor that a path is in. A workload may give its own cgroups any
/// names: inside a container there is none.
pub fn monitor_in(path: &str) -> Option<&str> {
    let is_monitor = |top: &&str| names::is_monitor(leaf(top));
    levels(path).find(is_monitor).filter(|top| containers_in(top).next().is_none())
}

/// The user whose manager has a cgroup above this one, by the names that systemd gives
/// (`user@.service`).
pub(super) fn user_of_manager(path: &str) -> Option<u32> {
    components(parent(path)?)
        .find_map(|name| name.strip_prefix("user@")?.strip_suffix(".service")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Territory = Territory { user: 0, container: None };

    #[test]
    fn a_territory_is_that_of_the_innermost_container() {
        let [outer, inner] = ["a", "b"].map(|digit| digit.repeat(64));
        let node = format!("/docker/{outer}");
        assert_eq!(Territory::new(&node, None), HOST);
        let path = format!("{node}/kubepods/pod1/{inner}");
        assert_eq!(Territory::new(&path, None).container, Some(CgroupPath::from(node)));
        let path = format!("{path}/deep");
        assert_eq!(Territory::new(&path, Some(7)).container.as_deref(), path.strip_suffix("/deep"));
        assert_eq!(Territory::new("/user.slice", Some(7)), Territory { user: 7, container: None });
    }

    #[test]
    fn a_runtime_makes_containers_where_it_lives() {
        let node = format!("/docker/{}", "a".repeat(64));
        let inside = Territory { user: 0, container: Some(CgroupPath::from(node.as_str())) };
        let users = Territory { user: 1000, container: None };
        let home = |user, path: Option<&str>| Home { user, path: path.map(CgroupPath::from) };
        let host = home(0, Some("/system.slice/containerd.service"));
        let nodes = home(0, Some(&format!("{node}/system.slice/containerd.service")));
        let rootless = home(1000, Some("/user.slice/user-1000.slice/user@1000.service/x.service"));
        let unknown = home(0, None);
        for (home, territory, expected) in [
            (&host, &HOST, Some(true)),
            (&host, &inside, Some(false)),
            (&host, &users, Some(false)),
            (&nodes, &inside, Some(true)),
            (&nodes, &HOST, Some(true)),
            (&rootless, &users, Some(true)),
            (&rootless, &HOST, Some(true)),
            (&unknown, &HOST, Some(true)),
            (&unknown, &inside, None),
            (&unknown, &users, Some(false)),
        ] {
            assert_eq!(home.may_make_in(territory), expected, "{home:?} {territory:?}");
        }
    }

    #[test]
    fn a_monitor_is_beside_containers_and_not_in_one() {
        let id = "a".repeat(64);
        let pod = format!("/libpod_parent/{id}");
        for path in ["/x/conmon".to_owned(), format!("{pod}/conmon"), format!("{pod}/conmon/below")]
        {
            let monitor = path.strip_suffix("/below").unwrap_or(&path);
            assert_eq!(monitor_in(&path), Some(monitor), "{path}");
        }
        for path in [
            pod.clone(),
            format!("{pod}/libpod-{id}/conmon"),
            format!("/docker/{id}/conmon"),
            format!("/docker/{id}/libpod-conmon-{id}.scope/below"),
        ] {
            assert_eq!(monitor_in(&path), None, "{path}");
        }
    }

    #[test]
    fn managers_of_users_are_known_by_name() {
        assert_eq!(user_of_manager("/user.slice/user-7.slice/user@7.service/a"), Some(7));
        for path in ["/user.slice/user-7.slice/user@7.service", "/x/user@root.service/a", "/"] {
            assert_eq!(user_of_manager(path), None, "{path}");
        }
    }
}
