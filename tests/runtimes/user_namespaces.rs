//! Containers with a user namespace and a bind mount: runc 1.1 then opens the sources of mounts in
//! the container's mount namespace, and a profile must not take that for the workload's doing.

use std::os::unix::fs::{PermissionsExt, chown};
use std::{fs, path::Path};

use libtest_mimic::Trial;
use serde_json::json;
use tests::{Cgroup, Outcome, Stop, Tracer, names, temporary_directory};
use tracer::recording::Phase;

use crate::bundle::Bundle;
use crate::cases::Cases;
use crate::counter::learning_profile;
use crate::engine::{Container, Order, wait_until_done};
use crate::matrix::SET_UP;
use crate::world::{Kind, World};

/// The first user of the host that a user of the container is.
const FIRST_USER: u32 = 500_000;
const USERS: u32 = 65_536;

/// What runc's parent does in the container's mount namespace, and the workload does where its
/// steps say so.
const PASSING: [&str; 2] = ["sendmsg", "setns"];
const PASSING_STEPS: [&str; 2] = ["x86_64:sendmsg", "x86_64:setns"];
const WORKLOAD: [&str; 2] = ["/program", "x86_64:times"];
const WORKLOAD_END: [&str; 2] = ["say:workload done", "pause"];
const WORKLOAD_CALLS: [&str; 2] = ["times", "pause"];
/// A program that is executed in the container.
const EXECUTED: [&str; 2] = ["/program", "x86_64:sched_get_priority_min"];
const EXECUTED_CALL: &str = "sched_get_priority_min";

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun] {
        for (filtered, filter) in [(false, "unconfined"), (true, "allowing")] {
            for (shared, processes) in [(false, ""), (true, "_processes_of_the_host")] {
                for (passes, workload) in [(false, ""), (true, "_workload_does_it_too")] {
                    let case = Case { kind, filtered, shared, passes };
                    let name =
                        format!("user_namespaces::{}_{filter}{processes}{workload}", kind.name());
                    trials.push(cases.trial(name, move |world| distinguished(world, case)));
                }
            }
        }
    }
    trials
}

#[derive(Clone, Copy, Debug)]
struct Case {
    kind: Kind,
    /// The container has a filter, which allows everything.
    filtered: bool,
    /// The container has no pid namespace of its own.
    shared: bool,
    /// The workload makes the calls in question itself.
    passes: bool,
}

fn distinguished(world: &World, case: Case) -> Result<(), Stop> {
    let runtime = world.runtime(case.kind).map_err(Stop::Skip)?.clone();
    let profile = learning_profile();
    let parent = Cgroup::new("user-namespaces");
    let passing: &[&str] = if case.passes { &PASSING_STEPS } else { &[] };
    let words = [&WORKLOAD[..], passing, &WORKLOAD_END].concat();
    let order = Order {
        words: &words,
        user: 0,
        no_new_privs: false,
        profile: case.filtered.then_some(profile.as_path()),
        parent: parent.name(),
    };
    let bundle = runtime.bundle(&order)?;
    let source = temporary_directory();
    with_user_namespace(&bundle, source.path(), case.shared)?;
    let outcome = record(&parent, bundle)?;
    check(&outcome, case).map_err(|story| {
        Stop::Fail(format!("{story}\n{}\n{}", outcome.stderr, outcome.read("recording.json")))
    })
}

/// Gives the bundle a user namespace, a root that the user namespace's root owns, and one bind
/// mount.
fn with_user_namespace(bundle: &Bundle, source: &Path, shared: bool) -> Result<(), String> {
    for path in [source, bundle.directory()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is the test's own");
    }
    chown(source, Some(FIRST_USER), Some(FIRST_USER)).expect("the test is root");
    bundle.run_on_root("chown", &[&format!("{FIRST_USER}:{FIRST_USER}")])?;
    bundle.edit(|spec| {
        let linux = &mut spec["linux"];
        let namespaces = linux["namespaces"].as_array_mut().expect("an array");
        namespaces.retain(|one| !(shared && one["type"] == "pid"));
        namespaces.push(json!({ "type": "user" }));
        let mapping = json!([{ "containerID": 0, "hostID": FIRST_USER, "size": USERS }]);
        linux["uidMappings"] = mapping.clone();
        linux["gidMappings"] = mapping;
        let mount = json!({
            "destination": "/tmp", "type": "bind", "source": source, "options": ["rbind"],
        });
        let mounts = spec["mounts"].as_array_mut().expect("an array");
        // What a user namespace may not mount anew in the host's pid namespace.
        if shared {
            for one in mounts.iter_mut().filter(|one| one["destination"] == "/proc") {
                *one = json!({
                    "destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"],
                });
            }
        }
        mounts.push(mount);
    });
    Ok(())
}

/// Records the container's start, a program executed in it, and its end.
fn record(parent: &Cgroup, bundle: Bundle) -> Result<Outcome, String> {
    let tracing = Tracer::new().cgroup(parent).start();
    bundle.start()?;
    wait_until_done(&bundle)?;
    bundle.exec(None, &EXECUTED)?;
    drop(bundle);
    Ok(tracing.stop())
}

fn check(outcome: &Outcome, case: Case) -> Result<(), String> {
    expect(outcome.status.code() == Some(0), || "exit code 0".into())?;
    let recording = outcome.recording();
    let [cgroup] = recording.cgroups.as_slice() else {
        return Err("expected one cgroup".into());
    };
    let workload = names(cgroup, Phase::Workload);
    let allowed = outcome.allowed();
    for name in WORKLOAD_CALLS.iter().chain([&EXECUTED_CALL]) {
        expect(workload.contains(name), || format!("{name} is workload"))?;
    }
    for name in PASSING {
        // Without a filter and without a pid namespace of its own nothing shows whose it is: it is
        // allowed, and the message says so.
        let doubtful = case.kind == Kind::Runc && case.shared && !case.filtered && !case.passes;
        if doubtful && workload.contains(name) {
            expect(cgroup.ambiguous, || format!("{name} is doubtful"))?;
            expect(outcome.stderr.contains("in doubt"), || "the summary says so".into())?;
            continue;
        }
        expect(workload.contains(name) == case.passes, || format!("{name} in the workload"))?;
        let is_allowed = allowed.iter().any(|one| one == name);
        expect(is_allowed == case.passes, || format!("{name} allowed: {is_allowed}"))?;
    }
    for name in SET_UP.iter().filter(|name| !PASSING.contains(name)) {
        expect(!workload.contains(name), || format!("{name} is not workload"))?;
        expect(!allowed.iter().any(|one| one == name), || format!("{name} is not allowed"))?;
    }
    let unsure = case.shared && !case.filtered;
    expect(unsure || !cgroup.ambiguous, || "nothing is doubtful".into())?;
    expect(unsure || !outcome.stderr.contains("in doubt"), || "nothing is said of doubt".into())?;
    expect(cgroup.exact == case.filtered, || format!("exact: {}", cgroup.exact))
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("does not hold: {}", what())) }
}
