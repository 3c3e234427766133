//! The status of a traced command, who it runs as, and what the recording holds of how it was
//! called.

use std::os::unix::fs::PermissionsExt;

use rustix::process::{Pid, Signal, kill_process};
use tests::{GROUND_TRUTH, Outcome, Tracer, file_names};
use tracer::text::escape;

tests::trials! {
    a_command_that_fails_gives_its_status_and_the_files_are_written,
    a_signal_is_reported_as_shells_report_it,
    the_failure_is_reported_to_who_wants_errors_only,
    ignore_status_gives_that_of_the_recording,
    a_command_that_succeeds_gives_that_of_the_recording,
    what_tracer_ended_did_not_fail,
    verify_gives_the_status_of_a_command_that_fails_when_nothing_was_denied,
    verify_gives_its_own_status_when_something_was_denied,
    a_recording_is_for_its_owner_and_holds_no_arguments,
    the_environment_follows_the_user,
    under_sudo_the_hint_names_who_typed_it,
}

const FAILED: &str = "the command failed";
const NOT_REACHED: &str = "the recording lacks the calls that it did not reach";
const ALLOW_ALL: &str = r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#;

fn run(options: &[&str], command: &[&str]) -> Outcome {
    Tracer::new().args(options).command(command).run()
}

/// Verifies the command under a profile with that text.
fn verify(profile: &str, options: &[&str], command: &[&str]) -> Outcome {
    let tracer = Tracer::new().without_out();
    let path = tracer.directory().join("under.json");
    std::fs::write(&path, profile).expect("written");
    let typed = ["verify".as_ref(), path.as_os_str()];
    tracer.args(typed).args(options).command(command).run()
}

fn a_command_that_fails_gives_its_status_and_the_files_are_written() {
    let outcome = run(&[], &[GROUND_TRUTH, "x86_64:getpid", "exit:7"]).exits(7);
    let outcome = outcome.says(&["exit status: 7", FAILED, NOT_REACHED]);
    assert_eq!(file_names(outcome.directory()).len(), 3, "said: {}", outcome.stderr);
    let ended = outcome.recording().command.expect("the command's end is recorded");
    assert_eq!((ended.exit_code, ended.signal), (Some(7), None));
}

fn a_signal_is_reported_as_shells_report_it() {
    let outcome = run(&[], &["sh", "-c", "kill -9 $$"]).exits(128 + 9).says(&[NOT_REACHED]);
    let ended = outcome.recording().command.expect("the command's end is recorded");
    assert_eq!((ended.exit_code, ended.signal), (None, Some(9)));
}

fn the_failure_is_reported_to_who_wants_errors_only() {
    run(&["--quiet"], &["false"]).exits(1).says(&[NOT_REACHED]);
}

fn ignore_status_gives_that_of_the_recording() {
    run(&["--ignore-status"], &["false"]).exits(0).says(&[NOT_REACHED]);
}

fn a_command_that_succeeds_gives_that_of_the_recording() {
    let outcome = run(&[], &["true"]).exits(0);
    assert!(!outcome.stderr.contains(FAILED), "{}", outcome.stderr);
    let stays = "setsid tail -f /dev/null >/dev/null 2>&1 & echo $! > left; exit 0";
    let outcome = run(&[], &["sh", "-c", stays]);
    let left = std::fs::read_to_string(outcome.directory().join("left")).expect("its id");
    let left = left.trim().parse().ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(left, Signal::KILL).expect("it still runs");
    outcome.exits(3);
}

fn what_tracer_ended_did_not_fail() {
    let waits = [GROUND_TRUTH, "x86_64:getpid", "say:here", "pause"];
    let outcome = run(&["--duration", "1s"], &waits).exits(0);
    assert!(!outcome.stderr.contains(FAILED), "{}", outcome.stderr);
    let mut tracing = Tracer::new().command(waits).start();
    tracing.process.wait_for_line("here");
    // SIGINT may be ignored from above, as in a script's background.
    tracing.stop_by(Signal::TERM).exits(0);
}

fn verify_gives_the_status_of_a_command_that_fails_when_nothing_was_denied() {
    verify(ALLOW_ALL, &[], &["sh", "-c", "exit 7"]).exits(7).says(&["nothing was denied", FAILED]);
    verify(ALLOW_ALL, &["--ignore-status"], &["sh", "-c", "exit 7"]).exits(0);
    verify(ALLOW_ALL, &[], &["true"]).exits(0);
}

fn verify_gives_its_own_status_when_something_was_denied() {
    let denies = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["getpid"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}"#;
    let outcome = verify(denies, &[], &[GROUND_TRUTH, "x86_64:getpid", "exit:7"]).exits(4);
    outcome.says(&["denied: +", "getpid(", FAILED]);
}

fn a_recording_is_for_its_owner_and_holds_no_arguments() {
    let secret = ["sh", "-c", "true", "--password=hunter2"];
    let outcome = run(&[], &secret).exits(0);
    for name in file_names(outcome.directory()) {
        let path = outcome.directory().join(&name);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(!text.contains("hunter2"), "{name}: {text}");
        let mode = path.metadata().expect("a file").permissions().mode() & 0o777;
        let expected = if name.ends_with(".recording.json") { 0o600 } else { 0o644 };
        assert_eq!(mode, expected, "{name}: {mode:o}");
    }
    let recording = outcome.recording();
    let command = recording.command.expect("a command");
    assert_eq!((command.arguments, command.arguments_left_out), (vec![escape("sh")], 3));
    assert_eq!(recording.targets[0].name, "sh");
    let kept = run(&["--keep-arguments"], &secret).exits(0).recording();
    let command = kept.command.expect("a command");
    assert_eq!((command.arguments, command.arguments_left_out), (secret.map(escape).to_vec(), 0));
}

fn the_environment_follows_the_user() {
    let script = "echo $HOME $USER $LOGNAME $SHELL";
    let environment =
        |tracer: Tracer| tracer.environment("HOME", "/root").environment("USER", "root");
    let tracer = environment(Tracer::new().args(["--user", "nobody"]));
    let outcome = tracer.command(["sh", "-c", script]).run().exits(0);
    assert_eq!(outcome.stdout, "/nonexistent nobody nobody /usr/sbin/nologin\n");
    let outcome = environment(Tracer::new()).command(["sh", "-c", script]).run().exits(0);
    assert!(outcome.stdout.starts_with("/root root"), "{}", outcome.stdout);
}

fn under_sudo_the_hint_names_who_typed_it() {
    let tracer = Tracer::new().environment("SUDO_USER", "alice");
    tracer.command(["true"]).run().exits(0).says(&["hint: --user alice runs it as you"]);
    run(&[], &["true"]).says(&["hint: --user NAME"]);
}
