//! Workloads that look like a container runtime at work, in containers: they are workloads all the
//! same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tests::{Cgroup, Tracer, names};
use tracer::recording::Phase;

use crate::bundle::Bundle;
use crate::cases::Cases;
use crate::engine::{Container, Order, wait_until_done};
use crate::world::{Kind, World};
use tests::Stop;

/// The new mount namespace of unshare(2).
const UNSHARE_MOUNTS: &str = "call:unshare,131072";
/// Calls that runtimes make for every container, and no workload here makes.
const RUNTIMES_OWN: [&str; 4] = ["pivot_root", "sethostname", "setns", "mknodat"];

/// A workload and what it shares with a runtime.
#[derive(Clone, Copy)]
struct Example {
    label: &'static str,
    steps: &'static [&'static str],
    /// Its calls, which are allowed.
    calls: &'static [&'static str],
    /// Whether the container has the pid namespace of the host.
    shares_pid_namespace: bool,
}

const EXAMPLES: [Example; 4] = [
    Example {
        label: "own_mount_namespace",
        steps: &[
            UNSHARE_MOUNTS,
            "x86_64:mount",
            "exec",
            "x86_64:times",
            "fork:1",
            "[",
            "x86_64:getresgid",
            "]",
        ],
        calls: &["unshare", "mount", "execve", "times", "fork", "getresgid"],
        shares_pid_namespace: false,
    },
    Example {
        label: "memfd",
        steps: &[
            "exec-memfd",
            "x86_64:mount",
            "x86_64:times",
            "fork:1",
            "[",
            "x86_64:getresgid",
            "]",
        ],
        calls: &["memfd_create", "execveat", "mount", "times", "fork", "getresgid"],
        shares_pid_namespace: false,
    },
    Example {
        label: "renamed",
        steps: &[
            "name:runc:[2:INIT]",
            "x86_64:mount",
            "name:crun",
            "x86_64:umount2",
            "x86_64:times",
        ],
        calls: &["prctl", "mount", "umount2", "times"],
        shares_pid_namespace: false,
    },
    Example {
        label: "shared_pid_namespace",
        steps: &["x86_64:times", "fork:1", "[", "x86_64:getresgid", "]"],
        calls: &["times", "fork", "getresgid"],
        shares_pid_namespace: true,
    },
];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun] {
        for example in EXAMPLES {
            for filtered in [false, true] {
                let suffix = if filtered { "_filtered" } else { "" };
                let name = format!("counter::{}_{}{suffix}", kind.name(), example.label);
                let test = move |world: &World| is_workload(world, kind, example, filtered);
                trials.push(cases.trial(name, test));
            }
        }
    }
    trials
}

fn is_workload(world: &World, kind: Kind, example: Example, filtered: bool) -> Result<(), Stop> {
    let runtime = world.runtime(kind).map_err(Stop::Skip)?;
    let parent = Cgroup::new("counter");
    let words = [&["/program"], example.steps, &["wait", "say:workload done", "pause"]].concat();
    let profile = learning_profile();
    let order = Order {
        words: &words,
        user: 0,
        no_new_privs: false,
        profile: filtered.then_some(profile.as_path()),
        parent: parent.name(),
    };
    let bundle = runtime.bundle(&order)?;
    bundle.edit(|spec| {
        allow_mounts(spec);
        if example.shares_pid_namespace {
            let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("a list");
            namespaces.retain(|namespace| namespace["type"] != "pid");
        }
    });
    check(&parent, bundle, example.calls).map_err(Stop::Fail)
}

/// A profile under which nothing is denied, and recordings are exact.
pub fn learning_profile() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("profiles").join("learn.json")
}

fn allow_mounts(spec: &mut Value) {
    let sets = spec["process"]["capabilities"].as_object_mut().expect("capabilities");
    for set in sets.values_mut() {
        set.as_array_mut().expect("a set").push(json!("CAP_SYS_ADMIN"));
    }
}

fn check(parent: &Cgroup, bundle: Bundle, calls: &[&str]) -> Result<(), String> {
    let tracing = Tracer::new().cgroup(parent).start();
    bundle.start()?;
    wait_until_done(&bundle)?;
    bundle.exec(None, &["/program", "x86_64:sched_get_priority_min"])?;
    drop(bundle);
    let outcome = tracing.stop().exits(0);
    let recording = outcome.recording();
    let [cgroup] = recording.cgroups.as_slice() else {
        return Err(format!("expected one cgroup: {:?}", recording.cgroups));
    };
    let workload = names(cgroup, Phase::Workload);
    let allowed = outcome.allowed();
    let allowed: BTreeSet<&str> = allowed.iter().map(String::as_str).collect();
    let made = calls.iter().chain(&["sched_get_priority_min", "pause"]);
    let missing: Vec<_> = made.filter(|name| !workload.contains(**name)).collect();
    let kept: Vec<_> = RUNTIMES_OWN.iter().filter(|name| allowed.contains(**name)).collect();
    if missing.is_empty() && kept.is_empty() {
        return Ok(());
    }
    let text = outcome.read("recording.json");
    Err(format!("not workload: {missing:?}; the runtime's, and allowed: {kept:?}\n{text}"))
}
