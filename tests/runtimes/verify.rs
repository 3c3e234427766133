//! Profiles that lack something, seen with real containers: `tracer verify` names what is denied
//! and amends it, and a recording of the start completes one that began late.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tests::{Cgroup, Outcome, Tracer, Tracing, temporary_directory, tracer_program};

use crate::bundle::{Bundle, Runtime};
use crate::cases::Cases;
use crate::engine::{Container, ENOSYS, Engine, Order, succeed, wait_until_done};
use crate::matrix::{SOMEBODY, learn};
use crate::workloads::Workload;
use crate::world::{Kind, World};
use tests::Stop;

/// Recordings that a profile is learned from: every call that it lacks is one that the test took
/// out.
const RECORDINGS: usize = 3;
/// A call that only the executed program makes.
const EXECUTED: &str = "mkdir";
/// A call that nothing makes before it is asked for under the profile.
const UNLEARNED: &str = "symlink";

/// What is to be done about a late start.
const REMEDY: &str = "hint: restart the workload while tracing, or merge a recording of a start";

/// A workload under its learned profile with one call taken out.
#[derive(Clone, Copy)]
struct Narrowed {
    label: &'static str,
    workload: &'static str,
    default: &'static str,
    call: &'static str,
    /// What is said as soon as it happens.
    message: &'static str,
    /// What is said of it at the end.
    summed_up: &'static str,
}

const NARROWED: [Narrowed; 2] = [
    Narrowed {
        label: "nginx_without_sendfile",
        workload: "nginx",
        default: "errno",
        call: "sendfile",
        message: "denied: sendfile  ENOSYS  nginx[",
        summed_up: ") = ENOSYS  ",
    },
    // Only its threads make the call: they are killed, and the program waits for them.
    Narrowed {
        label: "python_thread_killed",
        workload: "python",
        default: "kill-thread",
        call: "unlink",
        message: "denied: unlink  thread killed  python3[",
        summed_up: ") = thread killed  ",
    },
];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for narrowed in NARROWED {
        let name = format!("verify::runc_{}", narrowed.label);
        trials.push(cases.trial(name, move |world| is_named_and_amended(world, narrowed)));
    }
    trials.push(cases.trial("verify::runc_late_start_completed".into(), late_start_is_completed));
    for kind in [Kind::Runc, Kind::Crun] {
        let name = format!("verify::{}_logged_and_denied_are_labelled", kind.name());
        trials.push(cases.trial(name, move |world| the_runtime_s_are_distinguished(world, kind)));
    }
    trials
}

fn is_named_and_amended(world: &World, narrowed: Narrowed) -> Result<(), Stop> {
    let workload = Workload::named(narrowed.workload);
    let (words, user) = workload.order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = world.runtime(Kind::Runc).map_err(Stop::Skip)?;
    let parent = Cgroup::new("verify");
    let order =
        Order { words: &words, user, no_new_privs: false, profile: None, parent: parent.name() };
    let directory = temporary_directory();
    let [profile, amended] =
        ["profile.json", "amended.json"].map(|name| directory.path().join(name));
    write_profile(runtime, &order, narrowed.default, &profile)?;
    take_out(&profile, narrowed.call)?;

    let options = ["--amend", amended.to_str().expect("paths are text")];
    let tracing = watch(&parent, &profile, &[&options[..], &["--verbose"]].concat());
    let container = runtime.start(&Order { profile: Some(&profile), ..order })?;
    tracing.wait_for_message(narrowed.message);
    drop(container);
    tracing.stop().exits(4).says(&[
        "denied: +",
        narrowed.summed_up,
        &format!("hint: add {} to the profile", narrowed.call),
        "calls added: 1",
    ]);

    let tracing = watch(&parent, &amended, &[]);
    let container = runtime.start(&Order { profile: Some(&amended), ..order })?;
    wait_until_done(&*container)?;
    drop(container);
    // But for what the profile answers on purpose: threads are made by clone in the place of
    // clone3.
    tracing.stop().exits(0).says(&["nothing ", "was denied"]);
    Ok(())
}

/// Derives a profile from several recordings, with that default action.
fn write_profile(
    runtime: &Runtime,
    order: &Order,
    default: &str,
    path: &Path,
) -> Result<(), String> {
    let learned: Vec<_> =
        (0..RECORDINGS).map(|_| learn(runtime, order)).collect::<Result<_, _>>()?;
    let mut command = Command::new(tracer_program());
    command.arg("profile").args(learned.iter().map(recording_file)).arg("-o").arg(path);
    succeed(command.arg(format!("--default-action={default}"))).map(drop)
}

fn take_out(path: &Path, call: &str) -> Result<(), String> {
    let text = fs::read_to_string(path).expect("the profile can be read");
    let mut profile: Value = serde_json::from_str(&text).expect("the profile is JSON");
    let mut taken = 0;
    for rule in profile["syscalls"].as_array_mut().expect("the profile has rules") {
        let names = rule["names"].as_array_mut().expect("a rule has names");
        let before = names.len();
        names.retain(|name| name != call);
        taken += before - names.len();
    }
    fs::write(path, profile.to_string()).expect("the profile is written");
    if taken == 0 { Err(format!("{call} was not learned: {text}")) } else { Ok(()) }
}

/// Verifies what runs in the cgroup and below.
fn watch(parent: &Cgroup, profile: &Path, options: &[&str]) -> Tracing {
    let tracer = Tracer::new().without_out().args(["verify".as_ref(), profile.as_os_str()]);
    let tracing = tracer.cgroup(parent).args(options).spawn();
    tracing.wait_for_message("verifying");
    tracing
}

fn recording_file(outcome: &Outcome) -> PathBuf {
    outcome.directory().join("profile.recording.json")
}

fn late_start_is_completed(world: &World) -> Result<(), Stop> {
    let runtime = world.runtime(Kind::Runc).map_err(Stop::Skip)?;
    let (words, user) = Workload::named("busybox").order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new("late");
    let order =
        Order { words: &words, user, no_new_privs: false, profile: None, parent: parent.name() };
    let name = format!("{}/container", parent.name());

    let container = start(runtime, &order, &name)?;
    let tracing = Tracer::new().cgroup(&parent).start();
    container.exec(Some(SOMEBODY), &["/worker", "probe", EXECUTED])?;
    drop(container);
    let late = tracing.stop().exits(3);
    let late = late.says(&["late start", &name, REMEDY]);

    let tracing = Tracer::new().cgroup(&parent).start();
    drop(start(runtime, &order, &name)?);
    let start_alone = tracing.stop().exits(0);
    let learned_late = |outcome: &Outcome| outcome.allowed().iter().any(|name| name == EXECUTED);
    assert!(learned_late(&late) && !learned_late(&start_alone), "each holds what it saw");

    let files = [&late, &start_alone].map(recording_file);
    let both = Tracer::new().args(["profile"]).args(files).run().exits(0);
    let both = both.says(&["merged 2 recordings", "complete: nothing was lost"]);
    let profile = both.directory().join("profile.json");
    let container = start(runtime, &Order { profile: Some(&profile), ..order }, &name)?;
    let said = container.exec(Some(SOMEBODY), &["/worker", "probe", EXECUTED, UNLEARNED])?;
    let refused = |call: &str| said.lines().any(|line| line == format!("{call} {ENOSYS}"));
    if refused(EXECUTED) || !refused(UNLEARNED) {
        return Err(Stop::Fail(format!("under the merged profile: {said}")));
    }
    Ok(())
}

/// Starts a container in the cgroup of that name, and waits until its work is done.
fn start(runtime: &Runtime, order: &Order, cgroup: &str) -> Result<Bundle, String> {
    let bundle = runtime.bundle(order)?;
    bundle.edit(|spec| spec["linux"]["cgroupsPath"] = json!(cgroup));
    bundle.start()?;
    wait_until_done(&bundle)?;
    Ok(bundle)
}

/// Calls that a runtime makes under the filter, logged or refused, are reported as its own, those
/// of the workload as the workload's: at the start and when something is executed in the container,
/// also when only that was seen.
fn the_runtime_s_are_distinguished(world: &World, kind: Kind) -> Result<(), Stop> {
    let runtime = world.runtime(kind).map_err(Stop::Skip)?;
    let directory = temporary_directory();
    let log = directory.path().join("log.json");
    let names = ["execve", "read", "write", "exit", "exit_group"];
    let text = json!({ "defaultAction": "SCMP_ACT_LOG", "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }] });
    fs::write(&log, text.to_string()).expect("a profile");
    let parent = Cgroup::new("labelled");
    let words = ["/program", "x86_64:times", "say:workload done", "pause"];
    let order = Order {
        words: &words,
        user: 0,
        no_new_privs: false,
        profile: Some(&log),
        parent: parent.name(),
    };
    let tracing = watch(&parent, &log, &[]);
    let container = runtime.start(&order)?;
    wait_until_done(&*container)?;
    container.exec(None, &["/program", "x86_64:getuid"])?;
    // Of a container that runs already, only what enters it is seen.
    let late = watch(&parent, &log, &["--accept-late-start"]);
    container.exec(None, &["/program", "x86_64:getuid"])?;
    let outcomes = [tracing.stop().exits(4), late.stop().exits(4)];
    drop(container);
    for (outcome, of_workload) in outcomes.iter().zip([&["times", "getuid"][..], &["getuid"]]) {
        let lines: Vec<&str> =
            outcome.stderr.lines().filter(|line| line.starts_with("denied: ")).collect();
        for name in of_workload {
            let line = lines.iter().find(|line| line.contains(&format!("  {name} = logged")));
            let is_workload =
                line.is_some_and(|line| line.contains("program") && line.ends_with("(workload)"));
            assert!(is_workload, "{name}: {lines:#?}");
        }
        let runtimes: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("runc:[") || line.contains("  crun"))
            .collect();
        assert!(!runtimes.is_empty(), "{lines:#?}");
        assert!(runtimes.iter().all(|line| line.ends_with("(container-init)")), "{runtimes:#?}");
    }
    Ok(())
}
