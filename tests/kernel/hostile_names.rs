//! Names that a workload chooses reach a terminal only with their control characters escaped.

use tests::{Cgroup, Running, Stop, Tracer, ground_truth, require, tool, tracer_program};

tests::trials! {
    a_command_name_with_escape_characters_is_escaped_everywhere,
    a_cgroup_name_with_escape_characters_is_escaped_in_messages,
    a_target_name_with_escape_characters_is_escaped_in_the_error,
    on_a_terminal_a_command_name_with_escape_characters_is_escaped,
}

const ESCAPE: &str = "\x1b[31mred";

/// Lets a process of the cgroup take the name and make a call that nothing made before.
fn rename_and_call(cgroup: &Cgroup) {
    let steps = [cgroup.hop(), format!("name:{ESCAPE}"), "x86_64:getpid".into()];
    let finished = Running::start(&mut ground_truth(steps)).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
}

fn a_command_name_with_escape_characters_is_escaped_everywhere() {
    let cgroup = Cgroup::new("renamed");
    let tracing = Tracer::new().cgroup(&cgroup).args(["-v", "--events", "events.jsonl"]).start();
    rename_and_call(&cgroup);
    let outcome = tracing.stop().exits(0);
    assert!(!outcome.stderr.contains('\x1b'), "messages hold a raw escape: {:?}", outcome.stderr);
    for file in tests::file_names(outcome.directory()) {
        let text = std::fs::read(outcome.directory().join(&file)).expect("the file can be read");
        assert!(!text.contains(&0x1b), "{file} holds a raw escape character");
    }
    let recording = outcome.recording();
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let named: Vec<_> = calls.filter_map(|call| call.command.as_deref()).collect();
    assert!(named.iter().any(|name| name.contains("red")), "the name is there: {named:?}");
}

fn a_cgroup_name_with_escape_characters_is_escaped_in_messages() {
    let above = Cgroup::new("hostile");
    let tracing = Tracer::new().cgroup(&above).args(["-v"]).start();
    let hostile = above.child(&format!("{ESCAPE}\u{202e}"));
    rename_and_call(&hostile);
    let outcome = tracing.stop().exits(0);
    assert!(!outcome.stderr.contains('\x1b'), "messages hold a raw escape: {:?}", outcome.stderr);
    assert!(!outcome.read("recording.json").contains('\x1b'), "the recording holds a raw escape");
    assert!(!outcome.read("kubernetes.yaml").contains('\x1b'), "the patch holds a raw escape");
    drop(hostile);
}

fn a_target_name_with_escape_characters_is_escaped_in_the_error() {
    let outcome = Tracer::new().args(["--cgroup", ESCAPE]).run().exits(2).writes_nothing();
    assert!(!outcome.stderr.contains('\x1b'), "messages hold a raw escape: {:?}", outcome.stderr);
    assert!(outcome.stderr.contains("red"), "the name is there: {:?}", outcome.stderr);
}

fn on_a_terminal_a_command_name_with_escape_characters_is_escaped() -> Result<(), Stop> {
    let script = require!(tool("script"));
    let cgroup = Cgroup::new("terminal");
    let directory = tests::temporary_directory();
    let line = format!(
        "exec {} --cgroup {} --out {}/profile.json",
        tracer_program().display(),
        cgroup.name(),
        directory.path().display(),
    );
    // What the tracer writes to the terminal comes out of script's standard output.
    let mut command = std::process::Command::new(script);
    command.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "xterm-256color");
    let terminal = Running::start(&mut command);
    tests::wait_until("the tracer says that it is recording", tests::BOUND, || {
        terminal.stdout().contains("recording")
    });
    rename_and_call(&cgroup);
    tests::wait_until("the tracer shows the call", tests::BOUND, || {
        terminal.stdout().contains("getpid")
    });
    assert!(!terminal.stdout().contains(ESCAPE), "raw: {:?}", terminal.stdout());
    Ok(())
}
