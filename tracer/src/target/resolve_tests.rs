//! Tests of the resolver on hierarchies made of plain files.

use super::*;
use crate::target::testing::FakeHost;

const WEB: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &str = "0123456700000000000000000000000000000000000000000000000000000000";
const UID: &str = "123e4567-e89b-12d3-a456-426614174000";
const HASH: &str = "d41d8cd98f00b204e9800998ecf8427e";

fn resolve_in(host: &FakeHost, text: &str) -> Result<ResolvedTarget, ResolveError> {
    let tree = host.root().tree().expect("a tree");
    resolve(&text.parse().expect("a target"), &tree)
}

fn cgroups(host: &FakeHost, text: &str) -> Vec<String> {
    let target = resolve_in(host, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(target.name, text);
    target.cgroups
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
    assert!(missing.starts_with("no container `facade` is running\n\nhint: `tracer list` shows"));
    let number = resolve_in(&host, "987654").expect_err("missing").to_string();
    assert!(number.ends_with("write pid:987654"), "{number}");
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
fn units_of_the_host_come_first() {
    let host = FakeHost::new();
    let user = "/user.slice/user-1000.slice/user@1000.service/app.slice";
    host.cgroup("/system.slice/nginx.service", &[10]);
    host.cgroup(&format!("/docker/{WEB}/system.slice/nginx.service"), &[11]);
    host.cgroup(&format!("{user}/nginx.service"), &[12]);
    host.cgroup(&format!("{user}/own.service"), &[13]);
    host.cgroup(&format!("/docker/{WEB}/system.slice/own.service"), &[13]);
    host.cgroup(&format!("{user}/single.service"), &[14]);
    host.cgroup("/_cpu.slice", &[15]);
    assert_eq!(cgroups(&host, "nginx.service"), ["/system.slice/nginx.service"]);
    assert_eq!(cgroups(&host, "unit:nginx"), ["/system.slice/nginx.service"]);
    assert_eq!(cgroups(&host, "single.service"), [format!("{user}/single.service")]);
    assert_eq!(cgroups(&host, "cpu.slice"), ["/_cpu.slice"]);
    assert!(matches!(resolve_in(&host, "own.service"), Err(ResolveError::Ambiguous { .. })));
    assert!(matches!(resolve_in(&host, "none.service"), Err(ResolveError::NotFound { .. })));
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

#[test]
fn names_are_not_supported_yet() {
    let host = FakeHost::new();
    for text in ["shop/web", "web", "docker:web", "pod:shop/web"] {
        let error = resolve_in(&host, text).expect_err(text);
        assert!(matches!(error, ResolveError::NameUnsupported { .. }), "{text}");
        assert!(error.to_string().contains("crictl ps"), "{error}");
    }
}
