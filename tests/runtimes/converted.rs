//! Profiles that went through the form of another tool and back: a container starts under what
//! comes back, and what was not learned is refused as before.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;
use tests::{Cgroup, Stop, allowed, temporary_directory, tracer_program};

use crate::cases::Cases;
use crate::engine::{Order, succeed};
use crate::matrix::enforce;
use crate::workloads::Workload;
use crate::world::{Kind, World};

/// A form, the ending of its files, and what else is said to get it. A unit looks at no argument.
const FORMS: [(&str, &str, &[&str]); 2] =
    [("systemd", "conf", &["--conditional=allow"]), ("spo", "yaml", &[])];
/// What was learned, and of which workload.
const LEARNED: [(&str, &str); 2] = [("nginx", "nginx.json"), ("redis", "redis.json")];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun, Kind::Docker] {
        for form in FORMS {
            let name = format!("converted::{}_through_{}", kind.name(), form.0);
            trials.push(cases.trial(name, move |world| starts_again(world, kind, form)));
        }
    }
    trials
}

fn starts_again(
    world: &World,
    kind: Kind,
    (form, ending, more): (&str, &str, &[&str]),
) -> Result<(), Stop> {
    let engine = world.engine(kind).map_err(Stop::Skip)?;
    let parent = Cgroup::new("converted");
    let directory = temporary_directory();
    for (workload, file) in LEARNED {
        let path = |ending: &str| directory.path().join(format!("{workload}.{ending}"));
        let learned = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/learned").join(file);
        let (there, back) = (path(ending), path("json"));
        convert(&learned, form, &there, more)?;
        convert(&there, "docker", &back, &[])?;
        let text = fs::read_to_string(&back).expect("the profile is written");
        let profile: Value = serde_json::from_str(&text).expect("it is JSON");
        let (words, user) = Workload::named(workload).order(world.root()?).map_err(Stop::Skip)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        for no_new_privs in [false, true] {
            let order = Order {
                words: &words,
                user,
                no_new_privs,
                profile: Some(&back),
                parent: parent.name(),
            };
            enforce(engine, &order, &allowed(&profile))
                .map_err(|story| format!("{workload} through {form}: {story}\n{text}"))?;
        }
    }
    Ok(())
}

fn convert(file: &Path, form: &str, out: &Path, more: &[&str]) -> Result<(), String> {
    let mut command = Command::new(tracer_program());
    command.arg("convert").arg(file).args(["--to", form]).arg("--out").arg(out).args(more);
    succeed(&mut command).map(drop)
}
