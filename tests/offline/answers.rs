//! Profiles that end whoever makes a call that is not allowed: what they answer all the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tracer::profile::oci;
use tracer::profile::policy::{Policy, RuleContext, Verdict};
use tracer::profile::{
    ArgumentChoice, DefaultAction, Derivation, Errno, Profile, ProfileOptions, RuntimeChoice,
};
use tracer::recording::{Call, DenyOutcome, Phase, Recording};
use tracer::syscalls::{self, Abi};

use crate::recordings::{calls, denied, numbered, recording, web_server};

tests::trials! {
    what_a_runtime_only_tries_is_answered_where_it_would_be_killed,
    a_workload_that_makes_such_calls_may_make_them,
    what_a_runtime_only_tries_is_never_learned,
    denied_calls_are_answered_as_they_were,
    of_several_error_numbers_one_is_chosen,
    what_was_no_error_number_is_not_answered,
    an_allowed_call_is_not_answered,
    the_form_has_one_rule_for_each_error_number,
    what_is_answered_is_in_the_recording,
    only_youkis_own_profile_has_its_calls,
}

/// Default actions after which the caller does not go on.
const ENDING: [DefaultAction; 3] =
    [DefaultAction::KillProcess, DefaultAction::KillThread, DefaultAction::Trap];
/// Those after which it does.
const PASSING: [DefaultAction; 3] =
    [DefaultAction::Errno(Errno::ENOSYS), DefaultAction::Errno(Errno::EPERM), DefaultAction::Log];
/// What runc tries when it enters a container.
const MOUNT_API: [&str; 4] = ["fsconfig", "fsmount", "fsopen", "open_tree"];

/// By names alone: what arguments change stands in the tests of these.
fn derive(recordings: &[Recording], change: impl FnOnce(&mut ProfileOptions)) -> Derivation {
    let mut options = by_names(ProfileOptions::default());
    change(&mut options);
    Profile::derive(recordings, &options).expect("a profile")
}

fn by_names(mut options: ProfileOptions) -> ProfileOptions {
    options.arguments = ArgumentChoice::Off;
    options
}

fn killing(recordings: &[Recording]) -> Derivation {
    derive(recordings, |options| options.default_action = DefaultAction::KillProcess)
}

/// What happens to a call under the file.
fn verdict(derivation: &Derivation, abi: Abi, name: &str) -> Verdict {
    let text = oci::write(&derivation.profile);
    let read = oci::read(text.as_bytes()).expect("the profile is read again");
    let policy = Policy::new(&read, &RuleContext::default()).expect("it has a meaning");
    let number = syscalls::number(abi, name).expect("a call");
    policy.decide(abi, u32::try_from(number).expect("no negative number"), &[0; 6])
}

fn rules(derivation: &Derivation) -> Vec<Value> {
    let file: Value =
        serde_json::from_str(&oci::write(&derivation.profile)).expect("the file is JSON");
    file["syscalls"].as_array().expect("rules").clone()
}

/// A workload that was refused some calls.
fn refused(refused: Vec<Call>) -> Recording {
    let all = calls(Phase::Workload, &["clone", "read", "write"]).into_iter().chain(refused);
    recording(vec![all.collect()])
}

fn errno(name: &str, number: u16) -> Call {
    denied(Abi::X86_64, name, DenyOutcome::Errno(number), Phase::Workload)
}

fn what_a_runtime_only_tries_is_answered_where_it_would_be_killed() {
    for action in ENDING {
        let derivation = derive(&[web_server()], |options| options.default_action = action);
        let rule = json!({ "names": MOUNT_API, "action": "SCMP_ACT_ERRNO", "errnoRet": 38 });
        assert_eq!(rules(&derivation)[1..], [rule], "{action:?}");
        for name in MOUNT_API {
            assert_eq!(verdict(&derivation, Abi::X86_64, name), Verdict::Errno(38), "{name}");
            assert!(!derivation.profile.allowed.contains_key(name), "{name}");
        }
        let none = derive(&[web_server()], |options| {
            options.default_action = action;
            options.runtime = RuntimeChoice::Crun;
        });
        assert_eq!(rules(&none).len(), 1, "crun tries none of them");
    }
    for action in PASSING {
        let derivation = derive(&[web_server()], |options| options.default_action = action);
        assert_eq!(rules(&derivation).len(), 1, "{action:?}");
        assert!(derivation.profile.answered.is_empty() && derivation.derived().answered.is_empty());
    }
}

fn a_workload_that_makes_such_calls_may_make_them() {
    let recordings = [recording(vec![calls(Phase::Workload, &["read", "open_tree"])])];
    let derivation = killing(&recordings);
    assert_eq!(verdict(&derivation, Abi::X86_64, "open_tree"), Verdict::Allow);
    // The runtime's next step is allowed by nobody, and does not kill it either.
    assert_eq!(verdict(&derivation, Abi::X86_64, "fsopen"), Verdict::Errno(38));
    let asked = ProfileOptions::default().with_include(["fsopen".to_owned()]).expect("a call");
    let mut options = by_names(asked);
    options.default_action = DefaultAction::KillProcess;
    let derivation = Profile::derive(&[web_server()], &options).expect("a profile");
    assert_eq!(verdict(&derivation, Abi::X86_64, "fsopen"), Verdict::Allow);
    assert_eq!(verdict(&derivation, Abi::X86_64, "open_tree"), Verdict::Errno(38));
}

fn what_a_runtime_only_tries_is_never_learned() {
    let mut all = calls(Phase::Workload, &["read"]);
    all.extend(calls(Phase::ContainerInit, &["open_tree", "fsopen", "fsconfig", "statx"]));
    all.push(denied(Abi::X86_64, "fsmount", DenyOutcome::Errno(38), Phase::ContainerInit));
    let recordings = [recording(vec![all])];
    for runtime in [RuntimeChoice::Any, RuntimeChoice::Crun, RuntimeChoice::None] {
        for include_denied in [false, true] {
            for action in ENDING.into_iter().chain(PASSING) {
                let derivation = derive(&recordings, |options| {
                    options.runtime = runtime;
                    options.denied = include_denied;
                    options.default_action = action;
                });
                for name in MOUNT_API {
                    assert!(!derivation.profile.allowed.contains_key(name), "{name} {runtime:?}");
                }
                assert!(derivation.profile.allowed.contains_key("statx"));
                // Whoever asked for no runtime has recorded one that tries them.
                let answered = derivation.profile.answered.len();
                assert_eq!(answered, if ENDING.contains(&action) { 4 } else { 0 }, "{action:?}");
            }
        }
    }
    // The workload makes one of them as well.
    let own = recording(vec![calls(Phase::Workload, &["fsopen"])]);
    let both = derive(&[recordings[0].clone(), own], |_| {});
    assert!(both.profile.allowed.contains_key("fsopen"));
    assert!(!both.profile.allowed.contains_key("open_tree"));
}

fn denied_calls_are_answered_as_they_were() {
    let of_runtime = denied(Abi::X86_64, "keyctl", DenyOutcome::Errno(1), Phase::ContainerInit);
    let before = denied(Abi::X86_64, "mount", DenyOutcome::Errno(1), Phase::Setup);
    let i386 = denied(Abi::I386, "socketcall", DenyOutcome::Errno(1), Phase::Workload);
    let nameless =
        Call { outcome: Some(DenyOutcome::Errno(38)), ..numbered(Abi::X86_64, 472, Phase::Denied) };
    let doubtful = Call { doubtful: true, ..errno("mkdir", 14) };
    let all = vec![
        errno("clone3", 38),
        errno("get_mempolicy", 1),
        of_runtime,
        before,
        i386,
        nameless,
        doubtful,
    ];
    let derivation = killing(&[refused(all.clone())]);
    for (abi, name, expected) in [
        (Abi::X86_64, "clone3", Verdict::Errno(38)),
        (Abi::X86_64, "get_mempolicy", Verdict::Errno(1)),
        (Abi::X86_64, "keyctl", Verdict::Errno(1)),
        (Abi::X86_64, "mkdir", Verdict::Errno(14)),
        (Abi::X86_64, "mount", Verdict::KillProcess),
        (Abi::X86_64, "set_mempolicy", Verdict::KillProcess),
        (Abi::I386, "socketcall", Verdict::Errno(1)),
    ] {
        assert_eq!(verdict(&derivation, abi, name), expected, "{name}");
    }
    assert!(derivation.profile.architectures.contains(&Abi::I386), "its callers go on");
    let nameless: Vec<_> = derivation.unnamed.iter().map(|call| call.number).collect();
    assert_eq!(nameless, [472], "no rule can answer it, and that is said");
    for action in PASSING {
        let derivation = derive(&[refused(all.clone())], |options| options.default_action = action);
        assert!(derivation.profile.answered.is_empty(), "{action:?}");
        assert!(!derivation.profile.architectures.contains(&Abi::I386));
        assert!(derivation.unnamed.is_empty());
    }
}

fn of_several_error_numbers_one_is_chosen() {
    let doubtful = Call { doubtful: true, ..errno("clone3", 11) };
    let all =
        vec![errno("clone3", 1), errno("clone3", 38), doubtful, errno("bpf", 13), errno("bpf", 1)];
    let derivation = killing(&[refused(all)]);
    let answer = &derivation.profile.answered["clone3"];
    assert_eq!(answer.errno, Errno::ENOSYS, "programs fall back on it");
    let others: Vec<u16> = answer.others.iter().map(|errno| errno.get()).collect();
    assert_eq!(others, [1, 11]);
    let answer = &derivation.profile.answered["bpf"];
    assert_eq!((answer.errno, answer.others.len()), (Errno::EPERM, 1), "the smallest");
}

fn what_was_no_error_number_is_not_answered() {
    let all = [DenyOutcome::Signal, DenyOutcome::ThreadKilled, DenyOutcome::Logged]
        .map(|how| denied(Abi::X86_64, "bpf", how, Phase::Workload));
    let derivation = killing(&[refused(all.to_vec())]);
    assert_eq!(verdict(&derivation, Abi::X86_64, "bpf"), Verdict::KillProcess);
}

fn an_allowed_call_is_not_answered() {
    // It was refused for some arguments, and made with others.
    let recordings = [refused(vec![errno("clone", 1), errno("clone3", 38), errno("ptrace", 1)])];
    let derivation = killing(&recordings);
    assert_eq!(verdict(&derivation, Abi::X86_64, "clone"), Verdict::Allow);
    let derivation = derive(&recordings, |options| {
        options.default_action = DefaultAction::KillProcess;
        options.denied = true;
    });
    assert_eq!(verdict(&derivation, Abi::X86_64, "ptrace"), Verdict::Allow);
    // C libraries take clone in its place: it is refused on purpose.
    assert_eq!(verdict(&derivation, Abi::X86_64, "clone3"), Verdict::Errno(38));
    // Not to be allowed, it fails as it did.
    let options = ProfileOptions::default().with_exclude(["ptrace".to_owned()]).expect("a call");
    let mut options = by_names(options);
    options.default_action = DefaultAction::KillProcess;
    options.denied = true;
    let derivation = Profile::derive(&recordings, &options).expect("a profile");
    assert_eq!(verdict(&derivation, Abi::X86_64, "ptrace"), Verdict::Errno(1));
}

fn the_form_has_one_rule_for_each_error_number() {
    let all = vec![errno("clone3", 38), errno("ptrace", 1), errno("bpf", 1), errno("mkdir", 13)];
    let backwards: Vec<Call> = all.iter().rev().cloned().collect();
    let [one, other] = [all, backwards].map(|all| killing(&[refused(all)]));
    assert_eq!(oci::write(&one.profile), oci::write(&other.profile), "the order does not matter");
    let rules = rules(&one);
    let answering = |names: &[&str], errno: u16| json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno });
    let expected = [
        answering(&["bpf", "ptrace"], 1),
        answering(&["mkdir"], 13),
        answering(&["clone3", "fsconfig", "fsmount", "fsopen", "open_tree"], 38),
    ];
    assert_eq!(rules[1..], expected);
    assert_eq!(rules[0]["action"], "SCMP_ACT_ALLOW");
    assert!(rules[0].get("errnoRet").is_none(), "crun refuses it there");
    let names: Vec<&str> = rules
        .iter()
        .flat_map(|rule| rule["names"].as_array().expect("names"))
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "each name once");
}

fn what_is_answered_is_in_the_recording() {
    let derivation = killing(&[refused(vec![errno("clone3", 38)])]);
    let derived = derivation.derived();
    let of = |name: &str| derived.answered.iter().find(|answered| answered.name == name);
    let clone3 = of("clone3").expect("it is there");
    assert_eq!(
        (clone3.errno, clone3.reason.as_str()),
        (38, "denied while recording: ENOSYS (x86_64)")
    );
    let tried = of("open_tree").expect("it is there");
    assert!(tried.errno == 38 && tried.reason.starts_with("runc: "), "{}", tried.reason);
    assert!(derived.added.iter().all(|added| added.name != "open_tree"), "it is not allowed");
}

fn only_youkis_own_profile_has_its_calls() {
    let recordings = [recording(vec![calls(Phase::Workload, &["read"])])];
    for (runtime, expected) in [
        (RuntimeChoice::Youki, true),
        (RuntimeChoice::Any, false),
        (RuntimeChoice::Runc, false),
        (RuntimeChoice::Crun, false),
        (RuntimeChoice::None, false),
    ] {
        let derivation = derive(&recordings, |options| {
            options.runtime = runtime;
            options.default_action = DefaultAction::KillProcess;
        });
        for name in ["accept4", "recvfrom", "sendmsg"] {
            assert_eq!(
                derivation.profile.allowed.contains_key(name),
                expected,
                "{name} {runtime:?}"
            );
        }
        assert_eq!(derivation.profile.answered.contains_key("connect"), expected, "{runtime:?}");
        let mut all = calls(Phase::Workload, &["read"]);
        all.extend(calls(Phase::ContainerInit, &["socket"]));
        let seen = derive(&[recording(vec![all])], |options| options.runtime = runtime);
        let learned = seen.profile.allowed.contains_key("socket");
        assert_eq!(learned, !expected, "others may need what youki only tries");
        assert!(!derivation.profile.allowed.contains_key("socket"), "it does without");
    }
}
