//! Ordinary programs, executed in the containers of workloads that make next to no call: a profile
//! that was learned without them lets them start, and whatever the default action is.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use tests::{Cgroup, Outcome, Stop, Tracer, temporary_directory, tracer_program};

use crate::cases::Cases;
use crate::engine::{Engine, Order, succeed, wait_until_done};
use crate::matrix::SOMEBODY;
use crate::world::{Kind, World};

/// Without a C library: what it makes is on the line.
const SMALL: [&str; 3] = ["/program", "say:workload done", "pause"];
const I386: [&str; 1] = ["/i386"];
/// Programs in C: static, and with a dynamic linker.
const STATIC: [&str; 3] = ["/bin/busybox", "echo", "executed"];
const DYNAMIC: [&[&str]; 2] = [&["/bin/echo", "executed"], &["/bin/sh", "-c", "echo executed"]];
/// A 32-bit program that changes its user.
const CHANGES_USER: [&str; 2] = ["/i386", "executed"];
/// What such programs make when they start, and a small workload does not.
const START_UP: &str = "access,brk,getegid,geteuid,mprotect,pread64,readlink";

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun] {
        for action in ["errno", "kill-process", "trap"] {
            for (words, label) in [(&SMALL[..], "small"), (&I386[..], "i386")] {
                let name = format!("executed::{}_{label}_{action}", kind.name());
                let test = move |world: &World| starts(world, kind, action, words);
                trials.push(cases.trial(name, test));
            }
        }
    }
    trials
}

fn starts(world: &World, kind: Kind, action: &str, words: &[&'static str]) -> Result<(), Stop> {
    let runtime = world.runtime(kind).map_err(Stop::Skip)?;
    let root = world.root()?;
    let mut programs = vec![&STATIC[..]];
    if words == I386 {
        root.i386.clone().map_err(Stop::Skip)?;
        programs.push(&CHANGES_USER);
    }
    if root.system.is_ok() {
        programs.extend(DYNAMIC);
    }
    let parent = Cgroup::new("executed");
    let order = Order { words, user: 0, no_new_privs: false, profile: None, parent: parent.name() };
    let tracing = Tracer::new().cgroup(&parent).start();
    let container = runtime.start(&order)?;
    wait_until_done(&*container)?;
    drop(container);
    let learned = tracing.stop().exits(0);
    let action = format!("--default-action={action}");
    let directory = temporary_directory();
    let derive =
        |name: &str, options: &[&str]| derive(&learned, directory.path().join(name), options);

    let profile = derive("profile.json", &[&action])?;
    for no_new_privs in [false, true] {
        let order = Order { no_new_privs, profile: Some(&profile), ..order };
        let failures = executed(runtime, &order, &programs)?;
        if !failures.is_empty() {
            return Err(Stop::Fail(failures.join("\n")));
        }
    }
    let without = derive("without.json", &[&action, "--exclude", START_UP])?;
    let order = Order { profile: Some(&without), ..order };
    let failures = executed(runtime, &order, &[&STATIC])?;
    if failures.is_empty() {
        Err(Stop::Fail("it starts without these calls".into()))
    } else {
        Ok(())
    }
}

fn derive(learned: &Outcome, out: PathBuf, options: &[&str]) -> Result<PathBuf, String> {
    let recording = learned.directory().join("profile.recording.json");
    let mut command = Command::new(tracer_program());
    succeed(command.arg("profile").arg(recording).arg("-o").arg(&out).args(options))?;
    Ok(out)
}

/// Starts the container, and executes each program as root and as somebody else; the stories of
/// those that failed.
fn executed(
    runtime: &dyn Engine,
    order: &Order,
    programs: &[&[&str]],
) -> Result<Vec<String>, String> {
    let container = runtime.start(order)?;
    wait_until_done(&*container)?;
    let mut failures = Vec::new();
    for user in [None, Some(SOMEBODY)] {
        for words in programs {
            match container.exec(user, words) {
                Ok(said) if said.contains("executed") => {}
                other => failures.push(format!("{words:?} as {user:?}: {other:?}")),
            }
        }
    }
    let profile = order.profile.map(Path::display);
    println!(
        "{} programs, {} failures, {:?}",
        programs.len() * 2,
        failures.len(),
        profile.map(|it| it.to_string())
    );
    Ok(failures)
}
