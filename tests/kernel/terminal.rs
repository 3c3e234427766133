//! What a recording shows on a terminal.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::{Cgroup, Running, Stop, Terminal, Tracer, ground_truth, require};
use tests::{temporary_directory, tracer_program};

use crate::container::{Bundle, runc};

tests::trials! {
    the_status_line_is_never_wider_than_the_terminal,
    only_what_was_asked_for_is_shown,
    the_last_line_says_what_to_type_next,
    a_container_is_shown_from_its_start_to_its_end,
}

/// What a recording of a process in a cgroup shows on a terminal of so many columns.
fn shown(columns: u16, live: &str) -> String {
    let cgroup = Cgroup::new("terminal");
    let terminal = Terminal::new(columns);
    let directory = temporary_directory();
    let mut tracer = {
        let mut command = Command::new(tracer_program());
        command.args(["--cgroup", cgroup.name(), "--accept-late-start", "--live", live]);
        command.arg("--out").arg(directory.path().join("profile.json"));
        command.env("TERM", "xterm").stdin(Stdio::null()).stderr(terminal.stream());
        command.spawn().expect("tracer can be started")
    };
    tests::wait_until("tracer records", tests::BOUND, || terminal.so_far().contains("recording "));
    let mut steps = vec![cgroup.hop()];
    steps.extend(["x86_64:getpid", "say:there", "barrier"].map(str::to_owned));
    let mut process = Running::start(&mut ground_truth(steps));
    process.wait_for_line("there");
    if live != "none" {
        tests::wait_until("a status line", tests::BOUND, || terminal.so_far().contains("calls"));
    }
    process.close_stdin();
    process.finish();
    kill_process(Pid::from_child(&tracer), Signal::INT).expect("tracer runs");
    assert!(tracer.wait().expect("tracer ends").success(), "{}", terminal.so_far());
    terminal.written()
}

/// What was shown, line by line. Status lines are drawn over each other.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split(['\r', '\n', '\u{1b}']).map(|part| match part.strip_prefix('[') {
        Some(sequence) => sequence.trim_start_matches(|one: char| !one.is_ascii_alphabetic()),
        None => part,
    });
    lines.map(|line| line.trim_start_matches(['K', 'J', 'm']).trim_end())
}

/// The status lines among what was shown.
fn status_lines(text: &str) -> Vec<&str> {
    let is_status = |line: &&str| line.contains(" calls s") && !line.contains("allowed");
    lines(text).filter(is_status).collect()
}

fn the_status_line_is_never_wider_than_the_terminal() {
    for columns in [20, 30, 200] {
        let text = shown(columns, "summary");
        let lines = status_lines(&text);
        assert!(!lines.is_empty(), "{columns}: {text:?}");
        for line in lines {
            assert!(line.chars().count() <= columns.into(), "{columns}: {line:?}");
            assert_eq!(line.ends_with('…'), columns < 50, "{columns}: {line:?}");
        }
    }
}

fn only_what_was_asked_for_is_shown() {
    for (live, calls, status) in
        [("none", false, false), ("summary", false, true), ("syscalls", true, true)]
    {
        let text = shown(100, live);
        assert_eq!(text.contains("s  getpid  "), calls, "{live}: {text:?}");
        assert_eq!(!status_lines(&text).is_empty(), status, "{live}: {text:?}");
        assert!(text.contains("calls allowed: "), "{live}: {text:?}");
    }
}

/// A container of runc in a cgroup, on a terminal of so many columns.
fn of_a_container(runc: &Path, columns: u16) -> String {
    let above = Cgroup::new("shown");
    let path = format!("{}/{}", above.name(), "0123456789abcdef".repeat(4));
    let steps = ["x86_64:getpid", "x86_64:socketpair", "x86_64:getsid"];
    let bundle = Bundle::new(runc.to_owned(), &path, &steps);
    let (terminal, directory) = (Terminal::new(columns), temporary_directory());
    let mut tracer = {
        let mut command = Command::new(tracer_program());
        command.args(["--cgroup", above.name()]).env("TERM", "xterm");
        command.arg("--out").arg(directory.path().join("profile.json"));
        command.stdin(Stdio::null()).stderr(terminal.stream());
        command.spawn().expect("tracer can be started")
    };
    tests::wait_until("tracer records", tests::BOUND, || terminal.so_far().contains("recording "));
    bundle.run();
    kill_process(Pid::from_child(&tracer), Signal::INT).expect("tracer runs");
    assert!(tracer.wait().expect("tracer ends").success(), "{}", terminal.so_far());
    terminal.written()
}

fn a_container_is_shown_from_its_start_to_its_end() -> Result<(), Stop> {
    let runc = require!(runc());
    for columns in [40, 80, 200] {
        let text = of_a_container(&runc, columns);
        let shown: Vec<&str> = lines(&text).filter(|line| line.starts_with('+')).collect();
        let marks: Vec<usize> =
            (0..shown.len()).filter(|at| shown[*at].contains("  -- ")).collect();
        let words = [" starts", " set-up sysc", " runs program[", " ended"];
        assert_eq!(marks.len(), words.len(), "{shown:#?}");
        for (mark, words) in marks.iter().zip(words) {
            let line = shown[*mark];
            assert!(line.contains("-- 0123456789ab") && line.contains(words), "{columns}: {line}");
        }
        assert_eq!(shown[marks[1]].ends_with(" by runc (-v shows them)"), columns > 40);
        assert_eq!((marks[0], marks[1]), (0, 1), "the set-up is folded: {shown:#?}");
        for line in &shown {
            assert!(line.chars().count() <= columns.into(), "{columns}: {line}");
        }
        let calls = |from: usize, to: usize| {
            let calls = shown[from..to].iter().filter_map(|line| line.split("  ").nth(1));
            calls.collect::<Vec<_>>()
        };
        // runc makes the second one as well, before.
        let of_program = calls(marks[2] + 1, marks[3]);
        for name in ["getpid", "socketpair", "getsid"] {
            let is_shown = of_program.iter().filter(|call| **call == name).count();
            assert_eq!(is_shown, 1, "{columns}: {name}: {shown:#?}");
        }
        let all = calls(0, shown.len());
        for name in ["mount", "pivot_root", "unshare"] {
            assert!(!all.contains(&name), "{columns}: {name} is the runtime's: {shown:#?}");
        }
        let has_label = |line: &&&str| line.ends_with("  0123456789ab");
        assert_eq!(shown.iter().filter(has_label).count(), 0, "there is one: {shown:#?}");
    }
    Ok(())
}

fn the_last_line_says_what_to_type_next() {
    let last = |stderr: &str| stderr.lines().last().unwrap_or_default().to_owned();
    let outcome = Tracer::new().command(["true"]).run().exits(0);
    let line = last(&outcome.stderr);
    assert!(line.starts_with("next: tracer enforce "), "{line}");
    assert!(line.ends_with("/profile.json -- COMMAND"), "{line}");
    let failed = Tracer::new().command(["false"]).run().exits(1);
    assert!(!failed.stderr.contains("next: "), "{}", failed.stderr);
    let quiet = Tracer::new().args(["--quiet"]).command(["true"]).run().exits(0);
    assert!(!quiet.stderr.contains("next: "), "{}", quiet.stderr);
}
