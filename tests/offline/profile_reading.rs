//! Profiles that people write: what is read, and what is refused with the field, what is right, and
//! who would accept it.

use serde_json::{Value, json};
use tracer::profile::oci::{self, Action, Architectures, OciProfile, Operator, ReadError};
use tracer::profile::{Profile, ProfileOptions};
use tracer::recording::Phase;
use tracer::syscalls::Abi;

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
    every_fault_is_reported_at_once,
    equal_faults_are_counted,
}

pub fn read(profile: &Value) -> Result<OciProfile, ReadError> {
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

/// The right profile with a value put in one place, or taken out of it. The place is a JSON
/// pointer.
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
    let ReadError::Invalid(errors) = &error else { panic!("{error}") };
    assert_eq!(errors.len(), 1, "one fault: {error}");
    assert_eq!(errors[0].path, path, "{error}");
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
    let mut options = ProfileOptions::default();
    options.all_architectures = true;
    let profile = Profile::derive(&recordings, &options).expect("a profile").profile;
    let read = oci::read(oci::write(&profile).as_bytes()).expect("it is right");
    let Architectures::Listed(listed) = &read.architectures else { panic!("a list") };
    assert_eq!(listed.len(), Abi::ALL.len());
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

fn every_fault_is_reported_at_once() {
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

fn equal_faults_are_counted() {
    let rule = json!({ "names": ["read"], "action": "SCMP_ACT_NONE" });
    let rules: Vec<Value> = std::iter::repeat_n(rule, 100_000).collect();
    let profile = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules });
    let message = read(&profile).expect_err("no such action").to_string();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 5, "{message}");
    assert_eq!(lines[0], "100000 faults");
    assert!(lines[3].contains("syscalls[2].action"), "{message}");
    assert!(
        lines[4]
            .ends_with("and 99997 more of this kind: syscalls[3].action to syscalls[99999].action"),
        "{message}"
    );
}
