//! Tests of the matcher: which cgroups belong to a target.

use std::sync::OnceLock;

use super::*;
use crate::cgroup_path::parent;
use crate::target::claims::Claims;
use crate::target::names::{Engine, PodUid};
use crate::target::pod::Pod;
use crate::target::report::{ContainerState, RuntimeReport};
use crate::target::territory::{Home, Territory};

static CLAIMS: OnceLock<Claims> = OnceLock::new();
const UID: &str = "123e4567-e89b-12d3-a456-426614174000";

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn known(inventory: &Inventory) -> Known<'_> {
    Known { inventory, claims: CLAIMS.get_or_init(Claims::default) }
}

fn matcher(text: &str) -> TargetMatcher {
    TargetMatcher::new(&text.parse().expect("a target")).expect("not a path")
}

/// `a`: docker's web; `b`: podman's web; `c`: the container app of the pod shop/web-0, whose pause
/// container is `d`.
fn inventory() -> Inventory {
    let pod =
        Pod { namespace: "shop".to_owned(), name: "web-0".to_owned(), uid: PodUid::parse(UID) };
    let container = |engine, digit, name: &str, pod| Container {
        engine,
        id: id(digit),
        name: name.to_owned(),
        state: ContainerState::Running,
        pod,
        image: None,
    };
    let mut inventory = Inventory::default();
    inventory.add(RuntimeReport {
        containers: vec![
            container(Engine::Docker, 'a', "web", None),
            container(Engine::Podman, 'b', "web", None),
            container(Engine::Containerd, 'c', "app", Some(pod.clone())),
        ],
        pods: vec![pod],
        sandboxes: vec![id('d')],
        ..RuntimeReport::default()
    });
    inventory
}

fn matched(text: &str, path: &str) -> Match {
    matcher(text).matches(path, &known(&inventory()))
}

fn is(path: &str) -> Match {
    Match::Target(path.into())
}

#[test]
fn the_uppermost_cgroup_of_that_name_is_the_target() {
    let container = format!("/system.slice/docker-{}.scope", id('a'));
    for (text, path, verdict) in [
        ("aaaaaaaaaaaa", format!("{container}/init"), is(&container)),
        ("aaaaaaaaaaaa", format!("/docker/{}", id('a')), is(&format!("/docker/{}", id('a')))),
        ("docker:bbbb", format!("/libpod_parent/libpod-{}", id('b')), Match::Other),
        (UID, format!("/kubepods/pod{UID}/{}", id('c')), is(&format!("/kubepods/pod{UID}"))),
        (
            "shop/sts/web",
            format!("/kubepods/pod{UID}/{}", id('c')),
            is(&format!("/kubepods/pod{UID}")),
        ),
        (
            "shop/web-*",
            format!("/kubepods/pod{UID}/{}", id('c')),
            is(&format!("/kubepods/pod{UID}")),
        ),
        (
            "shop/sts/web/app",
            format!("/kubepods/pod{UID}/{}", id('c')),
            is(&format!("/kubepods/pod{UID}/{}", id('c'))),
        ),
        ("shop/sts/web/side", format!("/kubepods/pod{UID}/{}", id('c')), Match::Other),
        ("shop/deployment/web", format!("/kubepods/pod{UID}/{}", id('c')), Match::Other),
        ("test/sts/web", format!("/kubepods/pod{UID}/{}", id('c')), Match::Other),
        ("web.service", "/system.slice/web.service/a".into(), is("/system.slice/web.service")),
        ("web.service", "/system.slice/other.service".into(), Match::Other),
    ] {
        assert_eq!(matched(text, &path), verdict, "{text} {path}");
    }
}

#[test]
fn a_name_is_a_container_of_its_engine() {
    let [docker, podman, pod] = [
        format!("/docker/{}", id('a')),
        format!("/machine.slice/libpod-{}.scope", id('b')),
        format!("/somewhere/{}", id('c')),
    ];
    for (text, path, verdict) in [
        ("docker:web", format!("{docker}/inner"), is(&docker)),
        ("docker:web", podman.clone(), Match::Other),
        ("podman:web", podman.clone(), is(&podman)),
        ("podman:web", docker.clone(), Match::Other),
        ("web", docker.clone(), is(&docker)),
        ("web", podman.clone(), is(&podman)),
        ("cri:app", pod.clone(), is(&pod)),
        ("cri:web", docker.clone(), Match::Other),
        ("shop/web-0/app", pod.clone(), is(&pod)),
        ("shop/web-0/other", pod.clone(), Match::Other),
        ("shop/web-0", pod.clone(), is(&pod)),
        ("other/web-0", pod, Match::Other),
    ] {
        assert_eq!(matched(text, &path), verdict, "{text} {path}");
    }
}

#[test]
fn a_name_that_is_known_is_followed_among_its_engines() {
    let mut inventory = inventory();
    let (docker, unknown) = (format!("/docker/{}", id('a')), format!("/x/{}", id('e')));
    let both = matcher("web").narrow_to_engine(&inventory);
    assert!(!both.only_docker_can_resolve(), "podman has one of that name as well");
    inventory.containers.remove(&id('b'));
    let followed = matcher("web").narrow_to_engine(&inventory);
    assert!(followed.only_docker_can_resolve());
    assert_eq!(followed.matches(&docker, &known(&inventory)), is(&docker));
    assert_eq!(followed.matches(&unknown, &known(&inventory)), Match::Undecided);
    assert!(
        !matcher("other").narrow_to_engine(&inventory).only_docker_can_resolve(),
        "it may be anybody's"
    );
    let pods = matcher("app").narrow_to_engine(&inventory);
    assert_eq!(pods.matches(&unknown, &known(&inventory)), Match::Other, "not in a pod");
}

#[test]
fn a_pod_is_its_cgroup_without_the_pause_container() {
    let pod = format!("/kubepods/pod{UID}");
    let pause = format!("{pod}/{}", id('d'));
    for text in [UID, "shop/web-0"] {
        assert_eq!(matched(text, &format!("{pod}/{}", id('c'))), is(&pod), "{text}");
        assert_eq!(matched(text, &format!("{pod}/{}", id('e'))), is(&pod), "{text}: a new one");
        assert_eq!(matched(text, &pause), Match::Pause(pause.as_str().into()), "{text}");
    }
    assert_eq!(matched("shop/web-1", &pause), Match::Other);
}

#[test]
fn what_no_runtime_has_reported_is_undecided_when_it_may_be_meant() {
    let unknown = format!("/docker/{}", id('e'));
    for (text, verdict) in [
        ("docker:web", Match::Undecided),
        ("web", Match::Undecided),
        ("shop/web-0", Match::Other),
        ("podman:web", Match::Other),
        ("aaaaaaaaaaaa", Match::Undecided),
        ("web.service", Match::Other),
    ] {
        assert_eq!(matched(text, &unknown), verdict, "{text}");
    }
    let elsewhere = format!("/kubepods/pod{UID}/{}", id('e'));
    for text in ["shop/web-1", "shop/web-1/app"] {
        assert_eq!(matched(text, &elsewhere), Match::Other, "{text}: the pod is another");
    }
    assert_eq!(matched("shop/web-0/app", &elsewhere), Match::Undecided);
    let in_pod = format!("/kubepods/pod{}/{}", UID.replace('1', "2"), id('e'));
    for text in ["shop/web-0", "shop/web-0/app", "cri:app"] {
        assert_eq!(matched(text, &in_pod), Match::Undecided, "{text}: it may be a new one");
        let mut loose = inventory();
        loose.loose_pods.insert(parent(&unknown).expect("below the root").into());
        assert_eq!(matcher(text).matches(&unknown, &known(&loose)), Match::Undecided, "{text}");
        let far = format!("/far/cri-containerd-{}.scope", id('e'));
        assert_eq!(matcher(text).matches(&far, &known(&loose)), Match::Other, "{text}: not there");
    }
    let nested = format!("/docker/{}/{}", id('a'), id('e'));
    assert_eq!(matched("docker:other", &nested), Match::Other, "inside another one");
    assert_eq!(matched("docker:web", "/docker"), Match::Other, "no container");
}

#[test]
fn a_pod_without_a_cgroup_is_found_where_its_runtime_makes_containers() {
    for known in
        [format!("/k8s.io/{}", id('c')), format!("/system.slice/cri-containerd-{}.scope", id('c'))]
    {
        for text in ["shop/web-0", "shop/web-0/app", UID] {
            assert_eq!(matched(text, &known), is(&known), "{text}");
        }
        assert_eq!(matched("shop/web-1", &known), Match::Other);
        assert_eq!(matched(&UID.replace('1', "2"), &known), Match::Other);
    }
    let new = format!("/k8s.io/{}", id('e'));
    for text in ["shop/web-0", "shop/web-1/app", UID] {
        assert_eq!(matched(text, &new), Match::Undecided, "{text}: not reported yet");
    }
    assert_eq!(matched("shop/web-0", &format!("/k8s.io/{}", id('d'))), Match::Other, "the pause");
    let elsewhere = format!("/kubepods/pod{}/{}", UID.replace('1', "2"), id('e'));
    assert_eq!(matched(UID, &elsewhere), Match::Other, "the pod is another");
}

#[test]
fn all_containers_are_all_but_the_pause_containers() {
    let all = |path: &str| TargetMatcher::all_containers().matches(path, &known(&inventory()));
    let container = format!("/x/{}", id('e'));
    assert_eq!(all(&format!("{container}/deep")), is(&container));
    let pause = format!("/kubepods/pod{UID}/{}", id('d'));
    assert_eq!(all(&pause), Match::Pause(pause.as_str().into()));
    assert_eq!(all("/system.slice/x.service"), Match::Other);
}

#[test]
fn a_pod_of_podman_is_named_by_its_id_and_no_container() {
    let pod = format!("/libpod_parent/{}", id('e'));
    let container = format!("{pod}/libpod-{}", id('b'));
    let monitor = format!("{pod}/conmon");
    let all = |path: &str| TargetMatcher::all_containers().matches(path, &known(&inventory()));
    assert_eq!(all(&container), is(&container));
    for path in [&pod, &monitor] {
        assert_eq!(all(path), Match::Other, "{path}");
    }
    for path in [&pod, &container] {
        assert_eq!(matched("eeeeeeeeeeee", path), is(&pod), "{path}");
        assert_eq!(matched("docker:eeee", path), Match::Other, "{path}");
    }
    assert_eq!(matched("podman:web", &container), is(&container));
}

#[test]
fn a_path_and_a_process_are_no_rules() {
    for text in ["/a", "pid:1"] {
        assert_eq!(TargetMatcher::new(&text.parse().expect("a target")), None, "{text}");
    }
}

/// Cgroups below `/home` are made by user 1000.
fn claims(paths: &[&str]) -> Claims {
    let mut claims = Claims::default();
    for path in paths {
        claims.add(path, |top| Territory::new(top, top.starts_with("/home/").then_some(1000)));
    }
    claims
}

#[test]
fn names_are_not_awaited_in_trees_of_users() {
    let [users, host] = [format!("/home/{}", id('e')), format!("/x/{}", id('f'))];
    let claims = claims(&[&users, &host]);
    let mut inventory = inventory();
    for (uid, path, verdict) in [
        (0, Some("/system.slice/docker.service"), Match::Other),
        (0, None, Match::Other),
        (1000, Some("/home/docker.service"), Match::Undecided),
    ] {
        let home = Some(Home { user: uid, path: path.map(Into::into) });
        inventory.add(RuntimeReport { home, ..RuntimeReport::default() });
        let known = Known { inventory: &inventory, claims: &claims };
        assert_eq!(matcher("docker:web").matches(&users, &known), verdict, "{uid} {path:?}");
        assert_eq!(matcher("docker:web").matches(&host, &known), Match::Undecided);
    }
}

#[test]
fn a_name_that_another_cgroup_has_rightfully_is_a_rivals() {
    let [users, host] = ["/home/", "/x/"].map(|above| format!("{above}{}", id('a')));
    let (claims, inventory) = (claims(&[&users, &host]), inventory());
    let known = Known { inventory: &inventory, claims: &claims };
    let rival = |path: &str, contested| Match::Rival { path: path.into(), contested };
    for text in ["aaaaaaaaaaaa", "docker:web", "web"] {
        assert_eq!(matcher(text).matches(&host, &known), is(&host), "{text}");
        assert_eq!(matcher(text).matches(&users, &known), rival(&users, false), "{text}");
        let below = format!("{users}/deep");
        assert_eq!(matcher(text).matches(&below, &known), rival(&users, false), "{text}");
    }
    assert_eq!(TargetMatcher::all_containers().matches(&users, &known), rival(&users, false));
}

#[test]
fn what_is_as_long_as_an_id_is_no_guess_at_a_name() {
    for (text, is) in [
        ("aaaaaaaaaaaa", true),
        ("docker:AAAAAAAAAAAA", true),
        ("podman:aaaaaaaaaaaaaaaaaaaa", true),
        ("aaaaaaaaaaa", false),
        ("docker:web", false),
        (UID, false),
    ] {
        assert_eq!(matcher(text).is_id(), is, "{text}");
    }
    assert!(matcher(&id('e')).is_id());
}

#[test]
fn one_container_has_the_name() {
    let inventory = inventory();
    let [docker, podman, pod] = ['a', 'b', 'c'].map(|digit| &inventory.containers[&id(digit)]);
    assert!(matcher("docker:web").names(docker) && matcher("web").names(podman));
    assert!(!matcher("docker:web").names(podman), "another engine's");
    assert!(!matcher("docker:other").names(docker), "another name");
    assert!(!matcher("cri:app").names(pod), "pods have containers of one name");
    assert!(!matcher("shop/web-0").names(pod) && !TargetMatcher::all_containers().names(docker));
}

#[test]
fn few_digits_stand_for_the_container_that_was_found_or_for_none() {
    let path = |digit: char| format!("/docker/{}", id(digit));
    let inventory = inventory();
    let known = known(&inventory);
    let found = matcher("aa").pin_short_ids(&[path('a').into()]);
    assert_eq!(found.matches(&path('a'), &known), is(&path('a')));
    let other = format!("/docker/aa{}", &id('0')[2..]);
    assert_ne!(found.matches(&other, &known), is(&other), "another one that begins alike");
    let awaited = matcher("aa").pin_short_ids(&[]);
    assert_eq!(awaited.matches(&path('a'), &known), Match::Other, "its name is not aa");
    let long = matcher("aaaaaa").pin_short_ids(&[]);
    assert_eq!(long.matches(&path('a'), &known), is(&path('a')), "enough of an id");
}

/// An engine of user 1000 reports a container in that user's tree, and claims that the host's and
/// another one are its own.
#[test]
fn an_engine_of_a_user_names_containers_in_that_users_tree_only() {
    let own = format!("/home/{}", id('e'));
    let [hosts, dockers] = [format!("/x/{}", id('f')), format!("/docker/{}", id('a'))];
    let claims = claims(&[&own, &hosts, &dockers]);
    let container = |digit| Container {
        engine: Engine::Podman,
        id: id(digit),
        name: "mine".to_owned(),
        state: ContainerState::Running,
        pod: None,
        image: None,
    };
    let mut inventory = inventory();
    let matched = |text: &str, path: &str, inventory: &Inventory| {
        matcher(text).matches(path, &Known { inventory, claims: &claims })
    };
    assert_eq!(matched("podman:user@1000/mine", &own, &inventory), Match::Other, "no engine");
    inventory.add_of_user(1000, RuntimeReport::default());
    let undecided = matched("podman:user@1000/mine", &own, &inventory);
    assert_eq!(undecided, Match::Undecided, "it may report it");
    let containers = ['e', 'f', 'a'].map(container).to_vec();
    inventory.add_of_user(1000, RuntimeReport { containers, ..RuntimeReport::default() });
    for (text, path, verdict) in [
        ("podman:user@1000/mine", &own, is(&own)),
        ("podman:user@1001/mine", &own, Match::Other),
        ("podman:user@1000/mine", &hosts, Match::Other),
        ("podman:user@1000/mine", &dockers, Match::Other),
        ("podman:user@1000/web", &own, Match::Other),
        ("mine", &own, Match::Other),
        ("podman:mine", &own, Match::Other),
        ("podman:mine", &dockers, Match::Other),
        ("docker:web", &dockers, is(&dockers)),
    ] {
        assert_eq!(matched(text, path, &inventory), verdict, "{text} {path}");
    }
    let typed = |text: &str| {
        let spec: TargetSpec = text.parse().expect("a target");
        TargetMatcher::new(&spec.also_of_user(1000)).expect("a name")
    };
    let known = Known { inventory: &inventory, claims: &claims };
    assert_eq!(typed("mine").matches(&own, &known), is(&own), "the user may mean their own");
    assert_eq!(typed("web").matches(&dockers, &known), is(&dockers));
    assert_eq!(typed("cri:mine").matches(&own, &known), Match::Other);
}

#[test]
fn a_pod_that_the_api_server_will_report_is_undecided_until_it_does() {
    use crate::recording::MembershipSource;
    use crate::target::membership::PodFacts;
    use crate::target::workload::WorkloadKind;
    let pod = format!("/kubepods/pod{UID}");
    let container = format!("{pod}/{}", id('c'));
    let matched =
        |text: &str, inventory: &Inventory| matcher(text).matches(&container, &known(inventory));
    let mut asked = inventory();
    asked.members.ask_of("shop");
    assert_eq!(matched("shop/sts/web", &asked), Match::Undecided);
    assert_eq!(matched("shop/sts/web/app", &asked), Match::Undecided);
    assert_eq!(matched("shop/*", &asked), is(&pod), "its name decides");
    let with_owner = |owner: &str| {
        let owners = vec![(WorkloadKind::StatefulSet, owner.to_owned())];
        let facts = PodFacts { labels: [].into(), owners, source: MembershipSource::Api };
        let mut inventory = asked.clone();
        inventory.add(RuntimeReport {
            facts: vec![(PodUid::parse(UID).expect("a UID"), facts)],
            ..RuntimeReport::default()
        });
        inventory
    };
    assert_eq!(matched("shop/sts/web", &with_owner("web")), is(&pod));
    assert_eq!(matched("shop/sts/web/app", &with_owner("web")), is(&container));
    assert_eq!(matched("shop/sts/web", &with_owner("other")), Match::Other);
    asked.members.is_silent = true;
    assert_eq!(matched("shop/sts/web", &asked), is(&pod), "by its name");
}
