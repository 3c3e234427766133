//! What a runtime says when one call is missing in the profile names that call: a sample of the
//! table, made afresh. `cargo xtask startup-errors --check` compares all of it.

use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::json;
use tests::{Cgroup, Stop, temporary_directory};
use tracer::profile::base::OciRuntime;
use tracer::workbench::startup_error::{Recognised, StartupFailure, recognise};

use crate::cases::Cases;
use crate::engine::{Engine, Order};
use crate::world::{Kind, World};

/// Calls without which no version starts a container.
const OF_RUNC: [&str; 3] = ["capset", "prctl", "setgroups"];
const OF_CRUN: [&str; 3] = ["capset", "setresgid", "setresuid"];
/// The default action, with its error number.
const ANSWERS: [(&str, Option<u32>); 3] =
    [("SCMP_ACT_ERRNO", Some(38)), ("SCMP_ACT_ERRNO", Some(1)), ("SCMP_ACT_KILL_PROCESS", None)];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let trial = |kind: Kind| {
        let name = format!("startup_errors::{}", kind.name());
        cases.trial(name, move |world| every_version(world, kind))
    };
    [Kind::Runc, Kind::Crun].map(trial).into()
}

fn every_version(world: &World, kind: Kind) -> Result<(), Stop> {
    sample(world.runtime(kind).map_err(Stop::Skip)?, kind)?;
    for release in world.given.releases.iter().filter(|release| release.kinds.contains(&kind)) {
        let version = release.version(kind);
        sample(release.engine(world, kind)?, kind)
            .map_err(|story| format!("{} {version}: {story}", kind.name()))?;
    }
    Ok(())
}

fn sample(engine: &dyn Engine, kind: Kind) -> Result<(), String> {
    let (runtime, calls) = match kind {
        Kind::Crun => (OciRuntime::Crun, OF_CRUN),
        _ => (OciRuntime::Runc, OF_RUNC),
    };
    let directory = temporary_directory();
    let profile = directory.path().join("profile.json");
    let parent = Cgroup::new("startup-errors");
    for call in calls {
        for (action, errno) in ANSWERS {
            write_without(runtime, call, action, errno, &profile);
            let order = Order {
                words: &["/worker", "idle"],
                user: 0,
                no_new_privs: false,
                profile: Some(&profile),
                parent: parent.name(),
            };
            let Err(said) = engine.start(&order) else {
                return Err(format!("it starts without {call} under {action}"));
            };
            let failure = said.lines().find_map(failure);
            let failure = failure.ok_or_else(|| format!("not recognised: {said}"))?;
            let named = failure.calls();
            let is_right = if errno.is_some() { named == [call] } else { named.contains(&call) };
            if !is_right {
                return Err(format!("without {call} under {action}: named {named:?}: {said}"));
            }
        }
    }
    Ok(())
}

fn failure(line: &str) -> Option<StartupFailure> {
    match recognise(line) {
        Some(Recognised::Failure(failure)) => Some(failure),
        _ => None,
    }
}

/// Writes the profile that allows what the runtime needs but one call.
fn write_without(runtime: OciRuntime, call: &str, action: &str, errno: Option<u32>, path: &Path) {
    let needed = runtime.base_set().calls.iter().map(|known| known.name.as_str());
    let names: Vec<_> = needed.filter(|name| *name != call).collect();
    let mut profile = json!({
        "defaultAction": action,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }],
    });
    if let Some(errno) = errno {
        profile["defaultErrnoRet"] = json!(errno);
    }
    fs::write(path, profile.to_string()).expect("the profile is written");
}
