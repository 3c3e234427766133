//! Tests of [`super`].

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
            format!("{kind}/kubelet-kubepods-besteffort-pod{UID_}.slice/cri-containerd-{ID}.scope"),
            Some(Engine::Containerd),
            Some(UID),
        ),
        (format!("/kubepods/burstable/pod{UID}/{ID}"), Some(Engine::Unknown), Some(UID)),
        (format!("/kubepods/pod{UID}/crio-{ID}"), Some(Engine::Crio), Some(UID)),
        (format!("/docker/{ID}/kubepods/pod{UID}/{ID}"), Some(Engine::Unknown), Some(UID)),
        (format!("/kubepods/burstable/pod{HASH}/{ID}"), Some(Engine::Unknown), Some(HASH)),
        (
            format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{HASH}.slice"),
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
        let found = container(&path);
        assert_eq!(found.as_ref().map(|found| found.engine), engine, "{path}");
        assert!(found.is_none_or(|found| found.id == ID), "{path}");
        let pods: Vec<PodUid> = path.split('/').filter_map(pod).collect();
        assert_eq!(pods.first(), uid.and_then(PodUid::parse).as_ref(), "{path}");
    }
}

#[test]
fn pods_of_podman_and_monitors_are_known_by_their_names() {
    for (parent, name) in [
        ("libpod_parent", ID.to_owned()),
        ("machine.slice", format!("machine-libpod_pod_{ID}.slice")),
        ("user.slice", format!("user-libpod_pod_{ID}.slice")),
    ] {
        let path = format!("/{parent}/{name}");
        assert_eq!(podman_pod(&path), Some(ID), "{path}");
        assert_eq!(container(&path), None, "{path}");
    }
    for (parent, name) in [
        ("docker", ID.to_owned()),
        ("libpod_parent", format!("libpod-{ID}")),
        ("libpod_parent", ID[1..].to_owned()),
        ("libpod_parent", format!("{ID}.slice")),
        ("x", format!("x-libpod_pod_{ID}.slice")),
        ("machine.slice", "machine-libpod_pod_.slice".to_owned()),
    ] {
        assert_eq!(podman_pod(&format!("/{parent}/{name}")), None, "{parent} {name}");
    }
    assert_eq!(podman_pod(&format!("/{ID}")), None);
    for name in ["conmon", &format!("libpod-conmon-{ID}.scope"), &format!("crio-conmon-{ID}")] {
        assert!(is_monitor(name), "{name}");
    }
    for name in ["conmon.scope", "conmon-1", "libpod-conmon-web.scope", "", &format!("libpod-{ID}")]
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
    for wrong in ["nginx", "nginx.socket", ".service", "a b.service", "a/b.service", "é.scope"] {
        assert_eq!(unit(wrong), None, "{wrong}");
    }
    assert_eq!(unit(&format!("{}.service", "a".repeat(250))), None);
}

/// Names that look almost right, cut and joined in every way by a small generator: no panic,
/// and what is found has the form of an id.
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
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0)
    };
    for _ in 0..50_000 {
        let count = next() % 6;
        let name: String = (0..count).map(|_| pieces[next() % pieces.len()]).collect();
        let last = leaf(&name);
        if let Some(found) = container(&name) {
            assert_eq!(found.id.len(), 64, "{name:?}");
            assert!(is_lower_hex(&found.id), "{name:?}");
            assert!(!last.contains("conmon"), "{name:?}");
            assert!(last.trim_end_matches(".scope").ends_with(&found.id), "{name:?}");
        }
        if let Some(uid) = pod(last) {
            assert!(last.replace(['-', '_'], "").contains(uid.digits()), "{name:?}");
        }
        let _ = (unit(last), container_above(&name));
    }
    let long = "p".repeat(253);
    assert_eq!(container(&format!("/{long}")), None);
    assert_eq!(pod(&long), None);
}

#[test]
fn the_container_that_a_path_is_in_is_found() {
    let names = [
        format!("/docker/{ID}"),
        format!("/system.slice/docker-{ID}.scope"),
        format!("/kubepods.slice/x.slice/cri-containerd-{ID}.scope"),
        format!("/system.slice/kubepods-pod1.slice:cri-containerd:{ID}"),
    ];
    for name in names {
        assert_eq!(container_above(&name), Some((ID.to_owned(), "")), "{name}");
        let below = format!("{name}/a/b");
        assert_eq!(container_above(&below), Some((ID.to_owned(), "a/b")), "{name}");
    }
    for other in ["/", "", "/a/b.scope", "/é0123", &format!("/x{ID}"), &ID.to_uppercase()] {
        assert_eq!(container_above(other), None, "{other}");
    }
}
