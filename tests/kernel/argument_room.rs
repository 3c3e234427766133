//! Room for the values of arguments: what becomes of those that find none, and who makes room.

use std::collections::BTreeSet;

use tests::{Cgroup, Running, ground_truth};
use tracer::bpf::{Events, Hook, LoadOptions, Preparation, Recorder, WatchedCgroups};
use tracer_ebpf::flags;

tests::trials! {
    values_without_a_place_are_a_loss_of_their_cgroup_alone,
    values_of_cgroups_that_are_let_go_of_leave_room_for_others,
}

const IOCTL: i32 = 16;

/// The kernel side alone, with room for few values, and a cgroup below which everything is
/// recorded.
fn small(above: &Cgroup, target: &Cgroup, values: u32) -> (Recorder, Events) {
    let options = LoadOptions {
        counts: false,
        denied: false,
        hook: Hook::Raw,
        fall_back: false,
        cgroups_expected: 0,
        argument_values: values,
        log: false,
    };
    let watched = WatchedCgroups { roots: vec![above.id()], targets: vec![target.id()] };
    Recorder::attach(&watched, Preparation::begin(true).load(options)).expect("the kernel side")
}

/// Lets one cgroup pass so many values.
fn pass(cgroup: &Cgroup, values: std::ops::Range<u64>) {
    let step = |value| format!("call:{IOCTL},-1,{value}");
    let steps = std::iter::once(cgroup.hop()).chain(values.map(step));
    let finished = Running::start(&mut ground_truth(steps)).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
}

/// The values that were recorded of a cgroup, and whether one was lost.
fn passed(recorder: &mut Recorder, cgroup: &Cgroup) -> (BTreeSet<u64>, bool) {
    let snapshot = recorder.drain().expect("the maps are read");
    let of_cgroup = snapshot.values.iter().filter(|(key, _)| key.cgroup == cgroup.id());
    let values = of_cgroup.filter(|(key, _)| !key.seen.is_any());
    let facts = snapshot.cgroups.iter().find(|facts| facts.id == cgroup.id());
    let is_lost = facts.is_some_and(|facts| facts.record.flags & flags::VALUES_LOST != 0);
    (values.map(|(key, _)| u64::from(key.seen.value())).collect(), is_lost)
}

fn values_without_a_place_are_a_loss_of_their_cgroup_alone() {
    let above = Cgroup::new("full");
    let cgroups: Vec<_> = (0..8).map(|number| above.child(&number.to_string())).collect();
    let (mut recorder, _events) = small(&above, &above, 64);
    for cgroup in &cgroups {
        pass(cgroup, 1000..1010);
    }
    let found: Vec<_> = cgroups.iter().map(|cgroup| passed(&mut recorder, cgroup)).collect();
    let all: BTreeSet<u64> = (1000..1010).collect();
    for (values, is_lost) in &found {
        assert_eq!(*is_lost, *values != all, "{found:?}");
    }
    assert!(!found[0].1 && found[7].1, "the first found places, the last did not: {found:?}");
}

/// Again and again, more than there is room for at once.
fn values_of_cgroups_that_are_let_go_of_leave_room_for_others() {
    let above = Cgroup::new("kept-values");
    let target = above.child("target");
    let (mut recorder, _events) = small(&above, &target, 256);
    pass(&target, 1000..1004);
    let mine = target.id();
    for round in 0..20 {
        let cgroups: Vec<_> = (0..12).map(|number| above.child(&format!("{number}"))).collect();
        for (number, cgroup) in cgroups.iter().enumerate() {
            let first = 2000 + 100 * number as u64 + round;
            pass(cgroup, first..first + 15);
            let all: BTreeSet<u64> = (first..first + 15).collect();
            assert_eq!(passed(&mut recorder, cgroup), (all, false), "round {round}");
        }
        assert!(recorder.is_crowded(), "it is worth looking");
        tests::wait_until("the others are let go of", tests::BOUND, || {
            recorder.dismiss(|cgroup| cgroup != mine).expect("the maps are written");
            let gone = |cgroup| passed(&mut recorder, cgroup).0.is_empty();
            cgroups.iter().all(gone)
        });
        assert_eq!(passed(&mut recorder, &target), ((1000..1004).collect(), false));
    }
}
