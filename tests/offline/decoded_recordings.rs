//! `tracer decode --recording`: what `tracer profile` makes of a log.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tests::temporary_directory;
use tracer::recording::json::{from_json, to_json};
use tracer::recording::{DenyOutcome, Phase, Recording};

use crate::golden;
use crate::program::{Run, tracer};
use crate::recordings::web_server;

tests::trials! {
    a_log_becomes_a_recording_as_agreed,
    a_profile_allows_what_was_only_logged,
    what_was_refused_is_allowed_on_request,
    what_names_no_call_of_this_machine_writes_nothing,
    a_file_is_not_followed,
}

fn directory() -> TempDir {
    let directory = temporary_directory();
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("offline/texts/seccomp.log");
    fs::copy(log, directory.path().join("seccomp.log")).expect("the log can be copied");
    directory
}

fn run(directory: &TempDir, words: &[&str]) -> Run {
    tracer(directory.path(), words)
}

/// Decodes the log; it shows a gap, so that the exit code is 3.
fn record(directory: &TempDir) -> Recording {
    let words = ["decode", "seccomp.log", "--recording", "log.recording.json"];
    let run = run(directory, &words);
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stdout.starts_with("count  syscall"), "the table is printed as well: {run:#?}");
    let says = "log.recording.json: 5 syscalls that were made, 2 that were refused; incomplete, ";
    assert!(run.stderr.contains(says) && run.stderr.contains("hint: merge it, when "), "{run:#?}");
    let bytes = fs::read(directory.path().join("log.recording.json")).expect("it is written");
    from_json(&bytes).expect("it can be read")
}

fn a_log_becomes_a_recording_as_agreed() {
    let directory = directory();
    let mut recording = record(&directory);
    assert!(recording.started.ends_with('Z'), "{}", recording.started);
    "2026-11-26T12:00:00Z".clone_into(&mut recording.started);
    recording.tracer.clear();
    golden::check("decode/log.recording.json", &to_json(&recording));
    assert!(!recording.complete && recording.losses.from_log == 1);
    assert!(recording.incomplete_reasons[0].contains("made from a log"));
}

fn a_profile_allows_what_was_only_logged() {
    let directory = directory();
    record(&directory);
    let path = directory.path().join("web.recording.json");
    fs::write(path, to_json(&web_server())).expect("a file can be written");
    let words = ["web.recording.json", "log.recording.json", "--out", "new.json"];
    let run = run(&directory, &[&["profile"], &words[..]].concat());
    assert_eq!(run.code, Some(3), "a log is never all: {run:#?}");
    for says in [
        "log.recording.json: 2 new: getpriority, getsockname",
        "incomplete because of log.recording.json (recordings made from a log",
    ] {
        assert!(run.stderr.contains(says), "{says}: {run:#?}");
    }
    let profile = fs::read_to_string(directory.path().join("new.json")).expect("it is written");
    assert!(profile.contains("\"getsockname\"") && !profile.contains("\"mkdir\""), "{profile}");
    let accepted = ["profile", "log.recording.json", "--out", "-", "--accept-late-start"];
    assert_eq!(tracer(directory.path(), &accepted).code, Some(3), "no option makes it complete");
}

fn what_was_refused_is_allowed_on_request() {
    let directory = directory();
    let recording = record(&directory);
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let denied = calls.filter(|call| call.phase == Phase::Denied);
    let denied: Vec<_> = denied.map(|call| (call.name.as_deref(), call.outcome)).collect();
    let expected = [
        (Some("mkdir"), Some(DenyOutcome::Signal)),
        (Some("getpriority"), Some(DenyOutcome::UnknownErrno)),
    ];
    assert_eq!(denied, expected);
    let words = ["profile", "log.recording.json", "--include-denied", "--out", "new.json"];
    let run = run(&directory, &words);
    assert_eq!(run.code, Some(3), "{run:#?}");
    let profile = fs::read_to_string(directory.path().join("new.json")).expect("it is written");
    assert!(profile.contains("\"mkdir\""), "{profile}");
}

fn what_names_no_call_of_this_machine_writes_nothing() {
    let directory = directory();
    let foreign = "audit: type=1326 audit(1.2:3): pid=1 comm=\"t\" exe=\"/t\" sig=0 arch=c00000b7 syscall=140 compat=0 ip=0x0 code=0x7ffc0000\n";
    fs::write(directory.path().join("foreign.log"), foreign).expect("a file can be written");
    let run = run(&directory, &["decode", "foreign.log", "--recording", "new.recording.json"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stderr.contains("new.recording.json is not written: "), "{run:#?}");
    assert!(run.stderr.contains("\n\nhint: "), "{run:#?}");
    assert!(!directory.path().join("new.recording.json").exists());
}

fn a_file_is_not_followed() {
    let directory = directory();
    let run = run(&directory, &["decode", "--follow", "seccomp.log"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
}
