//! Tests of the forms in which a target is named.

use super::*;
use crate::target::workload::Pods;

const UID: &str = "123e4567-e89b-12d3-a456-426614174000";
const HASH: &str = "d41d8cd98f00b204e9800998ecf8427e";

fn parse(text: &str) -> Vec<Meaning> {
    let spec: TargetSpec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(spec.text, text);
    spec.meanings
}

fn id(scope: EngineScope, prefix: &str) -> Meaning {
    Meaning::ContainerId { scope, prefix: prefix.to_owned() }
}

fn name(scope: EngineScope, name: &str) -> Meaning {
    Meaning::ContainerName { scope, name: name.to_owned() }
}

fn in_pod(container: &str) -> Meaning {
    let [namespace, pod, container] = ["shop", "web-0", container].map(str::to_owned);
    Meaning::PodContainer { namespace, pod, container }
}

fn begins(start: &str) -> Meaning {
    let pods = Pods::Beginning(start.to_owned());
    let group = PodGroup { namespace: "shop".to_owned(), pods, selector: Selector::default() };
    Meaning::Workload { group, container: None }
}

#[test]
fn forms_without_prefix() {
    let uid = || Meaning::PodUid(PodUid::parse(UID).expect("a UID"));
    let hash = || Meaning::PodUid(PodUid::parse(HASH).expect("a hash"));
    let pod = Meaning::PodName { namespace: "shop".to_owned(), pod: "web-7d4b9-xk2.v1".to_owned() };
    for (text, meanings) in [
        ("/", vec![Meaning::Path("/".to_owned())]),
        ("/a:b", vec![Meaning::Path("/a:b".to_owned())]),
        ("nginx.service", vec![Meaning::Unit("nginx.service".to_owned())]),
        ("user@0.service", vec![Meaning::Unit("user@0.service".to_owned())]),
        ("foo:bar.scope", vec![Meaning::Unit("foo:bar.scope".to_owned())]),
        (UID, vec![uid()]),
        ("123E4567_E89B_12D3_A456_426614174000", vec![uid()]),
        (HASH, vec![hash(), id(EngineScope::Any, HASH)]),
        ("facade", vec![id(EngineScope::Any, "facade"), name(EngineScope::Any, "facade")]),
        ("FACADE12", vec![id(EngineScope::Any, "facade12"), name(EngineScope::Any, "FACADE12")]),
        ("cafe", vec![id(EngineScope::Any, "cafe"), name(EngineScope::Any, "cafe")]),
        ("6", vec![id(EngineScope::Any, "6"), name(EngineScope::Any, "6")]),
        ("web", vec![name(EngineScope::Any, "web")]),
        ("web_1", vec![name(EngineScope::Any, "web_1")]),
        ("shop/web-7d4b9-xk2.v1", vec![pod]),
        ("shop/web-0/proxy", vec![in_pod("proxy")]),
        ("shop/web-*", vec![begins("web-")]),
    ] {
        assert_eq!(parse(text), meanings, "{text}");
    }
}

#[test]
fn prefixes_force_the_kind() {
    for (text, meaning) in [
        ("path:/x", Meaning::Path("/x".to_owned())),
        ("pid:1", Meaning::Process(1)),
        ("pod:shop/web-*", begins("web-")),
        ("pod:123e4567e89b12d3a456426614174000", parse(UID).remove(0)),
        ("docker:web.service", name(EngineScope::Docker, "web.service")),
        ("podman:abx", name(EngineScope::Podman, "abx")),
        ("containerd://0123abcd", id(EngineScope::Cri, "0123abcd")),
        ("cri-o://0123ABCD", id(EngineScope::Cri, "0123abcd")),
        ("docker://0123abcd", id(EngineScope::Docker, "0123abcd")),
        ("podman://0123abcd", id(EngineScope::Podman, "0123abcd")),
        ("podman:user@1000/web", name(EngineScope::OfUser(1000), "web")),
        ("docker:user@1000/64", name(EngineScope::OfUser(1000), "64")),
        ("pod:web-0", Meaning::PodWithoutNamespace("web-0".to_owned())),
        ("pod:shop/web-0/proxy", in_pod("proxy")),
        ("cri:shop/web-0/proxy", in_pod("proxy")),
        ("unit:nginx", Meaning::Unit("nginx.service".to_owned())),
        ("unit:user.slice", Meaning::Unit("user.slice".to_owned())),
        ("unit:user@7/x", Meaning::UserUnit { user: 7, unit: "x.service".to_owned() }),
        ("unit:user@0/a.slice", Meaning::UserUnit { user: 0, unit: "a.slice".to_owned() }),
    ] {
        assert_eq!(parse(text), [meaning], "{text}");
    }
    let both = [id(EngineScope::Cri, "0123abcd"), name(EngineScope::Cri, "0123abcd")];
    assert_eq!(parse("cri:0123abcd"), both, "an id or a name");
    let full = "0123456789abcdef".repeat(4);
    assert_eq!(parse(&format!("docker:{full}")), [id(EngineScope::Docker, &full)]);
}

#[test]
fn what_fits_no_form_is_refused() {
    let refuse = |text: &str| text.parse::<TargetSpec>().expect_err(text);
    for text in ["", "pod:", "docker:", "pid:"] {
        assert!(matches!(refuse(text), GrammarError::Empty { .. }), "{text}");
    }
    for text in ["pid:0", "pid:-1", "pid:+1", "pid:x", "pid:99999999999"] {
        assert!(matches!(refuse(text), GrammarError::NotAProcess { .. }), "{text}");
    }
    for text in
        ["a b", "-x", "é", "what:ever", "system.slice/x", "a/b/c/d", "a/b/c.d", "x\u{1b}[2J"]
    {
        assert!(matches!(refuse(text), GrammarError::Unknown { .. }), "{text}");
    }
    assert!(matches!(refuse("path:x"), GrammarError::RelativePath { .. }));
    assert!(matches!(refuse("pod:web_0"), GrammarError::NotAPod { .. }));
    assert!(matches!(refuse("rkt://0123abcd"), GrammarError::Unknown { .. }));
    for text in [
        "podman:user@x/web",
        "podman:user@1000/",
        "podman:user@+1/a",
        "cri:user@1/a",
        "containerd://",
        "docker://web",
        "cri-o:///0123",
    ] {
        assert!(matches!(refuse(text), GrammarError::NotAContainer { .. }), "{text}");
    }
    for text in ["system.slice/x.y", "kubepods/burstable/podx/y"] {
        let message = refuse(text).to_string();
        assert!(message.contains(&format!("begins with a slash: /{text}")), "{message}");
    }
    assert!(!refuse("rkt://ab").to_string().contains("begins with a slash"));
    for text in ["unit:a.socket", "unit:x/a", "unit:user@x/a", "unit:user@1/a/b", "unit:user@+1/a"]
    {
        assert!(matches!(refuse(text), GrammarError::NotAUnit { .. }), "{text}");
    }
    assert!(matches!(refuse("docker:a/b"), GrammarError::NotAContainer { .. }));
}

#[test]
fn messages_escape_what_was_typed() {
    let message = "x\u{1b}[2J\n".parse::<TargetSpec>().expect_err("no form").to_string();
    assert!(message.starts_with(r"`x\x1b[2J\n` names no kind of target"), "{message}");
}

#[test]
fn labels_narrow_a_number_of_pods() {
    let selector: Selector = "app=web".parse().expect("a selector");
    let narrowed = |text: &str| {
        let spec: TargetSpec = text.parse().expect(text);
        spec.narrowed(&selector)
    };
    for text in ["shop/*", "shop/web-*", "shop/deployment/web", "pod:shop/*/nginx"] {
        let spec = narrowed(text).expect(text);
        assert_eq!(spec.text, format!("{text} -l app=web"));
        assert_eq!(spec.group().map(|group| &group.selector), Some(&selector));
    }
    for text in ["shop/web-0", "shop/web-0/app", "web", "/a", UID, "nginx.service"] {
        let error = narrowed(text).expect_err(text).to_string();
        assert!(error.contains(text) && error.contains("'NAMESPACE/*' -l app=web"), "{error}");
    }
}
