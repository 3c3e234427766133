//! Profiles as they are found in the world: what is odd in them has the meaning that its readers
//! give it, and is reported once; for files of other kinds the message says what they are.

use std::fs;

use serde_json::{Value, json};
use tests::{Stop, require};
use tracer::profile::capability::Capability;
use tracer::profile::oci::{self, Mistaken, OciProfile, ReadError, sentences};
use tracer::profile::policy::{Policy, RuleContext, Verdict};
use tracer::recording::{Phase, json as recording_json};
use tracer::syscalls::{self, Abi, entries};

use crate::filter::agrees_with_libseccomp;
use crate::recordings::{calls, recording};

tests::trials! {
    rules_of_the_old_form_are_read_and_reported_once,
    errors_by_name_are_read,
    keys_that_nobody_reads_are_reported_once,
    keys_of_docker_are_read_in_any_case,
    calls_of_other_processors_are_silent,
    faults_of_a_kind_are_counted,
    podmans_own_default_is_read,
    podmans_own_default_is_what_libseccomp_makes_of_it,
    other_files_are_recognised,
    yaml_is_recognised,
    what_is_no_text_is_reported,
    the_largest_profile_is_read,
}

/// Where Debian's package golang-github-containers-common puts Podman's default.
const PODMANS: &str = "/usr/share/containers/seccomp.json";

fn read(profile: &Value) -> OciProfile {
    oci::read(profile.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> ReadError {
    oci::read(text.as_bytes()).expect_err(text)
}

fn policy(profile: &Value) -> Policy {
    Policy::new(&read(profile), &RuleContext::default()).expect("a policy")
}

fn verdict(policy: &Policy, name: &str) -> Verdict {
    let number = syscalls::number(Abi::X86_64, name).expect("a call");
    policy.decide(Abi::X86_64, number.try_into().expect("it is not negative"), &[0; 6])
}

/// The one sentence about a profile, which holds all of the parts.
fn reports(profile: &Value, parts: &[&str]) {
    let sentences = sentences(&read(profile).remarks);
    let [sentence] = sentences.as_slice() else { panic!("one sentence: {sentences:?}") };
    for part in parts {
        assert!(sentence.contains(part), "{part:?} is not in: {sentence}");
    }
}

fn rules_of_the_old_form_are_read_and_reported_once() {
    let old = |name: &str| json!({ "name": name, "action": "SCMP_ACT_ALLOW", "args": null });
    let names: Vec<&str> = entries(Abi::X86_64).map(|(_, name)| name).take(307).collect();
    let rules: Vec<Value> = names.iter().map(|name| old(name)).collect();
    let profile = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules });
    reports(&profile, &["307 rules use the old form `name`", "(syscalls[0] to syscalls[306])"]);
    reports(
        &profile,
        &["Docker, Podman and CRI-O read it", "containerd and runc", "crun refuses it"],
    );
    let new = json!({ "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }] });
    assert_eq!(policy(&profile), policy(&new), "it means the same");
    let one = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{ "name": "mkdir", "names": [], "action": "SCMP_ACT_ERRNO" }] });
    reports(&one, &["1 rule uses the old form `name` (syscalls[0])"]);
    assert_eq!(verdict(&policy(&one), "mkdir"), Verdict::Errno(1));
    // As Go's encoder writes a field that was not set.
    let empty = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls":
        [{ "name": "", "names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errno": "" }] });
    assert_eq!(read(&empty).remarks, []);
    assert_eq!(verdict(&policy(&empty), "mkdir"), Verdict::Errno(1));
}

fn errors_by_name_are_read() {
    let with = |rule: Value| {
        let mut whole = json!({ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" });
        whole.as_object_mut().expect("one").extend(rule.as_object().expect("one").clone());
        json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [whole] })
    };
    let both = with(json!({ "errno": "EINVAL", "errnoRet": 22 }));
    reports(&both, &["1 error is written by name beside the same number (syscalls[0].errno)"]);
    let alone = with(json!({ "errno": "EINVAL" }));
    reports(&alone, &["by name alone", "return EPERM", "EINVAL is 22"]);
    let digits = with(json!({ "errno": "22" }));
    let second_name = with(json!({ "errno": "ENOTSUP" }));
    for (profile, errno) in [(&both, 22), (&alone, 22), (&digits, 22), (&second_name, 95)] {
        assert_eq!(verdict(&policy(profile), "mkdir"), Verdict::Errno(errno), "{profile}");
    }
    let default = json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "ENOSYS" });
    reports(&default, &["by name alone (defaultErrno)", "ENOSYS is 38"]);
    assert_eq!(policy(&default).default_verdict(), Verdict::Errno(38));
}

fn keys_that_nobody_reads_are_reported_once() {
    let profile = json!({
        "_comment": "for the web", "description": "", "downloadedFrom": "", "comment": "",
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "comments": "", "Comment": "",
            "args": [{ "index": 0, "value": 0, "op": "SCMP_CMP_EQ", "comment": "none" }] }],
    });
    reports(
        &profile,
        &["7 fields are unknown, which every consumer ignores: _comment to syscalls[0]"],
    );
    assert_eq!(verdict(&policy(&profile), "mkdir"), Verdict::Errno(1));
    // A slip of the pen is none of them.
    let slip = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscals":[]}"#;
    assert!(error(slip).to_string().contains("is `syscalls` meant?"), "{}", error(slip));
}

fn keys_of_docker_are_read_in_any_case() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subarchitectures": ["SCMP_ARCH_X86"] }],
        "syscalls": [{ "names": ["mount"], "action": "SCMP_ACT_ALLOW",
            "Includes": { "Caps": ["CAP_SYS_ADMIN"] } }],
    });
    reports(
        &profile,
        &["3 fields are written in other letters", "`caps`, `includes`, `subArchitectures`"],
    );
    let policy = policy(&profile);
    assert!(policy.table(Abi::I386).is_some() && policy.table(Abi::X32).is_none());
    assert_eq!(verdict(&policy, "mount"), Verdict::Errno(1));
    // Readers in Go take the later one, in whichever letters.
    let twice = r#"{"defaultAction":"SCMP_ACT_LOG","archMap":[{"architecture":"SCMP_ARCH_X86_64","Architecture":"SCMP_ARCH_X86"}]}"#;
    assert!(error(twice).to_string().contains("twice"), "{}", error(twice));
    // What crun and others read differently is refused.
    let key = r#"{"defaultaction":"SCMP_ACT_LOG"}"#;
    assert!(error(key).to_string().contains("crun ignores it"), "{}", error(key));
}

fn calls_of_other_processors_are_silent() {
    let names = ["riscv_hwprobe", "arm_fadvise64_64", "s390_runtime_instr", "opnat", "recv"];
    let policy = policy(&json!({ "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }] }));
    assert_eq!(policy.unknown_names().collect::<Vec<_>>(), ["opnat"]);
}

fn faults_of_a_kind_are_counted() {
    let rules: Vec<Value> = (0..307)
        .map(|at| json!({ "names": [format!("call{at}")], "action": format!("SCMP_NOTHING_{at}") }))
        .chain([json!({ "names": [], "action": "SCMP_ACT_LOG" })])
        .collect();
    let message =
        error(&json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules }).to_string());
    let message = message.to_string();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 13, "{message}");
    assert_eq!(lines[0], "308 faults");
    assert_eq!(
        lines[11],
        "  and 297 more of this kind: syscalls[10].action to syscalls[306].action"
    );
    assert!(lines[12].starts_with("  syscalls[307].names: it names no call"), "{message}");
}

/// Podman's default, where the package is installed.
fn podmans() -> Result<Value, String> {
    let text = fs::read_to_string(PODMANS)
        .map_err(|_| format!("needs {PODMANS} (golang-github-containers-common)"))?;
    Ok(serde_json::from_str(&text).expect("it is JSON"))
}

fn host(capabilities: &[&str]) -> RuleContext {
    let capability = |name: &&str| Capability::from_name(name).expect("a capability");
    RuleContext { capabilities: capabilities.iter().map(capability).collect(), kernel: (6, 1) }
}

fn podmans_own_default_is_read() -> Result<(), Stop> {
    let profile = require!(podmans());
    reports(&profile, &["errors are written by name beside the same number"]);
    let profile = read(&profile);
    let under = |host: &RuleContext| Policy::new(&profile, host).expect("a policy");
    let plain = under(&host(&[]));
    assert_eq!(verdict(&plain, "read"), Verdict::Allow);
    assert_eq!(verdict(&plain, "bpf"), Verdict::Errno(1), "EPERM");
    assert_eq!(plain.default_verdict(), Verdict::Errno(38));
    assert_eq!(verdict(&under(&host(&["CAP_SYS_ADMIN"])), "bpf"), Verdict::Allow);
    assert_eq!(plain.unknown_names().count(), 0, "{:?}", plain.unknown_names().collect::<Vec<_>>());
    Ok(())
}

/// The rules that count on amd64 with these capabilities, in the OCI form alone.
fn flattened(profile: &Value, capabilities: &[&str]) -> Value {
    let texts = |rule: &Value, part: &str, of: &str| -> Vec<String> {
        let list = rule[part][of].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let counts = |rule: &&Value| {
        let has = |name: &String| capabilities.contains(&name.as_str());
        let arches = texts(rule, "includes", "arches");
        (arches.is_empty() || arches.iter().any(|name| name == "amd64"))
            && texts(rule, "excludes", "arches").iter().all(|name| name != "amd64")
            && texts(rule, "includes", "caps").iter().all(has)
            && !texts(rule, "excludes", "caps").iter().any(has)
    };
    let rules = profile["syscalls"].as_array().expect("rules").iter().filter(counts);
    let plain = rules.map(|rule| {
        let mut rule = rule.clone();
        let fields = rule.as_object_mut().expect("a rule");
        fields.retain(|key, _| ["names", "action", "args", "errnoRet"].contains(&key.as_str()));
        rule
    });
    json!({
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": plain.collect::<Vec<Value>>(),
    })
}

fn podmans_own_default_is_what_libseccomp_makes_of_it() -> Result<(), Stop> {
    let profile = require!(podmans());
    for capabilities in [&[][..], &["CAP_AUDIT_WRITE", "CAP_SYS_CHROOT"], &["CAP_SYS_ADMIN"]] {
        let policy = Policy::new(&read(&profile), &host(capabilities)).expect("a policy");
        let name = format!("{PODMANS} with {capabilities:?}");
        require!(agrees_with_libseccomp(&name, &policy, &flattened(&profile, capabilities)));
    }
    Ok(())
}

fn other_files_are_recognised() {
    let recording = recording(vec![calls(Phase::Workload, &["read"])]);
    let oci = |linux: &str| format!(r#"{{"ociVersion":"1.0.2","process":{{}},"linux":{linux}}}"#);
    let cases = [
        (recording_json::to_json(&recording), Mistaken::Recording, "tracer profile NAME"),
        (
            r#"{"apiVersion":"security-profiles-operator.x-k8s.io/v1beta1","kind":"SeccompProfile","spec":{}}"#.into(),
            Mistaken::SeccompProfile { yaml: false },
            "jq .spec FILE",
        ),
        (
            r#"{"apiVersion":"v1","kind":"Pod","spec":{}}"#.into(),
            Mistaken::Manifest { kind: Some("Pod".into()) },
            "localhostProfile",
        ),
        (
            oci(r#"{"seccomp":{"defaultAction":"SCMP_ACT_LOG"}}"#),
            Mistaken::OciConfiguration { has_profile: true },
            "jq .linux.seccomp FILE",
        ),
        (oci("{}"), Mistaken::OciConfiguration { has_profile: false }, "runs without a profile"),
        (r#"[{"Id":"1a","State":{},"HostConfig":{}}]"#.into(), Mistaken::Inspection, "SecurityOpt"),
        (r#"{"status":{},"info":{"runtimeSpec":{}}}"#.into(), Mistaken::CriInspection, "runtimeSpec"),
    ];
    for (text, expected, remedy) in cases {
        let error = error(&text);
        assert_eq!(error, ReadError::Mistaken(expected), "{error}");
        let message = error.to_string();
        assert!(message.contains("not ") && message.contains("\n\nhint: "), "{message}");
        assert!(message.contains(remedy), "{remedy:?} is not in: {message}");
    }
    for (text, found) in [("[]", "a list"), ("null", "null"), ("3", "the number 3")] {
        let message = error(text).to_string();
        assert_eq!(message, format!("it must be an object, and is {found}; no runtime accepts it"));
    }
}

fn yaml_is_recognised() {
    let fragment =
        "# How a pod uses it\nsecurityContext:\n  seccompProfile:\n    type: Localhost\n";
    let spo = "---\napiVersion: security-profiles-operator.x-k8s.io/v1\nkind: \"SeccompProfile\"\nspec:\n  defaultAction: SCMP_ACT_LOG\n";
    let pod = "# a pod\r\napiVersion: v1\r\nkind: Pod\r\n";
    let cases = [
        (fragment, Mistaken::Manifest { kind: None }),
        (spo, Mistaken::SeccompProfile { yaml: true }),
        (pod, Mistaken::Manifest { kind: Some("Pod".into()) }),
        ("defaultAction: SCMP_ACT_ERRNO\nsyscalls: []\n", Mistaken::Yaml),
        ("- names: [read]\n", Mistaken::Yaml),
    ];
    for (text, expected) in cases {
        let error = error(text);
        assert_eq!(error, ReadError::Mistaken(expected), "{text}: {error}");
        assert!(error.to_string().contains("\n\nhint: "), "{error}");
    }
    for text in ["# {}", "{defaultAction: x}", "http://x", "hello"] {
        assert!(!matches!(error(text), ReadError::Mistaken(_)), "{text}: {}", error(text));
    }
}

fn what_is_no_text_is_reported() {
    let bytes = |bytes: &[u8]| oci::read(bytes).expect_err("no text").to_string();
    let cases: [(&[u8], &str, &str); 6] = [
        (b"", "the file is empty", "hint: copy"),
        (b" \n", "the file is empty", "hint: copy"),
        (b"\xef\xbb\xbf{}", "byte order mark", "sed -i"),
        (b"\xff\xfe{\0}\0", "UTF-16", "iconv"),
        (b"{\"a\": \"\xe9\"}", "not UTF-8: line 1, column 8", "hint: save"),
        (
            b"{\"defaultAction\": \"SCMP",
            "truncated: the file ends in line 1, column 23",
            "hint: copy",
        ),
    ];
    for (text, state, remedy) in cases {
        let message = bytes(text);
        assert!(message.contains(state) && message.contains(remedy), "{message}");
    }
    let recorded = |text: &str| recording_json::from_json(text.as_bytes()).expect_err(text);
    for (text, found) in [("[]", "a list"), ("null", "null"), ("\"x\"", "text"), ("7", "a number")]
    {
        let message = recorded(text).to_string();
        assert!(
            message.contains(&format!("it is {found}, and a recording is an object")),
            "{message}"
        );
    }
    assert!(recorded("[1,").to_string().starts_with("truncated: "), "{}", recorded("[1,"));
}

fn the_largest_profile_is_read() {
    let small = r#"{"defaultAction":"SCMP_ACT_LOG"}"#;
    let padded = |bytes: usize| format!("{small}{}", " ".repeat(bytes - small.len()));
    assert!(oci::read(padded(oci::MAX_BYTES).as_bytes()).is_ok());
    let error = oci::read(padded(oci::MAX_BYTES + 1).as_bytes()).expect_err("too large");
    assert!(matches!(error, ReadError::TooLarge), "{error}");
}
