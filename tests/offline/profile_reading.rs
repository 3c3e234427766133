//! Profiles that people write: what is read, and what is refused with the field, what is right, and who would accept it.

use serde_json::{Value, json};
use tracer::profile::oci::{self, Action, Architectures, OciProfile, Operator, ReadError};
use tracer::profile::policy::{Host, Policy, PolicyError, Verdict};
use tracer::profile::{Architecture, Options, Profile, capability::Capability};
use tracer::recording::Phase;
use tracer::syscalls::{self, Abi};

use crate::recordings::{calls, recording};

tests::trials! {
    what_is_right_is_read,
    the_least_profile_is_read,
    what_is_written_is_read,
    text_that_is_not_json_is_placed,
    comments_are_called_comments,
    faults_of_the_whole_are_named,
    faults_of_a_rule_are_named,
    faults_of_conditions_are_named,
    a_field_that_comes_twice_is_named,
    every_fault_is_told_at_once,
    conditions_on_the_machine_are_dockers,
    a_map_of_architectures_counts_for_this_machine,
    the_forms_of_dockers_default_profile_are_understood,
    a_rule_that_needs_another_process_is_refused,
    more_rules_than_a_filter_holds_are_refused_at_once,
    equal_faults_are_counted,
}

fn read(profile: &Value) -> Result<OciProfile, ReadError> {
    oci::read(profile.to_string().as_bytes())
}

/// Everything is there, nothing is wrong.
fn right() -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "listenerPath": "/run/listener.sock",
        "listenerMetadata": "web",
        "syscalls": [
            { "names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "files" },
            {
                "names": ["socket"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 97,
                "args": [{ "index": 5, "value": 18_446_744_073_709_551_615_u64, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ" }],
                "includes": { "caps": ["CAP_SYS_ADMIN"], "arches": ["amd64"], "minKernel": "5.8" },
                "excludes": {},
            },
        ],
    })
}

/// The right profile with a value put in one place, or taken out of it. The place is a JSON pointer.
fn changed(place: &str, value: Option<Value>) -> Value {
    let mut profile = right();
    let (above, key) = place.rsplit_once('/').expect("a pointer");
    let above = profile.pointer_mut(above).expect("the place is there");
    match (above, value) {
        (Value::Object(object), Some(value)) => drop(object.insert(key.to_owned(), value)),
        (Value::Object(object), None) => drop(object.remove(key)),
        (Value::Array(array), value) => {
            let at: usize = key.parse().expect("a number");
            array[at] = value.expect("lists stay whole");
        }
        (other, _) => panic!("{other} has no parts"),
    }
    profile
}

/// What is said about the one fault that is made: the message names the path and all of the parts.
fn refused(place: &str, value: Option<Value>, path: &str, parts: &[&str]) {
    let profile = changed(place, value);
    let error = read(&profile).expect_err(place);
    let ReadError::Problems(problems) = &error else { panic!("{error}") };
    assert_eq!(problems.len(), 1, "one fault: {error}");
    assert_eq!(problems[0].path, path, "{error}");
    let said = error.to_string();
    assert!(said.starts_with(&format!("{path}: ")), "{said}");
    for part in parts {
        assert!(said.contains(part), "{place}: {part:?} is not in: {said}");
    }
}

fn what_is_right_is_read() {
    let profile = read(&right()).expect("nothing is wrong");
    assert_eq!(profile.default_action, Action::Errno);
    assert_eq!(profile.default_errno, Some(38));
    assert_eq!(profile.listener_metadata.as_deref(), Some("web"));
    let Architectures::Listed(listed) = &profile.architectures else { panic!("a list") };
    assert_eq!(listed.len(), 3);
    let rule = &profile.syscalls[1];
    assert_eq!((rule.action, rule.errno), (Action::Errno, Some(97)));
    assert_eq!(rule.conditions[0].operator, Operator::MaskedEqual);
    assert_eq!(rule.conditions[0].value, u64::MAX);
    assert_eq!(rule.includes.min_kernel, Some((5, 8)));
    assert_eq!(profile.syscalls[0].comment.as_deref(), Some("files"));
}

fn the_least_profile_is_read() {
    for text in [
        "{\"defaultAction\":\"SCMP_ACT_LOG\"}",
        "{\"defaultAction\":\"SCMP_ACT_LOG\",\"architectures\":null,\"archMap\":[],\"syscalls\":null}\n",
    ] {
        let profile = oci::read(text.as_bytes()).expect("enough");
        assert_eq!((profile.default_action, profile.flags), (Action::Log, None));
        assert_eq!(profile.architectures, Architectures::Listed(Vec::new()));
    }
}

fn what_is_written_is_read() {
    let recordings = [recording(vec![calls(Phase::Workload, &["listen"])])];
    let mut options = Options::default();
    options.all_architectures = true;
    let profile = Profile::derive(&recordings, &options).expect("a profile").profile;
    let read = oci::read(oci::write(&profile).as_bytes()).expect("it is right");
    let Architectures::Listed(listed) = &read.architectures else { panic!("a list") };
    assert_eq!(listed.len(), Architecture::ALL.len());
    let mut names: Vec<_> = read.syscalls.iter().flat_map(|rule| rule.names.clone()).collect();
    names.sort();
    let mut expected: Vec<_> =
        profile.allowed.into_keys().chain(profile.answered.into_keys()).collect();
    expected.sort();
    assert_eq!(names, expected);
}

fn text_that_is_not_json_is_placed() {
    let said = |text: &str| oci::read(text.as_bytes()).expect_err(text).to_string();
    assert_eq!(
        said("{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n}"),
        "not JSON: line 2, column 1: trailing comma"
    );
    assert!(said("{} {}").starts_with("not JSON: line 1, column 4: trailing"), "{}", said("{} {}"));
    assert!(said("{\"defaultAction\": nope}").starts_with("not JSON: line 1, column 20:"));
    let place = "{\"defaultAction\": \"SCMP_ACT_LOG\", \"syscalls\": [\"\u{1b}";
    assert!(!said(place).contains('\u{1b}'), "nothing that a terminal obeys is repeated");
}

fn comments_are_called_comments() {
    let with = |comment: &str| {
        [
            format!("{comment}\n{{}}"),
            format!("{{ {comment}\n\"defaultAction\": \"SCMP_ACT_LOG\" }}"),
            format!("{{ \"defaultAction\": \"SCMP_ACT_LOG\", {comment}\n\"syscalls\": [] }}"),
            format!("{{ \"syscalls\": [ {comment}\n] }}"),
            format!("{{}} {comment}"),
        ]
    };
    for text in ["// x", "# x", "## x", "/* x */"].iter().flat_map(|comment| with(comment)) {
        let error = oci::read(text.as_bytes()).expect_err(&text);
        assert!(matches!(error, ReadError::Comment { line: 1, .. }), "{text}: {error}");
        let said = error.to_string();
        assert!(said.contains("no comments") && said.contains("crun"), "{said}");
    }
    let error = oci::read(b"{\"defaultAction\": \"//\", oops}").expect_err("no JSON");
    assert!(matches!(error, ReadError::Json(_)), "{error}");
}

fn faults_of_the_whole_are_named() {
    refused("/defaultAction", None, "defaultAction", &["missing", "SCMP_ACT_ERRNO", "Docker"]);
    refused(
        "/defaultAction",
        Some(json!("SCMP_ACT_DENY")),
        "defaultAction",
        &["no action", "SCMP_ACT_ERRNO", "no runtime"],
    );
    refused(
        "/defaultErrnoRet",
        Some(json!("EPERM")),
        "defaultErrnoRet",
        &["EPERM is 1", "no runtime", "`defaultErrno`"],
    );
    refused(
        "/defaultErrno",
        Some(json!("EPERM")),
        "defaultErrno",
        &["EPERM is 1", "`defaultErrnoRet` says 38", "by the name", "by the number"],
    );
    refused("/defaultErrno", Some(json!("EPREM")), "defaultErrno", &["is `EPERM` meant?"]);
    refused("/defaultErrno", Some(json!(38)), "defaultErrno", &["text", "the number 38"]);
    refused("/defaultErrnoRet", Some(json!(4096)), "defaultErrnoRet", &["4096", "4095"]);
    refused("/defaultErrnoRet", Some(json!(-1)), "defaultErrnoRet", &["whole number", "-1"]);
    refused("/defaultErrnoRet", Some(json!(1.5)), "defaultErrnoRet", &["whole number", "1.5"]);
    refused(
        "/architectures/0",
        Some(json!("amd64")),
        "architectures[0]",
        &["SCMP_ARCH_X86_64", "no runtime", "arches"],
    );
    refused(
        "/architectures/0",
        Some(json!("x86_64")),
        "architectures[0]",
        &["SCMP_ARCH_X86_64", "crun alone"],
    );
    refused(
        "/architectures/0",
        Some(json!("SCMP_ARCH_NATIVE")),
        "architectures[0]",
        &["SCMP_ARCH_X86_64", "runc and crun refuse"],
    );
    refused("/architectures", Some(json!("SCMP_ARCH_X86")), "architectures", &["a list"]);
    let map = json!([{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [] }]);
    refused(
        "/archMap",
        Some(map),
        "archMap",
        &["`architectures`", "Docker, Podman and CRI-O refuse", "ignore"],
    );
    refused("/flags/0", Some(json!("LOG")), "flags[0]", &["SECCOMP_FILTER_FLAG_LOG"]);
    refused("/listenerPath", None, "listenerMetadata", &["listenerPath"]);
    refused("/syscals", Some(json!([])), "syscals", &["`syscalls`", "silently"]);
    refused("/Flags", Some(json!([])), "Flags", &["`flags`", "crun"]);
    refused("/syscalls", Some(json!({})), "syscalls", &["a list", "an object"]);
}

fn faults_of_a_rule_are_named() {
    let at = |field: &str| format!("syscalls[0].{field}");
    let pointer = |field: &str| format!("/syscalls/0/{field}");
    let rule =
        |field: &str, value, parts: &[&str]| refused(&pointer(field), value, &at(field), parts);
    rule("action", None, &["missing", "SCMP_ACT_ALLOW", "no runtime"]);
    rule("action", Some(json!("SCMP_ACT_ALLO")), &["is `SCMP_ACT_ALLOW` meant?"]);
    rule("action", Some(json!("ALLOW")), &["is `SCMP_ACT_ALLOW` meant?", "no runtime"]);
    rule("names", None, &["missing", "\"names\": [", "silently", "crun"]);
    rule("names", Some(json!([])), &["no call"]);
    rule("names", Some(json!("read")), &["a list"]);
    rule("name", Some(json!("read")), &["`names` is there as well", "Docker, Podman and CRI-O"]);
    rule("errno", Some(json!("EPERM")), &["SCMP_ACT_ALLOW has no error number"]);
    rule("errnoRet", Some(json!(1)), &["SCMP_ACT_ALLOW has no error number", "crun refuses"]);
    refused(
        "/syscalls/0/names/1",
        Some(json!("")),
        "syscalls[0].names[1]",
        &["empty", "runc refuses"],
    );
    refused(
        "/syscalls/0/names/1",
        Some(json!(1)),
        "syscalls[0].names[1]",
        &["text", "the number 1"],
    );
    refused("/syscalls/0", Some(json!("read")), "syscalls[0]", &["an object", "the text"]);
    refused("/syscalls/1/errnoRet", Some(json!("EPERM")), "syscalls[1].errnoRet", &["EPERM is 1"]);
    refused(
        "/syscalls/1/errno",
        Some(json!("EINVAL")),
        "syscalls[1].errno",
        &["EINVAL is 22", "97"],
    );
}

fn faults_of_conditions_are_named() {
    let condition = |field: &str, value, parts: &[&str]| {
        let place = format!("/syscalls/1/args/0/{field}");
        refused(&place, value, &format!("syscalls[1].args[0].{field}"), parts);
    };
    condition("op", Some(json!("SCMP_CMP_MASK")), &["no comparison", "SCMP_CMP_MASKED_EQ"]);
    condition("op", Some(json!("EQ")), &["is `SCMP_CMP_EQ` meant?"]);
    condition("op", None, &["missing", "SCMP_CMP_EQ"]);
    condition("index", Some(json!(6)), &["0 to 5", "6"]);
    condition("value", Some(json!(-1)), &["whole number"]);
    condition("value", None, &["missing", "crun"]);
    condition("valuetwo", Some(json!(1)), &["`valueTwo`"]);
    let constraint = |field: &str, value, path: &str, parts: &[&str]| {
        let place = format!("/syscalls/1/includes/{field}");
        refused(&place, Some(value), &format!("syscalls[1].includes.{path}"), parts);
    };
    constraint("caps", json!(["SYS_ADMIN"]), "caps[0]", &["CAP_SYS_ADMIN", "Docker"]);
    constraint("arches", json!(["x86_64"]), "arches[0]", &["amd64"]);
    constraint("minKernel", json!("5.8.1"), "minKernel", &["\"5.8\"", "Docker refuses"]);
}

fn a_field_that_comes_twice_is_named() {
    let text = r#"{"defaultAction": "SCMP_ACT_LOG", "defaultAction": "SCMP_ACT_ALLOW"}"#;
    let error = oci::read(text.as_bytes()).expect_err("twice").to_string();
    assert!(error.starts_with("defaultAction: ") && error.contains("twice"), "{error}");
}

fn every_fault_is_told_at_once() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["amd64", "x86_64"],
        "syscalls": [{ "name": "read", "names": ["read\u{1b}[2J"], "act\u{1b}ion": "" }],
    });
    let said = read(&profile).expect_err("faults").to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], format!("{} faults", lines.len() - 1), "{said}");
    assert!(lines[1].starts_with("  architectures[0]: "), "{said}");
    assert!(!said.contains('\u{1b}'), "what is repeated is escaped");
}

fn number(name: &str) -> u32 {
    let number = syscalls::number(Abi::X86_64, name).expect("a call");
    number.try_into().expect("it is not negative")
}

/// What happens to `mount` when a rule allows it where these hold.
fn allowed(host: &Host, includes: &Value, excludes: &Value) -> bool {
    let rule = json!({ "names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": includes, "excludes": excludes });
    let profile = read(&json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule] }));
    let policy = Policy::new(&profile.expect("it is right"), host).expect("a policy");
    policy.decide(Abi::X86_64, number("mount"), &[0; 6]) == Verdict::Allow
}

fn conditions_on_the_machine_are_dockers() {
    let capabilities =
        ["CAP_SYS_ADMIN", "CAP_BPF"].map(|name| Capability::from_name(name).expect("one"));
    let host = Host { capabilities: capabilities.into(), kernel: (6, 1) };
    let (some, none) = (json!({ "caps": ["CAP_BPF", "CAP_SYS_TIME"] }), json!({}));
    let yes = [
        (json!({}), json!({})),
        (json!({ "caps": ["CAP_BPF", "CAP_SYS_ADMIN"] }), json!({ "caps": ["CAP_SYS_TIME"] })),
        (json!({ "arches": ["amd64", "arm64"] }), json!({ "arches": ["s390x"] })),
        (json!({ "minKernel": "6.1" }), json!({ "minKernel": "6.2" })),
        (json!({ "minKernel": "5.20" }), json!({ "minKernel": "10.0" })),
    ];
    for (includes, excludes) in &yes {
        assert!(allowed(&host, includes, excludes), "{includes} {excludes}");
    }
    assert!(!allowed(&host, &some, &none), "all of them are needed");
    assert!(!allowed(&host, &none, &some), "one of them is enough");
    assert!(!allowed(&host, &json!({ "arches": ["arm64"] }), &none));
    assert!(!allowed(&host, &none, &json!({ "arches": ["amd64"] })));
    assert!(!allowed(&host, &json!({ "minKernel": "6.2" }), &none));
    assert!(!allowed(&host, &none, &json!({ "minKernel": "6.1" })));
}

fn a_map_of_architectures_counts_for_this_machine() {
    let entry =
        |of: &str, others: &[&str]| json!({ "architecture": of, "subArchitectures": others });
    let map = json!([
        entry("SCMP_ARCH_AARCH64", &["SCMP_ARCH_ARM"]),
        entry("SCMP_ARCH_X86_64", &["SCMP_ARCH_X86"]),
    ]);
    let profile = read(&json!({ "defaultAction": "SCMP_ACT_LOG", "archMap": map })).expect("right");
    let policy = Policy::new(&profile, &Host::default()).expect("a policy");
    assert_eq!(policy.decide(Abi::X86_64, 0, &[0; 6]), Verdict::Log);
    assert_eq!(policy.decide(Abi::I386, 0, &[0; 6]), Verdict::Log);
    assert_eq!(policy.decide(Abi::X32, 0, &[0; 6]), Verdict::KillThread);
}

/// Docker's default profile in small: each form of field that it has.
fn the_forms_of_dockers_default_profile_are_understood() {
    let profile = read(&json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [
            { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
            { "architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null },
        ],
        "syscalls": [
            { "names": ["read", "recv"], "action": "SCMP_ACT_ALLOW" },
            { "names": ["swapcontext"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["ppc64le"] } },
            { "names": ["clone", "mount"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] } },
            {
                "names": ["clone"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{ "index": 0, "value": 2_114_060_288, "op": "SCMP_CMP_MASKED_EQ" }],
                "excludes": { "caps": ["CAP_SYS_ADMIN"], "arches": ["s390"] },
            },
            { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
        ],
    }));
    let policy = Policy::new(&profile.expect("right"), &Host::default()).expect("a policy");
    let first = |name, value| policy.decide(Abi::X86_64, number(name), &[value, 0, 0, 0, 0, 0]);
    assert_eq!(first("clone", 0x11), Verdict::Allow);
    assert_eq!(first("clone", 0x1000_0000), Verdict::Errno(1), "a user namespace");
    assert_eq!(first("clone3", 0), Verdict::Errno(38));
    assert_eq!(first("mount", 0), Verdict::Errno(1));
    assert_eq!(policy.decide(Abi::I386, 102, &[10, 0, 0, 0, 0, 0]), Verdict::Allow, "recv");
    assert_eq!(policy.decide(Abi::I386, 102, &[11, 0, 0, 0, 0, 0]), Verdict::Errno(1), "sendto");
    assert_eq!(policy.unknown_names().count(), 0);
}

fn a_rule_that_needs_another_process_is_refused() {
    let rule = json!({ "names": ["mount"], "action": "SCMP_ACT_NOTIFY" });
    let profile = read(&json!({ "defaultAction": "SCMP_ACT_LOG", "syscalls": [rule] }));
    let error = Policy::new(&profile.expect("right"), &Host::default()).expect_err("no listener");
    assert!(error.to_string().starts_with("syscalls[0].action: SCMP_ACT_NOTIFY"), "{error}");
}

fn more_rules_than_a_filter_holds_are_refused_at_once() {
    let rule = |value: usize| {
        json!({ "names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
                "args": [{ "index": 1, "value": value, "op": "SCMP_CMP_EQ" }] })
    };
    let profile = |rules: usize| {
        let rules: Vec<Value> = (0..rules).map(rule).collect();
        json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules })
    };
    let policy =
        |rules| Policy::new(&read(&profile(rules)).expect("it is right"), &Host::default());
    assert!(policy(2048).is_ok());
    let error = policy(100_000).expect_err("too many");
    assert!(matches!(error, PolicyError::TooMany { rule: 2048, .. }), "{error}");
}

fn equal_faults_are_counted() {
    let rule = json!({ "names": ["read"], "action": "SCMP_ACT_NONE" });
    let rules: Vec<Value> = std::iter::repeat_n(rule, 100_000).collect();
    let profile = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules });
    let told = read(&profile).expect_err("no such action").to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 5, "{told}");
    assert_eq!(lines[0], "100000 faults");
    assert!(lines[3].contains("syscalls[2].action"), "{told}");
    assert!(
        lines[4]
            .ends_with("and 99997 more of this kind: syscalls[3].action to syscalls[99999].action"),
        "{told}"
    );
}
