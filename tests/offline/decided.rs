//! Decisions in `tracer.toml`: what they change in `tracer profile`, `tracer lint` and
//! `tracer diff`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use clap::Parser;
use serde_json::Value;
use tests::temporary_directory;
use tracer::cli::Cli;
use tracer::command::{self, Exit};
use tracer::recording::Choice;
use tracer::recording::json::from_json;

use crate::program::tracer;
use crate::rederive::{Directory, check_refused, of, run};

tests::trials! {
    decisions_beside_the_profile_count,
    decisions_above_the_profile_count,
    the_command_line_comes_first,
    what_has_ended_and_what_is_no_syscall_does_not_count,
    a_file_that_others_may_write_does_not_count,
    what_is_wrong_is_named_with_its_place,
    lint_tells_what_is_wrong_with_decisions,
    lint_tells_of_the_unused_by_the_evidence,
    diff_fails_for_nothing_that_was_decided,
    explain_shows_what_was_decided,
    explain_of_a_recording_is_of_the_profile_that_would_be_written,
    what_is_converted_of_a_recording_is_as_decided,
    the_recording_keeps_what_was_decided,
}

/// A decision.
pub fn entry(choice: &str, names: &str, more: &str) -> String {
    format!("[[{choice}]]\nsyscalls = [{names}]\nbecause = \"a reason\"\n{more}\n")
}

const ENDED: &str = "until = 2020-01-01";

/// Writes a file that counts, whatever the umask is.
pub fn decisions(directory: &Directory, name: &str, text: &str) -> PathBuf {
    let path = directory.path(name);
    fs::write(&path, text).expect("a file can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("its mode");
    path
}

/// Whether a profile allows a syscall.
fn allows(directory: &Directory, profile: &str, name: &str) -> bool {
    let text = fs::read_to_string(directory.path(profile)).expect("the profile is written");
    let profile: Value = serde_json::from_str(&text).expect("JSON");
    let rules = profile["syscalls"].as_array().expect("rules").iter();
    let mut allowing = rules.filter(|rule| rule["action"] == "SCMP_ACT_ALLOW");
    allowing.any(|rule| rule["names"].as_array().is_some_and(|it| it.iter().any(|it| it == name)))
}

/// Derives the profile, and expects success.
fn derive(directory: &Directory, arguments: &[&str]) {
    let (code, message) = directory.derive(&[&["-q"], arguments].concat());
    assert_eq!(code, 0, "{arguments:?}: {message}");
}

fn decisions_beside_the_profile_count() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    let text = entry("allow", "\"bpf\"", "until = 9999-12-31") + &entry("deny", "\"ptrace\"", "");
    let file = decisions(&directory, "tracer.toml", &text);
    derive(&directory, &[&one]);
    assert!(allows(&directory, "out.json", "bpf") && !allows(&directory, "out.json", "ptrace"));
    derive(&directory, &[&one, "--no-decisions"]);
    assert!(!allows(&directory, "out.json", "bpf") && allows(&directory, "out.json", "ptrace"));
    let other = decisions(&directory, "other.toml", &entry("deny", "\"ptrace\"", ""));
    derive(&directory, &[&one, "--decisions", other.to_str().expect("text")]);
    assert!(!allows(&directory, "out.json", "bpf") && !allows(&directory, "out.json", "ptrace"));
    let both = ["--no-decisions", "--decisions", file.to_str().expect("text")];
    assert_eq!(directory.derive(&[&[one.as_str()], &both[..]].concat()).0, 2);
}

fn decisions_above_the_profile_count() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read"]));
    decisions(&directory, "tracer.toml", &entry("allow", "\"bpf\"", ""));
    let below = directory.path("a/b");
    fs::create_dir_all(&below).expect("directories");
    let profile = directory.path("a/b/web.json");
    let profile = profile.to_str().expect("the path is text");
    assert_eq!(run(&["-q", &one, "-o", profile]).0, 0);
    assert!(allows(&directory, "a/b/web.json", "bpf"));
    // A repository has its own decisions.
    fs::create_dir(directory.path("a/.git")).expect("a directory");
    assert_eq!(run(&["-q", &one, "-o", profile]).0, 0);
    assert!(!allows(&directory, "a/b/web.json", "bpf"));
    // A profile for each target, in a directory that is made.
    let out = format!("{}/", directory.path("profiles").display());
    assert_eq!(run(&["-q", &one, "-o", &out]).0, 0);
    assert!(allows(&directory, "profiles/docker_web.json", "bpf"));
}

fn the_command_line_comes_first() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    let text = entry("allow", "\"bpf\"", "") + &entry("deny", "\"ptrace\"", "");
    decisions(&directory, "tracer.toml", &text);
    derive(&directory, &[&one, "--exclude", "bpf", "--include", "ptrace"]);
    assert!(!allows(&directory, "out.json", "bpf") && allows(&directory, "out.json", "ptrace"));
}

fn what_has_ended_and_what_is_no_syscall_does_not_count() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    let text = entry("allow", "\"bpf\"", ENDED)
        + &entry("deny", "\"ptrace\"", ENDED)
        + &entry("allow", "\"opnat\"", "");
    decisions(&directory, "tracer.toml", &text);
    derive(&directory, &[&one]);
    assert!(!allows(&directory, "out.json", "bpf") && allows(&directory, "out.json", "ptrace"));
    assert!(!allows(&directory, "out.json", "opnat"));
}

fn a_file_that_others_may_write_does_not_count() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read"]));
    let file = decisions(&directory, "tracer.toml", &entry("allow", "\"bpf\"", ""));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("its mode");
    derive(&directory, &[&one]);
    assert!(!allows(&directory, "out.json", "bpf"));
    // What a person names is that person's word.
    derive(&directory, &[&one, "--decisions", file.to_str().expect("the path is text")]);
    assert!(allows(&directory, "out.json", "bpf"));
}

fn what_is_wrong_is_named_with_its_place() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read"]));
    for (text, parts) in [
        (
            entry("allow", "\"bpf\"", "") + &entry("deny", "\"mount\", \"bpf\"", ""),
            ["tracer.toml:6:22: bpf is to be denied, and line 2", "hint: decide for one"],
        ),
        ("[[allow]\n".to_owned(), ["tracer.toml:1:", "not TOML"]),
        (
            "[[allow]]\nsyscalls = [\"bpf\"]\n".to_owned(),
            ["tracer.toml:1:", "the decision has no `because`"],
        ),
    ] {
        decisions(&directory, "tracer.toml", &text);
        check_refused(&directory, 1, &["-q", &one], &parts);
    }
    let missing = directory.path("missing.toml");
    let missing = missing.to_str().expect("the path is text");
    check_refused(&directory, 1, &["-q", &one, "--decisions", missing], &["missing.toml"]);
}

fn command(words: &[&str]) -> Exit {
    let cli = Cli::try_parse_from(["tracer"].iter().chain(words)).expect("it can be understood");
    command::run(&cli).expect("it runs")
}

/// `tracer lint`, which ends with 4 when a finding is as bad as that.
fn lint(profile: &str, severity: &str) -> bool {
    match command(&["lint", "--json", "--fail-on", severity, profile]) {
        Exit::Complete => false,
        Exit::Findings => true,
        other => panic!("{other:?}"),
    }
}

fn lint_tells_what_is_wrong_with_decisions() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    derive(&directory, &[&one]);
    // By itself, without the evidence.
    fs::rename(directory.path("out.json"), directory.path("web.json")).expect("renamed");
    let web = directory.path("web.json");
    let web = web.to_str().expect("the path is text");
    assert!(!lint(web, "warning"), "the profile itself is right");
    for (text, warning, error) in [
        (entry("allow", "\"ptrace\"", ""), false, false),
        (entry("deny", "\"bpf\"", ""), false, false),
        (entry("allow", "\"ptrace\"", ENDED), true, false),
        (entry("allow", "\"opnat\"", ""), true, false),
        (entry("allow", "\"bpf\"", ""), true, false),
        (entry("deny", "\"ptrace\"", ""), true, true),
        ("[[allow]]\n".to_owned(), true, true),
    ] {
        decisions(&directory, "tracer.toml", &text);
        assert_eq!((lint(web, "warning"), lint(web, "error")), (warning, error), "{text}");
    }
    assert_eq!(command(&["lint", "--json", "--no-decisions", web]), Exit::Complete);
    assert_eq!(command(&["lint", "--json", "--decisions", "/nonexistent", web]), Exit::Failed);
}

fn lint_tells_of_the_unused_by_the_evidence() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    for (text, unused) in [
        (entry("allow", "\"bpf\"", ""), false),
        (entry("allow", "\"ptrace\"", ""), true),
        (entry("deny", "\"ptrace\"", ""), false),
        (entry("deny", "\"bpf\"", ""), true),
    ] {
        decisions(&directory, "tracer.toml", &text);
        derive(&directory, &[&one]);
        let profile = directory.path("out.json");
        assert_eq!(lint(profile.to_str().expect("text"), "warning"), unused, "{text}");
    }
}

fn diff_fails_for_nothing_that_was_decided() {
    let directory = Directory::new();
    let profile = |name: &str, names: &str| {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{{"names":[{names}],"action":"SCMP_ACT_ALLOW"}}]}}"#
        );
        directory.file(name, &text)
    };
    let (narrow, wide) = (profile("a.json", "\"read\""), profile("b.json", "\"read\",\"bpf\""));
    let seen = directory.recording("seen", &of(&["read", "bpf"]));
    let compare = |more: &[&str]| {
        let words = [&["diff", &narrow, &wide, "--fail-on", "added,dangerous"], more].concat();
        command(&words)
    };
    let compare_with_seen = || command(&["diff", &narrow, &seen, "--exit-code"]);
    assert_eq!((compare(&[]), compare_with_seen()), (Exit::Different, Exit::Different));
    decisions(&directory, "tracer.toml", &entry("allow", "\"bpf\"", ""));
    assert_eq!((compare(&[]), compare_with_seen()), (Exit::Complete, Exit::Different));
    assert_eq!(compare(&["--no-decisions"]), Exit::Different);
    assert_eq!(compare(&["--exit-code"]), Exit::Different, "they differ all the same");
    decisions(&directory, "tracer.toml", &entry("deny", "\"bpf\"", ""));
    assert_eq!((compare(&[]), compare_with_seen()), (Exit::Different, Exit::Complete));
    decisions(&directory, "tracer.toml", &entry("allow", "\"bpf\"", ENDED));
    assert_eq!(compare(&[]), Exit::Different);
    let elsewhere = temporary_directory();
    fs::copy(&wide, elsewhere.path().join("b.json")).expect("copied");
    let other = elsewhere.path().join("b.json");
    decisions(&directory, "tracer.toml", &entry("allow", "\"bpf\"", ""));
    let words = ["diff", &narrow, other.to_str().expect("text"), "--fail-on", "added"];
    assert_eq!(command(&words), Exit::Different, "those of the second file count");
}

fn explain_shows_what_was_decided() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    derive(&directory, &[&one]);
    let text = entry("allow", "\"ptrace\"", "until = 9999-12-31")
        + &entry("deny", "\"bpf\"", ENDED)
        + &entry("deny", "\"opnat\"", "");
    let file = decisions(&directory, "tracer.toml", &text);
    let explain = |words: &[&str]| {
        let run = tracer(directory.0.path(), &[&["explain"], words].concat());
        assert_eq!(run.code, Some(0), "{words:?}: {run:?}");
        // A long path is on a line of its own.
        (run.stdout.split_whitespace().collect::<Vec<_>>().join(" "), run.stderr)
    };
    for of in ["out.json", "one.recording.json"] {
        let (counts, _) = explain(&[of, "ptrace"]);
        let says = "/tracer.toml: allow (a reason, until 9999-12-31) ";
        assert!(counts.contains("decided in ") && counts.contains(says), "{counts}");
        let (ended, _) = explain(&[of, "bpf"]);
        let says = "deny (a reason, until 2020-01-01); it has ended, and does not count";
        assert!(ended.contains(says), "{ended}");
        for undecided in [&[of, "read"][..], &[of, "ptrace", "--no-decisions"], &[of]] {
            assert!(!explain(undecided).0.contains("decided in "), "{undecided:?}");
        }
    }
    let json: Value =
        serde_json::from_str(&explain(&["out.json", "bpf", "--json"]).0).expect("JSON");
    assert_eq!(json["decision"]["choice"], "deny");
    assert_eq!(json["decision"]["expired"], true);
    // A stranger's file does not count here either.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("its mode");
    let (said, warned) = explain(&["out.json", "ptrace"]);
    assert!(!said.contains("decided in "), "{said}");
    assert!(warned.contains("tracer.toml is ignored: "), "{warned}");
    let named = ["out.json", "ptrace", "--decisions", "tracer.toml"];
    assert!(explain(&named).0.contains("decided in tracer.toml: allow "));
    let run = tracer(directory.0.path(), &["explain", "out.json", "--decisions", "tracer.toml"]);
    assert!(run.code == Some(2) && run.stderr.contains("hint: name "), "{run:?}");
    decisions(&directory, "tracer.toml", "[[allow]]\nsyscalls = 1\n");
    let run = tracer(directory.0.path(), &["explain", "out.json", "ptrace"]);
    assert!(run.code == Some(1) && run.stderr.contains("/tracer.toml:2:12: "), "{run:?}");
}

fn explain_of_a_recording_is_of_the_profile_that_would_be_written() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    let text = entry("allow", "\"bpf\"", "") + &entry("deny", "\"ptrace\"", "");
    let file = decisions(&directory, "tracer.toml", &text);
    let file = file.to_str().expect("the path is text");
    let explain = |words: &[&str]| {
        let run = tracer(directory.0.path(), &[&["explain", "one.recording.json"], words].concat());
        assert_eq!(run.code, Some(0), "{words:?}: {run:?}");
        run
    };
    for (more, [bpf, ptrace]) in [
        (&[][..], [true, false]),
        (&["--no-decisions"], [false, true]),
        (&["--decisions", file], [true, false]),
    ] {
        derive(&directory, &[&[one.as_str()], more].concat());
        let whole = explain(more);
        let mut blocks = whole.stdout.split("\n\n");
        let allowed = blocks.find(|block| block.starts_with("files (")).expect("the groups");
        for (name, expected) in [("bpf", bpf), ("ptrace", ptrace)] {
            assert_eq!(allows(&directory, "out.json", name), expected, "{name} {more:?}");
            assert_eq!(allowed.contains(name), expected, "{name} {more:?}: {whole:?}");
            let said = explain(&[&[name], more].concat()).stdout;
            let is_allowed = said.contains("one.recording.json: allowed (x86_64)\n");
            assert_eq!(is_allowed, expected, "{name} {more:?}: {said}");
        }
        let says = "tracer.toml: allow bpf (a reason)\ndecided in ";
        assert_eq!(whole.stderr.contains(says), bpf, "{more:?}: {whole:?}");
    }
    let said = explain(&["bpf"]).stdout;
    assert!(said.contains("why: allowed by decision: a reason\n"), "{said}");
    decisions(&directory, "tracer.toml", &entry("allow", "\"bpf\"", ENDED));
    let warned = explain(&[]).stderr;
    assert!(
        warned.contains("allow bpf (a reason, until 2020-01-01) has ended, and is"),
        "{warned}"
    );
}

fn what_is_converted_of_a_recording_is_as_decided() {
    let directory = Directory::new();
    directory.recording("one", &of(&["read", "ptrace"]));
    let text = entry("allow", "\"bpf\"", "") + &entry("deny", "\"ptrace\"", "");
    decisions(&directory, "tracer.toml", &text);
    for (more, [bpf, ptrace]) in [(&[][..], [true, false]), (&["--no-decisions"], [false, true])] {
        let words = [&["convert", "one.recording.json", "--to=docker", "--out=it.json"], more];
        let run = tracer(directory.0.path(), &words.concat());
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(allows(&directory, "it.json", "bpf"), bpf, "{more:?}");
        assert_eq!(allows(&directory, "it.json", "ptrace"), ptrace, "{more:?}");
        let says = "tracer.toml: allow bpf (a reason)\ndecided in ";
        assert_eq!(run.stderr.contains(says), bpf, "{run:?}");
    }
    let named = ["convert", "it.json", "--to=spo", "--decisions=tracer.toml"];
    let run = tracer(directory.0.path(), &named);
    assert!(run.code == Some(2) && run.stderr.contains("is for a recording"), "{run:?}");
}

fn the_recording_keeps_what_was_decided() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    let text = entry("allow", "\"bpf\", \"ptrace\"", "until = 9999-12-31")
        + &entry("deny", "\"read\"", "")
        + &entry("allow", "\"mount\"", ENDED);
    decisions(&directory, "tracer.toml", &text);
    let said = tracer(directory.0.path(), &["profile", "-v", &one, "-o", "out.json"]);
    let reason = "bpf: allowed by decision: a reason, until 9999-12-31\n";
    assert!(said.code == Some(0) && said.stderr.contains(reason), "{said:?}");
    let written = fs::read(directory.path("out.recording.json")).expect("the evidence is written");
    let recording = from_json(&written).expect("it can be read");
    let decided = recording.derived.expect("a profile was derived").decided;
    let names: Vec<_> = decided.iter().map(|one| (one.choice, one.name.as_str())).collect();
    let expected = [(Choice::Allow, "bpf"), (Choice::Allow, "ptrace"), (Choice::Deny, "read")];
    assert_eq!(names, expected, "and not what has ended");
    // The decisions are known from there when the file has gone.
    fs::remove_file(directory.path("tracer.toml")).expect("it is there");
    for (name, why) in [
        ("bpf", "why: allowed by decision: a reason, until 9999-12-31\n"),
        ("ptrace", "why: allowed by decision: a reason, until 9999-12-31\n"),
        ("read", "why: left out by decision: a reason\n"),
    ] {
        let said = tracer(directory.0.path(), &["explain", "out.json", name]);
        assert!(said.code == Some(0) && said.stdout.contains(why), "{name}: {said:?}");
        assert_eq!(said.stdout.matches("by decision").count(), 1, "{said:?}");
    }
    // A profile that is derived without them has none.
    let merged = "out.recording.json";
    let said = tracer(directory.0.path(), &["profile", "-q", merged, "-o", "new.json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let written = fs::read(directory.path("new.recording.json")).expect("the evidence is written");
    let recording = from_json(&written).expect("it can be read");
    assert_eq!(recording.derived.expect("a profile was derived").decided, []);
}
