//! What a command may do under a profile: privileges that a program's file gives it, and the
//! capabilities that decide which rules count.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{StatVfsMountFlags, statvfs};
use serde_json::{Value, json};
use tests::{
    Cgroup, GROUND_TRUTH, Outcome, Running, Stop, Tracer, Tracing, require, temporary_directory,
    tool,
};

tests::trials! {
    a_set_user_id_program_works_under_verify,
    a_set_user_id_program_works_under_enforce_as_root,
    a_program_with_file_capabilities_has_them,
    nothing_is_gained_through_other_programs_unless_it_is_asked_for,
    without_the_capability_no_new_privs_is_set_and_reported,
    a_failure_that_no_new_privs_may_explain_is_reported,
    conditions_of_a_command_are_decided_by_what_is_typed,
    conditions_of_a_target_are_decided_by_its_bounding_set,
    conditions_without_a_process_are_decided_by_dockers_set,
}

/// Nobody, and who owns the program with the set-user-ID bit.
const NOBODY: u32 = 65534;
const OWNER: u32 = 4242;
/// What the program says of its effective user.
const NAMED: &str = "4242\n";

fn directory_without_nosuid() -> Result<tempfile::TempDir, String> {
    let directory = temporary_directory();
    let flags = statvfs(directory.path()).expect("a file system").f_flag;
    if flags.contains(StatVfsMountFlags::NOSUID) {
        return Err("needs a directory for temporary files where set-user-ID programs work".into());
    }
    Ok(directory)
}

/// A copy of a program.
fn copy(program: &str, directory: &Path) -> Result<PathBuf, String> {
    let path = directory.join(program);
    tests::copy_program(tool(program)?, &path);
    Ok(path)
}

/// A copy of `id` with the set-user-ID bit and another owner.
fn set_user_id(directory: &Path) -> Result<PathBuf, String> {
    let path = copy("id", directory)?;
    chown(&path, Some(OWNER), Some(OWNER)).expect("root gives files away");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).expect("its mode is set");
    Ok(path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths are text")
}

/// Allows everything.
fn all(directory: &Path) -> String {
    write(directory, &json!({ "defaultAction": "SCMP_ACT_ALLOW" }))
}

fn write(directory: &Path, profile: &Value) -> String {
    let path = directory.join("profile.json");
    fs::write(&path, profile.to_string()).expect("a profile");
    text(&path).to_owned()
}

fn verify(options: &[&str], profile: &str, command: &[&str]) -> Outcome {
    Tracer::new().without_out().args(["verify", profile]).args(options).command(command).run()
}

fn enforce(options: &[&str], profile: &str, command: &[&str]) -> Outcome {
    enforced(options, profile).command(command).run()
}

fn enforced(options: &[&str], profile: &str) -> Tracer {
    Tracer::new().without_out().args(["enforce", "--profile", profile]).args(options)
}

fn a_set_user_id_program_works_under_verify() -> Result<(), Stop> {
    let directory = require!(directory_without_nosuid());
    let (id, profile) = (require!(set_user_id(directory.path())), all(directory.path()));
    let command = [text(&id), "-u"];
    let outcome = verify(&["--user=nobody"], &profile, &command).exits(0);
    assert_eq!(outcome.stdout, NAMED);
    outcome.says(&["has the set-user-ID bit", "no_new_privs is not set", "nothing was denied"]);
    let outcome = verify(&["--user=nobody", "--no-new-privs"], &profile, &command).exits(0);
    assert_eq!(outcome.stdout, format!("{NOBODY}\n"));
    outcome.says(&["warning:", "no effect under no_new_privs"]);
    Ok(())
}

fn a_set_user_id_program_works_under_enforce_as_root() -> Result<(), Stop> {
    let directory = require!(directory_without_nosuid());
    let (id, profile) = (require!(set_user_id(directory.path())), all(directory.path()));
    let command = [text(&id), "-u"];
    let outcome = enforce(&[], &profile, &command).exits(0);
    assert_eq!(outcome.stdout, NAMED);
    outcome.says(&["has the set-user-ID bit", "--no-new-privs"]);
    assert_eq!(enforce(&["--no-new-privs"], &profile, &command).exits(0).stdout, "0\n");
    enforce(&["--no-new-privs", "--allow-new-privs"], &profile, &command).exits(2);
    Ok(())
}

fn a_program_with_file_capabilities_has_them() -> Result<(), Stop> {
    const CAP_NET_RAW: u64 = 1 << 13;
    let directory = require!(directory_without_nosuid());
    let setcap = require!(tool("setcap"));
    let grep = require!(copy("grep", directory.path()));
    let set = Command::new(setcap).arg("cap_net_raw=ep").arg(&grep).output();
    if !set.is_ok_and(|output| output.status.success()) {
        return Err(Stop::Skip("needs a file system with file capabilities".into()));
    }
    let profile = all(directory.path());
    let command = [text(&grep), "CapEff", "/proc/self/status"];
    let effective = |options: &[&str]| {
        let outcome = verify(&[&["--user=nobody"], options].concat(), &profile, &command).exits(0);
        let mask = outcome.stdout.trim().rsplit_once('\t').map(|(_, mask)| mask.to_owned());
        u64::from_str_radix(&mask.expect("a mask"), 16).expect("a number")
    };
    assert_eq!(effective(&[]), CAP_NET_RAW, "nothing but what the file gives");
    assert_eq!(effective(&["--no-new-privs"]), 0);
    Ok(())
}

fn nothing_is_gained_through_other_programs_unless_it_is_asked_for() -> Result<(), Stop> {
    let directory = require!(directory_without_nosuid());
    let (id, profile) = (require!(set_user_id(directory.path())), all(directory.path()));
    let script =
        format!("{} -u; grep -E '^(NoNewPrivs|CapEff|CapPrm)' /proc/self/status", text(&id));
    let command = ["sh", "-c", &script];
    let outcome = verify(&["--user=nobody"], &profile, &command).exits(0);
    assert!(outcome.stdout.starts_with(&format!("{NOBODY}\n")), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("NoNewPrivs:\t1"), "{}", outcome.stdout);
    let outcome = verify(&["--user=nobody", "--allow-new-privs"], &profile, &command).exits(0);
    assert!(outcome.stdout.starts_with(NAMED), "{}", outcome.stdout);
    for line in ["NoNewPrivs:\t0", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"] {
        assert!(outcome.stdout.contains(line), "{line:?}: {}", outcome.stdout);
    }
    Ok(())
}

fn without_the_capability_no_new_privs_is_set_and_reported() -> Result<(), Stop> {
    let directory = require!(directory_without_nosuid());
    let setpriv = require!(tool("setpriv"));
    let (id, profile) = (require!(set_user_id(directory.path())), all(directory.path()));
    let program = directory.path().join("tracer");
    tests::copy_program(tests::tracer_program(), &program);
    let words = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let as_nobody = |options: &[&str]| {
        let tracer = enforced(options, &profile).program(program.clone());
        let tracer = tracer.launcher([text(&setpriv)]).launcher(words);
        tracer.command([text(&id), "-u"]).run()
    };
    let outcome = as_nobody(&[]).exits(0);
    assert_eq!(outcome.stdout, format!("{NOBODY}\n"));
    outcome.says(&["warning:", "set-user-ID bit", "without CAP_SYS_ADMIN"]);
    as_nobody(&["--allow-new-privs"]).exits(125).says(&["CAP_SYS_ADMIN", "hint: use sudo"]);
    Ok(())
}

fn a_failure_that_no_new_privs_may_explain_is_reported() {
    let directory = temporary_directory();
    let profile = all(directory.path());
    let failing = ["sh", "-c", "exit 3"];
    verify(&[], &profile, &failing).exits(3).says(&["nothing was denied", "--allow-new-privs"]);
    let outcome = verify(&["--allow-new-privs"], &profile, &failing).exits(3);
    assert!(!outcome.stderr.contains("new-privs"), "{}", outcome.stderr);
    let outcome = verify(&[], &profile, &["true"]).exits(0);
    assert!(!outcome.stderr.contains("new-privs"), "{}", outcome.stderr);
}

/// The capability decides whether a call is allowed.
fn conditional(name: &str) -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": [name], "action": "SCMP_ACT_KILL_PROCESS",
            "excludes": { "caps": ["CAP_SYS_ADMIN"] } }],
    })
}

fn conditions_of_a_command_are_decided_by_what_is_typed() {
    let directory = temporary_directory();
    let profile = write(directory.path(), &conditional("getpriority"));
    let command = [GROUND_TRUTH, "x86_64:getpriority"];
    for caps in ["current", "sys_admin", "CAP_CHOWN,CAP_SYS_ADMIN"] {
        enforce(&["--caps", caps], &profile, &command).exits(0).says(&["with CAP_SYS_ADMIN"]);
    }
    enforce(&[], &profile, &command).exits(0).says(&["tracer's own bounding set", "--caps docker"]);
    for caps in ["docker", "none", "chown"] {
        let outcome = enforce(&["--caps", caps], &profile, &command);
        assert!(outcome.status.code().is_none(), "{caps}: {}", outcome.status);
        outcome.says(&["with none of them; without CAP_SYS_ADMIN"]);
        verify(&["--caps", caps], &profile, &command).exits(4).says(&["getpriority"]);
    }
    verify(&[], &profile, &command).exits(0).says(&["tracer's own bounding set"]);
    enforce(&["--caps", "sysadmin"], &profile, &command).exits(2).says(&["`sysadmin`", "docker"]);
    let outcome = enforce(&["--caps", "none"], &all(directory.path()), &["true"]).exits(0);
    assert_eq!(outcome.stderr, "", "nothing depends on them");
}

/// Watches a cgroup.
fn watch(cgroup: &Cgroup, profile: &str) -> Tracing {
    let tracer = Tracer::new().without_out().args(["verify", profile, "-v"]).cgroup(cgroup);
    let tracing = tracer.spawn();
    tracing.wait_for_message("verifying");
    tracing
}

fn conditions_of_a_target_are_decided_by_its_bounding_set() -> Result<(), Stop> {
    let setpriv = require!(tool("setpriv"));
    let directory = temporary_directory();
    let mut profile = conditional("mkdir");
    profile["syscalls"][0]["action"] = json!("SCMP_ACT_ERRNO");
    let profile = write(directory.path(), &profile);
    for (bounding, message, advised) in [
        ("--bounding-set=-sys_admin", "without CAP_SYS_ADMIN", true),
        ("--bounding-set=+sys_admin", "with CAP_SYS_ADMIN", false),
    ] {
        let cgroup = Cgroup::new("conditions");
        let tracing = watch(&cgroup, &profile);
        let mut command = Command::new(&setpriv);
        command.args([bounding, "--", GROUND_TRUTH, &cgroup.hop(), "deny:mkdir", "x86_64:mkdir"]);
        let mut running = Running::start(command.args(["say:done", "barrier"]));
        running.wait_for_line("done");
        tracing.wait_for_message("mkdir");
        running.finish();
        let outcome = tracing.stop();
        let outcome = outcome.says(&["the target's bounding set (process ", message]);
        // Where the profile lets the call pass, the message says that another filter refused it.
        assert_eq!(
            outcome.stderr.contains("add mkdir to the profile"),
            advised,
            "{}",
            outcome.stderr
        );
    }
    Ok(())
}

fn conditions_without_a_process_are_decided_by_dockers_set() {
    let directory = temporary_directory();
    let profile = write(directory.path(), &conditional("mkdir"));
    let cgroup = Cgroup::new("empty");
    watch(&cgroup, &profile).stop().exits(3).says(&["Docker's default set", "--caps changes that"]);
}
