//! Profiles that went through the form of another tool and back: a container starts under what
//! comes back, and what was not learned is refused as before.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use tests::{Cgroup, Stop, temporary_directory, tracer_program};

use crate::cases::Cases;
use crate::engine::{ENOSYS, Order, succeed};
use crate::world::{Kind, World};

/// A form, the ending of its files, and what else is said to get it. A unit looks at no argument.
const FORMS: [(&str, &str, &[&str]); 2] =
    [("systemd", "conf", &["--conditional=allow"]), ("spo", "yaml", &[])];
/// What was learned, and which of two calls it allows.
const LEARNED: [(&str, [(&str, bool); 2]); 2] = [
    ("nginx.json", [("symlink", false), ("mkdir", true)]),
    ("redis.json", [("symlink", false), ("mkdir", false)]),
];

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
    // An old Docker does not read the profile's own number; the operator's form has one in a rule.
    let refusal = if form == "spo" { ENOSYS } else { engine.refusal() };
    let parent = Cgroup::new("converted");
    let directory = temporary_directory();
    let [there, back] =
        [ending, "json"].map(|ending| directory.path().join(format!("web.{ending}")));
    for (file, expected) in LEARNED {
        let learned = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/learned").join(file);
        convert(&learned, form, &there, more)?;
        convert(&there, "docker", &back, &[])?;
        let order = Order {
            words: &["/worker", "idle"],
            user: 0,
            no_new_privs: false,
            profile: Some(&back),
            parent: parent.name(),
        };
        let container = engine.start(&order)?;
        let calls = expected.map(|(call, _)| call);
        let said = container.exec(None, &[&["/worker", "probe"], &calls[..]].concat())?;
        for (call, is_allowed) in expected {
            let answer = if is_allowed { 0 } else { refusal };
            let line = format!("{call} {answer}");
            assert!(said.lines().any(|said| said == line), "{file}: {line}: {said}");
        }
    }
    Ok(())
}

fn convert(file: &Path, form: &str, out: &Path, more: &[&str]) -> Result<(), String> {
    let mut command = Command::new(tracer_program());
    command.arg("convert").arg(file).args(["--to", form]).arg("--out").arg(out).args(more);
    succeed(&mut command).map(drop)
}
