//! The values of arguments that were seen, and no others: a container starts under them, also when
//! everything else kills.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;
use tests::{Cgroup, Stop, temporary_directory, tracer_program};

use crate::cases::Cases;
use crate::engine::{Engine, Order, succeed, wait_until_done};
use crate::matrix::learn;
use crate::workloads::Workload;
use crate::world::{Kind, World};

/// Recordings that the profile is learned from.
const RECORDINGS: usize = 3;
/// Starts under it, with one execution each.
const STARTS: usize = 5;
/// The same when everything is asked for.
const MANY_STARTS: usize = 40;
/// `AF_UNIX`, `AF_INET` and `AF_INET6`.
const FAMILIES: [u64; 3] = [1, 2, 10];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let case = |kind: Kind| {
        let test = move |world: &World| nginx(world, kind);
        cases.trial(format!("observed::{}_nginx", kind.name()), test)
    };
    Kind::ALL.into_iter().map(case).collect()
}

fn nginx(world: &World, kind: Kind) -> Result<(), Stop> {
    let engine = world.engine(kind).map_err(Stop::Skip)?;
    let workload = Workload::named("nginx");
    let (words, user) = workload.order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new("observed");
    let order =
        Order { words: &words, user, no_new_privs: false, profile: None, parent: parent.name() };
    let directory = temporary_directory();
    let profile = directory.path().join("profile.json");
    derive(engine, &order, &profile)?;
    check(&profile)?;
    let order = Order { profile: Some(&profile), ..order };
    let starts = if world.given.whole { MANY_STARTS } else { STARTS };
    let mut failures = Vec::new();
    for _ in 0..starts {
        failures.extend(start_and_execute(engine, &order).err());
    }
    println!("{}: {} of {starts} starts", kind.name(), starts - failures.len());
    if failures.is_empty() { Ok(()) } else { Err(Stop::Fail(failures.join("\n"))) }
}

fn derive(engine: &dyn Engine, order: &Order, path: &Path) -> Result<(), String> {
    let learned: Vec<_> =
        (0..RECORDINGS).map(|_| learn(engine, order)).collect::<Result<_, _>>()?;
    let recordings =
        learned.iter().map(|outcome| outcome.directory().join("profile.recording.json"));
    let mut command = Command::new(tracer_program());
    command.arg("profile").args(recordings).arg("-o").arg(path);
    succeed(command.args(["--arguments=observed", "--default-action=kill-process"])).map(drop)
}

/// Sockets of the families that nginx and the C library make, and of no others.
fn check(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let profile: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let rules = profile["syscalls"].as_array().cloned().unwrap_or_default();
    let of_socket = rules.iter().filter(|rule| {
        let names = rule["names"].as_array().into_iter().flatten();
        rule["action"] == "SCMP_ACT_ALLOW" && names.into_iter().any(|name| name == "socket")
    });
    let mut families = BTreeSet::new();
    for rule in of_socket {
        let condition = &rule["args"][0];
        let family = if condition["op"] == "SCMP_CMP_MASKED_EQ" { "valueTwo" } else { "value" };
        if condition["index"] != 0 {
            return Err(format!("a rule of socket looks at no family: {rule}"));
        }
        families.extend(condition[family].as_u64());
    }
    println!("families of sockets: {families:?}");
    if families.is_subset(&FAMILIES.into()) && families.contains(&1) && families.contains(&2) {
        Ok(())
    } else {
        Err(format!("families of sockets: {families:?}\n{text}"))
    }
}

fn start_and_execute(engine: &dyn Engine, order: &Order) -> Result<(), String> {
    let container = engine.start(order)?;
    wait_until_done(&*container)?;
    container.exec(None, &["/worker", "probe"]).map(drop)
}
