//! Learned under a filter that refuses calls, started under a profile that kills: what was refused
//! fails as it did.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tests::{Cgroup, Outcome, Stop, Tracer, Tracing, temporary_directory, tracer_program};

use crate::cases::Cases;
use crate::engine::{Container, Engine, Order, wait_until_done};
use crate::workloads::Workload;
use crate::world::{Kind, World};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let trial = |kind: Kind| {
        let test = move |world: &World| redis_lives_without_clone3(world, kind);
        cases.trial(format!("refused::{}_redis_clone3", kind.name()), test)
    };
    Kind::ALL.into_iter().map(trial).collect()
}

/// As Docker's default profile: clone3, whose arguments no filter sees, is missing, and calls for
/// administrators are not permitted.
fn filter() -> Value {
    let administrators =
        ["bpf", "get_mempolicy", "mount", "ptrace", "reboot", "set_mempolicy", "unshare"];
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
            { "names": administrators, "action": "SCMP_ACT_ERRNO", "errnoRet": 1 },
        ],
    })
}

fn redis_lives_without_clone3(world: &World, kind: Kind) -> Result<(), Stop> {
    let engine = world.engine(kind).map_err(Stop::Skip)?;
    let (words, user) = Workload::named("redis").order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new("refused");
    let directory = temporary_directory();
    let [filter_file, killing, unanswered] =
        ["filter.json", "killing.json", "unanswered.json"].map(|name| directory.path().join(name));
    fs::write(&filter_file, filter().to_string()).expect("the filter is written");
    let order = Order {
        words: &words,
        user,
        no_new_privs: false,
        profile: Some(&filter_file),
        parent: parent.name(),
    };
    let learned = learn(engine, &order)?;
    derive(&learned, &killing)?;
    for no_new_privs in [false, true] {
        start(engine, &Order { no_new_privs, profile: Some(&killing), ..order })?;
    }
    if kind != Kind::Runc {
        return Ok(());
    }
    take_answers_out(&killing, &unanswered);
    // Without the answers it is killed.
    let tracing = watch(&order, &unanswered);
    let container = engine.start(&Order { profile: Some(&unanswered), ..order })?;
    tracing.wait_for_message("denied: clone3(");
    drop(container);
    tracing.stop().exits(4).says(&["hint: no filter sees the flags of clone3"]);
    verify(engine, &order, &killing)
}

/// Records one start with what is denied, and a program executed in the container.
fn learn(engine: &dyn Engine, order: &Order) -> Result<Outcome, String> {
    let tracing = Tracer::new().args(["-v", "--cgroup", order.parent, "--denied"]).start();
    drop(start(engine, order)?);
    let learned = tracing.stop().exits(0).says(&["  clone3({flags=", ") = ENOSYS"]);
    assert!(!learned.allowed().iter().any(|name| name == "clone3"), "it was denied");
    // What is allowed, and the answer to clone3.
    assert_eq!(plain(&learned.profile()).len(), 2);
    Ok(learned)
}

fn derive(learned: &Outcome, out: &Path) -> Result<(), String> {
    let recording: PathBuf = learned.directory().join("profile.recording.json");
    let mut command = Command::new(tracer_program());
    command.args(["profile", "-v"]).arg(recording).arg("-o").arg(out);
    let output = command.arg("--default-action=kill-process").output().expect("tracer is started");
    let said = String::from_utf8_lossy(&output.stderr);
    let message = "under the profile they fail with the same error, and do not end the caller: clone3 (ENOSYS)";
    if !output.status.success() || !said.contains(message) || said.contains("--include-denied") {
        return Err(format!("{}: {said}", output.status));
    }
    let text = fs::read_to_string(out).expect("the profile is written");
    let profile: Value = serde_json::from_str(&text).expect("JSON");
    let expected = json!({
        "names": ["clone3", "fsconfig", "fsmount", "fsopen", "open_tree"],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": 38,
    });
    if plain(&profile)[1] == expected { Ok(()) } else { Err(text) }
}

/// The rules that do not look at arguments.
fn plain(profile: &Value) -> Vec<Value> {
    let rules = profile["syscalls"].as_array().expect("rules").iter();
    rules.filter(|rule| rule.get("args").is_none()).cloned().collect()
}

fn take_answers_out(profile: &Path, out: &Path) {
    let text = fs::read_to_string(profile).expect("the profile can be read");
    let mut profile: Value = serde_json::from_str(&text).expect("JSON");
    let rules = profile["syscalls"].as_array_mut().expect("rules");
    rules.retain(|rule| rule["action"] == "SCMP_ACT_ALLOW");
    fs::write(out, profile.to_string()).expect("written");
}

/// Starts the workload, waits until its work is done, and executes a program in it.
fn start<'a>(engine: &'a dyn Engine, order: &Order) -> Result<Box<dyn Container + 'a>, String> {
    let container = engine.start(order)?;
    wait_until_done(&*container)?;
    container.exec(None, &["/worker", "probe"])?;
    Ok(container)
}

fn watch(order: &Order, profile: &Path) -> Tracing {
    let tracer = Tracer::new().without_out().args(["verify".as_ref(), profile.as_os_str()]);
    let tracing = tracer.args(["-v", "--cgroup", order.parent]).spawn();
    tracing.wait_for_message("verifying");
    tracing
}

/// What the profile answers is reported, and no denial that anything should be done about.
fn verify(engine: &dyn Engine, order: &Order, profile: &Path) -> Result<(), Stop> {
    let tracing = watch(order, profile);
    drop(start(engine, &Order { profile: Some(profile), ..*order })?);
    tracing.stop().exits(0).says(&[
        "refused: ",
        "  clone3({flags=",
        ") = ENOSYS",
        "as the profile says",
        "nothing else was denied",
    ]);
    Ok(())
}
