//! The main job: one command gives a profile that every consumer accepts.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

use serde_json::Value;
use tests::{Outcome, Tracer, file_names, names, written_names};
use tracer::recording::{Phase, TargetKind, VERSION};
use tracer::syscalls::Abi;

tests::trials! {
    a_command_gives_three_files,
    the_profile_has_the_form_that_every_consumer_accepts,
    the_profile_has_what_the_command_did_and_no_more,
    the_recording_is_complete_and_holds_the_facts,
    a_command_is_recorded_from_its_execve_on_and_nothing_before_it,
    becoming_another_user_is_not_the_workload,
    files_belong_to_the_user_of_sudo_in_a_directory_of_theirs,
    the_kubernetes_patch_points_to_the_profile,
    the_options_of_the_profile_are_followed,
    what_an_exclusion_does_to_the_start_is_reported,
    two_recordings_of_the_same_command_give_the_same_bytes,
    the_profile_alone_goes_to_stdout,
}

fn record_ls() -> Outcome {
    Tracer::new().command(["ls", "-l", "/"]).run().exits(0)
}

fn a_command_gives_three_files() {
    let outcome = record_ls();
    let expected = written_names("profile");
    assert_eq!(file_names(outcome.directory()), expected);
    for file in &expected {
        let data = fs::metadata(outcome.directory().join(file)).expect("the file is there");
        assert_eq!(data.mode() & 0o133, 0, "{file} is a file for reading: {:o}", data.mode());
    }
    assert!(outcome.stdout.contains("etc"), "stdout is the command's: {}", outcome.stdout);
    assert!(!outcome.stdout.contains("SCMP"), "stdout is the command's: {}", outcome.stdout);
}

fn the_profile_has_the_form_that_every_consumer_accepts() {
    let outcome = record_ls();
    let text = outcome.read("json");
    let keys =
        ["{", r#""defaultAction""#, r#""defaultErrnoRet""#, r#""architectures""#, r#""syscalls""#];
    let places: Vec<_> = keys.iter().map(|key| text.find(key).expect(key)).collect();
    assert!(places.is_sorted(), "the keys are in the usual order: {text}");
    assert!(text.ends_with("}\n"), "the file ends with one line end");

    let profile = outcome.profile();
    let object = profile.as_object().expect("an object");
    let found: BTreeSet<_> = object.keys().map(String::as_str).collect();
    let expected = ["defaultAction", "defaultErrnoRet", "architectures", "syscalls"];
    assert_eq!(found, BTreeSet::from(expected), "no other keys");
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    assert_eq!(profile["defaultErrnoRet"], 38);
    assert_eq!(profile["architectures"], serde_json::json!(["SCMP_ARCH_X86_64"]));
    let rules = profile["syscalls"].as_array().expect("rules");
    let (answer, rules) = rules.split_last().expect("rules");
    let expected =
        serde_json::json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 });
    assert_eq!(*answer, expected, "C libraries take clone in its place");
    for (at, rule) in rules.iter().enumerate() {
        let found: BTreeSet<_> =
            rule.as_object().expect("an object").keys().map(String::as_str).collect();
        let with_condition: &[&str] = if at == 0 { &[] } else { &["args"] };
        let expected = ["names", "action"].iter().chain(with_condition).copied();
        assert_eq!(found, expected.collect::<BTreeSet<_>>(), "{rule}");
        assert_eq!(rule["action"], "SCMP_ACT_ALLOW");
        if at > 0 {
            let [condition] = rule["args"].as_array().expect("conditions").as_slice() else {
                panic!("runtimes differ in what two conditions mean: {rule}");
            };
            let operators = ["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"];
            assert!(operators.iter().any(|known| condition["op"] == *known), "{rule}");
        }
    }
    let allowed = outcome.allowed();
    assert!(allowed.is_sorted_by(|one, next| one < next), "sorted, each once: {allowed:?}");
}

fn the_profile_has_what_the_command_did_and_no_more() {
    let outcome = record_ls();
    let allowed = outcome.allowed();
    let has = |name: &str| allowed.iter().any(|allowed| allowed == name);
    for name in ["execve", "openat", "read", "mmap", "getdents64", "exit_group"] {
        assert!(has(name), "ls needs {name}: {allowed:?}");
    }
    for name in [
        "mount",
        "umount2",
        "unshare",
        "ptrace",
        "pivot_root",
        "bpf",
        "setns",
        "init_module",
        "keyctl",
    ] {
        assert!(!has(name), "ls does not need {name}");
    }
    let recording = outcome.recording();
    for call in recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls) {
        let name = call.name.as_deref().expect("ls makes named calls only");
        assert!(call.phase == Phase::Setup || has(name), "{name} was seen and is not allowed");
    }
}

fn the_recording_is_complete_and_holds_the_facts() {
    let outcome = record_ls();
    let recording = outcome.recording();
    assert_eq!(recording.version, VERSION);
    assert!(recording.complete, "{:?}", recording.incomplete_reasons);
    assert!(recording.host.btf, "this kernel has BTF");
    assert!(recording.duration_seconds > 0.0);
    let [target] = recording.targets.as_slice() else {
        panic!("one target: {:?}", recording.targets)
    };
    assert_eq!(target.kind, TargetKind::Command);
    let [cgroup] = recording.cgroups.as_slice() else {
        panic!("one cgroup: {:?}", recording.cgroups)
    };
    assert_eq!(target.cgroups, [0]);
    assert!(!cgroup.late_start, "the start was seen");
    let workload = names(cgroup, Phase::Workload);
    assert!(workload.contains("execve"), "the command's execve is its own: {workload:?}");
    let keys = cgroup.calls.iter().map(|call| (call.abi, call.number)).collect::<Vec<_>>();
    assert!(keys.is_sorted_by(|one, next| one < next), "sorted, each once: {keys:?}");
    assert!(keys.iter().all(|(abi, _)| *abi == Abi::X86_64));
    for call in &cgroup.calls {
        assert!(call.count.is_some_and(|count| count > 0), "it was counted: {call:?}");
    }
    let ended = recording.command.as_ref().expect("the command's end is recorded");
    assert_eq!((ended.exit_code, ended.signal), (Some(0), None));
}

fn a_command_is_recorded_from_its_execve_on_and_nothing_before_it() {
    let command = [tests::GROUND_TRUTH, "x86_64:getpid*3", "i386:getpid"];
    let outcome = Tracer::new().command(command).run().exits(0);
    let recording = outcome.recording();
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let workload: Vec<_> = calls
        .filter(|call| call.phase != Phase::Setup)
        .map(|call| (call.abi, call.number, call.count))
        .collect();
    let expected = [
        (Abi::X86_64, 39, Some(3)),
        (Abi::X86_64, 59, Some(1)),
        (Abi::X86_64, 231, Some(1)),
        (Abi::I386, 20, Some(1)),
    ];
    assert_eq!(workload, expected, "left: recorded as workload, right: made");
}

fn becoming_another_user_is_not_the_workload() {
    let directory = tests::temporary_directory();
    let program = directory.path().join("program");
    tests::copy_program(tests::GROUND_TRUTH, &program);
    let program = program.to_str().expect("the path is text");
    let steps = [program, "x86_64:getuid", "say:here"];
    let outcome = Tracer::new().args(["--user", "65534"]).command(steps).run().exits(0);
    assert_eq!(outcome.stdout, "here\n", "the command ran");
    let recording = outcome.recording();
    let [cgroup] = recording.cgroups.as_slice() else {
        panic!("one cgroup: {:?}", recording.cgroups)
    };
    let workload = names(cgroup, Phase::Workload);
    assert_eq!(workload, BTreeSet::from(["execve", "exit_group", "getuid", "write"]));
}

fn files_belong_to_the_user_of_sudo_in_a_directory_of_theirs() {
    let tracer = Tracer::new().environment("SUDO_UID", "65534").environment("SUDO_GID", "65534");
    chown(tracer.directory(), Some(65534), Some(65534)).expect("the directory is given away");
    let outcome = tracer.command([tests::GROUND_TRUTH, "x86_64:getpid"]).run().exits(0);
    for file in file_names(outcome.directory()) {
        let owner = fs::metadata(outcome.directory().join(&file)).expect("it is there").uid();
        assert_eq!(owner, 65534, "{file} belongs to the user who ran sudo");
    }
    // A directory that is not theirs stays root's.
    let tracer = Tracer::new().environment("SUDO_UID", "65534").environment("SUDO_GID", "65534");
    let outcome = tracer.command([tests::GROUND_TRUTH, "x86_64:getpid"]).run().exits(0);
    for file in file_names(outcome.directory()) {
        let owner = fs::metadata(outcome.directory().join(&file)).expect("it is there").uid();
        assert_eq!(owner, 0, "{file} stays root's");
    }
}

fn the_kubernetes_patch_points_to_the_profile() {
    let text = record_ls().read("kubernetes.yaml");
    for part in [
        "template:",
        "seccompProfile:",
        "type: Localhost",
        "localhostProfile:",
        "profiles/profile.json",
    ] {
        assert!(text.contains(part), "expected {part:?} in {text}");
    }
}

fn the_options_of_the_profile_are_followed() {
    let options = ["--errno=eperm", "--all-arches", "--include=bpf", "--exclude=getdents64"];
    let tracer = Tracer::new().args(options);
    let outcome = tracer.command(["ls", "/"]).run();
    assert!(matches!(outcome.status.code(), Some(0 | 3)), "it is written: {outcome:?}");
    let profile = outcome.profile();
    assert_eq!(profile["defaultErrnoRet"], 1);
    let all = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    assert_eq!(profile["architectures"], Value::from(all.to_vec()));
    let allowed = outcome.allowed();
    assert!(allowed.iter().any(|name| name == "bpf"), "included: {allowed:?}");
    assert!(!allowed.iter().any(|name| name == "getdents64"), "excluded: {allowed:?}");
}

fn what_an_exclusion_does_to_the_start_is_reported() {
    let steps = ["x86_64:getpid", "x86_64:getpriority"];
    let excluding = |names: &str| {
        let command = [&[tests::GROUND_TRUTH], &steps[..]].concat();
        Tracer::new().args(["--exclude", names]).command(command).run().exits(0)
    };
    excluding("execve,openat,swapon").says(&[
        "warning: no container can start under the profile",
        "--exclude leaves out calls that the start needs: execve (runc, crun), openat (runc, crun)",
        "note: --exclude had no effect on swapon",
    ]);
    excluding("statx").says(&["warning: a container will not start under the profile"]);
    let outcome = excluding("getpriority").says(&["getpriority was seen; --exclude leaves it out"]);
    for warning in ["will not start", "no effect"] {
        assert!(!outcome.stderr.contains(warning), "{}", outcome.stderr);
    }
}

fn two_recordings_of_the_same_command_give_the_same_bytes() {
    let profile = || {
        let command =
            [tests::GROUND_TRUTH, "x86_64:getpid", "fork:2", "[", "i386:getpid", "]", "wait"];
        Tracer::new().command(command).run().exits(0).read("json")
    };
    assert_eq!(profile(), profile());
}

fn the_profile_alone_goes_to_stdout() {
    let cgroup = tests::Cgroup::new("stdout");
    let tracing = Tracer::new().cgroup(&cgroup).out("-").start();
    let steps = [cgroup.hop(), "x86_64:getpid".into()];
    let finished = tests::Running::start(&mut tests::ground_truth(steps)).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    let outcome = tracing.stop().exits(0).writes_nothing();
    let profile: Value = serde_json::from_str(&outcome.stdout).expect("stdout is the profile");
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
}
