//! What commands print for programs, against the published forms `docs/*.schema.json`, and word for
//! word.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::schema::Schema;
use tests::temporary_directory;
use tracer::preflight::{self, FactSources};
use tracer::recording::event::{NewCall, NewValue};
use tracer::recording::json::{event_line, to_json};
use tracer::recording::{Call, DenyOutcome, Phase, Recording, TargetKind};
use tracer::syscalls::Abi;
use tracer::target::listing::{Seccomp, Traceable};
use tracer::text::escape;
use tracer_ebpf::arguments::LOWER_HALF;

use crate::golden;
use crate::lint::{NOTE_CUSTOM, PODMAN};
use crate::program::tracer;
use crate::recordings::{call, calls, denied, numbered, recording, web_server, with_values};

tests::trials! {
    explain_has_the_published_form,
    diff_has_the_published_form,
    lint_has_the_published_form,
    decode_has_the_published_form,
    list_has_the_published_form,
    check_has_the_published_form,
    events_have_the_published_form,
    other_forms_are_refused,
    every_form_is_named_by_its_file,
}

/// Everything passes for some arguments, or is dangerous, or has another action.
const RISKY: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 1,
  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
  "flags": ["SECCOMP_FILTER_FLAG_LOG"],
  "syscalls": [
    { "names": ["execve", "read", "bpf", "socketcall"], "action": "SCMP_ACT_ALLOW" },
    {
      "names": ["socket"],
      "action": "SCMP_ACT_ALLOW",
      "args": [{ "index": 0, "value": 1, "op": "SCMP_CMP_EQ" }]
    },
    {
      "names": ["fcntl"],
      "action": "SCMP_ACT_ALLOW",
      "args": [{ "index": 2, "value": 1, "op": "SCMP_CMP_EQ" }]
    }
  ]
}
"#;

const DECIDED: &str = "\
    [[deny]]\nsyscalls = [\"bpf\"]\nbecause = \"never\"\nuntil = 2020-01-01\n";

/// A web server that opens sockets of several families.
fn with_sockets(families: &[u64]) -> Recording {
    let socket = Call {
        first_seen_seconds: Some(0.25),
        command: Some(escape("nginx")),
        count: Some(12),
        other_phases: vec![Phase::ContainerInit],
        ..call(Abi::X86_64, "socket", Phase::Workload)
    };
    let mut seen = web_server();
    let calls = &mut seen.cgroups[0].calls;
    calls.push(with_values(socket, 0, LOWER_HALF, Some(families)));
    calls.push(denied(Abi::X86_64, "socket", DenyOutcome::Errno(97), Phase::Workload));
    calls.push(call(Abi::X86_64, "fcntl", Phase::Workload));
    calls.push(call(Abi::X86_64, "init_module", Phase::Workload));
    calls.push(call(Abi::I386, "getpid", Phase::Workload));
    calls.push(numbered(Abi::X86_64, 472, Phase::Workload));
    seen
}

fn directory() -> TempDir {
    let directory = temporary_directory();
    let write = |name: &str, text: &[u8]| {
        fs::write(directory.path().join(name), text).expect("a file can be written");
    };
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["nginx", "redis"] {
        let path = package.join(format!("../profiles/learned/{name}.json"));
        write(&format!("{name}.json"), &fs::read(path).expect("a profile"));
    }
    write("risky.json", RISKY.as_bytes());
    write("decided.toml", DECIDED.as_bytes());
    write("note.json", NOTE_CUSTOM.as_bytes());
    write("podman.json", PODMAN.as_bytes());
    write("web.recording.json", to_json(&with_sockets(&[1, 2, 40])).as_bytes());
    write("other.recording.json", to_json(&with_sockets(&[1, 10])).as_bytes());
    let few = recording(vec![calls(Phase::Workload, &["execve", "read"])]);
    write("few.recording.json", to_json(&few).as_bytes());
    let text = |name: &str| fs::read(package.join("offline/texts").join(name)).expect("a text");
    let foreign = "audit: type=1326 audit(1.2:3): auid=1 uid=0 gid=0 ses=1 pid=1 comm=\"t\" exe=\"/t\" sig=0 arch=c00000b7 syscall=140 compat=0 ip=0x0 code=0x7ffc0000\n";
    let log = [text("seccomp.log"), foreign.into(), b"no such line\n".to_vec()].concat();
    write("seccomp.log", &log);
    write("strace.txt", &text("strace-f.txt"));
    directory
}

/// Runs the command lines, and checks what each prints; what the form names, some of them print.
fn check(form: &str, command_lines: &[&[&str]]) -> Vec<String> {
    let schema = Schema::read(form);
    let directory = directory();
    let (mut texts, mut values) = (Vec::new(), Vec::new());
    for words in command_lines {
        let words = [&[form][..], words, &["--json"]].concat();
        let run = tracer(directory.path(), &words);
        let value: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
            panic!("{words:?} prints no JSON: {error}: {run:#?}");
        });
        schema.check(&value);
        values.push(value);
        texts.push(run.stdout);
    }
    assert_eq!(schema.unwritten(&values), [""; 0], "what the form names is printed");
    texts
}

fn explain_has_the_published_form() {
    let printed = check(
        "explain",
        &[
            &["web.recording.json"],
            &["web.recording.json", "socket"],
            &["risky.json"],
            &["nginx.json", "bpf"],
            &["docker-default"],
            &["risky.json", "bpf", "--decisions", "decided.toml"],
        ],
    );
    golden::check("explain/recording.json", &printed[0]);
    golden::check("explain/of-socket.json", &printed[1]);
}

fn diff_has_the_published_form() {
    let printed = check(
        "diff",
        &[
            &["nginx.json", "risky.json"],
            &["web.recording.json", "other.recording.json"],
            &["risky.json", "web.recording.json", "few.recording.json"],
            &["few.recording.json", "web.recording.json"],
            &["podman.json", "risky.json"],
            &["nginx.json", "redis.json"],
        ],
    );
    golden::check("diff/recordings.json", &printed[1]);
    golden::check("diff/shadow.json", &printed[2]);
}

fn lint_has_the_published_form() {
    let printed = check("lint", &[&["note.json"], &["podman.json", "nginx.json"]]);
    golden::check("lint/note.json", &printed[0]);
}

fn decode_has_the_published_form() {
    let lines: [&[&str]; 2] = [&["seccomp.log", "--profile", "nginx.json"], &["strace.txt"]];
    let printed = check("decode", &lines);
    golden::check("decode/strace.json", &printed[1]);
}

fn list_has_the_published_form() {
    let one = |kind, name: &str, seccomp| Traceable {
        kind,
        name: name.to_owned(),
        id: None,
        container: None,
        pod: None,
        pod_uid: None,
        runtime: None,
        cgroup: "/system.slice/a".into(),
        processes: 1,
        seccomp,
    };
    let of_pod = Traceable {
        id: Some("0123456789abcdef".repeat(4)),
        container: Some("proxy".to_owned()),
        pod: Some("shop/web-0".to_owned()),
        pod_uid: Some("123e4567-e89b-12d3-a456-426614174000".to_owned()),
        runtime: Some("containerd".to_owned()),
        ..one(TargetKind::Container, "shop/web-0/proxy", Seccomp::Filters(Some(1)))
    };
    let all = [
        of_pod,
        one(TargetKind::Pod, "shop/web-0", Seccomp::Mixed),
        one(TargetKind::Unit, "nginx.service", Seccomp::Unconfined),
        one(TargetKind::Unit, "old.service", Seccomp::Filters(None)),
        one(TargetKind::Unit, "gone\u{1b}.service", Seccomp::Unknown),
    ];
    let text = tracer::json::pretty(&all);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let schema = Schema::read("list");
    schema.check(&value);
    assert_eq!(schema.unwritten(&[value]), [""; 0]);
    golden::check("list.json", &text);
    // Of this host, where it has cgroup v2.
    let run = tracer(Path::new("/"), &["list", "--json"]);
    if run.code == Some(0) {
        schema.check(&serde_json::from_str(&run.stdout).expect("JSON"));
    }
}

fn check_has_the_published_form() {
    let schema = Schema::read("check");
    let nowhere = temporary_directory();
    let path = |name: &str| nowhere.path().join(name);
    let [proc, sys, boot] = ["proc", "sys", "boot"].map(path);
    let lacking = preflight::evaluate(&preflight::gather(&FactSources {
        proc,
        sys,
        boot,
        mount: false,
        count_cgroups: true,
    }));
    let lacking: Value = serde_json::from_str(&tracer::json::pretty(&lacking)).expect("JSON");
    let run = tracer(nowhere.path(), &["check", "--json", "--localhost", "web.json"]);
    let here: Value = serde_json::from_str(&run.stdout).expect("JSON");
    schema.check(&lacking);
    schema.check(&here);
    assert_eq!(schema.unwritten(&[lacking, here]), [""; 0]);
}

fn events_have_the_published_form() {
    let schema = Schema::read("events");
    let seen = NewCall {
        seconds: 0.125,
        cgroup: escape("/docker/ab"),
        abi: Abi::X86_64,
        number: 41,
        name: Some("socket"),
        invocation: None,
        pid: 4711,
        command: escape("ng\u{1b}inx"),
        outcome: None,
        denied_in_phase: None,
        argument: None,
    };
    let value = |value| Some(NewValue { index: 0, mask: LOWER_HALF, value });
    let refused = |outcome| NewCall {
        invocation: Some("socket(AF_VSOCK, SOCK_STREAM, 0)".to_owned()),
        outcome: Some(outcome),
        denied_in_phase: Some(Phase::Workload),
        ..seen.clone()
    };
    let events = [
        seen.clone(),
        NewCall { argument: value(Some(40)), ..seen.clone() },
        NewCall { argument: value(None), ..seen.clone() },
        NewCall { number: 472, name: None, ..seen.clone() },
        refused(DenyOutcome::Errno(97)),
        refused(DenyOutcome::Signal),
        refused(DenyOutcome::ThreadKilled),
        refused(DenyOutcome::Logged),
    ];
    let text: String = events.iter().map(event_line).collect();
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    assert_eq!(lines.len(), events.len(), "an event is a line");
    lines.iter().for_each(|line| schema.check(line));
    assert_eq!(schema.unwritten(&lines), [""; 0]);
    golden::check("events.jsonl", &text);
}

fn other_forms_are_refused() {
    let lacks = json!({ "name": "btf", "status": "ok", "detail": "", "required": true });
    assert!(Schema::read("check").takes(&json!([lacks])));
    for (form, other) in [
        ("check", json!([])),
        ("check", json!([{ "name": "btf", "status": "good", "detail": "", "required": true }])),
        ("check", json!([{ "name": "btf", "status": "ok", "detail": "" }])),
        ("list", json!([{ "kind": "pod" }])),
        ("lint", json!({ "version": 2, "files": [] })),
        ("decode", json!({ "calls": [] })),
        ("diff", json!([])),
        ("diff", json!({ "allowed": [1], "same": 1, "changes": [] })),
        ("explain", json!({ "name": "web.json" })),
        ("events", json!({ "seconds": 0.5 })),
        ("verify", json!({ "profile": "web.json", "status": 0 })),
    ] {
        assert!(!Schema::read(form).takes(&other), "{form}: {other}");
    }
}

/// Each form of `docs` has an identifier of its own, and the README names it.
fn every_form_is_named_by_its_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let files = tests::file_names(&root.join("docs"));
    let forms: Vec<&str> =
        files.iter().filter_map(|name| name.strip_suffix(".schema.json")).collect();
    assert!(forms.len() >= 9, "{forms:?}");
    for form in forms {
        let text = fs::read_to_string(root.join(format!("docs/{form}.schema.json")));
        let schema: Value = serde_json::from_str(&text.expect("a schema")).expect("JSON");
        assert_eq!(schema["$id"], format!("urn:tracer:{form}:1"));
        assert!(readme.contains(&format!("docs/{form}.schema.json")), "{form} is in the README");
    }
}
