//! Many cgroups of others, and deep ones: the target's calls find their places all the same.

use std::fs;
use std::time::Duration;

use tests::{Cgroup, Running, Tracer, call_in, calls, ground_truth};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    cgroups_of_others_take_no_place_from_the_target,
    places_of_cgroups_that_stay_are_given_back_too,
    containers_of_others_leave_room_for_what_is_kept_of_single_calls,
    cgroups_deeper_than_any_walk_are_no_loss_of_the_target,
    a_deep_target_is_recorded,
    a_cgroup_of_others_that_is_gone_with_the_one_above_it_is_no_loss,
    sessions_that_come_and_go_are_followed_for_good,
}

/// Cgroups of others: more than the kernel side's table has places.
const OTHERS: usize = 20_000;
/// How many cgroups one process visits.
const VISITS: usize = 500;
/// Cgroups of the target.
const OWN: usize = 300;
/// How long tracer may take to let go of the others' cgroups.
const SETTLING: Duration = Duration::from_secs(5);
/// Cgroups that processes of the target go to: more than the kernel side knows at once.
const SESSIONS: usize = 10_000;
/// Deeper than the kernel side walks.
const DEPTH: usize = 230;

/// Lets a call be made in so many new cgroups below `above`; they are removed at once, or stay.
fn storm(above: &Cgroup, cgroups: usize, stay: bool) {
    for first in (0..cgroups).step_by(VISITS) {
        let directories: Vec<_> = (first..first + VISITS.min(cgroups))
            .map(|number| above.directory().join(number.to_string()))
            .collect();
        directories
            .iter()
            .for_each(|directory| fs::create_dir(directory).expect("a cgroup is made"));
        let steps = directories.iter().flat_map(|directory| {
            [format!("hop:{}/cgroup.procs", directory.display()), "x86_64:getsid".to_owned()]
        });
        let finished = Running::start(&mut ground_truth(steps)).finish();
        assert!(finished.status.success(), "the fixture ends well: {finished:?}");
        if !stay {
            directories.iter().for_each(|directory| {
                tests::wait_until("an empty cgroup is removed", tests::BOUND, || {
                    fs::remove_dir(directory).is_ok()
                });
            });
        }
    }
}

/// Records a target, everywhere in the hierarchy, beside a storm of others; every cgroup of the
/// target must be there.
fn target_beside(others: usize, stay: bool) {
    let (target, crowd) = (Cgroup::new("target"), Cgroup::new("crowd"));
    // A target that may come to be anywhere: every cgroup of the machine is watched.
    let unknown = "5eed".repeat(16);
    let tracing = Tracer::new().cgroup(&target).args(["--wait", "--cgroup", &unknown]).start();
    storm(&crowd, others, stay);
    // Other tests may keep tracer busy for good.
    tests::holds_within(SETTLING, || tracing.is_idle());
    storm(&target, OWN, true);
    let outcome = tracing.stop();
    let recording = outcome.exits(0).recording();
    let found = recording.cgroups.iter().filter(|cgroup| {
        calls(&recording, &cgroup.path).contains_key(&(X86_64, 124))
            && cgroup.path.starts_with(target.name())
    });
    assert_eq!(found.count(), OWN, "{:?}", recording.losses);
    assert_eq!(recording.cgroups.len(), OWN, "none of the others is in it");
}

fn cgroups_of_others_take_no_place_from_the_target() {
    target_beside(OTHERS, false);
}

fn places_of_cgroups_that_stay_are_given_back_too() {
    target_beside(OTHERS / 2, true);
}

/// What a runtime does in a container is kept call by call, in a map that all cgroups share: some
/// 200 calls of each container that starts anywhere on the machine.
fn containers_of_others_leave_room_for_what_is_kept_of_single_calls() {
    const ROUNDS: usize = 10;
    const CONTAINERS: usize = 50;
    let (target, crowd) = (Cgroup::new("kept"), Cgroup::new("kept-crowd"));
    let unknown = "5eed".repeat(16);
    let tracing = Tracer::new().cgroup(&target).args(["--wait", "--cgroup", &unknown]).start();
    for round in 0..ROUNDS {
        let cgroups: Vec<_> =
            (0..CONTAINERS).map(|number| crowd.child(&format!("{round}-{number}"))).collect();
        // Numbers that no kernel has.
        let steps = cgroups.iter().flat_map(|cgroup| [cgroup.hop(), "sweep:1000..1200".to_owned()]);
        assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
        // It looks for such cgroups when it has nothing else to do.
        tests::holds_within(SETTLING, || tracing.is_idle());
    }
    let finished = Running::start(&mut ground_truth([target.hop(), "sweep:1000..1200".to_owned()]));
    assert!(finished.finish().status.success(), "the fixture ends well");
    let recording = tracing.stop().exits(0).recording();
    assert_eq!(recording.losses.evidence_full, 0);
    let kept =
        calls(&recording, target.name()).keys().filter(|(_, number)| *number >= 1000).count();
    assert_eq!(kept, 200, "each of the target's calls");
}

/// A cgroup so many levels below another one. Each is made from within the one above, for a path
/// has at most 4096 bytes.
fn deep(above: &Cgroup, depth: usize) -> Cgroup {
    let name = (0..depth).fold(above.name().to_owned(), |path, _| path + "/d");
    Cgroup::at(name)
}

fn cgroups_deeper_than_any_walk_are_no_loss_of_the_target() {
    let (target, above) = (Cgroup::new("shallow"), Cgroup::new("deep"));
    let unknown = "5eed".repeat(16);
    let tracing = Tracer::new().cgroup(&target).args(["--wait", "--cgroup", &unknown]).start();
    let bottom = deep(&above, DEPTH);
    call_in(&bottom, "fchmodat2");
    call_in(&target, "getpid");
    let recording = tracing.stop().exits(0).recording();
    assert_eq!(recording.cgroups.len(), 1, "{:?}", recording.cgroups);
    drop(bottom);
}

fn a_deep_target_is_recorded() {
    let above = Cgroup::new("steps");
    let target = deep(&above, 70);
    let tracing = Tracer::new().cgroup(&target).start();
    call_in(&target, "getpid");
    let recording = tracing.stop().exits(0).recording();
    assert!(calls(&recording, target.name()).contains_key(&(X86_64, 39)));
    drop(target);
}

/// Nobody makes a call in the cgroup above, so that no event names it; and a tracer that is busy
/// looks for it too late.
fn a_cgroup_of_others_that_is_gone_with_the_one_above_it_is_no_loss() {
    let target = Cgroup::new("beside-nested");
    let unknown = "5eed".repeat(16);
    let tracing = Tracer::new().cgroup(&target).args(["--wait", "--cgroup", &unknown]).start();
    tracing.suspend();
    let above = Cgroup::new("silent-above");
    let inner = above.child("inner");
    call_in(&inner, "getsid");
    inner.remove();
    drop(above);
    tracing.resume();
    call_in(&target, "getsid");
    let recording = tracing.stop().exits(0).recording();
    assert_eq!((recording.losses.unplaced, recording.cgroups.len()), (0, 1));
}

/// As sshd does: each process is born in the target, and goes to a cgroup of its own, which is
/// removed.
fn sessions_that_come_and_go_are_followed_for_good() {
    let (target, sessions) = (Cgroup::new("daemon"), Cgroup::new("sessions"));
    let tracing = Tracer::new().cgroup(&target).start();
    for first in (0..SESSIONS).step_by(VISITS) {
        let directories: Vec<_> = (first..first + VISITS)
            .map(|number| sessions.directory().join(number.to_string()))
            .collect();
        directories
            .iter()
            .for_each(|directory| fs::create_dir(directory).expect("a cgroup is made"));
        let visits = directories.iter().flat_map(|directory| {
            [format!("hop:{}/cgroup.procs", directory.display()), "x86_64:getsid".to_owned()]
        });
        let finished = Running::start(&mut ground_truth([target.hop()].into_iter().chain(visits)));
        assert!(finished.finish().status.success(), "the fixture ends well");
        directories.iter().for_each(|directory| {
            tests::wait_until("an empty cgroup is removed", tests::BOUND, || {
                fs::remove_dir(directory).is_ok()
            });
        });
    }
    let recording = tracing.stop().exits(0).recording();
    let found = calls(&recording, target.name());
    assert_eq!(found.get(&(X86_64, 124)), Some(&Some(SESSIONS as u64)), "each call elsewhere");
}
