//! The recording has the calls that strace sees, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use tests::{Running, Tracer, WORKER, temporary_directory, tool};

/// Makes a directory, changes and removes it, and says of each call how it went.
const COMMAND: [&str; 3] = [WORKER, "probe", "mkdir"];

/// See the module.
pub fn check() -> Result<(), String> {
    let strace = tool("strace")?;
    let outcome = Tracer::new().command(COMMAND).run().exits(0);
    let recording = outcome.recording();
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let recorded: BTreeSet<String> = calls.filter_map(|call| call.name.clone()).collect();

    let directory = temporary_directory();
    let file = directory.path().join("calls");
    let mut command = Command::new(strace);
    command.args(["-f", "-o"]).arg(&file).args(COMMAND).current_dir(directory.path());
    let finished = Running::start(&mut command).finish();
    assert!(finished.status.success(), "strace ends well: {finished:?}");
    let text = fs::read_to_string(&file).expect("strace's list");
    let seen: BTreeSet<String> = text.lines().filter_map(name).collect();
    assert_eq!(recorded, seen, "left: recorded, right: seen by strace");
    Ok(())
}

/// The call of a line `PID  NAME(...`.
fn name(line: &str) -> Option<String> {
    let call = line.trim_start_matches(|digit: char| digit.is_ascii_digit()).trim_start();
    let (name, _) = call.split_once('(')?;
    let is_name = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    (is_name && !name.is_empty()).then(|| name.to_owned())
}
