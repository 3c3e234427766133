//! Files that people name by mistake: every command that reads a file, with every one of them. A
//! command takes what it can use, and refuses the rest with the name of the file and a remedy.

use std::fs::{self, File};

use serde_json::Value;
use tempfile::TempDir;
use tests::temporary_directory;
use tracer::recording::json::to_json;

use crate::bad_decisions::{DECISIONS, FAULTY_DECISIONS};
use crate::program::{Run, tracer};
use crate::recordings::web_server;

tests::trials! {
    explain_takes_what_it_can_use,
    diff_takes_what_it_can_use,
    convert_takes_what_it_can_use,
    decode_takes_what_it_can_use,
    lint_takes_what_it_can_use,
    enforce_takes_what_it_can_use,
    report_takes_what_it_can_use,
    profile_takes_what_it_can_use,
    decisions_are_taken_where_they_are_read,
    faults_are_placed,
}

/// What a command reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    /// A profile, a recording, or a file of another tool with a profile in it.
    Anything,
    /// The same without recordings.
    AnyProfile,
    /// A profile as container runtimes read it.
    Profile,
    /// A profile, in its place in another file as well; what it is.
    Linted,
    /// A recording.
    Recording,
    /// A log.
    Log,
    /// Decisions about syscalls.
    Decisions,
}

use Reads::{AnyProfile, Anything, Decisions, Linted, Log, Profile, Recording};

/// Words that no message holds: those of the program's own code.
const INTERNAL: [&str; 9] = [
    "struct ",
    "enum variant",
    "panicked",
    "RUST_BACKTRACE",
    "invalid type",
    "expected i32",
    "expected u32",
    "expected usize",
    "Os {",
];

const PROFILE: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 38,
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [{ "names": ["execve", "read", "write"], "action": "SCMP_ACT_ALLOW" }]
}
"#;
const RESOURCE: &str = "apiVersion: security-profiles-operator.x-k8s.io/v1beta1\nkind: SeccompProfile\nmetadata:\n  name: web\nspec:\n  defaultAction: SCMP_ACT_ERRNO\n  syscalls:\n  - action: SCMP_ACT_ALLOW\n    names: [execve, read]\n";
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  securityContext:\n    seccompProfile:\n      type: Localhost\n      localhostProfile: profiles/web.json\n";
const DEPLOYMENT: &str =
    r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{}}"#;
const UNIT: &str = "[Service]\nExecStart=/bin/true\nSystemCallFilter=@system-service\n";

/// A file, who can use it, and what those who cannot say of it.
struct Input {
    name: &'static str,
    content: Vec<u8>,
    takers: &'static [Reads],
    /// What all messages about it hold.
    says: &'static str,
}

fn input(name: &'static str, content: impl Into<Vec<u8>>, says: &'static str) -> Input {
    Input { name, content: content.into(), takers: &[], says }
}

fn taken(
    name: &'static str,
    content: impl Into<Vec<u8>>,
    takers: &'static [Reads],
    says: &'static str,
) -> Input {
    Input { takers, ..input(name, content, says) }
}

fn with_mark(text: &str) -> Vec<u8> {
    [b"\xef\xbb\xbf", text.as_bytes()].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Files that hold nothing, no text, or no JSON.
fn texts() -> Vec<Input> {
    let recording = to_json(&web_server());
    vec![
        taken("empty.json", "", &[Decisions], "empty"),
        taken("blank.json", " \n\t\n", &[Decisions], "empty"),
        input("utf-16.json", [b"\xff\xfe".to_vec(), utf16(PROFILE)].concat(), "UTF-16"),
        input("utf-16-unmarked.json", utf16(PROFILE), "UTF-16"),
        input("latin-1.json", b"{\"defaultAction\": \"\xe9\"}", ""),
        input("program.json", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01", ""),
        input("text.json", "hello\n", ""),
        input("truncated.json", &PROFILE[..PROFILE.len() / 2], ""),
        // With a number alone on a line, as in lists of syscalls.
        taken("truncated.recording.json", &recording[..recording.len() / 2], &[Log], ""),
        input("deep.json", "[".repeat(100_000), ""),
        input("comment.json", "{ // no filter\n  \"defaultAction\": nothing\n}\n", ""),
        input("list.json", "[]", ""),
        input("null.json", "null", ""),
        input("object.json", "{}", ""),
    ]
}

/// Profiles and recordings with faults.
fn faulty() -> Vec<Input> {
    let recording = to_json(&web_server());
    let changed = |from: &str, to: &str| {
        assert!(recording.contains(from), "{from}");
        recording.replacen(from, to, 1)
    };
    vec![
        input("no-action.json", "{\"defaultAction\": \"SCMP_ACT_DENY\"}", ""),
        input("no-text.json", "{\"defaultAction\": 5, \"syscalls\": {}, \"flags\": 1}", ""),
        input("newer.recording.json", changed("\"version\": 1", "\"version\": 2"), ""),
        input("number.recording.json", changed("\"number\": 165", "\"number\": \"165\""), ""),
        input("phase.recording.json", changed("\"phase\": \"setup\"", "\"phase\": 5"), ""),
        input("host.recording.json", changed("\"btf\": true", "\"btf\": [1, 2]"), ""),
        input("losses.recording.json", changed("\"table_full\": 0", "\"table_full\": -1"), ""),
        input("name.recording.json", changed("\"name\": \"mount\"", "\"name\": \"read\""), ""),
    ]
}

/// Files of other tools, and tracer's own in the place of each other.
fn others() -> Vec<Input> {
    let recording = to_json(&web_server());
    let quoted = PROFILE.replace('\n', "").replace('"', "\\\"");
    let spec = PROFILE.replace('\n', "\r\n");
    vec![
        taken("good.json", PROFILE, &[Anything, AnyProfile, Profile, Linted], "a profile"),
        taken("crlf.json", spec.clone(), &[Anything, AnyProfile, Profile, Linted], "a profile"),
        taken("marked.json", with_mark(PROFILE), &[Anything, AnyProfile], ""),
        taken("good.recording.json", &*recording, &[Anything, Recording], "a recording"),
        taken("marked.recording.json", with_mark(&recording), &[Anything, Recording], ""),
        taken(
            "crlf.recording.json",
            recording.replace('\n', "\r\n"),
            &[Anything, Recording],
            "a recording",
        ),
        taken("spo.yaml", RESOURCE, &[Anything, AnyProfile], "a SeccompProfile"),
        taken("spo-crlf.yaml", RESOURCE.replace('\n', "\r\n"), &[Anything, AnyProfile], ""),
        taken(
            "spo.json",
            format!(
                r#"{{"apiVersion":"security-profiles-operator.x-k8s.io/v1beta1","kind":"SeccompProfile","spec":{spec}}}"#
            ),
            &[Anything, AnyProfile, Linted],
            "a SeccompProfile",
        ),
        taken(
            "config.json",
            format!(r#"{{"ociVersion":"1.2.0","linux":{{"seccomp":{PROFILE}}}}}"#),
            &[Anything, AnyProfile, Linted],
            "the configuration of an OCI container",
        ),
        input("bare-config.json", r#"{"ociVersion":"1.2.0","linux":{}}"#, "OCI container"),
        taken(
            "inspect.json",
            format!(r#"[{{"Id":"1","HostConfig":{{"SecurityOpt":["seccomp={quoted}"]}}}}]"#),
            &[Anything, AnyProfile],
            "",
        ),
        input("bare-inspect.json", r#"[{"Id":"1","State":{},"HostConfig":{}}]"#, ""),
        input("pod.yaml", POD, ""),
        input("deployment.json", DEPLOYMENT, ""),
        taken("nginx.service", UNIT, &[Anything, AnyProfile], ""),
    ]
}

/// Decisions: good ones, and some with faults.
fn decided() -> Vec<Input> {
    let good = |name, content| taken(name, content, &[Decisions], "");
    let mut all = vec![
        good("decisions.toml", DECISIONS.into()),
        good("crlf.toml", DECISIONS.replace('\n', "\r\n").into()),
        good("marked.toml", with_mark(DECISIONS)),
    ];
    all.extend(FAULTY_DECISIONS.map(|(name, text, _)| input(name, text, "")));
    all
}

fn all() -> impl Iterator<Item = Input> {
    texts().into_iter().chain(faulty()).chain(others()).chain(decided())
}

/// The directory with all files, and one that is no file each.
fn directory() -> TempDir {
    let directory = temporary_directory();
    let path = |name: &str| directory.path().join(name);
    for Input { name, content, .. } in all() {
        fs::write(path(name), content).expect("a file can be written");
    }
    fs::write(path("numbers.txt"), "0 1 2\n").expect("a file can be written");
    fs::create_dir(path("folder.json")).expect("a directory can be made");
    let large = File::create(path("large.json")).expect("a file can be made");
    // Without content on the disk.
    large.set_len((256 << 20) + 1).expect("it can be as large as that");
    directory
}

/// What is no file with content, or too much of it: no command takes it.
const NO_FILES: [(&str, &str); 4] = [
    ("missing.json", "No such file"),
    ("folder.json", "is a directory"),
    ("/dev/zero", "is a device"),
    ("large.json", "more than "),
];

/// A command: its words, with `FILE` for the file, and what it reads there.
fn check(words: &[&str], reads: Reads) {
    let directory = directory();
    let run = |name: &str| {
        let line = words.iter().map(|word| if *word == "FILE" { name } else { *word });
        let line: Vec<&str> = line.collect();
        let run = tracer(directory.path(), &line);
        let said = format!("{line:?}: {run:#?}");
        for word in INTERNAL {
            let holds = run.stderr.contains(word) || run.stdout.contains(word);
            assert!(!holds, "{word:?} in what is said: {said}");
        }
        assert!(!run.stderr.contains('\u{1b}'), "{said}");
        (run, said)
    };
    for (name, says) in NO_FILES {
        let (run, said) = run(name);
        let failed = if reads == Profile { 125 } else { 1 };
        assert_eq!(run.code, Some(failed), "{said}");
        assert!(run.stderr.contains(name) && run.stderr.contains(says), "{said}");
        assert!(run.stderr.contains("hint: "), "{said}");
    }
    for Input { name, takers, says, .. } in all() {
        let (run, said) = run(name);
        if takers.contains(&reads) {
            let codes: &[i32] = if reads == Linted { &[0, 4] } else { &[0] };
            assert!(run.code.is_some_and(|code| codes.contains(&code)), "{said}");
            assert!(!run.stderr.contains("error:"), "{said}");
        } else {
            check_refused(&run, reads, name, says, &said);
        }
    }
}

fn check_refused(run: &Run, reads: Reads, name: &str, says: &str, said: &str) {
    let expected = match reads {
        Profile => 125,
        Linted => 4,
        _ => 1,
    };
    assert_eq!(run.code, Some(expected), "{said}");
    if reads == Linted {
        return check_findings(&run.stdout, name, said);
    }
    assert!(run.stderr.starts_with("error: "), "{said}");
    assert!(run.stderr.contains(name) && run.stderr.contains("hint: "), "{said}");
    // A log may hold what the others look at.
    assert!(reads == Log || run.stderr.contains(says), "{said}");
}

/// What lint finds is data: it names the file, and each finding has a remedy.
fn check_findings(stdout: &str, name: &str, said: &str) {
    let output: Value = serde_json::from_str(stdout).expect("JSON");
    assert_eq!(output["files"][0]["path"], name, "{said}");
    let findings = output["files"][0]["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|finding| finding["severity"] == "error"), "{said}");
    for finding in findings {
        let remedy = finding["remedy"].as_str().unwrap_or_default();
        assert!(!remedy.is_empty() && finding["line"].as_u64() >= Some(1), "{said}");
    }
}

fn explain_takes_what_it_can_use() {
    check(&["explain", "FILE"], Anything);
    check(&["explain", "FILE", "read", "--json"], Anything);
}

fn diff_takes_what_it_can_use() {
    check(&["diff", "FILE", "good.json"], Anything);
    check(&["diff", "good.json", "FILE"], Anything);
}

fn convert_takes_what_it_can_use() {
    check(&["convert", "--to", "docker", "FILE"], Anything);
}

fn decode_takes_what_it_can_use() {
    check(&["decode", "FILE"], Log);
    check(&["decode", "numbers.txt", "--profile", "FILE"], AnyProfile);
}

fn lint_takes_what_it_can_use() {
    check(&["lint", "--json", "FILE"], Linted);
}

fn enforce_takes_what_it_can_use() {
    check(&["enforce", "--check", "FILE"], Profile);
}

fn report_takes_what_it_can_use() {
    check(&["report", "FILE", "--out", "-"], Recording);
}

fn profile_takes_what_it_can_use() {
    check(&["profile", "FILE", "--out", "-"], Recording);
    // The faulty one of several is named.
    check(&["profile", "good.recording.json", "FILE", "--out", "-"], Recording);
}

fn decisions_are_taken_where_they_are_read() {
    check(&["profile", "good.recording.json", "--decisions", "FILE", "--out", "-"], Decisions);
    check(&["explain", "good.json", "read", "--decisions", "FILE"], Decisions);
    let directory = directory();
    for (name, _, says) in FAULTY_DECISIONS {
        let words = ["diff", "good.json", "good.json", "--decisions", name];
        let said = tracer(directory.path(), &words).stderr;
        assert!(said.starts_with(&format!("error: {name}:")) && said.contains(says), "{said}");
    }
}

fn faults_are_placed() {
    let directory = directory();
    let said = |words: &[&str]| tracer(directory.path(), words).stderr;
    for (words, expected) in [
        (
            ["explain", "no-action.json"],
            "error: no-action.json: line 1, column 19: defaultAction: `SCMP_ACT_DENY` is no action",
        ),
        (["explain", "no-text.json"], "error: no-text.json: 3 faults\n"),
        (["explain", "no-text.json"], "hint: the first is in line 1, column "),
        (
            ["explain", "comment.json"],
            "error: comment.json: line 1, column 3: JSON has no comments",
        ),
        (
            ["explain", "number.recording.json"],
            "a whole number is expected, and the text \"165\" is there",
        ),
        (["explain", "phase.recording.json"], "another kind of value is expected"),
        (["explain", "host.recording.json"], "true or false is expected, and a list is there"),
        (
            ["explain", "losses.recording.json"],
            "a whole number from 0 on is expected, and the number -1 is there",
        ),
        (["explain", "truncated.recording.json"], "truncated: the file ends in line "),
        (["explain", "truncated.recording.json"], "hint: copy the whole file again"),
        (["explain", "marked.json"], "warning: marked.json: it begins with a byte order mark"),
        (["decode", "good.recording.json"], "a recording of tracer, not a log"),
    ] {
        let message = said(&words);
        assert!(message.contains(expected), "{words:?}: {expected}\n{message}");
    }
    let refused = said(&["profile", "good.json", "--out", "-"]);
    assert!(refused.contains("good.json: a profile, not a recording\n\nhint: "), "{refused}");
    let refused = said(&["report", "pod.yaml", "--out", "-"]);
    assert!(refused.contains("a Kubernetes object (kind Pod), not a recording"), "{refused}");
}
