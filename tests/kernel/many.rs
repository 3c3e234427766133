//! `--all-containers` and directories: a profile for each, of what it did and nothing else.

use std::fs;
use std::path::Path;

use tests::{
    Cgroup, HARMLESS, Running, Tracer, call_in, file_names, ground_truth, temporary_directory,
};
use tracer::recording::Recording;

tests::trials! {
    hundreds_of_containers_get_a_profile_each,
    a_late_container_is_no_loss_of_another,
    a_late_container_that_was_named_is_incomplete,
    targets_get_a_profile_each_in_a_directory,
    a_directory_is_named_for_what_has_many_profiles,
}

/// Containers that are made, each in a cgroup of its own.
const CONTAINERS: usize = 300;

/// A container's id that no other test uses.
fn container_id(label: usize) -> String {
    format!("{:08x}{label:08x}", std::process::id()) + &"fedcba9876543210".repeat(3)
}

fn recording(directory: &Path, name: &str) -> Recording {
    let path = directory.join(format!("{name}.recording.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).expect("a recording")
}

fn hundreds_of_containers_get_a_profile_each() {
    let (above, results) = (Cgroup::new("many"), temporary_directory());
    let directory = results.path().join("profiles/");
    let tracing = Tracer::new().args(["--all-containers"]).out(&directory).start();
    let sibling = above.child("no-container");
    let ids: Vec<String> = (0..CONTAINERS).map(container_id).collect();
    for (turn, id) in ids.iter().enumerate() {
        let container = above.child(&format!("docker-{id}.scope"));
        call_in(&container, HARMLESS[turn % HARMLESS.len()].0);
        container.remove();
        call_in(&sibling, "fchmodat2");
    }
    let outcome = tracing.stop();
    // Containers of others may run on the machine, and be late.
    assert!(matches!(outcome.status.code(), Some(0 | 3)), "{}", outcome.stderr);
    for (turn, id) in ids.iter().enumerate() {
        let recording = recording(&directory, id);
        assert!(recording.complete, "{id}: {:?}", recording.incomplete_reasons);
        let [cgroup] = recording.cgroups.as_slice() else { panic!("{id}: one cgroup") };
        let made = [HARMLESS[turn % HARMLESS.len()].0, 231];
        let mut found: Vec<i32> = cgroup.calls.iter().map(|call| call.number).collect();
        found.sort_by_key(|number| *number == 231);
        assert_eq!(found, made, "{id}");
        assert!(directory.join(format!("{id}.json")).is_file());
    }
    let files = file_names(&directory);
    assert!(!files.iter().any(|name| name.contains("no-container")), "{files:?}");
    assert!(!files.iter().any(|name| name.ends_with(".partial")), "{files:?}");
}

/// Containers of that many in which a process waits.
fn idle_containers(above: &Cgroup, ids: &[String]) -> Vec<(Cgroup, Running)> {
    let start = |id: &String| {
        let container = above.child(&format!("docker-{id}.scope"));
        let mut process = Running::start(&mut ground_truth([
            container.hop(),
            "say:ready".to_owned(),
            "pause".to_owned(),
        ]));
        process.wait_for_line("ready");
        (container, process)
    };
    ids.iter().map(start).collect()
}

fn a_late_container_is_no_loss_of_another() {
    let (above, results) = (Cgroup::new("late-others"), temporary_directory());
    let directory = results.path().join("profiles/");
    let ids: Vec<String> = (1000..1030).map(container_id).collect();
    let idle = idle_containers(&above, &ids);
    let tracing = Tracer::new().args(["--all-containers"]).out(&directory).start();
    let id = container_id(1100);
    let container = above.child(&format!("docker-{id}.scope"));
    call_in(&container, HARMLESS[0].0);
    container.remove();
    let outcome = tracing.stop();
    let found = recording(&directory, &id);
    assert!(found.complete, "{:?}", found.incomplete_reasons);
    assert_eq!(found.late_starts, [""; 0]);
    let files = file_names(&directory);
    assert!(!ids.iter().any(|id| files.iter().any(|name| name.contains(id))), "{files:?}");
    // Others may be late as well, so that the count is not known.
    let messages = outcome.stderr.lines().filter(|line| line.starts_with("late: "));
    assert_eq!(messages.count(), 1, "{}", outcome.stderr);
    assert!(files.contains(&format!("{id}.json")), "{files:?}");
    drop(idle);
}

fn a_late_container_that_was_named_is_incomplete() {
    let (above, results) = (Cgroup::new("late-named"), temporary_directory());
    let directory = results.path().join("profiles/");
    let ids: Vec<String> = (1200..1202).map(container_id).collect();
    let idle = idle_containers(&above, &ids);
    let id = container_id(1300);
    let targets = ids.iter().chain([&id]).flat_map(|id| ["--cgroup", id]);
    let tracing = Tracer::new().args(["--wait"]).args(targets).out(&directory).start();
    let container = above.child(&format!("docker-{id}.scope"));
    call_in(&container, HARMLESS[0].0);
    container.remove();
    let outcome = tracing.stop().exits(3);
    assert!(recording(&directory, &id).complete, "{}", outcome.stderr);
    let once = "incomplete: late start: 2 containers or targets ran before tracing began";
    assert_eq!(outcome.stderr.matches("late start: ").count(), 1, "{}", outcome.stderr);
    outcome.says(&[once, "calls, complete", &format!("no profile of {}", ids[0])]);
    drop(idle);
}

fn targets_get_a_profile_each_in_a_directory() {
    let [one, two] = ["directory-one", "directory-two"].map(Cgroup::new);
    let results = temporary_directory();
    let directory = results.path().join("profiles");
    fs::create_dir(&directory).expect("made");
    let tracing = Tracer::new().cgroup(&one).cgroup(&two).out(&directory).start();
    call_in(&one, "getpid");
    call_in(&two, "getuid");
    tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    for (cgroup, number) in [(&one, 39), (&two, 102)] {
        let recording = recording(&directory, cgroup.name().trim_start_matches('/'));
        let found: Vec<i32> =
            recording.cgroups.iter().flat_map(|one| &one.calls).map(|call| call.number).collect();
        assert_eq!(found, [number, 231]);
    }
}

fn a_directory_is_named_for_what_has_many_profiles() {
    let refused = |arguments: &[&str], part: &str| {
        let outcome = Tracer::new().args(arguments).run().exits(2);
        outcome.says(&[part]).writes_nothing();
    };
    refused(&["--all-containers"], "--out profiles/");
    refused(&["--cgroup", "/", "--per-container", "--install-localhost", "x.json"], "one profile");
    let printed = Tracer::new().args(["--cgroup", "/", "--per-container"]).out("-").run().exits(2);
    printed.says(&["--out profile.json"]).writes_nothing();
}
