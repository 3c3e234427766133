//! Tests of which cgroup has a name rightfully.

use super::*;
use crate::target::names::{Engine, PodUid};
use crate::target::pod::Pod;
use crate::target::report::{Container, ContainerState, RuntimeReport};

const UID: &str = "123e4567-e89b-12d3-a456-426614174000";

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// Cgroups below `/user.slice/u1` are made by user 1000.
fn territory(path: &str) -> Territory {
    Territory::new(path, path.starts_with("/user.slice/u1/").then_some(1000))
}

fn claims(paths: &[&str]) -> Claims {
    let mut claims = Claims::default();
    for path in paths {
        claims.add(path, territory);
    }
    claims
}

/// A runtime that lives there as that user reports the container `b` and a pod.
fn reported(home: Option<(u32, Option<&str>)>) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.add(RuntimeReport {
        containers: vec![Container {
            engine: Engine::Docker,
            id: id('b'),
            name: "victim".to_owned(),
            state: ContainerState::Running,
            pod: None,
            image: None,
        }],
        pods: vec![Pod { namespace: "shop".into(), name: "web".into(), uid: PodUid::parse(UID) }],
        sandboxes: Vec::new(),
        home: home.map(|(user, path)| Home { user, path: path.map(Into::into) }),
        facts: Vec::new(),
    });
    inventory
}

/// The standing of each of these cgroups, which carry the id of `b`.
fn standings(paths: &[&str], inventory: &Inventory) -> Vec<Standing> {
    let claims = claims(paths);
    let name = Carried::Container(id('b'));
    paths.iter().map(|path| claims.standing(path, &name, inventory)).collect()
}

use Standing::{Contested, Outdone, Rightful};

#[test]
fn the_hosts_cgroup_comes_before_those_of_users_and_containers() {
    let (host, users, inside) = (
        format!("/docker/{}", id('b')),
        format!("/user.slice/u1/{}", id('b')),
        format!("/docker/{}/{}", id('a'), id('b')),
    );
    for home in [None, Some((0, None)), Some((0, Some("/system.slice/docker.service")))] {
        let inventory = reported(home);
        let found = standings(&[&users, &host, &inside], &inventory);
        assert_eq!(found, [Outdone, Rightful, Outdone], "{home:?}");
    }
}

#[test]
fn without_the_hosts_the_runtime_that_reported_it_decides() {
    let users = format!("/user.slice/u1/{}", id('b'));
    let node = format!("/docker/{}", id('a'));
    let inside = format!("{node}/kubepods/{}", id('b'));
    let other = format!("/docker/{}/kubepods/{}", id('c'), id('b'));
    let host = Some((0, Some("/system.slice/docker.service")));
    let nodes_path = format!("{node}/init.scope");
    let nodes = Some((0, Some(nodes_path.as_str())));
    let rootless = Some((1000, Some("/user.slice/u1/docker.service")));
    for (home, paths, expected) in [
        (None, vec![&users], vec![Rightful]),
        (None, vec![&inside], vec![Rightful]),
        (None, vec![&users, &inside], vec![Contested, Contested]),
        (host, vec![&users], vec![Contested]),
        (host, vec![&inside], vec![Contested]),
        (nodes, vec![&inside, &other, &users], vec![Rightful, Outdone, Outdone]),
        (rootless, vec![&users, &inside], vec![Rightful, Outdone]),
        // Its process is in another pid namespace.
        (Some((0, None)), vec![&inside, &users], vec![Rightful, Outdone]),
        (Some((0, None)), vec![&inside, &other], vec![Contested, Contested]),
    ] {
        let paths: Vec<&str> = paths.into_iter().map(String::as_str).collect();
        assert_eq!(standings(&paths, &reported(home)), expected, "{home:?} {paths:?}");
    }
}

#[test]
fn two_cgroups_of_the_host_for_one_id_are_contested() {
    let [one, other] = ["/docker/", "/elsewhere/"].map(|above| format!("{above}{}", id('b')));
    assert_eq!(standings(&[&one, &other], &Inventory::default()), [Contested, Contested]);
    let inside_itself = format!("{one}/{}", id('b'));
    assert_eq!(standings(&[&one], &Inventory::default()), [Rightful]);
    assert!(claims(&[&inside_itself]).doubtful().next().is_none(), "it is what is above");
}

#[test]
fn a_pod_may_have_several_cgroups_of_one_maker() {
    let own = |id: &str| {
        format!(
            "/system.slice/containerd.service/kubepods-pod{}.slice:cri-containerd:{id}",
            UID.replace('-', "_")
        )
    };
    let users = format!("/user.slice/u1/pod{UID}");
    let paths = [own(&id('a')), own(&id('c')), users];
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (claims, inventory) = (claims(&paths), reported(None));
    let name = Carried::Pod(PodUid::parse(UID).expect("a UID"));
    let found: Vec<Standing> =
        paths.iter().map(|path| claims.standing(path, &name, &inventory)).collect();
    assert_eq!(found, [Rightful, Rightful, Outdone]);
}

#[test]
fn a_unit_of_the_host_is_in_no_tree_of_a_user() {
    let claims = claims(&["/system.slice/a.service/worker", "/user.slice/u1/a.slice/a.service"]);
    assert!(claims.is_hosts_unit("/system.slice/a.service"));
    assert!(!claims.is_hosts_unit("/user.slice/u1/a.slice/a.service"));
}
