//! `tracer verify`: what is denied is named as it happens, with the exit codes, and what it writes
//! is enough.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::{
    Cgroup, GROUND_TRUTH, Outcome, Running, Tracer, Tracing, ground_truth, temporary_directory,
};

tests::trials! {
    nothing_denied_is_reported,
    a_denied_call_is_named_with_errno_command_and_remedy,
    it_is_reported_as_it_happens_on_request,
    the_list_is_in_the_order_of_time_and_comes_once,
    what_came_next_distinguishes_a_fall_back_from_the_end,
    arguments_are_shown_as_they_were_given,
    an_amended_profile_is_enough,
    a_foreign_abi_that_kills_a_thread_is_seen_and_amended,
    a_thread_killed_by_the_default_is_seen,
    a_target_without_a_filter_is_reported,
    a_target_that_does_nothing_is_not_verified,
    a_filter_of_the_program_s_own_makes_nothing_red_and_is_never_amended,
    another_profile_than_the_one_that_is_loaded_is_proven,
    what_runs_under_the_profile_proves_nothing,
    what_is_made_before_the_filter_proves_nothing,
    what_does_not_exist_yet_is_awaited,
    events_and_the_result_are_written_for_programs,
    a_late_start_is_incomplete_unless_something_was_denied,
    what_cannot_be_verified_is_reported_before_anything_runs,
}

/// What the fixture program makes by itself.
const OWN: [&str; 8] = ["execve", "exit", "exit_group", "write", "read", "clone", "fork", "wait4"];

/// A profile that allows the fixture's own calls and these.
pub fn profile(default: &str, names: &[&str]) -> Value {
    let names: Vec<&str> = OWN.iter().chain(names).copied().collect();
    json!({
        "defaultAction": default,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }],
    })
}

pub fn write(directory: &Path, profile: &Value) -> String {
    let path = directory.join("under.json");
    fs::write(&path, profile.to_string()).expect("a profile");
    path.display().to_string()
}

/// Runs the fixture under a profile, verified.
pub fn verify(options: &[&str], profile: &Value, steps: &[&str]) -> Outcome {
    let directory = temporary_directory();
    let path = write(directory.path(), profile);
    let command = [&[GROUND_TRUTH], steps].concat();
    Tracer::new().without_out().args(["verify", &path]).args(options).command(command).run()
}

/// Watches a cgroup.
pub fn watch(cgroup: &Cgroup, profile: &str, options: &[&str]) -> Tracing {
    let tracing =
        Tracer::new().without_out().args(["verify", profile]).cgroup(cgroup).args(options).spawn();
    tracing.wait_for_message("verifying");
    tracing
}

fn nothing_denied_is_reported() {
    verify(&[], &profile("SCMP_ACT_ERRNO", &["getpid"]), &["x86_64:getpid*3"])
        .exits(0)
        .says(&["nothing was denied"]);
}

fn a_denied_call_is_named_with_errno_command_and_remedy() {
    verify(&[], &profile("SCMP_ACT_ERRNO", &["prctl"]), &["name:bold", "x86_64:mkdir*4"])
        .exits(4)
        .says(&[
            "mkdir(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) = EPERM  4 times  bold[",
            "(workload)",
            "hint: add mkdir to the profile",
            "hint: --amend FILE writes",
        ]);
}

/// The lines about denied calls.
fn denied_lines(outcome: &Outcome) -> Vec<&str> {
    outcome.stderr.lines().filter(|line| line.contains("denied: ")).collect()
}

fn the_list_is_in_the_order_of_time_and_comes_once() {
    let steps = ["x86_64:getpriority", "x86_64:mkdir*2", "x86_64:getpid", "x86_64:times"];
    let outcome = verify(&[], &profile("SCMP_ACT_ERRNO", &[]), &steps).exits(4);
    let names: Vec<&str> = denied_lines(&outcome)
        .into_iter()
        .map(|line| line.split(['+', ' ', '(']).nth(4).expect("a name"))
        .collect();
    assert_eq!(names, ["getpriority", "mkdir", "getpid", "times"], "{}", outcome.stderr);
}

fn what_came_next_distinguishes_a_fall_back_from_the_end() {
    let under = profile("SCMP_ACT_ERRNO", &[]);
    let steps = ["fork:1", "[", "x86_64:mkdir", "exit:3", "]", "wait", "x86_64:getpriority"];
    let outcome = verify(&[], &under, &steps).exits(4);
    let lines = denied_lines(&outcome);
    let of = |name: &str| lines.iter().find(|line| line.contains(name)).expect("a line");
    assert!(of("mkdir").contains("(workload)  ended ") && of("mkdir").ends_with("with status 3"));
    assert!(of("getpriority").contains("(workload)  went on, ended "), "{lines:?}");
    // It waits, and has made further calls.
    let directory = temporary_directory();
    let path = write(directory.path(), &under);
    let cgroup = Cgroup::new("waits");
    let tracing = watch(&cgroup, &path, &[]);
    let hop = cgroup.hop();
    let learned = ["allow-all", "deny:mkdir", "x86_64:mkdir", "say:denied", "barrier"];
    let mut running = Running::start(&mut ground_truth([&[hop.as_str()], &learned[..]].concat()));
    running.wait_for_line("denied");
    let outcome = tracing.stop().exits(4);
    running.finish();
    assert!(denied_lines(&outcome)[0].ends_with("(workload)  went on"), "{}", outcome.stderr);
    // A filter that kills ends it.
    let outcome = verify(&[], &profile("SCMP_ACT_KILL_PROCESS", &[]), &["x86_64:mkdir"]).exits(4);
    assert!(denied_lines(&outcome)[0].ends_with("by SIGSYS"), "{}", outcome.stderr);
}

fn arguments_are_shown_as_they_were_given() {
    let under = profile("SCMP_ACT_ERRNO", &[]);
    for hook in ["raw", "classic"] {
        let hook = format!("--attach={hook}");
        verify(&[&hook], &under, &["call:getpriority,4711"])
            .exits(4)
            .says(&["getpriority(0x1267, 0x0, 0x0, 0x0, 0x0, 0x0) = EPERM  ground_truth["]);
    }
    verify(&["--no-btf"], &under, &["call:getpriority,4711"])
        .exits(4)
        .says(&["getpriority = EPERM  ground_truth[", "note: arguments are not shown"]);
}

fn it_is_reported_as_it_happens_on_request() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_ERRNO", &[]));
    let command = [GROUND_TRUTH, "x86_64:mkdir", "barrier"];
    let tracing =
        Tracer::new().without_out().args(["verify", &path, "-v"]).command(command).spawn();
    tracing.wait_for_message("denied: mkdir  EPERM");
    tracing.finish().exits(4);
}

fn an_amended_profile_is_enough() {
    let directory = temporary_directory();
    let amended = directory.path().join("amended.json");
    let options = ["--amend", amended.to_str().expect("text")];
    let steps = ["x86_64:mkdir", "x86_64:getpriority", "i386:getpid", "x86_64:getpid"];
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
    let directory = temporary_directory();
    let amended = directory.path().join("amended.json");
    let options = ["--amend", amended.to_str().expect("text")];
    let steps = ["thread", "[", "i386:getpid", "]", "x86_64:getpid"];
    let narrow = profile("SCMP_ACT_ERRNO", &["getpid"]);
    verify(&options, &narrow, &steps).exits(4).says(&[
        "getpid(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) (i386) = thread killed  ground_truth[",
        "does not list SCMP_ARCH_X86",
    ]);
    let text = fs::read_to_string(&amended).expect("the amended profile");
    let wider: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(wider["architectures"], json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]));
    verify(&[], &wider, &steps).exits(0);
}

fn a_thread_killed_by_the_default_is_seen() {
    let steps = ["thread", "[", "x86_64:getpriority", "]", "x86_64:getpid"];
    verify(&[], &profile("SCMP_ACT_KILL", &["getpid"]), &steps)
        .exits(4)
        .says(&["getpriority(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) = thread killed  ground_truth["]);
}

fn a_target_without_a_filter_is_reported() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_ERRNO", &[]));
    let cgroup = Cgroup::new("free");
    let tracing = watch(&cgroup, &path, &[]);
    Running::start(&mut ground_truth([&cgroup.hop(), "x86_64:mkdir"])).finish();
    tracing.stop().exits(1).says(&["nothing is enforced", "security-opt seccomp="]);
}

fn a_target_that_does_nothing_is_not_verified() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_ERRNO", &[]));
    let cgroup = Cgroup::new("idle");
    watch(&cgroup, &path, &[]).stop().exits(3).says(&["no call of the target was seen"]);
}

fn a_filter_of_the_program_s_own_makes_nothing_red_and_is_never_amended() {
    let directory = temporary_directory();
    let amended = directory.path().join("amended.json");
    let options = ["--amend", amended.to_str().expect("text")];
    // It loads a second filter, as a sandbox does, and the profile lets it.
    let under = profile("SCMP_ACT_ERRNO", &["mkdir", "seccomp", "prctl", "getpid"]);
    let own = ["deny:mkdir", "x86_64:mkdir*2", "x86_64:getpid"];
    let outcome = verify(&options, &under, &own).exits(0).says(&[
        "refused by another filter, the program's own or an outer one",
        "mkdir(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) = ENOSYS  2 times  ground_truth[",
        "nothing was denied by the profile",
        "calls added: 0",
    ]);
    assert!(denied_lines(&outcome).is_empty(), "{}", outcome.stderr);
    let written: Value =
        serde_json::from_str(&fs::read_to_string(&amended).expect("a file")).expect("JSON");
    assert_eq!(written, under);
    // What the profile itself denies is reported beside it.
    verify(&[], &under, &[&own[..], &["x86_64:getpriority"]].concat()).exits(4).says(&[
        "denied: +",
        "getpriority(",
        "refused by another filter",
        "mkdir(",
        "hint: add getpriority to the profile\n",
    ]);
}

fn another_profile_than_the_one_that_is_loaded_is_proven() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_ERRNO", &["mkdir"]));
    let amended = directory.path().join("amended.json");
    let options = ["--amend", amended.to_str().expect("text")];
    let cgroup = Cgroup::new("another");
    let tracing = watch(&cgroup, &path, &options);
    let steps = [&cgroup.hop(), "deny:times", "x86_64:getpid", "x86_64:times", "i386:getpid"];
    Running::start(&mut ground_truth(steps)).finish();
    let outcome = tracing.stop().exits(1).says(&[
        "error: ",
        "runs under another filter than ",
        "getpid by ground_truth",
        "getpid (i386) by ground_truth",
        "security-opt seccomp=",
        "was not written",
    ]);
    assert!(!outcome.stderr.contains("nothing was denied"), "{}", outcome.stderr);
    assert!(!amended.exists(), "nothing was amended");
}

fn what_runs_under_the_profile_proves_nothing() {
    // The same as above, with a profile that allows what was made, in part for some arguments, and
    // lets others decide.
    let directory = temporary_directory();
    let mut under = profile("SCMP_ACT_ERRNO", &["times"]);
    let rules = under["syscalls"].as_array_mut().expect("rules");
    rules.push(json!({ "names": ["getpid"], "action": "SCMP_ACT_TRACE" }));
    let never = json!([{ "index": 0, "value": 4711, "op": "SCMP_CMP_EQ" }]);
    rules.push(json!({ "names": ["getpriority"], "action": "SCMP_ACT_ALLOW", "args": never }));
    let path = write(directory.path(), &under);
    let cgroup = Cgroup::new("same");
    let tracing = watch(&cgroup, &path, &[]);
    let steps =
        [&cgroup.hop(), "deny:mkdir", "x86_64:getpid", "x86_64:times", "x86_64:getpriority"];
    Running::start(&mut ground_truth(steps)).finish();
    tracing.stop().exits(0).says(&["nothing was denied"]);
}

fn what_is_made_before_the_filter_proves_nothing() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_ERRNO", &[]));
    let cgroup = Cgroup::new("before");
    let tracing = watch(&cgroup, &path, &[]);
    // Without a filter, and under one that is not the last.
    let steps = [&cgroup.hop(), "x86_64:getpid", "allow-all", "x86_64:times", "deny:mkdir"];
    Running::start(&mut ground_truth(steps)).finish();
    tracing.stop().exits(0).says(&["nothing was denied"]);
}

fn what_does_not_exist_yet_is_awaited() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_ERRNO", &["mkdir"]));
    let (parent, amended) = (Cgroup::new("awaited"), directory.path().join("amended.json"));
    let name = format!("{}/comes", parent.name());
    let verify = || Tracer::new().without_out().args(["verify", &path, "--cgroup", &name]);
    verify().run().exits(1).says(&["there is no cgroup"]);
    let amend = amended.to_str().expect("text");
    let tracing = verify().args(["--wait", "--amend", amend]).spawn();
    tracing.wait_for_message("verifying");
    for step in ["x86_64:mkdir", "x86_64:getpriority"] {
        let cgroup = parent.child("comes");
        Running::start(&mut ground_truth([&cgroup.hop(), "deny:getpriority", step])).finish();
        cgroup.remove();
    }
    tracing.stop().exits(4).says(&["getpriority(", "calls added: 1"]);
    let text = fs::read_to_string(&amended).expect("the amended profile");
    assert!(text.contains("\"getpriority\""), "{text}");
}

fn events_and_the_result_are_written_for_programs() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_ERRNO", &["mkdir"]));
    let cgroup = Cgroup::new("programs");
    let events = directory.path().join("events.jsonl");
    let options = ["--json", "--events", events.to_str().expect("text")];
    let tracing = watch(&cgroup, &path, &options);
    let steps =
        [&cgroup.hop(), "deny:mkdir", "deny:getpriority", "x86_64:mkdir", "call:getpriority,5"];
    Running::start(&mut ground_truth(steps)).finish();
    let outcome = tracing.stop().exits(4);
    let result: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    tests::schema::check("verify", &result);
    assert_eq!((&result["status"], &result["filter"]), (&json!(4), &json!("loaded")), "{result}");
    let denied = &result["denied"];
    assert_eq!(denied.as_array().map(Vec::len), Some(1), "{result}");
    assert_eq!(denied[0]["name"], "getpriority");
    assert_eq!(denied[0]["cgroup"], cgroup.name());
    assert_eq!(denied[0]["circumstances"]["arguments"][0], "0x5");
    assert_eq!(result["denied_by_another_filter"][0]["name"], "mkdir");
    assert_eq!(result["made_though_refused"], json!([]));
    let events = fs::read_to_string(&events).expect("the events");
    events.lines().for_each(|line| tests::schema::check("events", &line.parse().expect("JSON")));
    let of_denied = events.lines().filter(|line| line.contains("\"refused\"")).count();
    assert_eq!(of_denied, 2, "{events}");
    // Standard output is a command's own.
    verify(&["--json"], &profile("SCMP_ACT_ERRNO", &[]), &[]).exits(2);
}

fn a_late_start_is_incomplete_unless_something_was_denied() {
    let directory = temporary_directory();
    let path = write(directory.path(), &profile("SCMP_ACT_ERRNO", &["getpid"]));
    for (step, options, code) in [
        ("x86_64:getpid", &[][..], 3),
        ("x86_64:getpid", &["--accept-late-start"][..], 0),
        ("x86_64:mkdir", &[][..], 4),
    ] {
        let cgroup = Cgroup::new("late");
        let hop = cgroup.hop();
        let steps = [&hop, "deny:mkdir", "say:ready", "barrier", step];
        let mut running = Running::start(&mut ground_truth(steps));
        running.wait_for_line("ready");
        let tracing = watch(&cgroup, &path, options);
        running.finish();
        tracing.stop().exits(code);
    }
}

fn what_cannot_be_verified_is_reported_before_anything_runs() {
    let directory = temporary_directory();
    let marker = directory.path().join("ran");
    let touch = ["touch", marker.to_str().expect("text")];
    let run = |path: &str| Tracer::new().without_out().args(["verify", path]).command(touch).run();
    run("/nowhere.json").exits(1).says(&["profile /nowhere.json"]);
    let bad = directory.path().join("bad.json");
    fs::write(&bad, "{}").expect("a file");
    run(bad.to_str().expect("text")).exits(1).says(&["defaultAction"]);
    let path = write(directory.path(), &json!({ "defaultAction": "SCMP_ACT_ERRNO" }));
    run(&path).exits(1).says(&["execve is not allowed"]);
    Tracer::new().without_out().args(["verify", &path]).run().exits(2);
    assert!(!marker.exists(), "the command was not run");
}
