//! Other people's cgroups: what was lost of them is no loss of a target's.

use rustix::process::Signal;
use tests::{
    BOUND, Cgroup, HARMLESS, Outcome, Strangers, Tracer, Tracing, call_in, calls, wait_until,
};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    what_vanished_and_cannot_be_the_target_is_no_loss,
    what_vanished_and_is_the_target_is_recorded,
    what_vanished_and_may_be_the_target_is_a_loss,
    what_vanished_and_has_the_wanted_id_is_recorded,
    an_id_is_recorded_whole_beside_strangers,
}

/// A call that no target makes.
const CANARY: i32 = 452;

/// A container's id that no other test uses.
fn container_id(label: u32) -> String {
    format!("{:08x}{label:08x}", std::process::id()) + &"76543210fedcba98".repeat(3)
}

/// What comes and goes is gone when tracer looks.
fn unseen(tracing: &Tracing, comes_and_goes: impl FnOnce()) {
    tracing.suspend();
    comes_and_goes();
    tracing.process.signal(Signal::CONT);
}

/// Two cgroups, one below the other, of which the lower one makes a call.
fn come_and_go(label: &str, name: &str, call: i32) {
    let above = Cgroup::new(label);
    let below = above.child(name);
    call_in(&below, call);
    below.remove();
    above.remove();
}

fn what_vanished_and_cannot_be_the_target_is_no_loss() {
    let above = Cgroup::new("named.slice");
    let id = container_id(1);
    let unit = format!("tracer-test-{}-strangers.service", std::process::id());
    let path = format!("{}/path", above.name());
    let names = [format!("docker-{id}.scope"), unit.clone(), "path".to_owned()];
    for (target, name) in [&id[..20], &unit, &path].into_iter().zip(&names) {
        let tracing = Tracer::new().args(["--wait", "--cgroup", target]).start();
        let deep = |name: &str| format!("{name}/{name}");
        unseen(&tracing, || {
            for name in ["b", "x.scope", &deep("c"), &format!("docker-{}.scope", container_id(2))] {
                come_and_go("foreign", name, CANARY);
            }
        });
        let cgroup = above.child(name);
        call_in(&cgroup, HARMLESS[0].0);
        cgroup.remove();
        let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
        let found = outcome.recording();
        let [cgroup] = found.cgroups.as_slice() else { panic!("{target}: {found:?}") };
        assert!(cgroup.calls.iter().all(|call| call.number != CANARY), "{target}");
    }
}

/// A cgroup `b` with a call in it comes and goes below `above`, unseen. It is awaited there.
fn awaited_below(above: &str) -> Outcome {
    let seen = Cgroup::new("seen");
    let awaited = format!("{above}/b");
    let tracing = Tracer::new().cgroup(&seen).args(["--wait", "--cgroup", &awaited]).start();
    unseen(&tracing, || {
        let above = Cgroup::at(above.to_owned());
        let below = above.child("b");
        call_in(&below, HARMLESS[0].0);
        below.remove();
        above.remove();
    });
    call_in(&seen, HARMLESS[1].0);
    tracing.stop()
}

fn what_vanished_and_is_the_target_is_recorded() {
    let above = format!("/tracer-tests-{}-gone", std::process::id());
    let recording = awaited_below(&above).exits(0).recording();
    let made = calls(&recording, &format!("{above}/b"));
    assert!(made.contains_key(&(X86_64, HARMLESS[0].0)), "{made:?}");
}

fn what_vanished_and_may_be_the_target_is_a_loss() {
    // A path of 255 bytes or more is cut off, and of no use; and the name above is gone as well, so
    // that nothing distinguishes this path from another.
    let above = format!("/tracer-tests-{}-gone-{}", std::process::id(), "x".repeat(230));
    let outcome = awaited_below(&above).exits(3);
    // So may be what others made meanwhile.
    assert!(outcome.recording().losses.unplaced >= 1, "{}", outcome.stderr);
}

fn what_vanished_and_has_the_wanted_id_is_recorded() {
    let id = container_id(3);
    let tracing = Tracer::new().args(["--wait", "--cgroup", &id]).start();
    unseen(&tracing, || come_and_go("unnamed", &format!("libpod-{id}.scope"), HARMLESS[0].0));
    let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
    let found = outcome.recording();
    let [cgroup] = found.cgroups.as_slice() else { panic!("{found:?}") };
    assert!(cgroup.path.ends_with(&format!("libpod-{id}.scope")), "{}", cgroup.path);
    assert!(cgroup.calls.iter().any(|call| call.number == HARMLESS[0].0));
}

fn an_id_is_recorded_whole_beside_strangers() {
    let strangers = Strangers::start(20);
    let above = Cgroup::new("own");
    let targets = [
        ("", 12, "docker"),
        ("docker:", 12, "docker"),
        ("podman:", 20, "libpod"),
        ("", 64, "libpod"),
    ];
    for (turn, (prefix, digits, engine)) in targets.into_iter().enumerate() {
        // Its first digits are its own.
        let id: String = container_id(turn as u32 + 4).chars().rev().collect();
        let id = format!("{turn:04x}{:08x}{}", std::process::id(), &id[..52]);
        let target = format!("{prefix}{}", &id[..digits]);
        let (tracing, before) =
            (Tracer::new().args(["--wait", "--cgroup", &target]).start(), strangers.made());
        let cgroup = above.child(&format!("{engine}-{id}.scope"));
        call_in(&cgroup, HARMLESS[turn].0);
        cgroup.remove();
        wait_until("ten strangers have gone", BOUND, || strangers.made() > before + 10);
        let outcome = tracing.stop().exits(0).says(&["complete: nothing was lost"]);
        assert_eq!(outcome.recording().cgroups.len(), 1, "{target}");
    }
}
