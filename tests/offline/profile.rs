//! From recordings to profiles: what is in, what is not, and the bytes that are written.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tracer::profile::oci;
use tracer::profile::summary::Summary;
use tracer::profile::{
    ArgumentChoice, DefaultAction, Derivation, DeriveError, Errno, OciRuntime, Profile,
    ProfileOptions, Reason, RuntimeChoice,
};
use tracer::recording::{Call, DenyOutcome, Phase, Recording};
use tracer::syscalls::{self, Abi, HOST};

use crate::recordings::{call, calls, denied, full, numbered, recording, web_server};

tests::trials! {
    a_profile_without_a_runtime_has_the_seen_and_the_standing_calls_alone,
    the_phase_decides,
    a_workload_that_mounts_may_mount,
    all_cgroups_of_all_recordings_count,
    without_a_workload_there_is_no_profile,
    runtimes_bring_their_base_sets,
    a_seen_call_keeps_the_other_reasons,
    clone_comes_with_clone3,
    inferred_calls_are_distinguished_from_all_others,
    a_number_without_a_name_is_reported_and_never_written,
    the_user_includes_and_excludes,
    a_name_without_an_architecture_is_reported,
    the_default_action_is_the_users,
    every_seen_call_of_every_abi_is_allowed_under_its_name,
    the_file_has_the_form_that_every_runtime_reads,
    the_numbers_are_those_of_the_profile,
    denied_calls_are_allowed_on_request_only,
}

pub fn derive(recordings: &[Recording], options: &ProfileOptions) -> Derivation {
    Profile::derive(recordings, options).expect("a profile")
}

/// The default choices, but for the runtime.
pub fn under(runtime: RuntimeChoice) -> ProfileOptions {
    let mut options = ProfileOptions::default();
    options.runtime = runtime;
    options
}

/// The profile of one workload call, with the choices made by `change`.
pub fn small(change: impl FnOnce(&mut ProfileOptions)) -> Derivation {
    let mut options = under(RuntimeChoice::None);
    change(&mut options);
    derive(&[recording(vec![calls(Phase::Workload, &["write"])])], &options)
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What consumers read: the file, parsed.
pub fn file(profile: &Profile) -> Value {
    serde_json::from_str(&oci::write(profile)).expect("JSON")
}

pub fn names(derivation: &Derivation) -> BTreeSet<&str> {
    derivation.profile.allowed.keys().map(String::as_str).collect()
}

/// The calls of every profile, whatever was seen.
const STANDING: [&str; 28] = [
    "access",
    "arch_prctl",
    "brk",
    "clock_getres",
    "clock_gettime",
    "execve",
    "exit",
    "exit_group",
    "getcpu",
    "getegid",
    "geteuid",
    "getrandom",
    "gettimeofday",
    "map_shadow_stack",
    "membarrier",
    "mprotect",
    "pread64",
    "prlimit64",
    "readlink",
    "restart_syscall",
    "rseq",
    "rt_sigreturn",
    "sched_getaffinity",
    "set_robust_list",
    "set_tid_address",
    "sysinfo",
    "time",
    "uname",
];

fn a_profile_without_a_runtime_has_the_seen_and_the_standing_calls_alone() {
    let derivation = small(|_| {});
    let expected: BTreeSet<&str> = STANDING.into_iter().chain(["write"]).collect();
    assert_eq!(names(&derivation), expected);
    let added: Vec<&str> = derivation.added.iter().map(|added| added.name.as_str()).collect();
    assert_eq!(added, STANDING, "every one but the seen call is reported, in order");
    assert!(derivation.added.iter().all(|added| !added.reason.is_empty()));
}

fn the_phase_decides() {
    let mut all = calls(Phase::Setup, &["mount", "pivot_root"]);
    all.extend(calls(Phase::ContainerInit, &["capset"]));
    all.extend(calls(Phase::Workload, &["listen"]));
    all.extend(calls(Phase::Denied, &["ptrace"]));
    let options = under(RuntimeChoice::None);
    let derivation = derive(&[recording(vec![all])], &options);
    let names = names(&derivation);
    assert!(names.contains("listen") && names.contains("capset"));
    for out in ["mount", "pivot_root", "ptrace"] {
        assert!(!names.contains(out), "{out}");
    }
    let seen = |phase| BTreeSet::from([Reason::Seen { abi: Abi::X86_64, phase }]);
    assert_eq!(derivation.profile.allowed["listen"], seen(Phase::Workload));
    assert_eq!(derivation.profile.allowed["capset"], seen(Phase::ContainerInit));
}

fn a_workload_that_mounts_may_mount() {
    let all = vec![calls(Phase::Setup, &["mount"]), calls(Phase::Workload, &["mount"])];
    assert!(names(&derive(&[recording(all)], &ProfileOptions::default())).contains("mount"));
}

fn all_cgroups_of_all_recordings_count() {
    let one =
        recording(vec![calls(Phase::Workload, &["listen"]), calls(Phase::Workload, &["accept4"])]);
    let other = recording(vec![calls(Phase::ContainerInit, &["listen", "socket"])]);
    let derivation = derive(&[one.clone(), other.clone()], &ProfileOptions::default());
    for name in ["listen", "accept4", "socket"] {
        assert!(names(&derivation).contains(name), "{name}");
    }
    let phases = derivation.profile.allowed["listen"].iter().filter(|reason| reason.is_seen());
    assert_eq!(phases.count(), 2, "both phases are kept");
    assert_eq!(
        derive(&[other, one], &ProfileOptions::default()),
        derivation,
        "the order does not matter"
    );
}

fn without_a_workload_there_is_no_profile() {
    let mut idle = calls(Phase::Setup, &["mount"]);
    idle.extend(calls(Phase::ContainerInit, &["capset"]));
    idle.extend(calls(Phase::Denied, &["ptrace"]));
    let recordings = [recording(vec![idle, Vec::new()]), recording(Vec::new())];
    let error = Profile::derive(&recordings, &ProfileOptions::default()).expect_err("no workload");
    assert_eq!(error, DeriveError::NoWorkload { recordings: 2, cgroups: 2 });
    assert!(Profile::derive(&[], &ProfileOptions::default()).is_err());
}

fn runtimes_bring_their_base_sets() {
    let of = |runtime| {
        let derivation = small(|options| options.runtime = runtime);
        derivation.profile.allowed.into_keys().collect::<BTreeSet<_>>()
    };
    let (none, runc) = (of(RuntimeChoice::None), of(RuntimeChoice::Runc));
    let (crun, any) = (of(RuntimeChoice::Crun), of(RuntimeChoice::Any));
    assert!(runc.contains("statx") && runc.contains("openat2") && !runc.contains("pselect6"));
    assert!(crun.contains("pselect6") && crun.contains("umask") && !crun.contains("openat2"));
    assert_eq!(any, runc.union(&crun).cloned().collect());
    assert!(none.is_subset(&runc) && none.is_subset(&crun) && none.len() < crun.len());
    assert_eq!(ProfileOptions::default().runtime, RuntimeChoice::Any);
    for name in ["mount", "umount2", "pivot_root", "setns", "unshare", "keyctl", "ptrace"] {
        assert!(!any.contains(name), "{name}");
    }
}

fn a_seen_call_keeps_the_other_reasons() {
    let derivation = small(|options| options.runtime = RuntimeChoice::Any);
    let reasons = &derivation.profile.allowed["write"];
    let base = |runtime| {
        reasons
            .iter()
            .any(|reason| matches!(reason, Reason::Base { runtime: of, .. } if *of == runtime))
    };
    assert!(base(OciRuntime::Runc) && base(OciRuntime::Crun));
    assert!(reasons.first().is_some_and(|reason| reason.is_seen()), "what was seen comes first");
    assert!(derivation.added.iter().all(|added| added.name != "write"));
    let close = derivation.added.iter().find(|added| added.name == "close").expect("close");
    assert!(
        close.reason.contains("runc: ") && close.reason.contains("; crun: "),
        "{}",
        close.reason
    );
}

fn clone_comes_with_clone3() {
    let options = || under(RuntimeChoice::None);
    let with = derive(&[recording(vec![calls(Phase::Workload, &["clone3"])])], &options());
    assert_eq!(with.profile.allowed["clone"], BTreeSet::from([Reason::Fallback("clone3")]));
    let seen_in_setup = vec![calls(Phase::Setup, &["clone3"]), calls(Phase::Workload, &["read"])];
    assert!(!names(&derive(&[recording(seen_in_setup)], &options())).contains("clone"));
    assert!(!names(&small(|_| {})).contains("clone"));
}

fn inferred_calls_are_distinguished_from_all_others() {
    let fork = [recording(vec![calls(Phase::Workload, &["vfork"])])];
    let mut options = under(RuntimeChoice::None);
    options.alternatives = true;
    let without_clone3 = derive(&fork, &options);
    assert!(!names(&without_clone3).contains("clone3"), "no filter sees its flags");
    options.arguments = ArgumentChoice::Off;
    let derivation = derive(&fork, &options);
    for name in ["fork", "clone", "clone3"] {
        let reasons: Vec<&Reason> = derivation.profile.allowed[name].iter().collect();
        let [Reason::Alternative { of: "vfork", evidence }] = reasons[..] else {
            panic!("{name}: {reasons:?}")
        };
        assert!(!evidence.is_empty(), "{name}");
    }
    assert_eq!(names(&derivation).len(), STANDING.len() + 4, "no form of an added call");
    assert_eq!(Summary::of(&derivation.profile).inferred, 3);
    options.error_paths = true;
    let both = derive(&fork, &options);
    let rare = tracer::profile::inferred::ERROR_PATHS;
    let new = rare.iter().filter(|(name, _)| !names(&derivation).contains(name)).count();
    assert_eq!(names(&both).len(), names(&derivation).len() + new);
    assert_eq!(Summary::of(&both.profile).inferred, 3 + new);
    assert_eq!(Summary::of(&derive(&fork, &under(RuntimeChoice::None)).profile).inferred, 0);
}

fn a_number_without_a_name_is_reported_and_never_written() {
    let nameless = [(Abi::X86_64, 472), (Abi::X86_64, 400), (Abi::X86_64, -1), (Abi::I386, 600)];
    let mut all: Vec<_> =
        nameless.iter().map(|(abi, number)| numbered(*abi, *number, Phase::Workload)).collect();
    all.push(numbered(Abi::X86_64, 473, Phase::Setup));
    // A recording may carry any name; the table decides.
    all[0].name = Some("syscall_472".into());
    let other = vec![numbered(Abi::X86_64, 472, Phase::ContainerInit)];
    let derivation = derive(&[recording(vec![other, all])], &ProfileOptions::default());
    let found: Vec<_> = derivation
        .unnamed
        .iter()
        .map(|call| (call.abi, call.number, call.phase, call.count, call.may_be_newer))
        .collect();
    let workload = Phase::Workload;
    let expected = [
        (Abi::X86_64, -1, workload, Some(1), false),
        (Abi::X86_64, 400, workload, Some(1), false),
        (Abi::X86_64, 472, workload, Some(2), true),
        (Abi::I386, 600, workload, Some(1), false),
    ];
    assert_eq!(found, expected);
    assert!(names(&derivation).iter().all(|name| syscalls::is_known(name)));
    assert!(derivation.profile.architectures.contains(&Abi::I386), "its caller is not killed");
}

fn the_user_includes_and_excludes() {
    let recordings = [recording(vec![calls(Phase::Workload, &["write", "ptrace"])])];
    let include =
        under(RuntimeChoice::None).with_include(strings(&["bpf", "write"])).expect("calls");
    let derivation = derive(&recordings, &include);
    assert_eq!(derivation.profile.allowed["bpf"], BTreeSet::from([Reason::Included]));
    assert!(derivation.profile.allowed["write"].contains(&Reason::Included));
    assert!(derivation.added.iter().any(|added| added.name == "bpf"));
    assert!(derivation.added.iter().all(|added| added.name != "write"), "it was seen");

    let exclude = strings(&["umask", "ptrace", "swapon"]);
    let exclude = under(RuntimeChoice::Crun).with_exclude(exclude).expect("calls");
    let derivation = derive(&recordings, &exclude);
    assert_eq!(derivation.excluded, ["ptrace", "umask"], "swapon would not be allowed anyway");
    assert_eq!(derivation.excluded_seen, ["ptrace"]);
    assert_eq!(derivation.derived().excluded, ["ptrace"]);
    for name in ["umask", "ptrace", "swapon"] {
        assert!(!names(&derivation).contains(name), "{name}");
        assert!(derivation.added.iter().all(|added| added.name != name), "{name}");
    }
}

fn a_name_without_an_architecture_is_reported() {
    let socketcall =
        || ProfileOptions::default().with_include(strings(&["socketcall"])).expect("a call");
    let recordings = [recording(vec![calls(Phase::Workload, &["write"])])];
    assert_eq!(derive(&recordings, &socketcall()).ineffective, ["socketcall"]);
    let mut all = socketcall();
    all.all_architectures = true;
    assert!(derive(&recordings, &all).ineffective.is_empty());
}

fn the_default_action_is_the_users() {
    let of = |default_action| {
        let derivation = small(|options| options.default_action = default_action);
        let file = file(&derivation.profile);
        (file["defaultAction"].clone(), file.get("defaultErrnoRet").cloned())
    };
    let errno = json!("SCMP_ACT_ERRNO");
    assert_eq!(of(DefaultAction::default()), (errno.clone(), Some(json!(38))));
    assert_eq!(of(DefaultAction::Errno(Errno::EPERM)), (errno, Some(json!(1))));
    assert_eq!(of(DefaultAction::Log), (json!("SCMP_ACT_LOG"), None));
    assert_eq!(of(DefaultAction::KillProcess), (json!("SCMP_ACT_KILL_PROCESS"), None));
    assert_eq!(of(DefaultAction::KillThread), (json!("SCMP_ACT_KILL_THREAD"), None));
    assert_eq!(of(DefaultAction::Trap), (json!("SCMP_ACT_TRAP"), None));
}

fn every_seen_call_of_every_abi_is_allowed_under_its_name() {
    for abi in Abi::ALL {
        for (number, name) in syscalls::entries(abi) {
            let all = vec![numbered(abi, number, Phase::Workload)];
            let mut options = under(RuntimeChoice::None);
            if name == "clone3" {
                options.arguments = ArgumentChoice::Off;
            }
            let derivation = derive(&[recording(vec![all])], &options);
            let expected = Reason::Seen { abi, phase: Phase::Workload };
            assert!(derivation.profile.allowed[name].contains(&expected), "{name}");
            assert!(derivation.ineffective.is_empty() && derivation.unnamed.is_empty());
        }
    }
}

fn the_file_has_the_form_that_every_runtime_reads() {
    let mut options = ProfileOptions::default();
    options.all_architectures = true;
    let derivation = derive(&[full(), web_server()], &options);
    let text = oci::write(&derivation.profile);
    assert_eq!(text, oci::write(&derive(&[web_server(), full()], &options).profile));
    let file = file(&derivation.profile);
    let keys: Vec<&String> = file.as_object().expect("an object").keys().collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    let rules = file["syscalls"].as_array().expect("rules");
    assert!(rules.len() > 1);
    let [rules @ .., answer] = &rules[..] else { panic!("no rules") };
    let keys: Vec<&String> = answer.as_object().expect("a rule").keys().collect();
    assert_eq!(keys, ["names", "action", "errnoRet"], "{answer}");
    for rule in &rules[1..] {
        let keys: Vec<&String> = rule.as_object().expect("a rule").keys().collect();
        assert_eq!(keys, ["names", "action", "args"], "{rule}");
    }
    let rule = rules[0].as_object().expect("a rule");
    assert_eq!(rule.keys().collect::<Vec<_>>().len(), 2, "{rule:?}");
    assert_eq!(rule["action"], "SCMP_ACT_ALLOW");
    let names: Vec<&str> =
        rule["names"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    assert!(names.is_sorted_by(|one, next| one < next), "sorted, none twice");
    assert!(names.iter().all(|name| syscalls::is_known(name)));
}

fn the_numbers_are_those_of_the_profile() {
    let mut all = calls(Phase::Workload, &["write"]);
    all.push(call(Abi::I386, "socketcall", Phase::Workload));
    let options = under(RuntimeChoice::None);
    let derivation = derive(&[recording(vec![all])], &options);
    let summary = Summary::of(&derivation.profile);
    assert_eq!((summary.names, HOST.native_names), (385, 385));
    assert_eq!(summary.allowed, STANDING.len() + 2, "write and set_thread_area");
    assert_eq!(summary.foreign, 7, "socketcall and the 32-bit forms");
    assert_eq!((summary.seen, summary.added), (1, STANDING.len() + 1), "of x86_64: they add up");
    assert_eq!(summary.refused(), 385 - summary.allowed);
    assert_eq!(summary.killed, [Abi::X32]);
}

fn denied_calls_are_allowed_on_request_only() {
    let all = vec![
        call(Abi::X86_64, "write", Phase::Workload),
        denied(Abi::X86_64, "ptrace", DenyOutcome::Errno(1), Phase::Workload),
        denied(Abi::X86_64, "mount", DenyOutcome::Errno(1), Phase::Setup),
        denied(Abi::I386, "socketcall", DenyOutcome::ThreadKilled, Phase::Workload),
        Call {
            doubtful: true,
            ..denied(Abi::X86_64, "mkdir", DenyOutcome::Errno(14), Phase::Workload)
        },
    ];
    let recordings = [recording(vec![all])];
    let without = derive(&recordings, &ProfileOptions::default());
    assert!(["ptrace", "mount", "socketcall"].iter().all(|name| !names(&without).contains(*name)));
    let mut options = ProfileOptions::default();
    options.denied = true;
    let with = derive(&recordings, &options);
    let allowed = names(&with);
    assert!(allowed.contains("ptrace") && allowed.contains("socketcall"));
    assert!(!allowed.contains("mkdir"), "it may have been allowed");
    assert!(!allowed.contains("mount"), "a runtime was denied it before the container was made");
    assert!(with.profile.architectures.contains(&Abi::I386), "its callers would be killed");
    let added = with.added.iter().find(|added| added.name == "ptrace").expect("it is added");
    assert_eq!(added.reason, "denied while recording: EPERM (x86_64)");
}
