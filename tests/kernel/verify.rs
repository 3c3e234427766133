//! `tracer verify`: what is denied is named as it happens, with the exit codes, and what it writes is enough.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::{
    Cgroup, GROUND_TRUTH, Outcome, Running, Tracer, Tracing, ground_truth, temporary_folder,
};

tests::trials! {
    nothing_denied_is_told,
    a_denied_call_is_named_with_errno_command_and_remedy,
    it_is_told_as_it_happens,
    an_amended_profile_is_enough,
    a_foreign_abi_that_kills_a_thread_is_seen_and_amended,
    a_thread_killed_by_the_default_is_seen,
    a_logged_call_is_told_by_the_audit_log,
    without_the_audit_log_a_profile_that_logs_is_incomplete,
    a_target_without_a_filter_is_told,
    a_target_that_does_nothing_is_not_verified,
    a_target_under_its_own_filter_is_watched,
    a_late_start_is_incomplete_unless_something_was_denied,
    what_cannot_be_verified_is_told_before_anything_runs,
}

/// What the fixture program makes by itself.
const OWN: [&str; 8] = ["execve", "exit", "exit_group", "write", "read", "clone", "fork", "wait4"];

/// A profile that allows the fixture's own calls and these.
fn profile(default: &str, names: &[&str]) -> Value {
    let names: Vec<&str> = OWN.iter().chain(names).copied().collect();
    json!({
        "defaultAction": default,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }],
    })
}

fn write(folder: &Path, profile: &Value) -> String {
    let path = folder.join("under.json");
    fs::write(&path, profile.to_string()).expect("a profile");
    path.display().to_string()
}

/// Runs the fixture under a profile, verified.
fn verify(options: &[&str], profile: &Value, steps: &[&str]) -> Outcome {
    let folder = temporary_folder();
    let path = write(folder.path(), profile);
    let command = [&[GROUND_TRUTH], steps].concat();
    Tracer::new().without_out().args(["verify", &path]).args(options).command(command).run()
}

/// Watches a cgroup.
fn watch(cgroup: &Cgroup, profile: &str, options: &[&str]) -> Tracing {
    let tracing =
        Tracer::new().without_out().args(["verify", profile]).cgroup(cgroup).args(options).spawn();
    tracing.wait_for_message("verifying");
    tracing
}

fn nothing_denied_is_told() {
    verify(&[], &profile("SCMP_ACT_ERRNO", &["getpid"]), &["x86_64:39*3"])
        .exits(0)
        .says(&["nothing was denied"]);
}

fn a_denied_call_is_named_with_errno_command_and_remedy() {
    verify(&[], &profile("SCMP_ACT_ERRNO", &["prctl"]), &["name:bold", "x86_64:83*4"])
        .exits(4)
        .says(&[
            "denied: mkdir  EPERM  bold[",
            "denied: mkdir (x86_64)  EPERM  times: 4  first by bold[",
            "(workload)",
            "hint: add mkdir to the profile",
        ]);
}

fn it_is_told_as_it_happens() {
    let folder = temporary_folder();
    let path = write(folder.path(), &profile("SCMP_ACT_ERRNO", &[]));
    let command = [GROUND_TRUTH, "x86_64:83", "barrier"];
    let tracing = Tracer::new().without_out().args(["verify", &path]).command(command).spawn();
    tracing.wait_for_message("denied: mkdir  EPERM");
    tracing.finish().exits(4);
}

fn an_amended_profile_is_enough() {
    let folder = temporary_folder();
    let amended = folder.path().join("amended.json");
    let options = ["--amend", amended.to_str().expect("text")];
    let steps = ["x86_64:83", "x86_64:140", "i386:20", "x86_64:39"];
    for default in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP", "SCMP_ACT_LOG"] {
        let mut profile = profile(default, &[]);
        profile["architectures"] = json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
        // One call at a time: under most of these the first one is the last.
        let mut rounds = 0;
        loop {
            let outcome = verify(&options, &profile, &steps);
            let text = fs::read_to_string(&amended).expect("the amended profile");
            profile = serde_json::from_str(&text).expect("JSON");
            if outcome.status.code() == Some(0) {
                break;
            }
            outcome.exits(4);
            rounds += 1;
            assert!(rounds < 8, "{default}: still denied: {profile}");
        }
        assert_eq!(profile["defaultAction"], default);
    }
}

fn a_foreign_abi_that_kills_a_thread_is_seen_and_amended() {
    let folder = temporary_folder();
    let amended = folder.path().join("amended.json");
    let options = ["--amend", amended.to_str().expect("text")];
    let steps = ["thread", "[", "i386:20", "]", "x86_64:39"];
    let narrow = profile("SCMP_ACT_ERRNO", &["getpid"]);
    verify(&options, &narrow, &steps).exits(4).says(&[
        "denied: getpid (i386)  thread killed  ground_truth[",
        "does not list SCMP_ARCH_X86",
    ]);
    let text = fs::read_to_string(&amended).expect("the amended profile");
    let wider: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(wider["architectures"], json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
    verify(&[], &wider, &steps).exits(0);
}

fn a_thread_killed_by_the_default_is_seen() {
    let steps = ["thread", "[", "x86_64:140", "]", "x86_64:39"];
    verify(&[], &profile("SCMP_ACT_KILL", &["getpid"]), &steps)
        .exits(4)
        .says(&["denied: getpriority (x86_64)  thread killed  times: 1"]);
}

fn a_logged_call_is_told_by_the_audit_log() {
    // Also of a process that has ended by the time its record is read.
    let steps = ["fork:20", "[", "x86_64:140*5", "]", "wait", "x86_64:39"];
    verify(&[], &profile("SCMP_ACT_LOG", &["getpid"]), &steps)
        .exits(4)
        .says(&["denied: getpriority (x86_64)  logged  times: 100  first by ground_truth["]);
    verify(&[], &profile("SCMP_ACT_LOG", &["getpid"]), &["x86_64:39"]).exits(0);
}

fn without_the_audit_log_a_profile_that_logs_is_incomplete() {
    let folder = temporary_folder();
    let run = |default: &str| {
        let path = write(folder.path(), &profile(default, &["getpid"]));
        let without = ["setpriv", "--bounding-set=-audit_read", "--inh-caps=-all"];
        Tracer::new()
            .launcher(without)
            .without_out()
            .args(["verify", &path])
            .command([GROUND_TRUTH, "x86_64:39"])
            .run()
    };
    run("SCMP_ACT_LOG")
        .exits(3)
        .says(&["incomplete: calls that the profile logs", "CAP_AUDIT_READ"]);
    run("SCMP_ACT_ERRNO").exits(0);
}

fn a_target_without_a_filter_is_told() {
    let folder = temporary_folder();
    let path = write(folder.path(), &profile("SCMP_ACT_ERRNO", &[]));
    let cgroup = Cgroup::new("free");
    let tracing = watch(&cgroup, &path, &[]);
    Running::start(&mut ground_truth([&cgroup.hop(), "x86_64:83"])).finish();
    tracing.stop().exits(1).says(&["nothing is enforced", "security-opt seccomp="]);
}

fn a_target_that_does_nothing_is_not_verified() {
    let folder = temporary_folder();
    let path = write(folder.path(), &profile("SCMP_ACT_ERRNO", &[]));
    let cgroup = Cgroup::new("idle");
    watch(&cgroup, &path, &[]).stop().exits(3).says(&["no call of the target was seen"]);
}

fn a_target_under_its_own_filter_is_watched() {
    let folder = temporary_folder();
    let path = write(folder.path(), &profile("SCMP_ACT_ERRNO", &["mkdir"]));
    let cgroup = Cgroup::new("own");
    let tracing = watch(&cgroup, &path, &[]);
    Running::start(&mut ground_truth([&cgroup.hop(), "deny:83", "x86_64:83*2"])).finish();
    tracing.stop().exits(4).says(&[
        "denied: mkdir (x86_64)  ENOSYS  times: 2",
        "the profile allows mkdir: the target runs under another filter",
    ]);
}

fn a_late_start_is_incomplete_unless_something_was_denied() {
    let folder = temporary_folder();
    let path = write(folder.path(), &profile("SCMP_ACT_ERRNO", &[]));
    for (step, options, code) in [
        ("x86_64:39", &[][..], 3),
        ("x86_64:39", &["--accept-late-start"][..], 0),
        ("x86_64:83", &[][..], 4),
    ] {
        let cgroup = Cgroup::new("late");
        let hop = cgroup.hop();
        let steps = [&hop, "deny:83", "say:ready", "barrier", step];
        let mut running = Running::start(&mut ground_truth(steps));
        running.wait_for_line("ready");
        let tracing = watch(&cgroup, &path, options);
        running.finish();
        tracing.stop().exits(code);
    }
}

fn what_cannot_be_verified_is_told_before_anything_runs() {
    let folder = temporary_folder();
    let marker = folder.path().join("ran");
    let touch = ["touch", marker.to_str().expect("text")];
    let run = |path: &str| Tracer::new().without_out().args(["verify", path]).command(touch).run();
    run("/nowhere.json").exits(1).says(&["profile /nowhere.json"]);
    let bad = folder.path().join("bad.json");
    fs::write(&bad, "{}").expect("a file");
    run(bad.to_str().expect("text")).exits(1).says(&["defaultAction"]);
    let path = write(folder.path(), &json!({ "defaultAction": "SCMP_ACT_ERRNO" }));
    run(&path).exits(1).says(&["execve is not allowed"]);
    Tracer::new().without_out().args(["verify", &path]).run().exits(2);
    assert!(!marker.exists(), "the command was not run");
}
