//! The loop closed, for each engine and workload: record a start, write the profile, start again
//! under it.

use std::time::Instant;

use libtest_mimic::Trial;
use tests::{Cgroup, Outcome, Tracer};

use crate::cases::Cases;
use crate::engine::{Container, Engine, Order, wait_until_done};
use crate::workloads::{self, Workload};
use crate::world::{Kind, World};
use tests::Stop;

/// Calls that make containers; no workload here makes one.
pub const SET_UP: [&str; 10] = [
    "mount",
    "pivot_root",
    "unshare",
    "setns",
    "sethostname",
    "umount2",
    "keyctl",
    "execveat",
    "fsopen",
    "seccomp",
];
/// Calls of which each workload leaves at least one out.
const PROBED: [&str; 3] = ["mkdir", "symlink", "chmod"];
/// A user that no root file system knows.
pub const SOMEBODY: u32 = 1234;

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in Kind::ALL {
        for workload in workloads::ALL {
            for no_new_privs in [false, true] {
                let suffix = if no_new_privs { "_no_new_privs" } else { "" };
                let name = format!("{}::{}{suffix}", kind.name(), workload.name);
                trials.push(
                    cases.trial(name, move |world| closed(world, kind, workload, no_new_privs)),
                );
            }
        }
    }
    trials.push(cases.trial("one_profile::nginx".into(), one_profile_for_all));
    trials
}

/// Learned once under Docker, the profile serves everywhere.
fn one_profile_for_all(world: &World) -> Result<(), Stop> {
    let nginx = Workload::named("nginx");
    let (words, user) = nginx.order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new("one-profile");
    let order =
        Order { words: &words, user, no_new_privs: false, profile: None, parent: parent.name() };
    let learned = learn(world.engine(Kind::Docker).map_err(Stop::Skip)?, &order)?;
    let profile = learned.directory().join("profile.json");
    for kind in Kind::ALL {
        let engine = world.engine(kind).map_err(Stop::Skip)?;
        for no_new_privs in [false, true] {
            let order = Order { no_new_privs, profile: Some(&profile), ..order };
            enforce(engine, &order, &learned.allowed())
                .map_err(|story| Stop::Fail(format!("{}: {story}", kind.name())))?;
        }
    }
    Ok(())
}

/// Learns a workload and starts it again.
fn closed(world: &World, kind: Kind, workload: Workload, no_new_privs: bool) -> Result<(), Stop> {
    let engine = world.engine(kind).map_err(Stop::Skip)?;
    let (words, user) = workload.order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new(workload.name);
    let order = Order { words: &words, user, no_new_privs, profile: None, parent: parent.name() };
    let started = Instant::now();
    let learned = learn(engine, &order)?;
    let learning = started.elapsed();
    let profile = learned.directory().join("profile.json");
    enforce(engine, &Order { profile: Some(&profile), ..order }, &learned.allowed())?;
    let enforcing = started.elapsed() - learning;
    println!(
        "{} {}: {} calls, learned in {:.1} s, enforced in {:.1} s",
        kind.name(),
        workload.name,
        learned.allowed().len(),
        learning.as_secs_f32(),
        enforcing.as_secs_f32()
    );
    Ok(())
}

/// Records one start and two programs executed in the container.
pub fn learn(engine: &dyn Engine, order: &Order) -> Result<Outcome, String> {
    let tracing = Tracer::new().args(["--cgroup", order.parent]).start();
    let container = engine.start(order)?;
    wait_until_done(&*container)?;
    for user in users(engine) {
        container.exec(user, &["/worker", "probe"])?;
    }
    drop(container);
    let outcome = tracing.stop().exits(0);
    let allowed = outcome.allowed();
    let kept: Vec<_> = SET_UP.iter().filter(|name| allowed.iter().any(|a| a == *name)).collect();
    if kept.is_empty() {
        Ok(outcome)
    } else {
        Err(format!("the profile holds the runtime's {kept:?}\n{}", outcome.read("recording.json")))
    }
}

/// Starts the container under the profile, executes in it, and asks for calls that were not
/// learned.
pub fn enforce(engine: &dyn Engine, order: &Order, allowed: &[String]) -> Result<(), String> {
    let container = engine.start(order)?;
    wait_until_done(&*container)?;
    for user in users(engine) {
        refuses(&*container, user, allowed, engine.refusal())?;
    }
    Ok(())
}

fn users(engine: &dyn Engine) -> Vec<Option<u32>> {
    if engine.executes_as_user() { vec![None, Some(SOMEBODY)] } else { vec![None] }
}

/// What was learned is done, what was not is refused with the profile's errno.
pub fn refuses(
    container: &dyn Container,
    user: Option<u32>,
    allowed: &[String],
    refusal: i32,
) -> Result<(), String> {
    let words = [&["/worker", "probe"], &PROBED[..]].concat();
    let said = container.exec(user, &words)?;
    let mut refused = 0;
    for call in PROBED {
        let answer = said.lines().find_map(|line| line.strip_prefix(call)?.strip_prefix(' '));
        let answer = answer.ok_or_else(|| format!("no answer for {call} in {said:?}"))?;
        let learned = allowed.iter().any(|name| name == call);
        if (answer == refusal.to_string()) == learned {
            let state = if learned { "learned" } else { "not learned" };
            return Err(format!("{call} was {state}, and gave {answer}"));
        }
        refused += usize::from(!learned);
    }
    if refused == 0 { Err(format!("the workload makes all of {PROBED:?}")) } else { Ok(()) }
}
