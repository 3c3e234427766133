//! `tracer review`: what it asks, and what it writes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tracer::cli::Review;
use tracer::command::workbench::review::review;
use tracer::command::{Exit, UsageError};

use crate::decided::{decisions, entry};
use crate::rederive::{Directory, of, run};

tests::trials! {
    answers_are_written_beside_the_recording,
    what_is_decided_is_asked_no_more,
    a_decision_that_has_ended_is_asked_again,
    an_answer_is_the_only_decision_about_its_syscall,
    the_decisions_above_are_continued,
    what_was_answered_stays_when_the_answers_end,
    a_file_of_a_stranger_is_neither_used_nor_replaced,
    the_decisions_are_in_the_next_profile,
    standard_input_is_for_the_answers,
}

/// What is said to these answers.
fn answer(directory: &Directory, file: &str, typed: Option<&str>, answers: &str) -> String {
    try_answer(directory, file, typed, answers).expect("it is asked")
}

fn try_answer(
    directory: &Directory,
    file: &str,
    typed: Option<&str>,
    answers: &str,
) -> anyhow::Result<String> {
    let options = Review {
        file: directory.path(file),
        decisions_file: typed.map(|name| directory.path(name)),
        caps: None,
    };
    let mut said = Vec::new();
    let exit = review(&options, &mut answers.as_bytes(), &mut said)?;
    assert_eq!(exit, Exit::Complete);
    Ok(String::from_utf8(said).expect("text"))
}

/// The syscalls that were asked about.
fn asked(said: &str) -> Vec<&str> {
    let heads = said.lines().filter_map(|line| {
        let (place, rest) = line.split_once(": ")?;
        let (at, of) = place.split_once(" of ")?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let name = rest.split(':').next()?;
        (is_number(at) && is_number(of)).then_some(name)
    });
    heads.collect()
}

fn file(directory: &Directory) -> String {
    fs::read_to_string(directory.path("tracer.toml")).expect("the decisions are written")
}

fn web() -> Directory {
    let directory = Directory::new();
    directory.recording("web", &of(&["read", "ptrace", "bpf", "mount"]));
    directory
}

fn answers_are_written_beside_the_recording() {
    let directory = web();
    let answers = "a the agent needs it until 9999-12-31\nd\nnever here\ns\n";
    let said = answer(&directory, "web.recording.json", None, answers);
    assert_eq!(asked(&said), ["bpf", "mount", "ptrace"], "{said}");
    for part in [
        "1 of 3: bpf: Docker's default refuses it",
        "risk: kernel code: runs code in the kernel",
        "seen: once",
        "2 of 3: mount",
        "because: ",
        "3 of 3: ptrace: much harm can be done with it",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let expected = "[[allow]]\nsyscalls = [\"bpf\"]\nbecause = \"the agent needs it\"\nuntil = 9999-12-31\n\n[[deny]]\nsyscalls = [\"mount\"]\nbecause = \"never here\"\n";
    assert_eq!(file(&directory), expected);
    let mode = fs::metadata(directory.path("tracer.toml")).expect("it").permissions().mode();
    assert_eq!(mode & 0o022, 0, "others could write it, and it would not count");
}

fn what_is_decided_is_asked_no_more() {
    let directory = web();
    answer(&directory, "web.recording.json", None, "s\nd no\ns\n");
    let said = answer(&directory, "web.recording.json", None, "q\n");
    assert_eq!(asked(&said), ["bpf"], "and no further after q: {said}");
    let said = answer(&directory, "web.recording.json", None, "a x\na y\n");
    assert_eq!(asked(&said), ["bpf", "ptrace"]);
    assert_eq!(answer(&directory, "web.recording.json", None, ""), "");
}

fn a_decision_that_has_ended_is_asked_again() {
    let directory = web();
    let text = String::from("# ours\n")
        + &entry("allow", "\"bpf\", \"mount\", \"ptrace\"", "until = 2020-01-01");
    decisions(&directory, "tracer.toml", &text);
    let said = answer(&directory, "web.recording.json", None, "d no more\nd\n");
    assert_eq!(asked(&said), ["bpf", "mount"], "{said}");
    assert!(
        said.contains("decided before: allow (a reason, until 2020-01-01); this has ended"),
        "{said}"
    );
    let written = file(&directory);
    assert!(written.starts_with("# ours\n[[allow]]\n"), "{written}");
    assert!(written.contains("[[deny]]\nsyscalls = [\"bpf\"]\n"), "{written}");
    assert!(!written.split("[[deny]]").next().expect("it").contains("bpf"), "{written}");
}

fn an_answer_is_the_only_decision_about_its_syscall() {
    let directory = web();
    let text = entry("allow", "\"bpf\", \"mount\"", "until = 2020-01-01")
        + &entry("allow", "\"bpf\"", "until = 2021-01-01");
    decisions(&directory, "tracer.toml", &text);
    let said = answer(&directory, "web.recording.json", None, "a again\n");
    assert_eq!(asked(&said), ["bpf", "mount"], "{said}");
    let written = file(&directory);
    assert_eq!(written.matches("\"bpf\"").count(), 1, "{written}");
    assert!(written.contains("syscalls = [\"bpf\"]\nbecause = \"again\"\n"), "{written}");
    let said = answer(&directory, "web.recording.json", None, "q\n");
    assert_eq!(asked(&said), ["mount"], "{said}");
}

fn the_decisions_above_are_continued() {
    let directory = Directory::new();
    fs::create_dir(directory.path("profiles")).expect("a directory");
    directory.recording("profiles/web", &of(&["read", "ptrace", "bpf"]));
    decisions(&directory, "tracer.toml", &entry("deny", "\"bpf\"", ""));
    let said = answer(&directory, "profiles/web.recording.json", None, "a x\n");
    assert_eq!(asked(&said), ["ptrace"]);
    assert!(file(&directory).contains("ptrace"), "a second file would hide the first");
    assert!(!directory.path("profiles/tracer.toml").exists());
    let typed = Some("other.toml");
    let said = answer(&directory, "profiles/web.recording.json", typed, "d x\n");
    assert_eq!(asked(&said), ["bpf", "ptrace"], "the named one has none yet");
    let other = fs::read_to_string(directory.path("other.toml")).expect("written");
    assert!(other.starts_with("[[deny]]\nsyscalls = [\"bpf\"]\n"), "{other}");
}

fn what_was_answered_stays_when_the_answers_end() {
    let directory = web();
    answer(&directory, "web.recording.json", None, "d no");
    assert!(file(&directory).contains("[[deny]]\nsyscalls = [\"bpf\"]\n"));
    let other = web();
    answer(&other, "web.recording.json", None, "");
    assert!(!other.path("tracer.toml").exists(), "nothing was decided");
}

fn a_file_of_a_stranger_is_neither_used_nor_replaced() {
    let directory = web();
    let text = entry("allow", "\"bpf\"", "");
    let path = decisions(&directory, "tracer.toml", &text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("its mode");
    let error = try_answer(&directory, "web.recording.json", None, "a x\n").expect_err("refused");
    let shown = format!("{error:#}");
    assert!(shown.contains("tracer.toml is ignored") && shown.contains("hint: "), "{shown}");
    assert_eq!(file(&directory), text);
    fs::rename(&path, directory.path("target.toml")).expect("renamed");
    symlink("target.toml", &path).expect("a link");
    let error = try_answer(&directory, "web.recording.json", None, "a x\n").expect_err("refused");
    assert!(format!("{error:#}").contains("symbolic link"), "{error:#}");
    let typed = Some("tracer.toml");
    let error = try_answer(&directory, "web.recording.json", typed, "a x\n").expect_err("a link");
    assert!(format!("{error:#}").contains("symbolic link"), "{error:#}");
}

fn the_decisions_are_in_the_next_profile() {
    let directory = web();
    answer(&directory, "web.recording.json", None, "a x\nd y\nd z\n");
    let [recording, profile] = ["web.recording.json", "web.json"]
        .map(|name| directory.path(name).to_str().expect("the path is text").to_owned());
    assert_eq!(run(&["-q", &recording, "-o", &profile]).0, 0);
    let written = fs::read_to_string(&profile).expect("the profile is written");
    assert!(written.contains("\"bpf\"") && !written.contains("\"mount\""), "{written}");
    assert!(!written.contains("\"ptrace\""), "{written}");
    assert_eq!(answer(&directory, "web.json", None, ""), "", "nothing is left to decide");
}

fn standard_input_is_for_the_answers() {
    let options = Review { file: "-".into(), decisions_file: None, caps: None };
    let error = review(&options, &mut &b""[..], &mut Vec::new()).expect_err("no file");
    assert!(error.is::<UsageError>(), "{error}");
}
