//! `tracer convert`: what passes under a profile passes under what it is converted to, and nothing
//! else does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser;
use tests::temporary_directory;
use tracer::cli::Cli;
use tracer::command::{self, Exit, UsageError};
use tracer::profile::defaults::DefaultsEngine;
use tracer::profile::oci::{self, OciProfile};
use tracer::profile::policy::{Policy, RuleContext};
use tracer::recording::json::to_json;
use tracer::syscalls::{self, Abi};
use tracer::workbench::convert::ConditionalHandling::{self, Allow, Deny, Error};
use tracer::workbench::convert::denylist::denylist;
use tracer::workbench::convert::{Choices, ConvertError, Note, Written, convert, forms};
use tracer::workbench::diff::{ChangeKind, Comparison, policies};
use tracer::workbench::document::Document;
use tracer::workbench::risk;
use tracer::workbench::systemd::groups;

use crate::golden;
use crate::recordings::{recording, web_server};

tests::trials! {
    every_form_of_json_keeps_the_effective_set,
    a_resource_of_the_operator_lets_the_same_pass,
    a_unit_keeps_what_it_can_say,
    what_a_unit_cannot_say_names_the_rule,
    every_action_goes_through_a_unit_and_back,
    units_pass_systemd_s_parser,
    the_groups_are_those_of_the_installed_systemd,
    a_denylist_denies_what_is_refused_and_no_more,
    forms_are_written_as_agreed,
    the_command_writes_files,
    what_cannot_be_meant_is_told,
}

const LEARNED: [&str; 4] = ["nginx", "postgres", "redis", "python3"];

fn learned(name: &str) -> OciProfile {
    let path = format!("{}/../profiles/learned/{name}.json", env!("CARGO_MANIFEST_DIR"));
    oci::read(&fs::read(path).expect("the file can be read")).expect("a profile")
}

/// Profiles that people have: learned ones, the engines' defaults, and one of every kind of rule.
fn profiles() -> Vec<(String, OciProfile)> {
    let learned = LEARNED.map(|name| (name.to_owned(), learned(name)));
    let engines = DefaultsEngine::ALL
        .map(|engine| (engine.name().to_owned(), engine.default_profile().profile()));
    let mixed = ("mixed".to_owned(), oci::read(MIXED.as_bytes()).expect("a profile"));
    learned.into_iter().chain(engines).chain([mixed]).collect()
}

/// Conditions of each kind, errors of their own, an error for the rest, two architectures.
const MIXED: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64"],
  "syscalls": [
    {"names": ["read", "write", "execve", "socketcall", "semop"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["mkdir", "rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
    {"names": ["ptrace"], "action": "SCMP_ACT_KILL_PROCESS"},
    {"names": ["chmod"], "action": "SCMP_ACT_LOG"},
    {"names": ["mmap"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 2, "value": 4, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"},
      {"index": 3, "value": 5, "op": "SCMP_CMP_NE"}]},
    {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [
      {"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}]},
    {"names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 1, "value": 8589934592, "op": "SCMP_CMP_LE"}]}
  ]}"#;

/// Something that passed does not, or not always.
fn loses(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::Removed | ChangeKind::Narrower | ChangeKind::OtherArguments)
}

fn facts() -> RuleContext {
    RuleContext { kernel: (u32::MAX, 0), ..RuleContext::default() }
}

fn written(
    profile: &OciProfile,
    form: &str,
    conditional: ConditionalHandling,
) -> Result<Written, ConvertError> {
    let context = facts();
    let form = forms::by_name(form).expect("a form");
    convert(profile, form, &Choices { context: &context, conditional, name: "web" })
}

fn policy(profile: &OciProfile) -> Policy {
    Policy::new(profile, &facts()).expect("a policy")
}

fn read_back(text: &str) -> Policy {
    match Document::read(text.as_bytes()) {
        Ok(Document::Profile { profile, .. }) => policy(&profile),
        other => panic!("{other:?}:\n{text}"),
    }
}

fn compared(profile: &OciProfile, text: &str) -> Comparison {
    policies::compare(&policy(profile), &read_back(text))
}

fn names(comparison: &Comparison) -> BTreeSet<&str> {
    comparison.changes.iter().map(|change| change.name).collect()
}

fn every_form_of_json_keeps_the_effective_set() {
    for (name, profile) in profiles() {
        for form in ["docker", "podman", "kubernetes", "oci"] {
            let (text, _) = written(&profile, form, Error).expect("every profile has it");
            let comparison = compared(&profile, &text);
            assert!(comparison.is_same(), "{name} {form}: {comparison:?}");
        }
    }
}

fn a_resource_of_the_operator_lets_the_same_pass() {
    for (name, profile) in profiles() {
        let (text, notes) = written(&profile, "spo", Error).expect("it has one");
        let comparison = compared(&profile, &text);
        assert!(!comparison.adds() && comparison.architectures.is_empty(), "{name}");
        let others = comparison.changes.iter().filter(|change| change.kind != ChangeKind::Action);
        assert_eq!(others.count(), 0, "{name}: {comparison:?}");
        // Without the field the default is EPERM. Calls that tracer knows keep their number.
        let says = notes.iter().any(|note| note.text.contains("no defaultErrnoRet"));
        assert_eq!(says, comparison.default_action.is_some(), "{name}: {notes:?}");
        assert!(!text.contains("defaultErrnoRet"), "{name}");
        let number = |call| u32::try_from(syscalls::number(Abi::X86_64, call).expect("a call"));
        let bpf = number("bpf").expect("it is");
        let verdict = policy(&profile).always(Abi::X86_64, bpf);
        assert_eq!(read_back(&text).always(Abi::X86_64, bpf), verdict, "{name}");
    }
    let large = MIXED.replace("8589934592", "18446744073709551615");
    let large = oci::read(large.as_bytes()).expect("a profile");
    let error = written(&large, "spo", Error).expect_err("it has no room");
    assert!(error.to_string().starts_with("syscalls[6].args[0].value: 18446744073709551615"));
}

fn a_unit_keeps_what_it_can_say() {
    for (name, mut profile) in profiles() {
        let (denied, denied_notes) = written(&profile, "systemd", Deny).expect("it is refused");
        let comparison = compared(&profile, &denied);
        assert!(!comparison.adds(), "{name}: {comparison:?}");
        let (allowed, allowed_notes) = written(&profile, "systemd", Allow).expect("it is allowed");
        let comparison = compared(&profile, &allowed);
        let lost = comparison.changes.iter().filter(|change| loses(change.kind));
        assert_eq!(lost.count(), 0, "{name}: {comparison:?}");
        // What differs is said.
        let said: String = denied_notes.iter().chain(&allowed_notes).map(Note::to_string).collect();
        for call in names(&comparison) {
            assert!(said.contains(call), "{name}: {call}: {said}");
        }
        profile.syscalls.retain(|rule| rule.conditions.is_empty());
        let (exact, _) = written(&profile, "systemd", Error).expect("it can be said");
        let comparison = compared(&profile, &exact);
        assert!(comparison.is_same(), "{name}: {comparison:?}");
    }
}

fn what_a_unit_cannot_say_names_the_rule() {
    let error = |text: &str| {
        let profile = oci::read(text.as_bytes()).expect("a profile");
        written(&profile, "systemd", Error).expect_err("it has no words").to_string()
    };
    let found = error(MIXED);
    for part in ["syscalls[4]: mmap depends on argument 2", "syscalls[6]: lseek", "--conditional"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    let traced = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},{"names":["bpf"],"action":"SCMP_ACT_TRACE"}]}"#;
    assert!(error(traced).starts_with("syscalls[1].action: SCMP_ACT_TRACE"), "{}", error(traced));
    let asked = traced.replace("TRACE", "NOTIFY");
    assert!(error(&asked).starts_with("syscalls[1].action: SCMP_ACT_NOTIFY"), "{}", error(&asked));
    let zero = traced.replace("\"SCMP_ACT_TRACE\"", "\"SCMP_ACT_ERRNO\",\"errnoRet\":0");
    assert!(error(&zero).contains("error number 0"), "{}", error(&zero));
}

fn every_action_goes_through_a_unit_and_back() {
    let rest = [
        r#""SCMP_ACT_ERRNO","defaultErrnoRet":38"#,
        r#""SCMP_ACT_ERRNO""#,
        r#""SCMP_ACT_KILL_PROCESS""#,
        r#""SCMP_ACT_ALLOW""#,
        r#""SCMP_ACT_LOG""#,
    ];
    let own = [
        r#""SCMP_ACT_ERRNO","errnoRet":95"#,
        r#""SCMP_ACT_ERRNO","errnoRet":4095"#,
        r#""SCMP_ACT_KILL_PROCESS""#,
        r#""SCMP_ACT_ALLOW""#,
        r#""SCMP_ACT_LOG""#,
    ];
    for rest in rest {
        for (own, other) in own.iter().zip(own.iter().cycle().skip(2)) {
            let text = format!(
                r#"{{"defaultAction":{rest},"syscalls":[
                {{"names":["read","execve"],"action":"SCMP_ACT_ALLOW"}},
                {{"names":["bpf","socket","getrandom"],"action":{own}}},
                {{"names":["mount","clone3"],"action":{other}}}]}}"#
            );
            let profile = oci::read(text.as_bytes()).expect("a profile");
            let (unit, notes) = written(&profile, "systemd", Error).expect("a unit");
            let comparison = compared(&profile, &unit);
            assert!(comparison.is_same(), "{text}\n{unit}\n{comparison:?}");
            assert_eq!(notes, [], "{text}");
        }
    }
    let killing = r#"{"defaultAction":"SCMP_ACT_TRAP","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"},{"names":["bpf"],"action":"SCMP_ACT_KILL"}]}"#;
    let profile = oci::read(killing.as_bytes()).expect("a profile");
    let (unit, notes) = written(&profile, "systemd", Error).expect("a unit");
    assert!(unit.contains("SystemCallErrorNumber=kill") && !unit.contains("bpf"), "{unit}");
    assert!(notes[0].to_string().starts_with("warning: narrower"), "{notes:?}");
    assert!(notes[1].text.contains("no process of the unit starts"), "{notes:?}");
}

/// The installed systemd's analyzer; None where there is none.
fn systemd_analyze(words: &[&str]) -> Option<(String, String)> {
    let output = Command::new("systemd-analyze").args(words).output().ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(&output.stdout), text(&output.stderr)))
}

fn units_pass_systemd_s_parser() {
    let directory = temporary_directory();
    let path = directory.path().join("web.service");
    let typed = path.to_str().expect("the path is text");
    for (name, profile) in profiles() {
        let (drop_in, _) = written(&profile, "systemd", Deny).expect("a unit");
        let unit = format!("[Service]\nExecStart=/bin/true\n{drop_in}");
        fs::write(&path, unit).expect("a file can be written");
        let Some((_, complaints)) = systemd_analyze(&["verify", typed]) else { return };
        let of_the_unit = complaints.lines().filter(|line| line.contains("web.service:"));
        for line in of_the_unit {
            // A call that is newer than its libseccomp.
            let newer = line.split_once("Failed to parse system call, ignoring: ");
            let call = newer.map(|(_, call)| call.split(':').next().unwrap_or_default());
            assert!(call.is_some_and(syscalls::is_known), "{name}: {line}");
        }
    }
    let faulty = "[Service]\nExecStart=/bin/true\nSystemCallFilter=@nothing\n";
    fs::write(&path, faulty).expect("a file can be written");
    let (_, complaints) = systemd_analyze(&["verify", typed]).unwrap_or_default();
    assert!(complaints.contains("@nothing"), "the parser complains at all: {complaints}");
}

fn the_groups_are_those_of_the_installed_systemd() {
    let Some((listed, _)) = systemd_analyze(&["syscall-filter"]) else { return };
    let (mut group, mut looked_at) = (None, 0);
    for line in listed.lines() {
        if line.starts_with('@') {
            group = Some(groups::calls(line).unwrap_or_else(|| panic!("{line} is missing")));
        } else if let Some(member) = line.trim().split('#').next().filter(|it| !it.is_empty()) {
            let Some(calls) = &group else { continue };
            let within = groups::calls(member).cloned().unwrap_or_default();
            let missing = |call: &str| !calls.contains(call) && syscalls::is_known(call);
            assert!(!missing(member) && !within.iter().any(|call| missing(call)), "{member}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 500, "the list is read: {looked_at}");
}

fn a_denylist_denies_what_is_refused_and_no_more() {
    let docker = DefaultsEngine::Docker.default_profile().policy();
    for (name, profile) in profiles() {
        let own = policy(&profile);
        let result = denylist(&own).expect("it can be turned round");
        let (text, _) = written(&result, "kubernetes", Error).expect("a profile");
        let (text_policy, result) = (read_back(&text), policy(&result));
        assert!(policies::compare(&result, &text_policy).is_same(), "{name}");
        let comparison = policies::compare(&own, &result);
        let lost = comparison.changes.iter().filter(|one| loses(one.kind));
        let lost: Vec<&str> =
            lost.map(|one| one.name).filter(|name| *name != "socketcall").collect();
        assert_eq!(lost, [] as [&str; 0], "{name}: what the profile allows passes");
        for (number, call) in syscalls::entries(Abi::X86_64) {
            let number = u32::try_from(number).expect("not negative");
            let passes =
                |policy: &Policy| policies::passing(policy, Abi::X86_64).any(|it| it == call);
            let denied = !passes(&result);
            let expected = !passes(&own) && (!passes(docker) || risk::dangerous(call).is_some());
            assert_eq!(denied, expected, "{name}: {call} ({number})");
        }
        let at = |call: &str, first: u64| {
            let number = syscalls::number(Abi::X86_64, call).expect("a call");
            let number = u32::try_from(number).expect("not negative");
            let registers = [first, 0, 0, 0, 0, 0];
            let verdict = |policy: &Policy| policy.decide(Abi::X86_64, number, &registers);
            (verdict(&own).lets_pass(), verdict(docker).lets_pass(), verdict(&result).lets_pass())
        };
        for (call, first) in [
            ("socket", 1),
            ("socket", 38),
            ("socket", 40),
            ("socket", 45),
            ("clone", 0x11),
            ("clone", 0x1000_0011),
            ("clone", 0x0200_0000),
            ("personality", 8),
            ("personality", 0xffff_ffff),
            ("personality", 0x0004_0000),
            ("personality", 0xfffb_ffff),
        ] {
            let (own, docker, result) = at(call, first);
            assert_eq!(result, own || docker, "{name}: {call} {first:#x}");
        }
    }
}

fn forms_are_written_as_agreed() {
    let profile = oci::read(MIXED.as_bytes()).expect("a profile");
    let forms = [
        ("docker", "docker.json"),
        ("podman", "podman.json"),
        ("oci", "oci.json"),
        ("spo", "spo.yaml"),
        ("systemd", "systemd.conf"),
    ];
    for (form, name) in forms {
        let (text, notes) = written(&profile, form, Deny).expect("it has a form");
        let notes: Vec<String> = notes.iter().map(|note| format!("{note}\n")).collect();
        golden::check(&format!("convert/{name}"), &text);
        golden::check(&format!("convert/{name}.notes"), &notes.concat());
    }
}

fn run(words: &[&str]) -> anyhow::Result<Exit> {
    let words = ["tracer", "convert"].iter().chain(words);
    command::run(&Cli::try_parse_from(words).expect("it can be understood"))
}

fn the_command_writes_files() {
    let directory = temporary_directory();
    let at = |name: &str| directory.path().join(name).to_str().expect("text").to_owned();
    let text_of = |name: &str| fs::read_to_string(at(name)).expect("it was written");
    let nginx = concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles/learned/nginx.json");
    let done = |words: &[&str]| run(words).unwrap_or_else(|error| panic!("{words:?}: {error:#}"));
    assert_eq!(done(&[nginx, "--to", "spo", "-o", &at("Web_App.yaml")]), Exit::Complete);
    assert!(text_of("Web_App.yaml").contains("\n  name: \"web-app\"\n"));
    let unit = at("seccomp.conf");
    let allowing = ["--to", "systemd", "--conditional", "allow", "-o", &unit];
    assert_eq!(done(&[&[nginx], &allowing[..]].concat()), Exit::Complete);
    let first = text_of("seccomp.conf");
    assert_eq!(done(&[&["docker-default"], &allowing[..]].concat()), Exit::Complete);
    assert_eq!(text_of("seccomp.conf.old"), first, "what was there is kept");
    assert_eq!(done(&[&unit, "--to", "kubernetes", "-o", &at("web.json")]), Exit::Complete);
    let patch = text_of("web.kubernetes.yaml");
    assert!(patch.contains("localhostProfile: \"profiles/web.json\""), "{patch}");
    assert!(read_back(&text_of("web.json")).table(Abi::I386).is_some());
    // A recording, for a unit: without the calls of container runtimes.
    fs::write(at("web.recording.json"), to_json(&web_server())).expect("a file can be written");
    let recorded = at("web.recording.json");
    let exact = [&recorded, "--to", "systemd", "--conditional", "deny", "-o", &at("web.conf")];
    assert_eq!(done(&exact), Exit::Complete);
    assert!(text_of("web.conf").contains("openat") && !text_of("web.conf").contains("fstatfs"));
    let incomplete = tracer::recording::Recording {
        complete: false,
        incomplete_reasons: vec!["a test".to_owned()],
        ..web_server()
    };
    fs::write(at("part.recording.json"), to_json(&incomplete)).expect("a file can be written");
    let part = at("part.recording.json");
    assert_eq!(done(&[&part, "--to", "docker", "-o", &at("part.json")]), Exit::Incomplete);
}

fn what_cannot_be_meant_is_told() {
    let directory = temporary_directory();
    let at = |name: &str| directory.path().join(name).to_str().expect("text").to_owned();
    let nginx = concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles/learned/nginx.json");
    let usage = |words: &[&str]| {
        let error = run(words).expect_err("it cannot be meant");
        assert!(error.is::<UsageError>(), "{words:?}: {error:#}");
        format!("{error:#}")
    };
    assert!(usage(&[nginx, "--to", "kubernetes"]).contains("--out NAME.json"));
    assert!(usage(&[nginx, "--to", "kubernetes", "-o", &at("web.yaml")]).contains(".json"));
    for name in ["Web", "a..b", "-a", "a_b", ""] {
        let name = format!("--name={name}");
        assert!(usage(&[nginx, "--to", "spo", &name]).contains("small letters"), "{name}");
    }
    let missing = at("none/web.conf");
    let error = run(&[nginx, "--to", "docker", "-o", &missing]).expect_err("no directory");
    assert!(format!("{error:#}").contains("there is no directory"), "{error:#}");
    let link = Path::new(&at("link")).to_owned();
    std::os::unix::fs::symlink("/dev/null", &link).expect("a link can be made");
    let error = run(&[nginx, "--to", "docker", "-o", &at("link")]).expect_err("a link");
    assert!(format!("{error:#}").contains("never replaced"), "{error:#}");
    fs::write(at("empty.recording.json"), to_json(&recording(Vec::new()))).expect("written");
    let empty = at("empty.recording.json");
    let error = run(&[&empty, "--to", "systemd"]).expect_err("nothing in it");
    assert!(format!("{error:#}").contains("no call of a workload"), "{error:#}");
}
