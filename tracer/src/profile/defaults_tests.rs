//! Tests of [`super`].

use super::*;

#[test]
fn the_embedded_defaults_are_well_formed() {
    for engine in DefaultsEngine::ALL {
        let profile = DefaultProfile::parse(engine, engine.embedded())
            .unwrap_or_else(|error| panic!("{}: {error}", engine.name()));
        assert!(!profile.version().is_empty());
        let calls = &profile.file.calls;
        assert!(calls.is_sorted_by(|one, next| one < next), "{}", engine.name());
        for limited in &profile.file.limited {
            assert!(!calls.contains(&limited.name), "{}", limited.name);
            let shared = &shared()[limited.name.as_str()];
            assert_eq!((shared.index, shared.mask), (limited.index, limited.mask));
        }
    }
}

#[test]
fn they_allow_as_many_names_as_was_counted() {
    assert_eq!(DefaultsEngine::Docker.default_profile().names(), 306 + 3);
    assert_eq!(DefaultsEngine::Containerd.default_profile().names(), 309 + 3);
}

#[test]
fn what_they_refuse_is_known() {
    let refused = |name: &str, first: u64| {
        let number = syscalls::number(Abi::X86_64, name).expect("a call");
        let number = u32::try_from(number).expect("not negative");
        DefaultsEngine::ALL.map(|engine| {
            engine.default_profile().refuses(Abi::X86_64, number, &[first, 0, 0, 0, 0, 0])
        })
    };
    for (name, first, expected) in [
        ("read", 0, [false, false]),
        ("chroot", 0, [false, false]),
        ("unshare", 0, [true, true]),
        ("clone3", 0, [true, true]),
        ("lsm_list_modules", 0, [true, false]),
        ("socket", 1, [false, false]),
        ("socket", 38, [true, true]),
        ("socket", 40, [true, true]),
        ("socket", 0x1_0000_0026, [true, true]),
        ("socket", 12, [true, false]),
        ("clone", 0x11, [false, false]),
        ("clone", 0x1000_0011, [true, true]),
        ("personality", 8, [false, false]),
        ("personality", 0x0004_0000, [true, true]),
    ] {
        assert_eq!(refused(name, first), expected, "{name} {first:#x}");
    }
}

#[test]
fn what_all_allow_is_what_each_allows() {
    let names: Vec<&str> = shared().keys().copied().collect();
    assert_eq!(names, ["clone", "personality", "socket"]);
    let socket = &shared()["socket"].values;
    assert_eq!(socket.len(), 37);
    assert!(socket.contains(&1) && !socket.contains(&38) && !socket.contains(&40));
    let docker = DefaultsEngine::Docker.default_profile();
    let needs: Vec<&str> = docker.capabilities_for("bpf").collect();
    assert_eq!(needs, ["CAP_BPF", "CAP_SYS_ADMIN"]);
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let with = |part: &str, other: &str| {
        let text = DefaultsEngine::Docker.embedded().replace(part, other);
        DefaultProfile::parse(DefaultsEngine::Docker, &text).expect_err(other).to_string()
    };
    assert!(with("\"accept4\"", "\"accept44\"").contains("accept44"));
    assert!(with("CAP_BPF", "CAP_BFP").contains("CAP_BFP"));
    assert!(with("\"values\": [0] }", "\"values\": [] }").contains("\"clone\""));
    assert!(with("\"errno\": 1,", "").contains("not well-formed"));
    let other =
        DefaultProfile::parse(DefaultsEngine::Containerd, DefaultsEngine::Docker.embedded());
    assert!(matches!(other, Err(DefaultError::Engine { .. })));
}
