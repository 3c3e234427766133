//! What a recording shows on a terminal.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::{Cgroup, Running, Terminal, Tracer, ground_truth, temporary_directory, tracer_program};

tests::trials! {
    the_status_line_is_never_wider_than_the_terminal,
    only_what_was_asked_for_is_shown,
    the_last_line_says_what_to_type_next,
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

/// The status lines among what was shown. They are drawn over each other.
fn status_lines(text: &str) -> Vec<&str> {
    let lines = text.split(['\r', '\n', '\u{1b}']).map(|part| match part.strip_prefix('[') {
        Some(sequence) => sequence.trim_start_matches(|one: char| !one.is_ascii_alphabetic()),
        None => part,
    });
    let lines = lines.map(|line| line.trim_start_matches(['K', 'J', 'm']).trim_end());
    let is_status = |line: &&str| line.contains(" calls s") && !line.contains("allowed");
    lines.filter(is_status).collect()
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
