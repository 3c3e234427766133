//! Tests of the resolver on hierarchies made of plain files.

use super::*;
use crate::target::listing::traceables;
use crate::target::names::{Engine, PodUid};
use crate::target::pod::Pod;
use crate::target::report::{Container, ContainerState, RuntimeReport};
use crate::target::testing::FakeHost;

const WEB: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &str = "0123456700000000000000000000000000000000000000000000000000000000";
const UID: &str = "123e4567-e89b-12d3-a456-426614174000";
const HASH: &str = "d41d8cd98f00b204e9800998ecf8427e";

fn resolve_in(host: &FakeHost, text: &str) -> Result<Selection, ResolveError> {
    let tree = host.root().tree().expect("a tree");
    resolve(&text.parse().expect("a target"), &tree, &Inventory::default())
}

fn cgroups(host: &FakeHost, text: &str) -> Vec<CgroupPath> {
    let target = resolve_in(host, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(target.name, text);
    target.paths
}

#[test]
fn containers_by_the_beginning_of_their_id() {
    let host = FakeHost::new();
    let web = format!("/machine.slice/libpod-{WEB}.scope");
    host.cgroup(&format!("{web}/container"), &[10]);
    host.cgroup(&format!("/machine.slice/libpod-conmon-{WEB}.scope"), &[11]);
    host.cgroup(&format!("/docker/{OTHER}"), &[12]);
    for text in [WEB, "0123456789ab", "podman:0123", "0123456789AB"] {
        assert_eq!(cgroups(&host, text), std::slice::from_ref(&web), "{text}");
    }
    assert_eq!(cgroups(&host, "docker:0123"), [format!("/docker/{OTHER}")]);
    assert_eq!(resolve_in(&host, WEB).expect("found").kind, TargetKind::Container);
    match resolve_in(&host, "012345") {
        Err(error @ ResolveError::Ambiguous { .. }) => {
            let message = error.to_string();
            for part in [WEB, OTHER, &web] {
                assert!(message.contains(part), "{message}");
            }
            assert!(!message.contains("conmon"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let missing = resolve_in(&host, "facade").expect_err("missing").to_string();
    assert!(
        missing.starts_with("no container is named `facade`\n\nhint: `tracer list` shows"),
        "{missing}"
    );
    for text in ["0123456", "01234567", "012345678"] {
        let found = resolve_in(&host, text);
        assert_eq!(found.is_ok(), text.len() == 9, "{text}: {found:?}");
    }
    assert_eq!(cgroups(&host, &format!("podman://{}", &WEB[..10])), std::slice::from_ref(&web));
    let number = resolve_in(&host, "987654").expect_err("missing").to_string();
    assert!(number.ends_with("for a process write pid:987654"), "{number}");
}

#[test]
fn an_id_that_two_cgroups_claim_is_ambiguous() {
    let host = FakeHost::new();
    host.cgroup(&format!("/docker/{WEB}"), &[10]);
    host.cgroup(&format!("/evil/{WEB}"), &[11]);
    assert!(matches!(resolve_in(&host, WEB), Err(ResolveError::Ambiguous { .. })));
}

#[test]
fn pods_by_uid_in_every_spelling() {
    let host = FakeHost::new();
    let slice = format!(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice",
        UID.replace('-', "_")
    );
    host.cgroup(&format!("{slice}/cri-containerd-{WEB}.scope"), &[10]);
    host.cgroup(&format!("{slice}/cri-containerd-{OTHER}.scope"), &[11]);
    for text in [UID.to_owned(), UID.replace('-', ""), format!("pod:{UID}")] {
        assert_eq!(cgroups(&host, &text), std::slice::from_ref(&slice), "{text}");
    }
    assert_eq!(resolve_in(&host, UID).expect("found").kind, TargetKind::Pod);
    let fixed = format!("/kubepods/pod{HASH}");
    host.cgroup(&format!("{fixed}/{WEB}"), &[12]);
    assert_eq!(cgroups(&host, HASH), [fixed]);
    let missing = resolve_in(&host, &HASH.replace('d', "e")).expect_err("missing").to_string();
    assert!(missing.starts_with("no pod or container"), "{missing}");
}

#[test]
fn a_pod_may_have_several_cgroups() {
    let host = FakeHost::new();
    let of = |id: &str| {
        format!(
            "/system.slice/containerd.service/kubepods-besteffort-pod{}.slice:cri-containerd:{id}",
            UID.replace('-', "_")
        )
    };
    host.cgroup(&of(WEB), &[10]);
    host.cgroup(&of(OTHER), &[11]);
    assert_eq!(cgroups(&host, UID), [of(OTHER), of(WEB)]);
    assert_eq!(cgroups(&host, WEB), [of(WEB)]);
}

#[test]
fn a_unit_is_the_system_managers_unless_a_user_is_named() {
    let host = FakeHost::new();
    let manager = "/user.slice/user-1000.slice/user@1000.service";
    let user = format!("{manager}/app.slice");
    host.cgroup("/system.slice/nginx.service", &[10]);
    host.cgroup(&format!("/docker/{WEB}/system.slice/nginx.service"), &[11]);
    host.cgroup(&format!("{user}/nginx.service"), &[12]);
    host.cgroup(&format!("{user}/other.service/nginx.service"), &[13]);
    host.cgroup(&format!("{user}/single.service"), &[14]);
    host.cgroup("/_cpu.slice", &[15]);
    assert_eq!(cgroups(&host, "nginx.service"), ["/system.slice/nginx.service"]);
    assert_eq!(cgroups(&host, "unit:nginx"), ["/system.slice/nginx.service"]);
    assert_eq!(cgroups(&host, "cpu.slice"), ["/_cpu.slice"]);
    assert_eq!(cgroups(&host, "user@1000.service"), [manager]);
    assert_eq!(cgroups(&host, "unit:user@1000/nginx"), [format!("{user}/nginx.service")]);
    assert_eq!(cgroups(&host, "unit:user@1000/app.slice"), [user]);
    for text in ["single.service", "unit:user@1001/single", "none.service"] {
        let error = resolve_in(&host, text).expect_err(text);
        assert!(matches!(error, ResolveError::NotFound { .. }), "{text}: {error:?}");
    }
    let hint = resolve_in(&host, "single.service").expect_err("a user's").to_string();
    assert!(hint.contains("unit:user@1000/NAME"), "{hint}");
}

#[test]
fn processes_and_paths() {
    let host = FakeHost::new();
    host.cgroup("/system.slice/nginx.service", &[10]);
    host.process("10", "0::/system.slice/nginx.service\n");
    host.process("11", "4:memory:/x\n0::/\n");
    let nginx = "/system.slice/nginx.service";
    assert_eq!(cgroups(&host, "pid:10"), [nginx]);
    assert_eq!(cgroups(&host, nginx), [nginx]);
    assert!(matches!(
        resolve_in(&host, "pid:11"),
        Err(ResolveError::InRoot { process: 11, v1: false, .. })
    ));
    assert!(matches!(
        resolve_in(&host, "pid:12"),
        Err(ResolveError::Cgroup(CgroupError::NoProcess { process: 12 }))
    ));
    assert!(matches!(
        resolve_in(&host, "/nowhere"),
        Err(ResolveError::Cgroup(CgroupError::Missing { .. }))
    ));
}

/// The container `WEB` is app of the pod shop/web-0 with the UID, `OTHER` its pause container.
fn inventory() -> Inventory {
    let pod = Pod { namespace: "shop".into(), name: "web-0".into(), uid: PodUid::parse(UID) };
    let container = |id: &str, engine, name: &str, pod| Container {
        engine,
        id: id.to_owned(),
        name: name.to_owned(),
        state: ContainerState::Exited,
        pod,
        image: None,
    };
    let mut inventory = Inventory::default();
    inventory.add(RuntimeReport {
        containers: vec![
            container(WEB, Engine::Containerd, "app", Some(pod.clone())),
            container(&"a".repeat(64), Engine::Docker, "db", None),
        ],
        pods: vec![pod],
        sandboxes: vec![OTHER.to_owned()],
        ..RuntimeReport::default()
    });
    inventory
}

#[test]
fn names_are_those_that_runtimes_report() {
    let host = FakeHost::new();
    let pod = format!("/kubepods/pod{UID}");
    host.cgroup(&format!("{pod}/{WEB}"), &[10]);
    host.cgroup(&format!("{pod}/{OTHER}"), &[11]);
    let tree = host.root().tree().expect("a tree");
    let found = |text: &str| resolve(&text.parse().expect("a target"), &tree, &inventory());
    for text in ["shop/web-0", UID] {
        let target = found(text).expect(text);
        assert_eq!(target.kind, TargetKind::Pod);
        assert_eq!(target.paths, std::slice::from_ref(&pod), "{text}");
        assert_eq!(target.without, [format!("{pod}/{OTHER}")], "{text}: the pause container");
    }
    for text in ["shop/web-0/app", "cri:app", "app", "0123456789ab"] {
        let target = found(text).expect(text);
        assert_eq!(target.kind, TargetKind::Container);
        assert_eq!(target.paths, [format!("{pod}/{WEB}")], "{text}");
    }
    let message = |text: &str| found(text).expect_err(text).to_string();
    assert!(
        message("docker:db").starts_with("the container `db` has ended\n"),
        "{}",
        message("db")
    );
    assert!(
        message("dbb").starts_with("no container is named `dbb`; there is db"),
        "{}",
        message("dbb")
    );
    for text in ["web-0", "pod:web-0", "pod/web-0"] {
        assert!(message(text).contains("; there is shop/web-0"), "{}", message(text));
    }
    assert!(!found("pod:web-0").expect_err("no namespace").is_absence(), "it never comes");
    assert!(message("pod:web-0").contains("without its namespace"), "{}", message("pod:web-0"));
    let offered = "; there is shop/statefulset/web, shop/web-0\n";
    assert!(message("shop/web").contains(offered), "{}", message("shop/web"));
    assert!(message("shop/web-0/ap").contains("; there is shop/web-0/app"));
}

#[test]
fn a_name_is_meant_before_an_id_that_begins_so() {
    let host = FakeHost::new();
    let beginning = format!("db{}", &WEB[2..]);
    host.cgroup(&format!("/docker/{}", "a".repeat(64)), &[10]);
    host.cgroup(&format!("/docker/{beginning}"), &[11]);
    let tree = host.root().tree().expect("a tree");
    let found = resolve(&"db".parse().expect("a target"), &tree, &inventory()).expect("found");
    assert_eq!(found.paths, [format!("/docker/{}", "a".repeat(64))]);
    let without_names = resolve(&"db".parse().expect("a target"), &tree, &Inventory::default());
    assert_eq!(without_names.expect("by its id").paths, [format!("/docker/{beginning}")]);
}

#[test]
fn a_path_without_its_slash_is_offered_with_it() {
    let host = FakeHost::new();
    host.cgroup(&format!("/docker/{WEB}"), &[10]);
    host.cgroup("/jobs/one", &[11]);
    for (typed, path) in [
        (format!("docker/{WEB}"), format!("/docker/{WEB}")),
        (format!("docker/{}", &WEB[..6]), format!("/docker/{WEB}")),
        ("jobs/one".to_owned(), "/jobs/one".to_owned()),
        ("jobs".to_owned(), "/jobs".to_owned()),
    ] {
        let message = resolve_in(&host, &typed).expect_err(&typed).to_string();
        assert!(message.contains(&format!("; there is {path}\n")), "{typed}: {message}");
    }
    let message = resolve_in(&host, "job").expect_err("nothing").to_string();
    assert!(!message.contains("there is"), "{message}");
}

/// Every name that `tracer list` shows is a target, and means the cgroup that it is shown for.
#[test]
fn what_is_listed_resolves_to_its_cgroup() {
    let host = FakeHost::new();
    let (pod, unknown) = (format!("/kubepods/pod{UID}"), "b".repeat(64));
    let manager = "/user.slice/user-1000.slice/user@1000.service";
    let service = "/system.slice/nginx.service";
    for (path, process) in [
        (format!("{pod}/{WEB}"), 10),
        (format!("{pod}/{OTHER}"), 11),
        (format!("/docker/{}", "a".repeat(64)), 12),
        (format!("/machine.slice/libpod-{unknown}.scope"), 13),
        (service.to_owned(), 14),
        (format!("{manager}/app.slice/web.service"), 15),
        (format!("{service}/inner.service"), 16),
    ] {
        host.cgroup(&path, &[process]);
    }
    let tree = host.root().tree().expect("a tree");
    let listed = traceables(&tree, &inventory());
    let names: Vec<&str> = listed.iter().map(|one| one.name.as_str()).collect();
    for name in ["shop/web-0", "shop/web-0/app", "db", &unknown, "nginx.service"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    for one in &listed {
        let spec = one.name.parse().expect("a target");
        let found = resolve(&spec, &tree, &inventory()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found.paths, [one.cgroup.as_str()], "{}", one.name);
    }
}
