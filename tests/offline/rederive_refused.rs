//! What `tracer profile` refuses: files that are no recordings, and options that cannot be meant.

use tests::file_names;
use tracer::recording::json::to_json;

use crate::rederive::{Directory, check_refused, of, run};

tests::trials! {
    files_that_are_no_recordings_are_refused,
    what_is_no_file_is_refused,
    a_hostile_name_is_reported_escaped,
    wrong_usage_writes_nothing,
}

fn files_that_are_no_recordings_are_refused() {
    let directory = Directory::new();
    let good = directory.recording("good", &of(&["read"]));
    let text = to_json(&of(&["read"]));
    let lines = text.lines().take(9).collect::<Vec<_>>().join("\n");
    let newer = text.replacen("\"version\": 1", "\"version\": 2", 1);
    let wrong = text.replacen("\"read\"", "\"write\"", 1);
    let cases: [(&str, &str, &[&str]); 7] = [
        ("cut.json", &lines, &["truncated", "line 9", "hint:"]),
        ("newer.json", &newer, &["version 2", "this program reads 1"]),
        ("list.json", "[]", &["not a recording", "a list"]),
        (
            "profile.json",
            "{\"defaultAction\":\"SCMP_ACT_LOG\"}",
            &["a profile, not a recording", "NAME.recording.json"],
        ),
        ("text.json", "{\n  version\n}", &["not JSON", "line 2"]),
        ("empty.json", "", &["empty", "hint:"]),
        ("changed.json", &wrong, &["\"write\"", "\"read\""]),
    ];
    for (name, text, parts) in cases {
        let bad = directory.file(name, text);
        check_refused(&directory, 1, &[&good, &bad], &[&[bad.as_str()], parts].concat());
    }
}

fn what_is_no_file_is_refused() {
    let directory = Directory::new();
    let missing = directory.path("missing.json");
    let missing = missing.to_str().expect("the path is text");
    check_refused(&directory, 1, &[missing], &[missing, "No such file", "hint:"]);
    let inner = directory.0.path().to_str().expect("the path is text");
    check_refused(&directory, 1, &[inner], &[inner, "is a directory", "*.recording.json"]);
    let below = directory.file("file", "");
    let below = format!("{below}/x.json");
    check_refused(&directory, 1, &[&below], &[&below, "Not a directory"]);
}

fn a_hostile_name_is_reported_escaped() {
    let directory = Directory::new();
    let hostile = directory.file("\u{1b}[2J.json", "[]");
    check_refused(&directory, 1, &[&hostile], &[r"\x1b[2J.json"]);
}

fn wrong_usage_writes_nothing() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read"]));
    check_refused(&directory, 2, &[], &["RECORDING"]);
    check_refused(&directory, 2, &[&one, "--include", "opnat"], &["opnat", "openat"]);
    check_refused(&directory, 2, &[&one, "--exclude", "read", "--include", "read"], &["read"]);
    check_refused(&directory, 2, &[&one, "--errno", "einval"], &["einval"]);
    let before = file_names(directory.0.path());
    let (code, message) = run(&[&one]);
    assert!(code == 2 && message.contains("--out"), "{code}: {message}");
    let text = directory.path("out.txt");
    let (code, message) = run(&[&one, "-o", text.to_str().expect("the path is text")]);
    assert!(code == 2 && message.contains(".json"), "{code}: {message}");
    assert_eq!(file_names(directory.0.path()), before);
}
