//! What the runtime does is distinguished from what the workload does: however a container is
//! started, and under whichever filter.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::json;
use tests::{Cgroup, GROUND_TRUTH, Outcome, Tracer, names, temporary_directory};
use tracer::recording::Phase;

use crate::bundle::{Bundle, Runtime, Start};
use crate::cases::Cases;
use crate::counter::learning_profile;
use crate::engine::{Container, Order, wait_until_done};
use crate::matrix::{SET_UP, SOMEBODY};
use crate::world::{Kind, World};
use tests::Stop;

/// Which filters there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filters {
    None,
    /// The container has one that allows everything.
    Allowing,
    /// The container has one that denies some calls.
    Denying,
    /// The runtime itself runs under one that allows everything, the container has none.
    Outer,
    /// Both have one that allows everything.
    OuterAndAllowing,
}

const FILTERS: [(Filters, &str); 5] = [
    (Filters::None, "unconfined"),
    (Filters::Allowing, "allowing"),
    (Filters::Denying, "denying"),
    (Filters::Outer, "outer"),
    (Filters::OuterAndAllowing, "outer_and_allowing"),
];

/// The workload: calls that no runtime makes, and one of which runtimes make many.
const WORKLOAD: [&str; 7] = [
    "/program",
    "x86_64:times",
    "x86_64:getresgid",
    "x86_64:getsid",
    "fork:1",
    "[",
    "x86_64:getrusage",
];
const WORKLOAD_END: [&str; 5] = ["]", "wait", "x86_64:read", "say:workload done", "pause"];
const WORKLOAD_CALLS: [&str; 8] =
    ["times", "getresgid", "getsid", "getrusage", "fork", "wait4", "read", "pause"];
/// A program that is executed in the container.
const EXECUTED: [&str; 3] = ["/program", "x86_64:sched_get_priority_min", "x86_64:alarm"];
const EXECUTED_CALLS: [&str; 2] = ["sched_get_priority_min", "alarm"];
/// A hook that runs in the cgroup while the container is made. Runtimes want it to read what they
/// write to it.
const HOOK: [&str; 4] = ["hook", "barrier", "x86_64:fchmodat2", "x86_64:getitimer"];
const HOOK_CALLS: [&str; 2] = ["fchmodat2", "getitimer"];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun] {
        for (start, verb) in [(Start::Run, "run"), (Start::CreateAndStart, "create_and_start")] {
            for (filters, label) in FILTERS {
                for no_new_privs in [false, true] {
                    let suffix = if no_new_privs { "_no_new_privs" } else { "" };
                    let name = format!("phases::{}_{verb}_{label}{suffix}", kind.name());
                    let test = move |world: &World| {
                        distinguished(world, kind, start, filters, no_new_privs)
                    };
                    trials.push(cases.trial(name, test));
                }
            }
        }
    }
    trials
}

fn distinguished(
    world: &World,
    kind: Kind,
    start: Start,
    filters: Filters,
    no_new_privs: bool,
) -> Result<(), Stop> {
    let runtime = world.runtime(kind).map_err(Stop::Skip)?.clone();
    let under_filter = matches!(filters, Filters::Outer | Filters::OuterAndAllowing);
    let runtime = Runtime { start, under_filter, ..runtime };
    let directory = temporary_directory();
    let profile = profile(filters, directory.path());
    let parent = Cgroup::new("phases");
    let words = [&WORKLOAD[..], &WORKLOAD_END].concat();
    let order = Order {
        words: &words,
        user: 0,
        no_new_privs,
        profile: profile.as_deref(),
        parent: parent.name(),
    };
    let bundle = runtime.bundle(&order)?;
    bundle.edit(|spec| {
        spec["hooks"] = json!({ "createContainer": [{ "path": GROUND_TRUTH, "args": HOOK }] });
    });
    let outcome = record(&parent, bundle)?;
    check(&outcome, filters, no_new_privs).map_err(|story| {
        Stop::Fail(format!("{story}\n{}\n{}", outcome.stderr, outcome.read("recording.json")))
    })
}

/// The container's profile; written into the directory, or one that is there.
fn profile(filters: Filters, directory: &Path) -> Option<PathBuf> {
    match filters {
        Filters::None | Filters::Outer => return None,
        Filters::Allowing | Filters::OuterAndAllowing => return Some(learning_profile()),
        Filters::Denying => {}
    }
    let names = ["bpf", "keyctl", "mount", "ptrace", "reboot", "unshare"];
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ERRNO" }],
    });
    let path = directory.join("filter.json");
    fs::write(&path, profile.to_string()).expect("the profile is written");
    Some(path)
}

/// Records the container's start, two programs executed in it, and its end.
fn record(parent: &Cgroup, bundle: Bundle) -> Result<Outcome, String> {
    let tracing = Tracer::new().cgroup(parent).start();
    bundle.start()?;
    wait_until_done(&bundle)?;
    for user in [None, Some(SOMEBODY)] {
        bundle.exec(user, &EXECUTED)?;
    }
    drop(bundle);
    Ok(tracing.stop())
}

fn check(outcome: &Outcome, filters: Filters, no_new_privs: bool) -> Result<(), String> {
    let code = if filters == Filters::Denying { 3 } else { 0 };
    expect(outcome.status.code() == Some(code), || format!("expected exit code {code}"))?;
    let recording = outcome.recording();
    let [cgroup] = recording.cgroups.as_slice() else {
        return Err("expected one cgroup".into());
    };
    let [set_up, init, workload] =
        [Phase::Setup, Phase::ContainerInit, Phase::Workload].map(|phase| names(cgroup, phase));
    let allowed = outcome.allowed();
    let allowed: BTreeSet<&str> = allowed.iter().map(String::as_str).collect();
    let has_filter =
        matches!(filters, Filters::Allowing | Filters::Denying | Filters::OuterAndAllowing);
    for name in WORKLOAD_CALLS.iter().chain(&EXECUTED_CALLS) {
        expect(workload.contains(name), || format!("{name} is workload"))?;
        expect(allowed.contains(name), || format!("{name} is allowed"))?;
    }
    for name in SET_UP.iter().chain(&HOOK_CALLS) {
        expect(!workload.contains(name), || format!("{name} is not workload"))?;
        expect(!init.contains(name), || format!("{name} is not container-init"))?;
        expect(!allowed.contains(name), || format!("{name} is not allowed"))?;
    }
    for name in ["mount", "pivot_root"].iter().chain(&HOOK_CALLS) {
        expect(set_up.contains(name), || format!("{name} is set-up"))?;
    }
    expect(init.is_empty() != has_filter, || format!("container-init: {init:?}"))?;
    expect(cgroup.exact == has_filter, || format!("exact: {}", cgroup.exact))?;
    expect(cgroup.no_new_privs == no_new_privs, || format!("no_new_privs: {}", cgroup.no_new_privs))
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("does not hold: {}", what())) }
}
