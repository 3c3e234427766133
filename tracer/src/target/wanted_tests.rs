//! Tests of the rules by which a cgroup is judged.

use std::sync::OnceLock;

use super::*;
use crate::target::inventory::{ContainerState, Told};
use crate::target::names::Engine;
use crate::target::territory::{Home, Territory};

static CLAIMS: OnceLock<Claims> = OnceLock::new();
const UID: &str = "123e4567-e89b-12d3-a456-426614174000";

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn known(inventory: &Inventory) -> Known<'_> {
    Known { inventory, claims: CLAIMS.get_or_init(Claims::default) }
}

fn wanted(text: &str) -> Wanted {
    Wanted::new(&text.parse().expect("a target")).expect("not a path")
}

/// `a`: docker's web; `b`: podman's web; `c`: the container app of the pod shop/web-0, whose pause container is `d`.
fn inventory() -> Inventory {
    let pod = Pod { namespace: "shop".to_owned(), name: "web-0".to_owned(), uid: UID.to_owned() };
    let container = |engine, digit, name: &str, pod| Container {
        engine,
        id: id(digit),
        name: name.to_owned(),
        state: ContainerState::Running,
        pod,
        image: None,
    };
    let mut inventory = Inventory::default();
    inventory.add(Told {
        containers: vec![
            container(Engine::Docker, 'a', "web", None),
            container(Engine::Podman, 'b', "web", None),
            container(Engine::Containerd, 'c', "app", Some(pod.clone())),
        ],
        pods: vec![pod],
        sandboxes: vec![id('d')],
        ..Told::default()
    });
    inventory
}

fn judged(text: &str, path: &str) -> Verdict {
    wanted(text).judge(path, &known(&inventory()))
}

fn is(path: &str) -> Verdict {
    Verdict::Target(path.to_owned())
}

#[test]
fn the_uppermost_cgroup_of_that_name_is_the_target() {
    let container = format!("/system.slice/docker-{}.scope", id('a'));
    for (text, path, verdict) in [
        ("aaaaaaaaaaaa", format!("{container}/init"), is(&container)),
        ("aaaaaaaaaaaa", format!("/docker/{}", id('a')), is(&format!("/docker/{}", id('a')))),
        ("docker:bbbb", format!("/libpod_parent/libpod-{}", id('b')), Verdict::Other),
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
        ("shop/sts/web/side", format!("/kubepods/pod{UID}/{}", id('c')), Verdict::Other),
        ("shop/deployment/web", format!("/kubepods/pod{UID}/{}", id('c')), Verdict::Other),
        ("test/sts/web", format!("/kubepods/pod{UID}/{}", id('c')), Verdict::Other),
        ("web.service", "/system.slice/web.service/a".into(), is("/system.slice/web.service")),
        ("web.service", "/system.slice/other.service".into(), Verdict::Other),
    ] {
        assert_eq!(judged(text, &path), verdict, "{text} {path}");
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
        ("docker:web", podman.clone(), Verdict::Other),
        ("podman:web", podman.clone(), is(&podman)),
        ("podman:web", docker.clone(), Verdict::Other),
        ("web", docker.clone(), is(&docker)),
        ("web", podman.clone(), is(&podman)),
        ("cri:app", pod.clone(), is(&pod)),
        ("cri:web", docker.clone(), Verdict::Other),
        ("shop/web-0/app", pod.clone(), is(&pod)),
        ("shop/web-0/other", pod.clone(), Verdict::Other),
        ("shop/web-0", pod.clone(), is(&pod)),
        ("other/web-0", pod, Verdict::Other),
    ] {
        assert_eq!(judged(text, &path), verdict, "{text} {path}");
    }
}

#[test]
fn a_name_that_is_known_is_followed_among_its_engines() {
    let mut inventory = inventory();
    let (docker, unknown) = (format!("/docker/{}", id('a')), format!("/x/{}", id('e')));
    let both = wanted("web").of_known(&inventory);
    assert!(!both.is_dockers(), "podman has one of that name as well");
    inventory.containers.remove(&id('b'));
    let followed = wanted("web").of_known(&inventory);
    assert!(followed.is_dockers());
    assert_eq!(followed.judge(&docker, &known(&inventory)), is(&docker));
    assert_eq!(followed.judge(&unknown, &known(&inventory)), Verdict::Undecided);
    assert!(!wanted("other").of_known(&inventory).is_dockers(), "it may be anybody's");
    let pods = wanted("app").of_known(&inventory);
    assert_eq!(pods.judge(&unknown, &known(&inventory)), Verdict::Other, "not in a pod");
}

#[test]
fn a_pod_is_its_cgroup_without_the_pause_container() {
    let pod = format!("/kubepods/pod{UID}");
    let pause = format!("{pod}/{}", id('d'));
    for text in [UID, "shop/web-0"] {
        assert_eq!(judged(text, &format!("{pod}/{}", id('c'))), is(&pod), "{text}");
        assert_eq!(judged(text, &format!("{pod}/{}", id('e'))), is(&pod), "{text}: a new one");
        assert_eq!(judged(text, &pause), Verdict::Pause(pause.clone()), "{text}");
    }
    assert_eq!(judged("shop/web-1", &pause), Verdict::Other);
}

#[test]
fn what_nobody_told_of_is_undecided_when_it_may_be_meant() {
    let unknown = format!("/docker/{}", id('e'));
    for (text, verdict) in [
        ("docker:web", Verdict::Undecided),
        ("web", Verdict::Undecided),
        ("shop/web-0", Verdict::Other),
        ("podman:web", Verdict::Other),
        ("aaaaaaaaaaaa", Verdict::Undecided),
        ("web.service", Verdict::Other),
    ] {
        assert_eq!(judged(text, &unknown), verdict, "{text}");
    }
    let elsewhere = format!("/kubepods/pod{UID}/{}", id('e'));
    for text in ["shop/web-1", "shop/web-1/app"] {
        assert_eq!(judged(text, &elsewhere), Verdict::Other, "{text}: the pod is another");
    }
    assert_eq!(judged("shop/web-0/app", &elsewhere), Verdict::Undecided);
    let in_pod = format!("/kubepods/pod{}/{}", UID.replace('1', "2"), id('e'));
    for text in ["shop/web-0", "shop/web-0/app", "cri:app"] {
        assert_eq!(judged(text, &in_pod), Verdict::Undecided, "{text}: it may be a new one");
        let mut loose = inventory();
        loose.loose_pods.insert(names::above(&unknown).to_owned());
        assert_eq!(wanted(text).judge(&unknown, &known(&loose)), Verdict::Undecided, "{text}");
        let far = format!("/far/cri-containerd-{}.scope", id('e'));
        assert_eq!(wanted(text).judge(&far, &known(&loose)), Verdict::Other, "{text}: not there");
    }
    let nested = format!("/docker/{}/{}", id('a'), id('e'));
    assert_eq!(judged("docker:other", &nested), Verdict::Other, "inside another one");
    assert_eq!(judged("docker:web", "/docker"), Verdict::Other, "no container");
}

#[test]
fn a_pod_without_a_cgroup_is_found_where_its_runtime_makes_containers() {
    for known in
        [format!("/k8s.io/{}", id('c')), format!("/system.slice/cri-containerd-{}.scope", id('c'))]
    {
        for text in ["shop/web-0", "shop/web-0/app", UID] {
            assert_eq!(judged(text, &known), is(&known), "{text}");
        }
        assert_eq!(judged("shop/web-1", &known), Verdict::Other);
        assert_eq!(judged(&UID.replace('1', "2"), &known), Verdict::Other);
    }
    let new = format!("/k8s.io/{}", id('e'));
    for text in ["shop/web-0", "shop/web-1/app", UID] {
        assert_eq!(judged(text, &new), Verdict::Undecided, "{text}: nobody told of it yet");
    }
    assert_eq!(judged("shop/web-0", &format!("/k8s.io/{}", id('d'))), Verdict::Other, "the pause");
    let elsewhere = format!("/kubepods/pod{}/{}", UID.replace('1', "2"), id('e'));
    assert_eq!(judged(UID, &elsewhere), Verdict::Other, "the pod is another");
}

#[test]
fn all_containers_are_all_but_the_pause_containers() {
    let all = |path: &str| Wanted::all_containers().judge(path, &known(&inventory()));
    let container = format!("/x/{}", id('e'));
    assert_eq!(all(&format!("{container}/deep")), is(&container));
    let pause = format!("/kubepods/pod{UID}/{}", id('d'));
    assert_eq!(all(&pause), Verdict::Pause(pause.clone()));
    assert_eq!(all("/system.slice/x.service"), Verdict::Other);
}

#[test]
fn a_pod_of_podman_is_named_by_its_id_and_no_container() {
    let pod = format!("/libpod_parent/{}", id('e'));
    let container = format!("{pod}/libpod-{}", id('b'));
    let monitor = format!("{pod}/conmon");
    let all = |path: &str| Wanted::all_containers().judge(path, &known(&inventory()));
    assert_eq!(all(&container), is(&container));
    for path in [&pod, &monitor] {
        assert_eq!(all(path), Verdict::Other, "{path}");
    }
    for path in [&pod, &container] {
        assert_eq!(judged("eeeeeeeeeeee", path), is(&pod), "{path}");
        assert_eq!(judged("docker:eeee", path), Verdict::Other, "{path}");
    }
    assert_eq!(judged("podman:web", &container), is(&container));
}

#[test]
fn a_path_and_a_process_are_no_rules() {
    for text in ["/a", "pid:1"] {
        assert_eq!(Wanted::new(&text.parse().expect("a target")), None, "{text}");
    }
}

/// Cgroups below `/home` are made by user 1000.
fn claims(paths: &[&str]) -> Claims {
    let mut claims = Claims::default();
    for path in paths {
        claims.take(path, |top| Territory::new(top, top.starts_with("/home/").then_some(1000)));
    }
    claims
}

#[test]
fn names_are_not_awaited_in_trees_of_users() {
    let [users, host] = [format!("/home/{}", id('e')), format!("/x/{}", id('f'))];
    let claims = claims(&[&users, &host]);
    let mut inventory = inventory();
    for (uid, path, verdict) in [
        (0, Some("/system.slice/docker.service"), Verdict::Other),
        (0, None, Verdict::Other),
        (1000, Some("/home/docker.service"), Verdict::Undecided),
    ] {
        let home = Some(Home { user: uid, path: path.map(str::to_owned) });
        inventory.add(Told { home, ..Told::default() });
        let known = Known { inventory: &inventory, claims: &claims };
        assert_eq!(wanted("docker:web").judge(&users, &known), verdict, "{uid} {path:?}");
        assert_eq!(wanted("docker:web").judge(&host, &known), Verdict::Undecided);
    }
}

#[test]
fn a_name_that_another_cgroup_has_rightfully_is_a_rivals() {
    let [users, host] = ["/home/", "/x/"].map(|above| format!("{above}{}", id('a')));
    let (claims, inventory) = (claims(&[&users, &host]), inventory());
    let known = Known { inventory: &inventory, claims: &claims };
    let rival = |path: &str, contested| Verdict::Rival { path: path.to_owned(), contested };
    for text in ["aaaaaaaaaaaa", "docker:web", "web"] {
        assert_eq!(wanted(text).judge(&host, &known), is(&host), "{text}");
        assert_eq!(wanted(text).judge(&users, &known), rival(&users, false), "{text}");
        let below = format!("{users}/deep");
        assert_eq!(wanted(text).judge(&below, &known), rival(&users, false), "{text}");
    }
    assert_eq!(Wanted::all_containers().judge(&users, &known), rival(&users, false));
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
        assert_eq!(wanted(text).is_id(), is, "{text}");
    }
    assert!(wanted(&id('e')).is_id());
}

#[test]
fn one_container_has_the_name() {
    let inventory = inventory();
    let [docker, podman, pod] = ['a', 'b', 'c'].map(|digit| &inventory.containers[&id(digit)]);
    assert!(wanted("docker:web").is_named(docker) && wanted("web").is_named(podman));
    assert!(!wanted("docker:web").is_named(podman), "another engine's");
    assert!(!wanted("docker:other").is_named(docker), "another name");
    assert!(!wanted("cri:app").is_named(pod), "pods have containers of one name");
    assert!(!wanted("shop/web-0").is_named(pod) && !Wanted::all_containers().is_named(docker));
}

#[test]
fn few_digits_stand_for_the_container_that_was_found_or_for_none() {
    let path = |digit: char| format!("/docker/{}", id(digit));
    let inventory = inventory();
    let known = known(&inventory);
    let found = wanted("aa").pinned(&[path('a')]);
    assert_eq!(found.judge(&path('a'), &known), is(&path('a')));
    let other = format!("/docker/aa{}", &id('0')[2..]);
    assert_ne!(found.judge(&other, &known), is(&other), "another one that begins alike");
    let awaited = wanted("aa").pinned(&[]);
    assert_eq!(awaited.judge(&path('a'), &known), Verdict::Other, "its name is not aa");
    let long = wanted("aaaaaa").pinned(&[]);
    assert_eq!(long.judge(&path('a'), &known), is(&path('a')), "enough of an id");
}

/// An engine of user 1000 tells of a container in that user's tree, and claims that the host's and another one are its own.
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
    let judged = |text: &str, path: &str, inventory: &Inventory| {
        wanted(text).judge(path, &Known { inventory, claims: &claims })
    };
    assert_eq!(judged("podman:user@1000/mine", &own, &inventory), Verdict::Other, "no engine");
    inventory.add_of_user(1000, Told::default());
    let undecided = judged("podman:user@1000/mine", &own, &inventory);
    assert_eq!(undecided, Verdict::Undecided, "it may tell of it");
    let containers = ['e', 'f', 'a'].map(container).to_vec();
    inventory.add_of_user(1000, Told { containers, ..Told::default() });
    for (text, path, verdict) in [
        ("podman:user@1000/mine", &own, is(&own)),
        ("podman:user@1001/mine", &own, Verdict::Other),
        ("podman:user@1000/mine", &hosts, Verdict::Other),
        ("podman:user@1000/mine", &dockers, Verdict::Other),
        ("podman:user@1000/web", &own, Verdict::Other),
        ("mine", &own, Verdict::Other),
        ("podman:mine", &own, Verdict::Other),
        ("podman:mine", &dockers, Verdict::Other),
        ("docker:web", &dockers, is(&dockers)),
    ] {
        assert_eq!(judged(text, path, &inventory), verdict, "{text} {path}");
    }
    let typed = |text: &str| {
        let spec: TargetSpec = text.parse().expect("a target");
        Wanted::new(&spec.also_of_user(1000)).expect("a name")
    };
    let known = Known { inventory: &inventory, claims: &claims };
    assert_eq!(typed("mine").judge(&own, &known), is(&own), "who typed may mean their own");
    assert_eq!(typed("web").judge(&dockers, &known), is(&dockers));
    assert_eq!(typed("cri:mine").judge(&own, &known), Verdict::Other);
}

#[test]
fn a_pod_that_the_api_server_will_tell_of_is_undecided_until_it_does() {
    use crate::recording::ToldBy;
    use crate::target::membership::PodFacts;
    use crate::target::workload::WorkloadKind;
    let pod = format!("/kubepods/pod{UID}");
    let container = format!("{pod}/{}", id('c'));
    let judge =
        |text: &str, inventory: &Inventory| wanted(text).judge(&container, &known(inventory));
    let mut asked = inventory();
    asked.members.ask_of("shop");
    assert_eq!(judge("shop/sts/web", &asked), Verdict::Undecided);
    assert_eq!(judge("shop/sts/web/app", &asked), Verdict::Undecided);
    assert_eq!(judge("shop/*", &asked), is(&pod), "its name decides");
    let told = |owner: &str| {
        let owners = vec![(WorkloadKind::StatefulSet, owner.to_owned())];
        let facts = PodFacts { labels: [].into(), owners, told_by: ToldBy::Api };
        let mut told = asked.clone();
        told.add(Told { facts: vec![(UID.to_owned(), facts)], ..Told::default() });
        told
    };
    assert_eq!(judge("shop/sts/web", &told("web")), is(&pod));
    assert_eq!(judge("shop/sts/web/app", &told("web")), is(&container));
    assert_eq!(judge("shop/sts/web", &told("other")), Verdict::Other);
    asked.members.is_silent = true;
    assert_eq!(judge("shop/sts/web", &asked), is(&pod), "by its name");
}
