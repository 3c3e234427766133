//! What people see of several containers while they are recorded.

use std::collections::BTreeSet;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::Trial;
use serde_json::json;
use tests::{Cgroup, Stop, Tracer};

use crate::bundle::{Bundle, Runtime, Start};
use crate::cases::Cases;
use crate::counter::learning_profile;
use crate::engine::{DONE, Order, wait_until_done};
use crate::matrix::SET_UP;
use crate::world::{Kind, World};

/// Calls that no runtime makes: of one container and of the other.
const OWN: [&str; 2] = ["getsid", "sched_get_priority_min"];

/// How many containers were made: two with one id would be contested.
static MADE: AtomicU32 = AtomicU32::new(0);

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun] {
        for (start, verb) in [(Start::Run, "run"), (Start::CreateAndStart, "create_and_start")] {
            for (filter, label) in [(false, "unconfined"), (true, "filtered")] {
                let name = format!("watched::{}_{verb}_{label}", kind.name());
                let test = move |world: &World| two_containers(world, kind, start, filter);
                trials.push(cases.trial(name, test));
            }
        }
    }
    trials
}

/// A container with an id by which its cgroup is known, and the first digits of that.
fn bundle(
    runtime: &Runtime,
    parent: &Cgroup,
    filter: bool,
    own: &str,
) -> Result<(Bundle, String), Stop> {
    let profile = filter.then(learning_profile);
    let (call, done) = (format!("x86_64:{own}"), format!("say:{DONE}"));
    let order = Order {
        words: &["/program", "x86_64:getpid", &call, &done, "pause"],
        user: 0,
        no_new_privs: false,
        profile: profile.as_deref(),
        parent: parent.name(),
    };
    let bundle = runtime.bundle(&order)?;
    let label = format!("{:08x}{:04x}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let id = format!("{label}{label:0>52}");
    bundle.edit(|spec| {
        spec["linux"]["cgroupsPath"] = json!(format!("{}/{id}", parent.name()));
    });
    Ok((bundle, label))
}

fn two_containers(world: &World, kind: Kind, start: Start, filter: bool) -> Result<(), Stop> {
    let runtime = Runtime { start, ..world.runtime(kind).map_err(Stop::Skip)?.clone() };
    let parent = Cgroup::new("watched");
    let tracing = Tracer::new().cgroup(&parent).start();
    let mut labels = Vec::new();
    for own in OWN {
        let (bundle, label) = bundle(&runtime, &parent, filter, own)?;
        bundle.start()?;
        wait_until_done(&bundle)?;
        drop(bundle);
        tracing.wait_for_message(&format!("-- {label} ended"));
        labels.push(label);
    }
    let outcome = tracing.stop().exits(0);
    let shown: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with('+')).collect();
    let name = if kind == Kind::Runc { "runc" } else { "crun" };
    check(&shown, &labels, name, filter)
        .map_err(|story| Stop::Fail(format!("{story}\n{}", outcome.stderr)))
}

fn check(shown: &[&str], labels: &[String], runtime: &str, filter: bool) -> Result<(), String> {
    for label in labels {
        let marks: Vec<&str> = shown
            .iter()
            .filter_map(|line| line.split_once(&format!("  -- {label}")))
            .map(|(_, words)| words)
            .collect();
        let [" starts", set_up, program, " ended"] = marks.as_slice() else {
            return Err(format!("marks of {label}: {marks:?}"));
        };
        let folded = set_up.ends_with(" (-v shows them)") && set_up.starts_with(": ");
        expect(folded && set_up.contains(&format!(" set-up syscalls by {runtime}")), || {
            format!("{set_up:?}")
        })?;
        expect(program.starts_with(" runs program["), || format!("{program:?}"))?;
    }
    let [first, second] = labels else { return Err("two containers".into()) };
    let second_began = shown.iter().position(|line| line.contains(&format!("-- {second} starts")));
    let (before, after) = shown.split_at(second_began.unwrap_or_default());
    expect(!before.iter().any(|line| line.ends_with(first)), || "labels of one container".into())?;
    let calls = |lines: &[&str]| -> BTreeSet<String> {
        let calls = lines.iter().filter(|line| !line.contains("  -- "));
        calls.filter_map(|line| line.split("  ").nth(1)).map(str::to_owned).collect()
    };
    for (lines, own, other) in [(before, OWN[0], OWN[1]), (after, OWN[1], OWN[0])] {
        let calls = calls(lines);
        for name in [own, "getpid"] {
            expect(calls.contains(name), || format!("{name} is shown"))?;
        }
        for name in SET_UP.iter().chain([&other, &"mount", &"pivot_root"]) {
            expect(!calls.contains(*name), || format!("{name} is not shown"))?;
        }
    }
    let is_call = |line: &&&str| !line.contains("  -- ");
    let labelled = after.iter().filter(is_call).all(|line| line.ends_with(&format!("  {second}")));
    expect(labelled, || "each call of the second container has its label".into())?;
    let init = shown.iter().any(|line| line.contains("  (container-init)"));
    expect(init == filter, || format!("calls behind the load of the filter: {init}"))
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("does not hold: {}", what())) }
}
