//! The examples in `profiles/learned/`: the checked-in files start their workloads. `BLESS=1`
//! records them anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tests::{Cgroup, temporary_directory, tracer_program};

use crate::cases::Cases;
use crate::counter::learning_profile;
use crate::engine::{Engine, Order, succeed, wait_until_done};
use crate::matrix::{SET_UP, enforce, learn};
use crate::workloads::Workload;
use crate::world::{Kind, World};
use tests::Stop;

/// A workload and its file.
const EXAMPLES: [(&str, &str); 4] = [
    ("nginx", "nginx.json"),
    ("redis", "redis.json"),
    ("python", "python3.json"),
    ("postgres", "postgres.json"),
];
/// What no example may hold, besides the calls that make containers.
const DANGEROUS: [&str; 7] =
    ["ptrace", "bpf", "init_module", "open_by_handle_at", "move_mount", "open_tree", "reboot"];
/// `socket(AF_VSOCK)`, `socket(AF_ALG)` and `clone(CLONE_NEWUSER)`.
const BEYOND: [&str; 3] = ["vsock", "alg", "user-namespace"];
/// EPERM and ENOSYS.
const REFUSALS: [&str; 2] = ["1", "38"];
/// Recordings that an example is made of: what threads do differs from run to run.
const RECORDINGS: usize = 3;

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let trial = |(workload, file)| {
        let test = move |world: &World| serves(world, Workload::named(workload), file);
        cases.trial(format!("learned::{workload}"), test)
    };
    EXAMPLES.into_iter().map(trial).collect()
}

fn serves(world: &World, workload: Workload, file: &str) -> Result<(), Stop> {
    let (words, user) = workload.order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new("learned");
    let order =
        Order { words: &words, user, no_new_privs: false, profile: None, parent: parent.name() };
    let path = directory().join(file);
    if env::var_os("BLESS").is_some() {
        write(world, &order, &path)?;
    }
    let text =
        fs::read_to_string(&path).map_err(|error| format!("{file}: {error}; BLESS=1 writes it"))?;
    let allowed = check(&text).map_err(|story| format!("{file}: {story}"))?;
    for kind in [Kind::Runc, Kind::Crun] {
        let engine = world.engine(kind).map_err(Stop::Skip)?;
        for no_new_privs in [false, true] {
            let order = Order { no_new_privs, profile: Some(&path), ..order };
            enforce(engine, &order, &allowed)
                .map_err(|story| format!("{file} under {}: {story}", kind.name()))?;
        }
    }
    for kind in [Kind::Runc, Kind::Crun, Kind::PodmanCrun, Kind::Docker] {
        let engine = world.engine(kind).map_err(Stop::Skip)?;
        let order = Order { profile: Some(&path), ..order };
        refuses_what_the_default_does(engine, &order)
            .map_err(|story| format!("{file} under {}: {story}", kind.name()))?;
    }
    Ok(())
}

/// What Docker's default refuses by an argument, though the call is allowed: the profile refuses it
/// as well.
fn refuses_what_the_default_does(engine: &dyn Engine, order: &Order) -> Result<(), String> {
    let container = engine.start(order)?;
    wait_until_done(&*container)?;
    let said = container.exec(None, &[&["/worker", "probe"], &BEYOND[..]].concat())?;
    for call in BEYOND {
        let answer = said.lines().find_map(|line| line.strip_prefix(call)?.strip_prefix(' '));
        if !answer.is_some_and(|answer| REFUSALS.contains(&answer)) {
            return Err(format!("{call} gave {answer:?}"));
        }
    }
    println!("{}", said.replace('\n', ", "));
    Ok(())
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("profiles").join("learned")
}

/// Records starts under runc, and lets tracer derive the profile of all of them with its default
/// choices.
fn write(world: &World, order: &Order, path: &Path) -> Result<(), Stop> {
    let engine = world.engine(Kind::Runc).map_err(Stop::Skip)?;
    let profile = learning_profile();
    let order = Order { profile: Some(&profile), ..*order };
    let learned: Vec<_> =
        (0..RECORDINGS).map(|_| learn(engine, &order)).collect::<Result<_, _>>()?;
    let recordings =
        learned.iter().map(|outcome| outcome.directory().join("profile.recording.json"));
    let made = temporary_directory();
    let out = made.path().join("profile.json");
    let mut command = Command::new(tracer_program());
    succeed(command.arg("profile").args(recordings).arg("-o").arg(&out))?;
    fs::copy(&out, path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(())
}

/// The names that the profile allows, if it has the form that all consumers read and is as narrow
/// as it should be.
fn check(text: &str) -> Result<Vec<String>, String> {
    let profile: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let rules = profile["syscalls"].as_array().cloned().unwrap_or_default();
    let names = &profile["syscalls"][0]["names"];
    let mut expected = vec![json!({ "names": names, "action": "SCMP_ACT_ALLOW" })];
    let limited = rules.len().saturating_sub(2);
    expected.extend(rules.iter().skip(1).take(limited).map(|rule| {
        let args = &rule["args"];
        let args = json!([{ "index": args[0]["index"], "value": args[0]["value"],
            "valueTwo": args[0]["valueTwo"], "op": "SCMP_CMP_MASKED_EQ" }]);
        json!({ "names": [rule["names"][0]], "action": "SCMP_ACT_ALLOW", "args": args })
    }));
    // C libraries take clone in its place.
    expected.push(json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 }));
    let expected = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": expected,
    });
    if profile != expected {
        return Err(format!("not in the shared form: {text}"));
    }
    let plain: Vec<String> =
        serde_json::from_value(names.clone()).map_err(|error| error.to_string())?;
    if !plain.is_sorted() || plain.iter().collect::<BTreeSet<_>>().len() != plain.len() {
        return Err("the names are not sorted, or not unique".into());
    }
    let names = tests::allowed(&profile);
    let held = |name: &&str| names.iter().any(|held| held == name);
    let held: Vec<_> = SET_UP.into_iter().chain(DANGEROUS).filter(held).collect();
    if held.is_empty() { Ok(names) } else { Err(format!("holds {held:?}")) }
}
