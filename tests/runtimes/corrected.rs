//! Faulty profiles, as people write them: containers do not start with them, and do with the files
//! that `tracer lint --fix` makes of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::{Value, json};
use tests::{
    BOUND, Cgroup, Stop, file_names, holds_within, succeed, temporary_directory, tracer_program,
};

use crate::cases::Cases;
use crate::engine::{Engine, Order};
use crate::world::{Kind, World};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = Vec::new();
    for kind in [Kind::Runc, Kind::Crun] {
        let name = |what: &str| format!("corrected::{}_{what}", kind.name());
        trials.push(cases.trial(name("faults"), move |world| correct(world, kind, &faults())));
        trials
            .push(cases.trial(name("old_forms"), move |world| correct(world, kind, &old_forms())));
    }
    trials
}

/// A profile with a fault.
struct Faulty {
    name: String,
    text: String,
    /// The option that corrects it.
    fix: &'static str,
    /// What is wrong keeps a container from starting.
    keeps_from_starting: bool,
}

fn faulty(name: &str, text: &str, keeps_from_starting: bool) -> Faulty {
    Faulty { name: name.into(), text: text.into(), fix: "--fix=all", keeps_from_starting }
}

/// Faults of tutorials: one each, and the three profiles of one tutorial with all of theirs.
fn faults() -> Vec<Faulty> {
    let calls = ["accept4", "access", "read", "write", "exit", "exit_group", "mmap", "openat"];
    let rule = json!({ "names": calls, "action": "SCMP_ACT_ALLOW" });
    let profile = |default: &str, architectures: Value, rules: Value| {
        let (action, architectures) = (format!("SCMP_ACT_{default}"), architectures);
        json!({ "defaultAction": action, "architectures": architectures, "syscalls": rules })
            .to_string()
    };
    let native = || json!(["SCMP_ARCH_X86_64"]);
    let by_name = |action: Option<&str>| {
        let rules = calls.map(|name| match action {
            Some(action) => json!({ "name": name, "action": action }),
            None => json!({ "name": name }),
        });
        json!(rules)
    };
    let allowed = by_name(Some("SCMP_ACT_ALLOW"));
    let without_action = json!([{ "names": calls }]);
    let go = json!(["amd64", "x86_64"]);
    let comments = format!(
        "## custom.json\n{{ // few calls\n\"defaultAction\": \"SCMP_ACT_ERRNO\",\n\"syscalls\": [{rule},\n// more\n]}}\n"
    );
    vec![
        faulty("architectures of Go", &profile("ERRNO", go.clone(), json!([rule])), true),
        faulty("a rule for each name", &profile("ERRNO", native(), allowed.clone()), true),
        faulty("rules without an action", &profile("ERRNO", native(), without_action), true),
        faulty("a default that allows", &profile("ALLOW", native(), json!([rule])), false),
        faulty("comments", &comments, true),
        faulty("few calls", &profile("ERRNO", native(), json!([rule])), true),
        faulty("basic", &profile("ALLOW", go.clone(), allowed.clone()), true),
        faulty("filter", &profile("ALLOW", json!(["amd64"]), by_name(None)), true),
        faulty("custom", &format!("## custom.json\n{}", profile("ALLOW", go, allowed)), true),
    ]
}

/// The learned examples, each in the forms that Chrome, Docker before 1.12 and Podman have.
fn old_forms() -> Vec<Faulty> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles/learned");
    let mut forms = Vec::new();
    for file in file_names(&directory) {
        let text = fs::read_to_string(directory.join(&file)).expect("the example");
        let learned: Value = serde_json::from_str(&text).expect("it is JSON");
        for (form, fix, old) in [
            ("Chrome", "--fix", a_rule_for_each(&learned, &Value::Null)),
            ("Docker", "--fix", a_rule_for_each(&learned, &json!([]))),
            ("Podman", "--fix=all", as_podmans(&learned)),
        ] {
            forms.push(Faulty {
                name: format!("{form}: {file}"),
                text: serde_json::to_string_pretty(&old).expect("it is JSON"),
                fix,
                keeps_from_starting: form != "Podman",
            });
        }
    }
    assert!(forms.len() >= 10, "{}", forms.len());
    forms
}

/// One rule for each call, by `name`; `none` stands where there are no conditions.
fn a_rule_for_each(learned: &Value, none: &Value) -> Value {
    let mut old = learned.clone();
    let rules = learned["syscalls"].as_array().expect("rules").iter().flat_map(|rule| {
        let names = rule["names"].as_array().expect("names");
        names.iter().map(move |name| {
            let mut rule = rule.clone();
            let fields = rule.as_object_mut().expect("an object");
            fields.remove("names");
            fields.insert("name".into(), name.clone());
            fields.entry("args").or_insert_with(|| none.clone());
            rule
        })
    });
    old["syscalls"] = rules.collect();
    old
}

/// A map of architectures, errors by name, and conditions that exclude nothing.
fn as_podmans(learned: &Value) -> Value {
    let mut old = learned.clone();
    let fields = old.as_object_mut().expect("an object");
    fields.remove("architectures");
    fields.insert("defaultErrno".into(), json!("ENOSYS"));
    let map = json!([{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [] }]);
    fields.insert("archMap".into(), map);
    for rule in old["syscalls"].as_array_mut().expect("rules") {
        rule["comment"] = json!("");
        rule["includes"] = json!({ "arches": ["amd64"] });
        rule["excludes"] = json!({});
        if rule["errnoRet"] == 38 {
            rule["errno"] = json!("ENOSYS");
        }
    }
    old
}

fn correct(world: &World, kind: Kind, profiles: &[Faulty]) -> Result<(), Stop> {
    let engine = world.runtime(kind).map_err(Stop::Skip)?;
    let above = Cgroup::new("corrected");
    let directory = temporary_directory();
    for (at, faulty) in profiles.iter().enumerate() {
        let path = directory.path().join(format!("{at}.json"));
        fs::write(&path, &faulty.text).expect("the profile is written");
        let is_json = serde_json::from_str::<Value>(&faulty.text).is_ok();
        if is_json && faulty.keeps_from_starting {
            assert!(started(engine, &path, &above).is_err(), "it starts: {}", faulty.name);
        }
        lint(&path, &[faulty.fix])?;
        started(engine, &path, &above)
            .map_err(|error| format!("{}: {error}\n{}", faulty.name, read(&path)))?;
        lint(&path, &["--fail-on", "error"])?;
    }
    Ok(())
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn lint(path: &Path, options: &[&str]) -> Result<(), String> {
    succeed(Command::new(tracer_program()).arg("lint").args(options).arg(path)).map(drop)
}

/// Starts a container whose program writes a line.
fn started(engine: &dyn Engine, profile: &Path, above: &Cgroup) -> Result<(), String> {
    let order = Order {
        words: &["/program", "say:started"],
        user: 0,
        no_new_privs: true,
        profile: Some(profile),
        parent: above.name(),
    };
    let container = engine.start(&order)?;
    let says = || container.output().lines().any(|line| line == "started");
    holds_within(BOUND, || says() || !container.is_running());
    if says() { Ok(()) } else { Err(format!("it said: {}", container.output())) }
}
