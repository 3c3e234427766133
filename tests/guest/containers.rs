//! A container is recorded, and starts again under what was learned, also when everything else
//! kills it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::{Cgroup, Outcome, Running, Tracer, temporary_directory, tool, tracer_program};

use crate::bundle::{Container, Order};

/// Calls that make containers; the workload makes none of them.
const SET_UP: [&str; 8] =
    ["mount", "pivot_root", "unshare", "setns", "sethostname", "umount2", "keyctl", "mknodat"];
/// Calls of the workload, among many.
const MADE: [&str; 4] = ["unlink", "accept4", "listen", "execve"];
/// Calls that the workload does not make.
const NOT_LEARNED: [&str; 2] = ["mkdir", "symlink"];
/// The answer to them under a learned profile: ENOSYS.
const REFUSAL: &str = "38";

/// Allows everything: a runtime that loads it shows where its own work ends.
const LEARN: &str = include_str!("../../profiles/learn.json");

/// One container: it is recorded, and starts again under what was learned.
pub fn one() -> Result<(), String> {
    let runtime = tool("runc")?;
    let above = Cgroup::new("containers");
    let order = Order {
        runtime: &runtime,
        parent: above.name(),
        profile: None,
        no_new_privs: false,
        in_two_steps: false,
    };
    let learned = learn(&order);
    let profile = learned.directory().join("profile.json");
    start_again(&Order { profile: Some(&profile), ..order }, false);
    Ok(())
}

/// Starts of every kind with this runtime.
pub fn check(runtime: &str) -> Result<(), String> {
    let runtime = tool(runtime)?;
    let above = Cgroup::new("containers");
    let directory = temporary_directory();
    let learn_profile = directory.path().join("learn.json");
    fs::write(&learn_profile, LEARN).expect("the profile is written");
    for (filter, in_two_steps) in [(None, false), (Some(learn_profile.as_path()), true)] {
        let order = Order {
            runtime: &runtime,
            parent: above.name(),
            profile: filter,
            no_new_privs: false,
            in_two_steps,
        };
        let learned = learn(&order);
        let profile = learned.directory().join("profile.json");
        let killing = learned.directory().join("killing.json");
        derive_killing(&learned.directory().join("profile.recording.json"), &killing);
        for (profile, kills, no_new_privs) in
            [(&profile, false, false), (&killing, true, false), (&killing, true, true)]
        {
            start_again(&Order { profile: Some(profile), no_new_privs, ..order }, kills);
        }
    }
    Ok(())
}

/// Records a start and a program executed in the container.
fn learn(order: &Order<'_>) -> Outcome {
    let tracing = Tracer::new().args(["--cgroup", order.parent]).start();
    let container = Container::start(order);
    container.execute(&["/worker", "probe"]).expect("the container takes a second program");
    drop(container);
    let outcome = tracing.stop().exits(0);
    let allowed = outcome.allowed();
    let has = |name: &&str| allowed.iter().any(|allowed| allowed == name);
    let kept: Vec<&str> = SET_UP.into_iter().filter(has).collect();
    assert!(kept.is_empty(), "the profile holds the runtime's {kept:?}");
    let missing: Vec<&str> = MADE.into_iter().filter(|name| !has(name)).collect();
    assert!(missing.is_empty(), "the profile lacks the workload's {missing:?}");
    outcome
}

/// The profile that kills the process of any other call.
fn derive_killing(recording: &Path, profile: &Path) {
    let mut command = Command::new(tracer_program());
    command.arg("profile").arg(recording).arg("--out").arg(profile);
    let finished = Running::start(command.arg("--default-action=kill-process")).finish();
    assert!(finished.status.success(), "a profile is derived: {finished:?}");
}

/// It starts, takes a second program, and does not what was not learned.
fn start_again(order: &Order<'_>, kills: bool) {
    let container = Container::start(order);
    container.execute(&["/worker", "probe"]).expect("what was learned is allowed");
    let answer = container.execute(&[&["/worker", "probe"], &NOT_LEARNED[..]].concat());
    if kills {
        assert!(answer.is_err(), "what was not learned did not kill: {answer:?}");
        return;
    }
    let said = answer.expect("a refused call does not end the program");
    for call in NOT_LEARNED {
        let refused = format!("{call} {REFUSAL}");
        assert!(said.lines().any(|line| line == refused), "{refused:?} is not in {said:?}");
    }
}
