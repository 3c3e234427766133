//! `tracer enforce`: real programs under real profiles.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};
use tests::{GROUND_TRUTH, Outcome, Stop, Tracer, require, tool};
use tracer::syscalls::{Abi, entries};

tests::trials! {
    the_command_runs_under_the_filter_with_its_own_status,
    a_call_gets_the_error_of_its_rule,
    a_call_that_was_not_learned_is_refused,
    killing_ends_a_thread_or_the_process,
    a_foreign_abi_is_killed_unless_it_is_listed,
    a_rule_is_about_the_number_of_each_abi,
    conditions_are_about_arguments,
    what_cannot_be_started_has_a_status_of_its_own,
    a_program_that_the_kernel_refuses_ends_the_process_whatever_is_allowed,
    names_without_effect_are_reported,
    a_profile_is_checked_and_nothing_is_run,
    real_files_are_read_and_wrong_ones_refused,
    it_needs_no_capability,
}

/// The signal of a call that is not allowed.
const SIGSYS: i32 = 31;
/// The signal of a pipe that nobody reads.
const SIGPIPE: i32 = 13;
const ALL: [&str; 3] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];

/// Runs a command under a profile. The profile's file is in the directory that the command works
/// in.
fn enforce(profile: &Value, command: &[&str]) -> Outcome {
    enforced(profile, command).run()
}

fn enforced(profile: &Value, command: &[&str]) -> Tracer {
    let tracer = Tracer::new().without_out();
    let path = tracer.directory().join("profile.json");
    fs::write(&path, profile.to_string()).expect("the profile is written");
    let path = path.to_str().expect("the path is text").to_owned();
    tracer.args(["enforce", "--profile", &path]).command(command)
}

/// Everything is allowed but for what the rules say.
fn allowing(rules: &[Value]) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ALL, "syscalls": rules })
}

/// The call is answered so.
fn rule(name: &str, action: &str) -> Value {
    json!({ "names": [name], "action": action })
}

fn ended_by_sigsys(outcome: &Outcome) {
    assert_eq!(outcome.status.signal(), Some(SIGSYS), "{}: {}", outcome.status, outcome.stderr);
}

fn runs(outcome: Outcome) {
    outcome.exits(0);
}

fn the_command_runs_under_the_filter_with_its_own_status() {
    let outcome =
        enforce(&allowing(&[]), &["grep", "-E", "Seccomp|NoNewPrivs|SigIgn", "/proc/self/status"]);
    let outcome = outcome.exits(0);
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(outcome.stdout.lines().any(|said| said == line), "{line:?}: {}", outcome.stdout);
    }
    let ignored = outcome.stdout.lines().find_map(|line| line.strip_prefix("SigIgn:\t"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask, 16).ok()).expect("a mask");
    assert_eq!(ignored >> (SIGPIPE - 1) & 1, 0, "the broken pipe is not ignored");
    assert_eq!(outcome.stderr, "", "nothing is said");
    enforce(&allowing(&[]), &["sh", "-c", "exit 7"]).exits(7);
    let ended = enforce(&allowing(&[]), &["sh", "-c", "kill -TERM $$"]);
    assert_eq!(ended.status.signal(), Some(15));
}

fn a_call_gets_the_error_of_its_rule() {
    let mkdir = |errno: Option<u16>| {
        let mut rule = json!({ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO" });
        rule["errnoRet"] = json!(errno);
        enforce(&allowing(&[rule]), &["env", "LC_ALL=C", "mkdir", "made"]).exits(1)
    };
    mkdir(None).says(&["Operation not permitted"]);
    mkdir(Some(38)).says(&["Function not implemented"]);
    mkdir(Some(122)).says(&["Disk quota exceeded"]);
}

fn a_call_that_was_not_learned_is_refused() {
    let without = |names: &[&str]| {
        let all = entries(Abi::X86_64).map(|(_, name)| name);
        let learned: Vec<&str> = all.filter(|name| !names.contains(name)).collect();
        json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "syscalls": [{ "names": learned, "action": "SCMP_ACT_ALLOW" }] })
    };
    let mkdir = ["env", "LC_ALL=C", "mkdir", "made"];
    enforce(&without(&[]), &mkdir).exits(0);
    let refused = enforce(&without(&["mkdir", "mkdirat"]), &mkdir).exits(1);
    assert!(!refused.says(&["Function not implemented"]).directory().join("made").exists());
}

fn killing_ends_a_thread_or_the_process() {
    let thread = [GROUND_TRUTH, "thread", "[", "x86_64:getpid", "]", "exit:5"];
    let all = |action| enforce(&allowing(&[rule("getpid", action)]), &thread);
    all("SCMP_ACT_KILL").exits(5);
    all("SCMP_ACT_KILL_THREAD").exits(5);
    ended_by_sigsys(&all("SCMP_ACT_KILL_PROCESS"));
    ended_by_sigsys(&all("SCMP_ACT_TRAP"));
    all("SCMP_ACT_LOG").exits(5);
    all("SCMP_ACT_TRACE").exits(5);
}

fn a_foreign_abi_is_killed_unless_it_is_listed() {
    for default in ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"] {
        let listing = |architectures: &[&str]| json!({ "defaultAction": default, "architectures": architectures });
        for step in ["i386:getpid", "x32:getpid"] {
            ended_by_sigsys(&enforce(&listing(&[]), &[GROUND_TRUTH, step]));
            runs(enforce(&listing(&ALL), &[GROUND_TRUTH, step]));
        }
        runs(enforce(&listing(&[]), &[GROUND_TRUTH, "x86_64:getpid", "raw:-1"]));
        runs(enforce(&listing(&["SCMP_ARCH_X86"]), &[GROUND_TRUTH, "i386:getpid"]));
        ended_by_sigsys(&enforce(&listing(&["SCMP_ARCH_X86"]), &[GROUND_TRUTH, "x32:getpid"]));
    }
}

fn a_rule_is_about_the_number_of_each_abi() {
    // 20 is getpid for a 32-bit caller, 39 for a 64-bit one; 39 is mkdir for a 32-bit one.
    let killing = allowing(&[rule("getpid", "SCMP_ACT_KILL_PROCESS")]);
    for step in ["x86_64:getpid", "i386:getpid", "x32:getpid"] {
        ended_by_sigsys(&enforce(&killing, &[GROUND_TRUTH, step]));
    }
    runs(enforce(&killing, &[GROUND_TRUTH, "i386:mkdir"]));
}

fn conditions_are_about_arguments() {
    // Every argument of the program's calls is 0.
    let when = |conditions: Value| {
        let mut rule = rule("getpid", "SCMP_ACT_KILL_PROCESS");
        rule["args"] = conditions;
        enforce(&allowing(&[rule]), &[GROUND_TRUTH, "x86_64:getpid"])
    };
    let is = |index: u8, value: u64| json!({ "index": index, "value": value, "op": "SCMP_CMP_EQ" });
    let masked = |mask: u64, two: u64| json!({ "index": 0, "value": mask, "valueTwo": two, "op": "SCMP_CMP_MASKED_EQ" });
    ended_by_sigsys(&when(json!([is(0, 0)])));
    runs(when(json!([is(0, 1)])));
    runs(when(json!([is(0, 1 << 32)])));
    runs(when(json!([is(0, 0), is(1, 1)])));
    ended_by_sigsys(&when(json!([is(0, 1), is(0, 0)])));
    ended_by_sigsys(&when(json!([masked(2_114_060_288, 0)])));
    runs(when(json!([masked(1, 1)])));
}

fn what_cannot_be_started_has_a_status_of_its_own() {
    enforce(&allowing(&[]), &["no-such-command"]).exits(127).says(&["no-such-command", "PATH"]);
    enforce(&allowing(&[]), &["/no/such/command"]).exits(127).says(&["/no/such/command"]);
    enforce(&allowing(&[]), &["/etc/passwd"]).exits(126).says(&["/etc/passwd", "denied"]);
    let amd64 = json!({ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["amd64"] });
    enforce(&amd64, &["true"]).exits(125).says(&[
        "profile.json",
        "architectures[0]",
        "SCMP_ARCH_X86_64",
    ]);
    let nothing = json!({ "defaultAction": "SCMP_ACT_ERRNO" });
    enforce(&nothing, &["true"]).exits(125).says(&["execve is not allowed", "hint:"]);
    let missing = Tracer::new().without_out().args(["enforce", "--profile", "missing.json"]);
    missing.command(["true"]).run().exits(125).says(&["missing.json", "No such file"]);
    let without = Tracer::new().without_out().args(["enforce", "--profile", "missing.json"]);
    without.run().exits(2).says(&["COMMAND"]);
}

fn a_program_that_the_kernel_refuses_ends_the_process_whatever_is_allowed() {
    let start = |profile: &Value| {
        let tracer = enforced(profile, &[]);
        let script = tracer.directory().join("script");
        tests::write_program(&script, "exit 3");
        tracer.command([script]).run()
    };
    start(&allowing(&[])).exits(126).says(&["script", "Exec format error"]);
    let execve_alone = json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule("execve", "SCMP_ACT_ALLOW")] });
    let outcome = start(&execve_alone);
    assert!(outcome.status.signal().is_some(), "it ends: {}", outcome.status);
}

fn names_without_effect_are_reported() {
    let outcome = enforce(&allowing(&[rule("opnat", "SCMP_ACT_KILL")]), &["true"]);
    outcome.exits(0).says(&["warning:", "opnat (is openat meant?)"]);
    let foreign = enforce(&allowing(&[rule("riscv_hwprobe", "SCMP_ACT_KILL")]), &["true"]);
    assert_eq!(foreign.exits(0).stderr, "", "another processor has it");
}

fn a_profile_is_checked_and_nothing_is_run() {
    let check =
        |profile: &Value, command: &[&str]| enforced(profile, command).args(["--check"]).run();
    let outcome = check(&allowing(&[rule("mkdir", "SCMP_ACT_ERRNO")]), &["touch", "ran"]).exits(0);
    assert!(!outcome.directory().join("ran").exists(), "the command was not run");
    for line in ["it can be used", "x86_64: 384 calls pass", "1 do not", "filter: "] {
        assert!(outcome.stdout.contains(line), "{line:?}: {}", outcome.stdout);
    }
    assert_eq!(outcome.stderr, "", "nothing is odd");
    check(&allowing(&[]), &[]).exits(0);
    check(&allowing(&[rule("mkdir", "SCMP_ACT_NONE")]), &[]).exits(125).says(&["no action"]);
    check(&json!({ "defaultAction": "SCMP_ACT_ERRNO" }), &[]).exits(125).says(&["execve"]);
    check(&allowing(&[]), &["no-such-command"]).exits(127);
}

fn real_files_are_read_and_wrong_ones_refused() {
    let file = |name: &str, text: &[u8]| {
        let tracer = Tracer::new().without_out();
        let path = tracer.directory().join(name);
        fs::write(&path, text).expect("the file is written");
        tracer.args(["enforce", "--profile", name]).command(["true"]).run()
    };
    let names = || entries(Abi::X86_64).map(|(_, name)| name).take(340);
    let rules: Vec<Value> =
        names().map(|name| json!({ "name": name, "action": "SCMP_ACT_ALLOW" })).collect();
    let old =
        json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": rules });
    let outcome = file("old.json", old.to_string().as_bytes()).exits(0);
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    outcome.says(&["rules use the old form `name` (syscalls[0] to syscalls["]);
    let wrong: [(&str, &[u8], &[&str]); 4] = [
        ("web.kubernetes.yaml", b"# How\nsecurityContext:\n", &["Kubernetes", "NAME.json"]),
        ("config.json", br#"{"ociVersion":"1.0.2"}"#, &["OCI container", "without a profile"]),
        ("empty.json", b"", &["the file is empty"]),
        ("null.json", b"null", &["profile null.json: it must be an object, and is null"]),
    ];
    for (name, text, parts) in wrong {
        file(name, text).exits(125).says(parts).says(&["error: profile "]);
    }
    let given = |path: &str| {
        let tracer = Tracer::new().without_out().args(["enforce", "--profile", path]);
        tracer.command(["true"]).run().exits(125)
    };
    given("/dev/zero").says(&["/dev/zero is a device, not a profile", "hint:"]);
    given("/").says(&["/ is a directory, not a profile", "hint:"]);
}

fn it_needs_no_capability() -> Result<(), Stop> {
    let setpriv = require!(tool("setpriv"));
    let directory = tests::temporary_directory();
    let program = directory.path().join("tracer");
    tests::copy_program(tests::tracer_program(), &program);
    let tracer = enforced(&allowing(&[]), &["id", "-u"]);
    for path in [directory.path(), tracer.directory()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode is set");
    }
    let words = [setpriv.to_str().expect("the path is text"), "--reuid=65534", "--regid=65534"];
    let tracer = tracer.launcher(words).launcher(["--clear-groups", "--bounding-set=-all", "--"]);
    assert_eq!(tracer.program(program).run().exits(0).stdout, "65534\n");
    Ok(())
}
