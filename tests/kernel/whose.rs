//! Whose cgroup it is: a name that somebody else put on a cgroup adds nothing to a target, and
//! takes nothing from it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use tests::{
    Cgroup, Outcome, Running, Tracer, call_at, call_in, cgroup_mount, temporary_directory,
    tracer_program,
};
use tracer::recording::Recording;

tests::trials! {
    a_container_is_not_the_cgroup_that_a_user_named_after_it,
    a_container_is_not_the_cgroup_that_another_container_named_after_it,
    a_pod_is_not_the_cgroup_that_a_user_named_after_it,
    every_container_has_its_own_profile_whatever_users_name_theirs,
    a_users_own_container_is_found_by_its_id,
    a_container_that_exists_stays_the_one_that_was_found,
    two_cgroups_of_which_either_may_be_it_are_a_loss,
    a_start_that_a_user_made_up_covers_no_late_one,
    a_unit_is_the_system_managers_and_a_users_when_it_is_named,
}

/// `nobody`
const USER: u32 = 65534;
/// The call of the target, and the one that must be in no recording of it.
const OWN: i32 = 39;
const FOREIGN: i32 = 452;
const EXIT_GROUP: i32 = 231;

/// A container's id that no other test uses.
fn container_id(label: u32) -> String {
    format!("{:08x}{label:08x}", std::process::id()) + &"f0e1d2c3b4a59687".repeat(3)
}

fn pod_uid(label: u32) -> String {
    format!("{:08x}-e89b-12d3-a456-4266{label:08x}", std::process::id())
}

fn delegated(label: &str) -> Cgroup {
    Cgroup::delegated(label, USER)
}

fn made_by_user(tree: &Cgroup, name: &str) -> String {
    tree.child_of_user(USER, name)
}

fn numbers(recording: &Recording) -> BTreeSet<i32> {
    recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls).map(|call| call.number).collect()
}

/// Only the target's own calls were recorded, nothing was lost, and a message named the other
/// cgroup.
fn is_its_own(outcome: &Outcome, other: &str) {
    let recording = outcome.recording();
    assert_eq!(numbers(&recording), BTreeSet::from([OWN, EXIT_GROUP]), "{}", outcome.stderr);
    assert!(recording.complete, "{:?}", recording.incomplete_reasons);
    let allowed = outcome.allowed();
    assert!(!allowed.iter().any(|name| name == "fchmodat2"), "{allowed:?}");
    let warned = outcome.stderr.lines().any(|line| {
        line.starts_with("warning: ")
            && line.contains(other)
            && line.contains("is not recorded under it")
    });
    assert!(warned, "a message names {other}: {}", outcome.stderr);
}

/// The other one comes before the target, and after it.
fn a_container_is_not_the_cgroup_that_a_user_named_after_it() {
    for (label, user_first) in [(1, true), (2, false)] {
        let (above, tree) = (Cgroup::new("whose"), delegated("whose-user"));
        let id = container_id(label);
        let name = format!("docker-{id}.scope");
        let tracing = Tracer::new().args(["--wait", "--cgroup", &id]).start();
        let users = || {
            let path = made_by_user(&tree, &id);
            call_at(&path, FOREIGN);
        };
        if user_first {
            users();
        }
        call_in(&above.child(&name), OWN);
        if !user_first {
            users();
        }
        is_its_own(&tracing.stop().exits(0), tree.name());
    }
}

fn a_container_is_not_the_cgroup_that_another_container_named_after_it() {
    let (above, elsewhere) = (Cgroup::new("whose-inner"), Cgroup::new("whose-outer"));
    let id = container_id(3);
    let outer = elsewhere.child(&container_id(4));
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id]).start();
    let inner = outer.child(&id);
    call_in(&inner, FOREIGN);
    call_in(&above.child(&id), OWN);
    is_its_own(&tracing.stop().exits(0), inner.name());
    drop(inner);
}

fn a_pod_is_not_the_cgroup_that_a_user_named_after_it() {
    let (above, tree) = (Cgroup::new("whose-pod"), delegated("whose-pod-user"));
    let name = format!("pod{}", pod_uid(1));
    let tracing = Tracer::new().args(["--wait", "--cgroup", &pod_uid(1)]).start();
    let users = made_by_user(&tree, &name);
    call_at(&users, FOREIGN);
    let pod = above.child(&name);
    call_in(&pod.child(&container_id(5)), OWN);
    is_its_own(&tracing.stop().exits(0), &users);
    drop(pod);
}

/// Reads a recording of a directory; None when there is none of that name.
fn in_directory(directory: &Path, name: &str) -> Option<Recording> {
    let text = fs::read_to_string(directory.join(format!("{name}.recording.json"))).ok()?;
    Some(serde_json::from_str(&text).expect("a recording"))
}

fn every_container_has_its_own_profile_whatever_users_name_theirs() {
    let (above, tree, results) =
        (Cgroup::new("whose-all"), delegated("whose-all-user"), temporary_directory());
    let (victim, outer, users) = (container_id(6), container_id(7), container_id(8));
    let directory = results.path().join("profiles/");
    let tracing = Tracer::new().args(["--all-containers"]).out(&directory).start();
    for path in [made_by_user(&tree, &victim), made_by_user(&tree, &users)] {
        call_at(&path, FOREIGN);
    }
    let container = above.child(&outer);
    let inner = container.child(&victim);
    call_in(&inner, FOREIGN);
    call_in(&above.child(&victim), OWN);
    let outcome = tracing.stop();
    // Containers of others may run on the machine, and be late.
    assert!(matches!(outcome.status.code(), Some(0 | 3)), "{}", outcome.stderr);
    let found = |name: &str| {
        let recording =
            in_directory(&directory, name).unwrap_or_else(|| panic!("{}", outcome.stderr));
        assert!(recording.complete, "{name}: {:?}", recording.incomplete_reasons);
        let paths: Vec<String> =
            recording.cgroups.iter().map(|cgroup| cgroup.path.clone()).collect();
        (paths, numbers(&recording))
    };
    let of = |call| BTreeSet::from([call, EXIT_GROUP]);
    assert_eq!(found(&victim), (vec![format!("{}/{victim}", above.name())], of(OWN)));
    assert_eq!(found(&outer), (vec![inner.name().to_owned()], of(FOREIGN)), "the outer one's");
    assert_eq!(found(&users), (vec![format!("{}/{users}", tree.name())], of(FOREIGN)));
    drop(inner);
}

/// As that of a rootless runtime is.
fn a_users_own_container_is_found_by_its_id() {
    let tree = delegated("whose-own");
    let id = container_id(9);
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id]).start();
    let path = made_by_user(&tree, &format!("libpod-{id}.scope"));
    call_at(&path, OWN);
    let outcome = tracing.stop().exits(0);
    outcome.says(&[&format!("{id} is {path} (in a tree of user {USER})")]);
}

fn a_container_that_exists_stays_the_one_that_was_found() {
    let (above, tree) = (Cgroup::new("whose-found"), delegated("whose-found-user"));
    let id = container_id(10);
    let container = above.child(&id);
    // A cgroup of the same name is there before: it makes the name no less clear.
    let users = made_by_user(&tree, &id);
    let tracing = Tracer::new().args(["--cgroup", &id]).start();
    call_at(&users, FOREIGN);
    call_in(&container, OWN);
    let outcome = tracing.stop().exits(0);
    assert_eq!(numbers(&outcome.recording()), BTreeSet::from([OWN, EXIT_GROUP]));
    outcome.says(&[&format!("{id} is {}", container.name())]);
}

fn two_cgroups_of_which_either_may_be_it_are_a_loss() {
    let [one, two, sure] = ["whose-one", "whose-two", "whose-sure"].map(Cgroup::new);
    let id = container_id(11);
    let tracer = Tracer::new().cgroup(&sure).args(["--wait", "--cgroup", &id]);
    let tracing = tracer.start();
    let paths = [one.child(&id), two.child(&id)];
    for path in &paths {
        call_in(path, FOREIGN);
    }
    call_in(&sure, OWN);
    let outcome = tracing.stop().exits(3);
    let recording = outcome.recording();
    assert_eq!(recording.losses.contested, 1, "{:?}", recording.losses);
    assert_eq!(recording.contested, [paths[0].name(), paths[1].name()]);
    assert_eq!(numbers(&recording), BTreeSet::from([OWN, EXIT_GROUP]), "neither is taken");
    outcome.says(&[paths[0].name(), paths[1].name(), "and none for certain", "hint:"]);
    drop(paths);
}

/// A merged recording is not complete because a user had a cgroup of that name.
fn a_start_that_a_user_made_up_covers_no_late_one() {
    let (above, tree) = (Cgroup::new("whose-late"), delegated("whose-late-user"));
    let id = container_id(12);
    let container = above.child(&id);
    let steps = [container.hop(), "say:here".into(), "barrier".into(), "x86_64:getuid".into()];
    let mut running = Running::start(&mut tests::ground_truth(steps));
    running.wait_for_line("here");
    let tracing = Tracer::new().args(["--cgroup", &id]).start();
    running.finish();
    let late = tracing.stop().exits(3);
    container.remove();
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id]).start();
    call_at(&made_by_user(&tree, &id), FOREIGN);
    let made_up = tracing.stop();
    let recordings =
        [&late, &made_up].map(|outcome| outcome.directory().join("profile.recording.json"));
    let merged = temporary_directory();
    let mut command = Command::new(tracer_program());
    command.arg("profile").args(&recordings).arg("-o").arg(merged.path().join("profile.json"));
    let finished = Running::start(&mut command).finish();
    assert_eq!(finished.status.code(), Some(3), "{finished:?}");
}

fn a_unit_is_the_system_managers_and_a_users_when_it_is_named() {
    let number = std::process::id();
    let unit = format!("tracer-test-{number}.service");
    // The number of a user that this machine does not have.
    let user = 900_000_000 + number;
    let slice = Cgroup::at(format!("/tracer-test-{number}.slice"));
    let users = Cgroup::at(format!("/user.slice/user-{user}.slice"));
    let manager = users.child(&format!("user@{user}.service"));
    chown(manager.directory(), Some(user), Some(user)).expect("root gives it away");
    let app = manager.child("app.slice");
    let container = Cgroup::new("whose-unit");
    let inner = container.child(&container_id(13));
    let names = [unit.clone(), format!("unit:user@{user}/{unit}")];
    let tracings =
        names.clone().map(|name| Tracer::new().args(["--wait", "--cgroup", &name]).start());
    let cgroups = [slice.child(&unit), app.child(&unit), inner.child(&unit)];
    for (cgroup, call) in cgroups.iter().zip([OWN, FOREIGN, 102]) {
        call_in(cgroup, call);
    }
    let outcomes = tracings.map(|tracing| tracing.stop().exits(0));
    for ((outcome, name), (cgroup, call)) in
        outcomes.into_iter().zip(&names).zip(cgroups.iter().zip([OWN, FOREIGN]))
    {
        assert_eq!(numbers(&outcome.recording()), BTreeSet::from([call, EXIT_GROUP]), "{name}");
        outcome.says(&[&format!("{name} is {}", cgroup.name())]);
    }
    drop(cgroups);
    drop((app, manager, users, inner));
    // It was there before where systemd runs.
    let _ = fs::remove_dir(cgroup_mount().join("user.slice"));
}
