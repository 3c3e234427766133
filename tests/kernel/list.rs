//! `tracer list`: what runs in cgroups that a runtime, Kubernetes or systemd named.

use serde_json::Value;
use tests::{Cgroup, Finished, Running, Tracer, ground_truth, tracer_program};

tests::trials! {
    a_container_is_listed_once_with_its_processes_and_filters,
    the_filters_of_a_pod_are_those_of_its_containers,
    a_name_with_escape_characters_does_not_reach_the_terminal,
    what_is_listed_can_be_typed_as_a_target,
}

/// Runs `tracer list` with some options.
fn list(options: &[&str]) -> Finished {
    let mut command = std::process::Command::new(tracer_program());
    let finished = Running::start(command.arg("list").args(options)).finish();
    assert!(finished.status.success(), "{finished:?}");
    finished
}

/// The entries of one cgroup.
fn entries(path: &str) -> Vec<Value> {
    let output = list(&["--json"]).stdout;
    let all: Value = serde_json::from_slice(&output).expect("JSON");
    tests::schema::check("list", &all);
    let all: Vec<Value> = serde_json::from_value(all).expect("a list");
    all.into_iter().filter(|entry| entry["cgroup"] == path).collect()
}

/// A process that stays in a cgroup until its standard input is closed.
fn resident(cgroup: &Cgroup, steps: &[&str]) -> Running {
    let mut all = vec![cgroup.hop()];
    all.extend(steps.iter().map(|step| (*step).to_owned()));
    all.push("say:there".to_owned());
    all.push("barrier".to_owned());
    let mut process = Running::start(&mut ground_truth(all));
    process.wait_for_line("there");
    process
}

fn a_container_is_listed_once_with_its_processes_and_filters() {
    let above = Cgroup::new("list");
    let id = format!("{:08x}", std::process::id()) + &"fedcba9876543210".repeat(4)[..56];
    let container = above.child(&format!("libpod-{id}.scope"));
    let inner = container.child("inner");
    assert!(entries(container.name()).is_empty(), "nothing runs in it");
    let first = resident(&container, &["allow-all", "allow-all"]);
    let second = resident(&inner, &[]);
    let found = entries(container.name());
    assert_eq!(found.len(), 1, "{found:?}");
    let entry = &found[0];
    assert_eq!(entry["kind"], "container");
    assert_eq!(entry["name"], *id);
    assert_eq!(entry["runtime"], "podman");
    assert_eq!(entry["processes"], 2);
    assert_eq!(entry["seccomp"]["filters"], 2, "{entry}");
    assert!(entries(inner.name()).is_empty(), "what is below belongs to it");
    let table = String::from_utf8_lossy(&list(&[]).stdout).into_owned();
    let lines: Vec<&str> = table.lines().filter(|line| line.contains(container.name())).collect();
    assert_eq!(lines.len(), 1, "{table}");
    assert!(lines[0].contains("2 filters") && lines[0].contains(&id[..12]), "{table}");
    for mut process in [first, second] {
        process.close_stdin();
        process.finish();
    }
    container.wait_until_empty();
    inner.wait_until_empty();
    drop(inner);
    drop(container);
}

fn the_filters_of_a_pod_are_those_of_its_containers() {
    let above = Cgroup::new("list-pod");
    let pod = above.child(&format!("pod{:08x}-e89b-12d3-a456-0000000c0de5", std::process::id()));
    let id = |digit: &str| format!("{:08x}", std::process::id()) + &digit.repeat(56);
    let containers = ["1", "2"].map(|digit| pod.child(&id(digit)));
    let first = resident(&containers[0], &["allow-all"]);
    assert_eq!(entries(pod.name())[0]["seccomp"]["filters"], 1);
    let second = resident(&containers[1], &[]);
    assert_eq!(entries(pod.name())[0]["seccomp"], "mixed");
    for mut process in [first, second] {
        process.close_stdin();
        assert!(process.finish().status.success());
    }
}

fn a_name_with_escape_characters_does_not_reach_the_terminal() {
    let above = Cgroup::new("list-names");
    let id = format!("{:08x}", std::process::id()) + &"fedcba9876543210".repeat(4)[..56];
    let odd = above.child("\u{1b}[2J");
    let container = odd.child(&format!("docker-{id}.scope"));
    let mut process = resident(&container, &[]);
    let table = list(&[]).stdout;
    assert!(!table.contains(&0x1b), "{}", String::from_utf8_lossy(&table));
    process.close_stdin();
    process.finish();
    container.wait_until_empty();
    drop(container);
    drop(odd);
}

/// Names with systemd's escapes among them, as the table and the messages show them.
fn what_is_listed_can_be_typed_as_a_target() {
    let process = std::process::id();
    let slice = Cgroup::at(format!("/tracer\\x2dtests\\x2d{process}.slice"));
    let unit = slice.child(&format!("a\\x2d{process}b.service"));
    let inner = unit.child("deep.service");
    let mut processes = [resident(&unit, &[]), resident(&inner, &[])];
    let table = String::from_utf8_lossy(&list(&[]).stdout).into_owned();
    for cgroup in [&unit, &inner] {
        let lines: Vec<&str> = table.lines().filter(|line| line.ends_with(cgroup.name())).collect();
        let [line] = lines.as_slice() else { panic!("{} in {table}", cgroup.name()) };
        let words: Vec<&str> = line.split_whitespace().collect();
        for name in [words[1], words[words.len() - 1]] {
            let tracing = Tracer::new().args(["--accept-late-start", "--cgroup", name]).start();
            assert!(tracing.process.stderr().contains(name), "{}", tracing.process.stderr());
            Running::start(&mut ground_truth([cgroup.hop(), "x86_64:getpid".to_owned()])).finish();
            let recording = tracing.stop().exits(0).recording();
            assert_eq!(recording.targets[0].name, name);
            assert!(recording.cgroups.iter().any(|one| one.path == cgroup.name()), "{recording:?}");
        }
    }
    let missing = unit.name().replace("b.service", "c.service");
    let outcome = Tracer::new().args(["--cgroup", &missing]).run().exits(1);
    outcome.says(&[
        &format!("there is no cgroup {missing}: "),
        unit.name().rsplit('/').next().expect("a name"),
    ]);
    for process in &mut processes {
        process.close_stdin();
    }
    for process in processes {
        process.finish();
    }
    for cgroup in [&inner, &unit] {
        cgroup.wait_until_empty();
    }
    drop(inner);
    drop(unit);
}
