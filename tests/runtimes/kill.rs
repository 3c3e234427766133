//! Many starts under a profile that kills: what a runtime makes in one start of forty is in its
//! base set.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use tests::{Cgroup, temporary_directory, tracer_program};

use crate::bundle::{Runtime, Start};
use crate::cases::Cases;
use crate::engine::{Engine, Order, succeed, wait_until_done};
use crate::matrix::{SOMEBODY, learn};
use crate::world::{Kind, World};
use tests::Stop;

/// Recordings that the profile is learned from.
const RECORDINGS: usize = 5;
/// Starts under it.
const STARTS: usize = 40;
/// Makes the same calls each time.
const WORDS: [&str; 4] = ["/bin/busybox", "sh", "-c", "echo workload done; exec /worker idle"];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun] {
        for (start, label) in [(Start::Run, "run"), (Start::CreateAndStart, "create_and_start")] {
            for no_new_privs in [false, true] {
                let suffix = if no_new_privs { "_no_new_privs" } else { "" };
                let name = format!("kill::{}_{label}{suffix}", kind.name());
                let test = move |world: &World| starts(world, kind, start, no_new_privs);
                trials.push(cases.trial(name, test));
            }
        }
    }
    trials
}

fn starts(world: &World, kind: Kind, start: Start, no_new_privs: bool) -> Result<(), Stop> {
    let runtime = world.runtime(kind).map_err(Stop::Skip)?;
    let runtime = Runtime { start, ..runtime.clone() };
    let parent = Cgroup::new("kill");
    let order =
        Order { words: &WORDS, user: 0, no_new_privs, profile: None, parent: parent.name() };
    let directory = temporary_directory();
    let profile = directory.path().join("profile.json");
    write_killing_profile(&runtime, &order, &profile)?;
    let order = Order { profile: Some(&profile), ..order };
    let mut failures = Vec::new();
    for number in 0..STARTS {
        let user = (number % 2 == 1).then_some(SOMEBODY);
        failures.extend(start_and_execute(&runtime, &order, user).err());
    }
    println!("{}: {} of {STARTS} starts failed", kind.name(), failures.len());
    let container = runtime.start(&order)?;
    if let Ok(said) = container.exec(None, &["/worker", "probe", "mkdir"]) {
        failures.push(format!("a call that was not learned did not kill: {said}"));
    }
    if failures.is_empty() { Ok(()) } else { Err(Stop::Fail(failures.join("\n"))) }
}

/// Derives one profile from several recordings, with everything else killing the process.
fn write_killing_profile(runtime: &Runtime, order: &Order, path: &Path) -> Result<(), String> {
    let learned: Vec<_> =
        (0..RECORDINGS).map(|_| learn(runtime, order)).collect::<Result<_, _>>()?;
    let recordings =
        learned.iter().map(|outcome| outcome.directory().join("profile.recording.json"));
    let mut command = Command::new(tracer_program());
    command.arg("profile").args(recordings).arg("-o").arg(path);
    succeed(command.arg("--default-action=kill-process")).map(drop)
}

fn start_and_execute(runtime: &Runtime, order: &Order, user: Option<u32>) -> Result<(), String> {
    let container = runtime.start(order)?;
    wait_until_done(&*container)?;
    container.exec(user, &["/worker", "probe"]).map(drop)
}
