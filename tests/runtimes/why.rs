//! What rules of thumb lead to, in the same containers: the evidence of `docs/why.md`. Each case
//! prints what was said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::json;
use tempfile::TempDir;
use tests::{Cgroup, Outcome, Tracer, names, temporary_directory, tracer_program};
use tracer::recording::Phase;
use tracer::syscalls::{self, Abi};

use crate::bundle::{Runtime, Start};
use crate::cases::Cases;
use crate::engine::{Container, Engine, Order, succeed, wait_until_done};
use crate::matrix::SOMEBODY;
use crate::workloads::Workload;
use crate::world::{Kind, World};
use tests::Stop;

/// Says that it is done, and no more.
const SMALL: [&str; 3] = ["/program", "say:workload done", "pause"];
const LIST: [&str; 3] = ["/bin/sh", "-c", "ls -l / && echo workload done && exec /worker idle"];
const THREAD: [&str; 3] = [
    "/bin/sh",
    "-c",
    "python3 -c 'import threading; threading.Thread(target=print).start()' && echo workload done && exec /worker idle",
];
/// Calls that a web server has no use for.
const DANGEROUS: [&str; 10] = [
    "bpf",
    "fsopen",
    "keyctl",
    "mount",
    "pivot_root",
    "seccomp",
    "sethostname",
    "setns",
    "umount2",
    "unshare",
];

/// What an experiment should come to.
#[derive(Clone, Copy)]
enum Expected {
    Works,
    /// It fails, and says this.
    Fails(&'static str),
}

use Expected::{Fails, Works};

/// A start, or a program executed in the container, under a profile made by a rule of thumb.
#[derive(Clone, Copy)]
struct Experiment {
    label: &'static str,
    kind: Kind,
    start: Start,
    words: &'static [&'static str],
    /// How `tracer profile` is asked for it.
    options: &'static [&'static str],
    /// Whether something is executed in the container as well, and as whom.
    executes: Option<Option<u32>>,
    expected: Expected,
}

const fn experiment(
    label: &'static str,
    kind: Kind,
    words: &'static [&'static str],
    options: &'static [&'static str],
    expected: Expected,
) -> Experiment {
    Experiment { label, kind, start: Start::Run, words, options, executes: None, expected }
}

const NONE: &[&str] = &["--runtime=none"];
const OLDER: &[&str] = &["--exclude=statx", "--exclude=openat2"];
const OLDER_EPERM: &[&str] = &["--exclude=statx", "--exclude=openat2", "--errno=eperm"];
const OLDER_KILL: &[&str] =
    &["--exclude=statx", "--exclude=openat2", "--default-action=kill-process"];
const NO_WAIT: &[&str] = &["--exclude=pselect6", "--exclude=read"];
const NO_IOCTL: &[&str] = &["--exclude=ioctl"];
const NO_IOCTL_KILL: &[&str] = &["--exclude=ioctl", "--default-action=kill-process"];
const NO_UMASK_KILL: &[&str] = &["--exclude=umask", "--default-action=kill-process"];
const NO_STATX_EPERM: &[&str] = &["--exclude=statx", "--errno=eperm"];
const NO_STATX: &[&str] = &["--exclude=statx"];
/// By names alone: a profile that looks at arguments answers clone3 with ENOSYS, whatever the
/// others get.
const NO_CLONE3_EPERM: &[&str] = &["--exclude=clone3", "--errno=eperm", "--arguments=off"];
const NO_CLONE3: &[&str] = &["--exclude=clone3"];

const EXPERIMENTS: &[Experiment] = &[
    experiment(
        "none_runc",
        Kind::Runc,
        &SMALL,
        NONE,
        Fails("open /proc/self/fd: function not implemented"),
    ),
    experiment(
        "none_crun",
        Kind::Crun,
        &SMALL,
        NONE,
        Fails("prctl drop bounding: Function not implemented"),
    ),
    experiment("older_runc", Kind::Runc, &SMALL, OLDER, Works),
    experiment("older_crun", Kind::Crun, &SMALL, OLDER, Works),
    Experiment {
        executes: Some(None),
        ..experiment("older_exec_crun", Kind::Crun, &SMALL, OLDER, Works)
    },
    Experiment {
        executes: Some(None),
        ..experiment(
            "older_eperm_exec_crun",
            Kind::Crun,
            &SMALL,
            OLDER_EPERM,
            Fails("/proc/self/setgroups`: Operation not permitted"),
        )
    },
    Experiment {
        executes: Some(None),
        ..experiment(
            "older_kill_exec_crun",
            Kind::Crun,
            &SMALL,
            OLDER_KILL,
            Fails("exit status: 255"),
        )
    },
    experiment("no_wait_run_crun", Kind::Crun, &SMALL, NO_WAIT, Works),
    Experiment {
        start: Start::CreateAndStart,
        ..experiment("no_wait_create_crun", Kind::Crun, &SMALL, NO_WAIT, Fails("is not running"))
    },
    Experiment {
        executes: Some(None),
        ..experiment("no_ioctl_exec_crun", Kind::Crun, &SMALL, NO_IOCTL, Works)
    },
    Experiment {
        executes: Some(None),
        ..experiment(
            "no_ioctl_kill_exec_crun",
            Kind::Crun,
            &SMALL,
            NO_IOCTL_KILL,
            Fails("exit status: 255"),
        )
    },
    Experiment {
        executes: Some(Some(SOMEBODY)),
        ..experiment(
            "no_umask_kill_exec_crun",
            Kind::Crun,
            &SMALL,
            NO_UMASK_KILL,
            Fails("exit status: 255"),
        )
    },
    experiment(
        "statx_eperm_runc",
        Kind::Runc,
        &LIST,
        NO_STATX_EPERM,
        Fails("ls: cannot access '/': Operation not permitted"),
    ),
    experiment(
        "statx_eperm_crun",
        Kind::Crun,
        &LIST,
        NO_STATX_EPERM,
        Fails("ls: cannot access '/': Operation not permitted"),
    ),
    experiment("statx_enosys_runc", Kind::Runc, &LIST, NO_STATX, Works),
    experiment("statx_enosys_crun", Kind::Crun, &LIST, NO_STATX, Works),
    experiment(
        "clone3_eperm_runc",
        Kind::Runc,
        &THREAD,
        NO_CLONE3_EPERM,
        Fails("can't start new thread"),
    ),
    experiment(
        "clone3_eperm_crun",
        Kind::Crun,
        &THREAD,
        NO_CLONE3_EPERM,
        Fails("can't start new thread"),
    ),
    experiment("clone3_enosys_runc", Kind::Runc, &THREAD, NO_CLONE3, Works),
    experiment("clone3_enosys_crun", Kind::Crun, &THREAD, NO_CLONE3, Works),
];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun] {
        let name = kind.name();
        trials.push(cases.trial(format!("why::set_up_{name}"), move |world| set_up(world, kind)));
        trials.push(cases.trial(format!("why::i386_{name}"), move |world| i386(world, kind)));
    }
    for experiment in EXPERIMENTS {
        let test = move |world: &World| come_out(world, experiment);
        trials.push(cases.trial(format!("why::{}", experiment.label), test));
    }
    trials
}

/// Records one start, with a program executed in the container where that is asked.
fn record(
    runtime: &Runtime,
    order: &Order,
    executes: Option<Option<u32>>,
) -> Result<Outcome, String> {
    let tracing = Tracer::new().args(["--cgroup", order.parent]).start();
    let container = runtime.start(order)?;
    wait_until_done(&*container)?;
    if let Some(user) = executes {
        container.exec(user, &["/program", "say:executed"])?;
    }
    drop(container);
    Ok(tracing.stop().exits(0))
}

/// Starts it; says how that fails.
fn attempt(
    runtime: &Runtime,
    order: &Order,
    executes: Option<Option<u32>>,
) -> Result<String, String> {
    let bundle = runtime.bundle(order)?;
    let run = || {
        bundle.start()?;
        wait_until_done(&bundle)?;
        executes.map_or_else(
            || Ok(String::new()),
            |user| bundle.exec(user, &["/program", "say:executed"]),
        )
    };
    let done: Result<String, String> = run();
    done.map(|said| format!("{}{said}", bundle.output()))
}

fn come_out(world: &World, experiment: &Experiment) -> Result<(), Stop> {
    let Experiment { label, kind, start, words, options, executes, expected } = *experiment;
    if words[0] == "/bin/sh" {
        world.root()?.system.clone().map_err(Stop::Skip)?;
    }
    let runtime = Runtime { start, ..world.runtime(kind).map_err(Stop::Skip)?.clone() };
    let parent = Cgroup::new("why");
    let order = Order { words, user: 0, no_new_privs: false, profile: None, parent: parent.name() };
    let learned = record(&runtime, &order, executes)?;
    let directory = temporary_directory();
    let profile = derive(&learned, &directory, options)?;
    let said = attempt(&runtime, &Order { profile: Some(&profile), ..order }, executes);
    println!("{label}: tracer profile {}: {said:#?}", options.join(" "));
    match (expected, said) {
        (Works, Ok(_)) => Ok(()),
        (Fails(part), Err(said)) if said.contains(part) => Ok(()),
        (Works, Err(said)) => Err(Stop::Fail(format!("should work: {said}"))),
        (Fails(part), said) => Err(Stop::Fail(format!("should fail with {part:?}: {said:?}"))),
    }
}

fn derive(learned: &Outcome, directory: &TempDir, options: &[&str]) -> Result<PathBuf, String> {
    let out = directory.path().join("profile.json");
    let recording = learned.directory().join("profile.recording.json");
    let mut command = Command::new(tracer_program());
    succeed(command.arg("profile").arg(recording).arg("-o").arg(&out).args(options))?;
    Ok(out)
}

/// Whoever keeps every call of the cgroup allows what the runtime does before the filter.
fn set_up(world: &World, kind: Kind) -> Result<(), Stop> {
    let runtime = world.runtime(kind).map_err(Stop::Skip)?;
    let (words, user) = Workload::named("nginx").order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new("why");
    let order =
        Order { words: &words, user, no_new_privs: false, profile: None, parent: parent.name() };
    let learned = record(runtime, &order, None)?;
    let allowed = learned.allowed();
    let recording = learned.recording();
    let set_up = names(&recording.cgroups[0], Phase::Setup);
    let workload = names(&recording.cgroups[0], Phase::Workload);
    let more: Vec<_> =
        set_up.iter().filter(|name| !allowed.iter().any(|held| held == *name)).collect();
    let dangerous: Vec<_> = DANGEROUS.into_iter().filter(|name| set_up.contains(name)).collect();
    println!(
        "{}: set-up {}, workload {}, allowed {}; only in the set-up: {} {more:?}; dangerous: {dangerous:?}",
        kind.name(),
        set_up.len(),
        workload.len(),
        allowed.len(),
        more.len(),
    );
    let kept: Vec<String> =
        allowed.iter().cloned().chain(more.iter().map(|name| (**name).to_owned())).collect();
    let directory = temporary_directory();
    let profile = directory.path().join("kept.json");
    write(&profile, &["SCMP_ARCH_X86_64"], &kept);
    attempt(runtime, &Order { profile: Some(&profile), ..order }, None)?;
    let expected = ["mount", "pivot_root", "sethostname", "umount2"];
    if expected.iter().all(|name| dangerous.contains(name) && !allowed.iter().any(|a| a == name)) {
        Ok(())
    } else {
        Err(Stop::Fail(format!("expected {expected:?} in the set-up alone: {dangerous:?}")))
    }
}

/// Numbers of one ABI, looked up in the table of another.
fn i386(world: &World, kind: Kind) -> Result<(), Stop> {
    let runtime = world.runtime(kind).map_err(Stop::Skip)?;
    let (words, user) = Workload::named("i386").order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new("why");
    let order =
        Order { words: &words, user, no_new_privs: false, profile: None, parent: parent.name() };
    let learned = record(runtime, &order, None)?;
    let recording = learned.recording();
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let calls = calls.filter(|call| call.abi == Abi::I386);
    let mut wrong = learned.allowed();
    let mut own = Vec::new();
    for call in calls {
        let found = syscalls::name(Abi::X86_64, call.number);
        println!("{}: {:?}, resolved as {found:?}", call.number, call.name);
        own.extend(call.name.clone());
        wrong.extend(found.map(str::to_owned));
    }
    wrong.retain(|name| !own.contains(name) || of_a_runtime(name));
    wrong.sort();
    wrong.dedup();
    let directory = temporary_directory();
    let profile = directory.path().join("wrong.json");
    let all = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    for architectures in [&all[..1], &all[..]] {
        write(&profile, architectures, &wrong);
        let tracing = Tracer::new().args(["--cgroup", order.parent, "--denied"]).start();
        let said = attempt(runtime, &Order { profile: Some(&profile), ..order }, None);
        let watched = tracing.stop().stderr;
        let denied: Vec<_> = watched.lines().filter(|line| line.contains("denied: ")).collect();
        println!("{} {architectures:?}: {denied:#?}, said {said:#?}", kind.name());
        let expected = if architectures.len() == 1 {
            "getpid (i386)  SIGSYS"
        } else {
            "getuid32 (i386)  ENOSYS"
        };
        if !denied.iter().any(|line| line.contains(expected)) {
            return Err(Stop::Fail(format!("{expected} was not denied: {watched}")));
        }
    }
    Ok(())
}

/// Whether tracer adds the call for a runtime.
fn of_a_runtime(name: &str) -> bool {
    const SETS: [&str; 2] = [
        include_str!("../../profiles/runtime/runc.json"),
        include_str!("../../profiles/runtime/crun.json"),
    ];
    SETS.iter().any(|set| set.contains(&format!("{{ \"name\": \"{name}\"")))
}

fn write(path: &Path, architectures: &[&str], names: &[String]) {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": architectures,
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }],
    });
    fs::write(path, profile.to_string()).expect("the profile is written");
}
