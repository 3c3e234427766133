//! What is printed on a terminal, and what in a pipe.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tests::{Terminal, temporary_directory};
use tracer::recording::json::to_json;

use crate::program::{command, tracer};
use crate::recordings::{calls, recording};

tests::trials! {
    a_terminal_has_colours_unless_no_color_says_otherwise,
    a_pipe_has_colours_on_request_alone,
    help_has_the_colours_that_the_words_ask_for,
    a_variable_stands_for_an_option_and_disturbs_no_other,
}

const ESCAPE: char = '\u{1b}';

/// A directory with an incomplete recording of a call that the defaults refuse.
fn directory() -> TempDir {
    let mut late = recording(vec![calls(tracer::recording::Phase::Workload, &["read", "bpf"])]);
    late.cgroups[0].late_start = true;
    late.late_starts = vec![late.cgroups[0].path.clone()];
    late.losses.late_start = 1;
    let directory = temporary_directory();
    std::fs::write(directory.path().join("late.recording.json"), to_json(&late)).expect("a file");
    directory
}

const DERIVE: [&str; 4] = ["profile", "late.recording.json", "--out", "p.json"];

/// What tracer prints on a terminal of 80 columns.
fn on_a_terminal(directory: &Path, words: &[&str], environment: &[(&str, &str)]) -> String {
    let terminal = Terminal::new(80);
    {
        let mut tracer = command(directory, words);
        tracer.env("TERM", "xterm").envs(environment.iter().copied());
        tracer.stdout(Stdio::null()).stderr(terminal.stream());
        tracer.status().expect("this program can be started");
    }
    terminal.written()
}

fn a_terminal_has_colours_unless_no_color_says_otherwise() {
    let directory = directory();
    let mut of_colors = DERIVE.to_vec();
    for (color, environment, colored) in [
        ("auto", &[][..], true),
        ("auto", &[("NO_COLOR", "")], true),
        ("auto", &[("NO_COLOR", "0")], false),
        ("auto", &[("TERM", "dumb")], false),
        ("always", &[("NO_COLOR", "1")], true),
        ("never", &[], false),
        ("", &[("TRACER_COLOR", "never")], false),
        ("", &[("TRACER_COLOR", "always"), ("NO_COLOR", "1")], true),
        ("always", &[("TRACER_COLOR", "never")], true),
    ] {
        of_colors.truncate(DERIVE.len());
        if !color.is_empty() {
            of_colors.extend(["--color", color]);
        }
        let text = on_a_terminal(directory.path(), &of_colors, environment);
        let incomplete = "\u{1b}[33m\u{1b}[1mincomplete\u{1b}[0m: late start";
        let plain = "incomplete: late start";
        let expected = if colored { incomplete } else { plain };
        assert!(text.contains(expected), "{color} {environment:?}: {text:?}");
        assert_eq!(text.contains(ESCAPE), colored, "{color} {environment:?}: {text:?}");
        let beyond = text.contains("\u{1b}[35m\u{1b}[1mallowed beyond\u{1b}[0m ");
        assert_eq!(beyond, colored, "{color} {environment:?}: {text:?}");
    }
}

fn a_pipe_has_colours_on_request_alone() {
    let directory = directory();
    let run = tracer(directory.path(), &DERIVE);
    assert!(run.stderr.contains("incomplete: late start"), "{run:?}");
    assert!(!run.stderr.contains(ESCAPE), "{run:?}");
    let run = tracer(directory.path(), &[&DERIVE[..], &["--color", "always"]].concat());
    assert!(run.stderr.contains(ESCAPE), "{run:?}");
    for name in ["p.json", "p.recording.json", "p.kubernetes.yaml"] {
        let file = std::fs::read_to_string(directory.path().join(name)).expect("it is written");
        assert!(!file.contains(ESCAPE), "{name} is a file");
    }
}

fn help_has_the_colours_that_the_words_ask_for() {
    for (words, colored) in [
        (&["lint", "--help"][..], false),
        (&["lint", "--color", "always", "--help"], true),
        (&["--color=always", "--help"], true),
    ] {
        let run = tracer(Path::new("/"), words);
        assert!(run.stdout.contains("Usage:"), "{run:?}");
        assert_eq!(run.stdout.contains(ESCAPE), colored, "{words:?}");
    }
}

fn a_variable_stands_for_an_option_and_disturbs_no_other() {
    let directory = directory();
    let allows_close_range = |words: &[&str], environment: &[(&str, &str)]| {
        let words = [&DERIVE[..], words].concat();
        let mut tracer = command(directory.path(), &words);
        let output = tracer.envs(environment.iter().copied()).output().expect("it is started");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let profile = std::fs::read_to_string(directory.path().join("p.json")).expect("a profile");
        profile.contains("\"close_range\"")
    };
    assert!(allows_close_range(&[], &[]), "runc needs it");
    assert!(!allows_close_range(&[], &[("TRACER_RUNTIME", "none")]));
    assert!(allows_close_range(&["--runtime", "runc"], &[("TRACER_RUNTIME", "none")]));
    // What belongs to a recording stands in the way of no other command.
    assert!(allows_close_range(&["--quiet"], &[("TRACER_LIVE", "none"), ("TRACER_COLOR", "auto")]));
    let nothing = ["TRACER_RUNTIME", "TRACER_LIVE", "TRACER_COLOR"].map(|name| (name, ""));
    assert!(allows_close_range(&["--quiet"], &nothing), "a variable without a value is none");
}
