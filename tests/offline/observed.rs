//! Profiles that allow the values of arguments that were seen, and no others.

use std::collections::BTreeSet;

use tracer::profile::arguments::Limit;
use tracer::profile::filter;
use tracer::profile::policy::{Policy, Verdict};
use tracer::profile::{
    ArgumentChoice, DefaultAction, Derivation, Errno, Profile, ProfileOptions, RuntimeChoice,
};
use tracer::recording::{Call, DenyOutcome, Phase, Recording};
use tracer::syscalls::{self, Abi};
use tracer_ebpf::arguments::{EXECUTABLE, LOWER_HALF, NAMESPACES, NEW_TIME, SHARING};

use crate::recordings::{call, calls, denied, recording, with_values};

tests::trials! {
    values_that_were_seen_are_allowed,
    what_runtimes_need_stays_free,
    threads_are_made_by_clone_with_the_flags_of_clone3,
    values_of_all_abis_count,
    what_clone3_was_seen_to_make_counts_for_clone,
    what_is_not_known_is_allowed_as_by_the_defaults,
    a_filter_without_room_falls_back_to_names,
    refused_values_are_answered_under_profiles_that_kill,
    beyond_the_defaults_is_what_was_seen,
}

fn derive(recordings: &[Recording], change: impl FnOnce(&mut ProfileOptions)) -> Derivation {
    let mut options = ProfileOptions::default();
    options.arguments = ArgumentChoice::Observed;
    options.runtime = RuntimeChoice::None;
    change(&mut options);
    Profile::derive(recordings, &options).expect("a profile")
}

fn one(calls: Vec<Call>) -> [Recording; 1] {
    [recording(vec![calls])]
}

fn of(name: &str) -> Call {
    call(Abi::X86_64, name, Phase::Workload)
}

/// What happens to a call with this value of an argument.
fn verdict(policy: &Policy, name: &str, index: usize, value: u64) -> Verdict {
    let number = syscalls::number(Abi::X86_64, name).expect("a call");
    let mut registers = [0; 6];
    registers[index] = value;
    policy.decide(Abi::X86_64, number.try_into().expect("not negative"), &registers)
}

fn values(limit: Option<&Limit>) -> Vec<u64> {
    limit.map(|limit| limit.values.keys().copied().collect()).unwrap_or_default()
}

/// A web server, as it might be.
fn web_server() -> Vec<Call> {
    let socket = with_values(of("socket"), 0, LOWER_HALF, Some(&[1, 2, 10]));
    let socket = with_values(socket, 1, LOWER_HALF, Some(&[1, 2]));
    vec![
        with_values(socket, 2, LOWER_HALF, Some(&[0])),
        with_values(of("mprotect"), 2, EXECUTABLE, Some(&[0])),
        with_values(of("mmap"), 2, EXECUTABLE, Some(&[0])),
        with_values(of("ioctl"), 1, LOWER_HALF, Some(&[0x5421])),
        with_values(of("prctl"), 0, LOWER_HALF, None),
        with_values(of("madvise"), 2, LOWER_HALF, Some(&[4])),
        with_values(of("setsockopt"), 1, LOWER_HALF, Some(&[1, 6])),
        of("read"),
    ]
}

fn values_that_were_seen_are_allowed() {
    let derivation = derive(&one(web_server()), |_| {});
    let limited = &derivation.profile.limited;
    assert_eq!(values(limited.get("socket")), [1, 2, 10], "no family that was not seen");
    assert_eq!(values(limited.get("ioctl")), [0x5421]);
    assert_eq!(values(limited.get("setsockopt")), [1, 6], "by its level alone");
    let policy = derivation.profile.policy();
    for (name, index, value, expected) in [
        ("socket", 0, 2, true),
        ("socket", 0, 16, false),
        ("mprotect", 2, 3, true),
        ("mprotect", 2, 7, false),
        ("mmap", 2, 5, true),
        ("ioctl", 1, 0x5421, true),
        ("ioctl", 1, 0xffff_ffff_0000_5421, true),
        ("ioctl", 1, 0x5401, false),
        ("prctl", 0, 1234, true),
        ("madvise", 2, 8, false),
        ("prlimit64", 1, 3, true),
        ("prlimit64", 1, 9, false),
        ("arch_prctl", 0, 0x1002, true),
        ("arch_prctl", 0, 0x1001, false),
    ] {
        let allowed = verdict(&policy, name, index, value) == Verdict::Allow;
        assert_eq!(allowed, expected, "{name} {value:#x}");
    }
    assert_eq!(derivation.arguments.any, BTreeSet::from(["prctl".to_owned()]));
    assert!(derivation.arguments.unknown.is_empty(), "{:?}", derivation.arguments);
}

fn what_runtimes_need_stays_free() {
    let derivation = derive(&one(web_server()), |options| options.runtime = RuntimeChoice::Any);
    let free: Vec<&str> = derivation.arguments.free.iter().map(String::as_str).collect();
    assert_eq!(free, ["fcntl", "ioctl", "madvise", "mmap", "prctl"]);
    let limited = &derivation.profile.limited;
    assert_eq!(values(limited.get("socket")), [1, 2, 10]);
    assert_eq!(values(limited.get("clone")), [0], "runc starts threads: as the defaults allow it");
    let runc = derive(&one(web_server()), |options| options.runtime = RuntimeChoice::Runc);
    assert_eq!(values(runc.profile.limited.get("ioctl")), [0x5421], "crun alone needs it");
}

fn threads_are_made_by_clone_with_the_flags_of_clone3() {
    let clone3 = |fine: Option<&[u64]>, coarse: Option<&[u64]>| {
        let call = with_values(of("clone3"), 0, NAMESPACES | NEW_TIME | SHARING, fine);
        one(vec![with_values(call, 0, NAMESPACES | NEW_TIME, coarse)])
    };
    let threads = 0x1_0f00;
    let derivation = derive(&clone3(Some(&[threads]), Some(&[0])), |_| {});
    assert_eq!(values(derivation.profile.limited.get("clone")), [threads]);
    let policy = derivation.profile.policy();
    assert_eq!(verdict(&policy, "clone", 0, 0x3d_0f00), Verdict::Allow, "as glibc calls it");
    assert!(verdict(&policy, "clone", 0, 0x11).refuses(), "no process was made");
    assert!(verdict(&policy, "clone3", 0, 0).refuses());
    // More combinations than are kept: by the namespaces.
    let derivation = derive(&clone3(None, Some(&[0])), |_| {});
    assert_eq!(derivation.profile.limited["clone"].mask, NAMESPACES);
    assert!(derivation.arguments.coarser.contains("clone"));
    // Flags that could not be read.
    let derivation = derive(&clone3(None, None), |_| {});
    assert_eq!(values(derivation.profile.limited.get("clone")), [0], "as the defaults");
}

fn values_of_all_abis_count() {
    let i386 = call(Abi::I386, "socket", Phase::Workload);
    let all = vec![
        with_values(of("socket"), 0, LOWER_HALF, Some(&[1])),
        with_values(i386, 0, LOWER_HALF, Some(&[2])),
    ];
    let derivation = derive(&one(all), |_| {});
    assert_eq!(values(derivation.profile.limited.get("socket")), [1, 2]);
}

fn what_clone3_was_seen_to_make_counts_for_clone() {
    let clone3 = with_values(of("clone3"), 0, 0x7e02_0080, Some(&[0x1000_0000]));
    let recordings = one(vec![clone3]);
    let derivation = derive(&recordings, |options| options.arguments = ArgumentChoice::Default);
    let found = tracer::profile::beyond::beyond(&derivation.profile.policy(), &recordings);
    let named: Vec<_> = found.iter().map(|one| (one.name, one.value)).collect();
    assert_eq!(named, [("clone", Some((0, 0x1000_0000)))]);
    assert!(found[0].sighting.is_some(), "clone3 did it");
}

fn what_is_not_known_is_allowed_as_by_the_defaults() {
    let old = calls(Phase::Workload, &["socket", "clone", "ioctl", "mprotect"]);
    let derivation = derive(&one(old), |_| {});
    assert_eq!(derivation.profile.limited["socket"].values.len(), 37);
    assert_eq!(values(derivation.profile.limited.get("clone")), [0]);
    assert!(!derivation.profile.limited.contains_key("ioctl"));
    let unknown: Vec<&str> = derivation.arguments.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["clone", "ioctl", "mprotect", "socket"]);
}

fn a_filter_without_room_falls_back_to_names() {
    let with = |from: u64| {
        let values: Vec<u64> = (from..from + 16).collect();
        let madvise = with_values(of("madvise"), 2, LOWER_HALF, Some(&[from % 3]));
        vec![with_values(of("ioctl"), 1, LOWER_HALF, Some(&values)), madvise]
    };
    let many = recording((0..60).map(|at| with(at * 16)).collect());
    let derivation = derive(&[many], |options| options.all_architectures = true);
    assert_eq!(derivation.arguments.too_many, BTreeSet::from(["ioctl".to_owned()]));
    assert!(!derivation.profile.limited.contains_key("ioctl"));
    assert_eq!(
        values(derivation.profile.limited.get("madvise")),
        [0, 1, 2],
        "there is room for it"
    );
    let program = filter::compile(&derivation.profile.policy()).expect("it fits");
    assert!(program.len() <= 4096);
}

fn refused_values_are_answered_under_profiles_that_kill() {
    let refused = |name, index, values: &[u64]| {
        let call = denied(Abi::X86_64, name, DenyOutcome::Errno(1), Phase::Workload);
        with_values(call, index, LOWER_HALF, Some(values))
    };
    let all = vec![
        with_values(of("socket"), 0, LOWER_HALF, Some(&[1])),
        refused("socket", 0, &[1, 40]),
        refused("personality", 0, &[0x4_0000]),
    ];
    for (action, architectures, expected) in [
        (DefaultAction::KillProcess, false, Verdict::Errno(1)),
        (DefaultAction::KillProcess, true, Verdict::KillProcess),
        (DefaultAction::Errno(Errno::ENOSYS), false, Verdict::Errno(38)),
    ] {
        let derivation = derive(&one(all.clone()), |options| {
            options.default_action = action;
            options.all_architectures = architectures;
        });
        let policy = derivation.profile.policy();
        assert_eq!(verdict(&policy, "socket", 0, 1), Verdict::Allow);
        assert_eq!(verdict(&policy, "socket", 0, 40), expected, "{action:?} {architectures}");
        let killed = action.ends_the_caller();
        let other = if killed { Verdict::KillProcess } else { Verdict::Errno(38) };
        assert_eq!(verdict(&policy, "socket", 0, 38), other);
        let whole = if killed { Verdict::Errno(1) } else { Verdict::Errno(38) };
        assert_eq!(verdict(&policy, "personality", 0, 0x4_0000), whole, "never made: as a whole");
    }
}

fn beyond_the_defaults_is_what_was_seen() {
    let unshare = with_values(of("unshare"), 0, LOWER_HALF, Some(&[0x1000_0000]));
    let socket = with_values(of("socket"), 0, LOWER_HALF, Some(&[1, 40]));
    let recordings = one(vec![unshare, socket]);
    for arguments in [ArgumentChoice::Default, ArgumentChoice::Observed, ArgumentChoice::Off] {
        let derivation = derive(&recordings, |options| options.arguments = arguments);
        let found = tracer::profile::beyond::beyond(&derivation.profile.policy(), &recordings);
        let named: Vec<_> = found.iter().map(|one| (one.name, one.value)).collect();
        let expected = [("socket", Some((0, 40))), ("unshare", Some((0, 0x1000_0000)))];
        assert_eq!(named, expected, "{arguments:?}");
        let unshare = &found[1];
        let sighting = unshare.sighting.as_ref().expect("it was seen");
        assert_eq!(sighting.command.as_deref(), Some("unshare"));
        assert_eq!(sighting.seconds, Some(0.018));
        assert_eq!(unshare.and_any, arguments != ArgumentChoice::Observed);
    }
}
