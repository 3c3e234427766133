//! `tracer diff`: what is found, how it is written, and how it ends.

use std::fs;
use std::path::Path;

use clap::Parser;
use tests::temporary_directory;
use tracer::cli::Cli;
use tracer::command::{self, Exit};
use tracer::profile::defaults::DefaultsEngine;
use tracer::profile::policy::{Policy, RuleContext};
use tracer::profile::{Profile, ProfileOptions};
use tracer::recording::json::to_json;
use tracer::recording::{Call, Phase, Recording};
use tracer::syscalls::Abi;
use tracer::workbench::diff::render::{self, ComparedNames};
use tracer::workbench::diff::shadow::shadow;
use tracer::workbench::diff::{ChangeKind, Comparison, policies, seen};
use tracer::workbench::document::Document;
use tracer_ebpf::arguments::LOWER_HALF;

use crate::golden;
use crate::recordings::{call, calls, denied, recording, web_server, with_values};

tests::trials! {
    comparisons_are_written_as_agreed,
    what_is_said_in_other_words_is_the_same,
    each_kind_of_difference_is_found,
    a_derived_profile_denies_nothing_of_its_recording,
    what_a_profile_would_have_denied_is_told,
    what_was_not_recorded_leaves_doubt,
    recordings_are_compared_by_what_was_seen,
    the_exit_code_tells,
    profiles_within_other_files_are_read,
}

/// The profile of a file of the repository.
fn of_file(path: &str) -> Policy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    of_text(&fs::read_to_string(path).expect("the file can be read"))
}

fn of_text(text: &str) -> Policy {
    let document = Document::read(text.as_bytes()).expect("a profile");
    let Document::Profile { profile, .. } = document else { panic!("a profile: {text}") };
    Policy::new(&profile, &RuleContext::default()).expect("a policy")
}

/// A profile that allows these, each a name or a rule.
fn allowing(rules: &[&str]) -> String {
    let rule = |rule: &&str| match rule.starts_with('{') {
        true => (*rule).to_owned(),
        false => format!(r#"{{"names":["{rule}"],"action":"SCMP_ACT_ALLOW"}}"#),
    };
    let rules = rules.iter().map(rule).collect::<Vec<_>>().join(",");
    format!(r#"{{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"syscalls":[{rules}]}}"#)
}

/// A rule with one condition on the first argument.
fn rule(name: &str, operator: &str, value: u64, value_two: u64) -> String {
    format!(
        r#"{{"names":["{name}"],"action":"SCMP_ACT_ALLOW","args":[{{"index":0,"op":"SCMP_CMP_{operator}","value":{value},"valueTwo":{value_two}}}]}}"#
    )
}

fn comparisons_are_written_as_agreed() {
    let nginx = of_file("profiles/learned/nginx.json");
    let docker = DefaultsEngine::Docker.default_profile().policy();
    let containerd = DefaultsEngine::Containerd.default_profile().policy();
    let cases = [
        ("defaults", docker, containerd),
        ("docker-nginx", docker, &nginx),
        ("nginx-redis", &nginx, &of_file("profiles/learned/redis.json")),
        ("audit-learn", &of_file("profiles/audit.json"), &of_file("profiles/learn.json")),
        ("same", &nginx, &nginx),
    ];
    for (name, before, after) in cases {
        let names = ComparedNames { before: "before.json", after: "after.json", recordings: false };
        let comparison = policies::compare(before, after);
        for width in [40, 80, 200] {
            golden::check(
                &format!("diff/{name}-{width}.txt"),
                &render::text(&comparison, &names, width),
            );
        }
    }
}

fn what_is_said_in_other_words_is_the_same() {
    let lower = LOWER_HALF;
    let pairs = [
        (allowing(&["read", "write"]), allowing(&["write", "read", "read"])),
        (
            allowing(&[&rule("read", "LT", 4, 0)]),
            allowing(&[&rule("read", "LE", 3, 0), &rule("read", "EQ", 1, 0)]),
        ),
        (
            allowing(&[&rule("socket", "EQ", 2, 0)]),
            allowing(&[&rule("socket", "MASKED_EQ", lower, 2)]),
        ),
        (
            allowing(&[&rule("read", "EQ", 1, 0), "read"]),
            allowing(&["read", "no_such_syscall_at_all"]),
        ),
    ];
    for (before, after) in pairs {
        let comparison = policies::compare(&of_text(&before), &of_text(&after));
        assert!(comparison.is_same(), "{before} {after}: {:?}", comparison.changes);
    }
}

fn kinds(comparison: &Comparison) -> Vec<(ChangeKind, &'static str)> {
    comparison.changes.iter().map(|change| (change.kind, change.name)).collect()
}

fn each_kind_of_difference_is_found() {
    let before = of_text(&allowing(&[
        "read",
        "write",
        "ioctl",
        &rule("socket", "EQ", 1, 0),
        &rule("close", "EQ", 1, 0),
        r#"{"names":["ptrace"],"action":"SCMP_ACT_ERRNO","errnoRet":1}"#,
    ]));
    let after = of_text(&allowing(&[
        "read",
        "bpf",
        &rule("ioctl", "EQ", 7, 0),
        &rule("socket", "EQ", 40, 0),
        "close",
        r#"{"names":["ptrace"],"action":"SCMP_ACT_ERRNO","errnoRet":2}"#,
    ]));
    let comparison = policies::compare(&before, &after);
    let expected = [
        (ChangeKind::Added, "bpf"),
        (ChangeKind::Wider, "close"),
        (ChangeKind::OtherArguments, "socket"),
        (ChangeKind::Narrower, "ioctl"),
        (ChangeKind::Removed, "write"),
        (ChangeKind::Action, "ptrace"),
    ];
    assert_eq!(kinds(&comparison), expected);
    let change = |name| comparison.changes.iter().find(|change| change.name == name);
    let socket = change("socket").expect("it differs");
    assert_eq!(
        (socket.gained.as_slice(), socket.lost.as_slice()),
        (&["AF_VSOCK".to_owned()][..], &["AF_UNIX".to_owned()][..])
    );
    assert_eq!(socket.risk, Some("kernel attack surface"));
    assert_eq!(change("bpf").and_then(|change| change.risk), Some("kernel code"));
    assert!(comparison.adds() && comparison.adds_beyond_defaults() && comparison.adds_danger());
    let back =
        policies::compare(&of_text(&allowing(&["read", "write"])), &of_text(&allowing(&["read"])));
    assert!(!back.adds() && !back.adds_beyond_defaults() && !back.adds_danger());
}

fn a_derived_profile_denies_nothing_of_its_recording() {
    for recording in [web_server(), crate::recordings::full()] {
        let profile = Profile::derive(std::slice::from_ref(&recording), &ProfileOptions::default());
        let policy = profile.expect("a profile").profile.policy();
        let found = shadow(&policy, "recording", &recording);
        let certain: Vec<_> = found.denied.iter().filter(|call| call.name.is_some()).collect();
        // No profile can allow what has no name. clone3 is left to clone: no filter sees its flags.
        assert!(certain.iter().all(|call| call.name == Some("clone3")), "{certain:?}");
    }
}

/// A recording of these calls of the workload.
fn of_calls(calls: Vec<Call>) -> Recording {
    recording(vec![calls])
}

fn what_a_profile_would_have_denied_is_told() {
    let policy = of_text(&allowing(&["read", &rule("socket", "EQ", 1, 0)]));
    let socket =
        with_values(call(Abi::X86_64, "socket", Phase::Workload), 0, LOWER_HALF, Some(&[1, 40]));
    let late = Call { first_seen_seconds: Some(2.5), ..call(Abi::X86_64, "bpf", Phase::Workload) };
    let mut made = calls(Phase::Workload, &["read"]);
    made.extend([socket, late, call(Abi::I386, "read", Phase::Workload)]);
    made.extend(calls(Phase::Setup, &["mount"]));
    made.push(denied(
        Abi::X86_64,
        "ptrace",
        tracer::recording::DenyOutcome::Errno(1),
        Phase::Workload,
    ));
    let found = shadow(&policy, "web.recording.json", &of_calls(made));
    let told: Vec<_> = found
        .denied
        .iter()
        .map(|call| {
            (call.abi, call.name.unwrap_or_default(), call.values.clone(), call.effect.as_str())
        })
        .collect();
    let expected = [
        (Abi::X86_64, "socket", vec!["AF_VSOCK".to_owned()], "fails with ENOSYS"),
        (Abi::X86_64, "bpf", vec![], "fails with ENOSYS"),
        (Abi::I386, "read", vec![], "kills the thread"),
    ];
    assert_eq!(told, expected, "set-up and what was denied anyway do not count");
    assert!(found.denied.iter().all(|call| !call.doubtful) && found.is_denied());
    for width in [40, 80, 200] {
        let found = std::slice::from_ref(&found);
        golden::check(
            &format!("diff/shadow-{width}.txt"),
            &render::shadows("web.json", found, width),
        );
    }
}

fn what_was_not_recorded_leaves_doubt() {
    let policy = of_text(&allowing(&[&rule("socket", "EQ", 1, 0), &rule("read", "EQ", 0, 0)]));
    let any = with_values(call(Abi::X86_64, "socket", Phase::Workload), 0, LOWER_HALF, None);
    let found =
        shadow(&policy, "r", &of_calls(vec![any, call(Abi::X86_64, "read", Phase::Workload)]));
    assert_eq!(found.denied.len(), 2);
    assert!(found.denied.iter().all(|call| call.doubtful) && !found.is_denied());
}

fn recordings_are_compared_by_what_was_seen() {
    let of = |names: &[&str], families: &[u64]| {
        let mut made = calls(Phase::Workload, names);
        let socket = call(Abi::X86_64, "socket", Phase::Workload);
        made.push(with_values(socket, 0, LOWER_HALF, Some(families)));
        made.extend(calls(Phase::Setup, &["mount"]));
        of_calls(made)
    };
    let comparison =
        seen::compare(&of(&["read", "write"], &[1, 2]), &of(&["read", "bpf"], &[1, 40]));
    let expected = [
        (ChangeKind::Added, "bpf"),
        (ChangeKind::OtherArguments, "socket"),
        (ChangeKind::Removed, "write"),
    ];
    assert_eq!(kinds(&comparison), expected);
    assert_eq!(comparison.changes[1].gained, ["AF_VSOCK"]);
    assert!(comparison.adds_danger());
    let names = ComparedNames { before: "monday", after: "tuesday", recordings: true };
    golden::check("diff/recordings-80.txt", &render::text(&comparison, &names, 80));
    assert!(seen::compare(&web_server(), &web_server()).is_same());
}

fn exit(words: &[&str]) -> Exit {
    let words = ["tracer", "diff"].iter().chain(words);
    let cli = Cli::try_parse_from(words).expect("it can be understood");
    command::run(&cli).expect("it is compared")
}

fn the_exit_code_tells() {
    let directory = temporary_directory();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a file can be written");
        path.to_str().expect("the path is text").to_owned()
    };
    let narrow = file("narrow.json", &allowing(&["read"]));
    let wide = file("wide.json", &allowing(&["read", "write"]));
    let risky = file("risky.json", &allowing(&["read", "bpf"]));
    let web = file("web.recording.json", &to_json(&web_server()));
    assert_eq!(exit(&[&narrow, &wide]), Exit::Complete);
    assert_eq!(exit(&[&narrow, &narrow, "--exit-code"]), Exit::Complete);
    assert_eq!(exit(&[&narrow, &wide, "--exit-code"]), Exit::Different);
    assert_eq!(exit(&[&narrow, &wide, "--fail-on", "added"]), Exit::Different);
    assert_eq!(exit(&[&wide, &narrow, "--fail-on", "added"]), Exit::Complete);
    assert_eq!(exit(&[&narrow, &wide, "--fail-on", "beyond-default,dangerous"]), Exit::Complete);
    assert_eq!(exit(&[&narrow, &risky, "--fail-on", "dangerous", "--json"]), Exit::Different);
    assert_eq!(exit(&["docker-default", &risky, "--fail-on", "beyond-default"]), Exit::Different);
    assert_eq!(exit(&[&narrow, &web, "--exit-code"]), Exit::Different);
    assert_eq!(exit(&[&web, &narrow, "--fail-on", "added"]), Exit::Different);
    assert_eq!(exit(&[&web, &web, "--exit-code"]), Exit::Complete);
    assert_eq!(Exit::Different.code(), 5);
}

fn profiles_within_other_files_are_read() {
    let profile = allowing(&["read"]);
    let escaped = profile.replace('"', "\\\"");
    let files = [
        format!(r#"{{"ociVersion":"1.0.2","linux":{{"seccomp":{profile}}}}}"#),
        format!(
            r#"{{"apiVersion":"security-profiles-operator.x-k8s.io/v1","kind":"SeccompProfile","spec":{}}}"#,
            profile.replacen('{', r#"{"disabled":false,"#, 1)
        ),
        format!(r#"[{{"Id":"1","HostConfig":{{"SecurityOpt":["seccomp={escaped}"]}}}}]"#),
        format!(r#"{{"info":{{"runtimeSpec":{{"linux":{{"seccomp":{profile}}}}}}}}}"#),
    ];
    for file in files {
        let comparison = policies::compare(&of_text(&profile), &of_text(&file));
        assert!(comparison.is_same(), "{file}");
    }
    let without = r#"{"ociVersion":"1.0.2","linux":{}}"#;
    let error = Document::read(without.as_bytes()).expect_err("it has no profile").to_string();
    assert!(error.contains("runs without a profile"), "{error}");
}
