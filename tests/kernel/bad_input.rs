//! What a person can get wrong: a message says what, why and what to do, before anything is
//! written.

use std::process::Command;

use tests::{
    Cgroup, GROUND_TRUTH, Running, Stop, Tracer, calls, cgroup_mount, cgroup_v1_directory,
    file_names, ground_truth, require, tool,
};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    a_cgroup_that_does_not_exist,
    a_directory_that_is_no_cgroup,
    a_directory_of_cgroup_v1,
    the_file_of_a_cgroup_instead_of_its_directory,
    a_process_that_does_not_exist,
    a_process_in_the_root_cgroup,
    an_id_prefix_of_two_containers_lists_both,
    a_unique_id_prefix_finds_the_container,
    a_program_of_the_host_in_a_cgroup_with_a_containers_name_is_a_workload,
    a_name_that_nothing_has,
    neither_target_nor_command,
    values_that_flags_do_not_take,
    a_call_name_that_no_abi_has,
    the_profile_on_stdout_beside_a_command,
    an_out_file_that_does_not_end_in_json,
    a_command_that_does_not_exist,
    a_command_that_cannot_be_executed,
    a_command_whose_interpreter_is_missing,
    a_command_that_is_no_program,
    no_call_of_the_workload_means_no_profile,
    without_kernel_types_it_records_and_says_what_is_lost,
    without_kernel_types_calls_of_32_bit_programs_make_the_result_incomplete,
}

/// The target is refused: exit 1, the messages hold the parts, no file is written.
fn check_target(target: &str, parts: &[&str]) {
    Tracer::new().args(["--cgroup", target]).run().exits(1).says(parts).writes_nothing();
}

/// The arguments are refused: exit 2, the messages hold the parts, no file is written.
fn check_usage(arguments: &[&str], parts: &[&str]) {
    Tracer::new().without_out().args(arguments).run().exits(2).says(parts).writes_nothing();
}

fn a_cgroup_that_does_not_exist() {
    let above = Cgroup::new("existing");
    let child = above.child("present");
    let missing = format!("{}/missing/deeper", above.name());
    // It names what is missing, and how far the path exists.
    check_target(&missing, &["error:", &missing, above.name()]);
    drop(child);
}

fn a_directory_that_is_no_cgroup() {
    check_target("/etc/ssl", &["error:", "/etc/ssl"]);
    check_target("path:/usr", &["error:", "/usr"]);
}

fn a_directory_of_cgroup_v1() -> Result<(), Stop> {
    let directory = require!(cgroup_v1_directory());
    let directory = directory.to_str().expect("the path is text");
    check_target(directory, &["error:", directory, "cannot be traced", "hint:"]);
    Ok(())
}

fn the_file_of_a_cgroup_instead_of_its_directory() {
    let cgroup = Cgroup::new("file");
    let file = cgroup.processes_file();
    let file = file.to_str().expect("the path is text");
    check_target(file, &["error:", file]);
}

fn a_process_that_does_not_exist() {
    check_target("pid:4194400", &["error:", "4194400"]);
    check_usage(&["--cgroup", "pid:0"], &["error:", "0"]);
    check_usage(&["--cgroup", "pid:one"], &["error:", "one"]);
}

fn a_process_in_the_root_cgroup() {
    let file = cgroup_mount().join("cgroup.procs");
    let steps = [format!("join:{}", file.display()), "say:here".into(), "barrier".into()];
    let mut running = Running::start(&mut ground_truth(steps));
    running.wait_for_line("here");
    let target = format!("pid:{}", running.id());
    check_target(&target, &["error:", &running.id().to_string(), "root"]);
    assert!(running.finish().status.success(), "the fixture ends well");
}

fn an_id_prefix_of_two_containers_lists_both() {
    let above = Cgroup::new("prefix");
    let prefix = format!("{:07x}{:08x}", std::process::id(), above.id());
    let ids =
        ['a', 'b'].map(|last| format!("{prefix}{}", last.to_string().repeat(64 - prefix.len())));
    let containers = [above.child(&ids[0]), above.child(&ids[1])];
    let parts = ["error:", containers[0].name(), containers[1].name()];
    check_target(&prefix, &parts);
    drop(containers);
}

fn a_unique_id_prefix_finds_the_container() -> Result<(), Stop> {
    let unshare = require!(tool("unshare"));
    let above = Cgroup::new("unique");
    let prefix = format!("{:07x}{:08x}", std::process::id(), above.id());
    let container = above.child(&format!("{prefix}{}", "c".repeat(64 - prefix.len())));
    let tracing = Tracer::new().args(["--cgroup", &prefix]).start();
    // A container has a mount namespace of its own.
    let mut command = Command::new(unshare);
    command.args(["--mount", GROUND_TRUTH, &container.hop(), "x86_64:getpid"]);
    assert!(Running::start(&mut command).finish().status.success());
    let outcome = tracing.stop().exits(0);
    let found = calls(&outcome.recording(), container.name());
    assert!(found.contains_key(&(X86_64, 39)), "the container is recorded: {found:?}");
    drop(container);
    Ok(())
}

fn a_program_of_the_host_in_a_cgroup_with_a_containers_name_is_a_workload() {
    let above = Cgroup::new("named");
    let container = above.child(&format!("docker-{:064x}.scope", above.id()));
    let tracing = Tracer::new().cgroup(&container).start();
    let steps = [container.hop(), "x86_64:getpid".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let allowed = tracing.stop().exits(0).allowed();
    assert!(allowed.iter().any(|name| name == "getpid"), "its call is allowed: {allowed:?}");
    drop(container);
}

fn a_name_that_nothing_has() {
    check_target("no-such-thing-anywhere", &["error:", "no-such-thing-anywhere"]);
    check_target("no-such-namespace/no-such-pod", &["error:", "no-such-namespace/no-such-pod"]);
    check_target("no-such-unit.service", &["error:", "no-such-unit.service"]);
    check_usage(&["--cgroup", ""], &["error:", "hint:"]);
}

fn neither_target_nor_command() {
    check_usage(&[], &["nothing to record", "--cgroup TARGET", "-- COMMAND", "--help"]);
    check_usage(&["--quiet"], &["--cgroup", "a command to run does as well", "Usage:"]);
}

fn values_that_flags_do_not_take() {
    for (flag, value) in [
        ("--errno", "maybe"),
        ("--runtime", "docker"),
        ("--default-action", "explode"),
        ("--duration", "soon"),
        ("--duration", "0s"),
        ("--until-quiet", "-1s"),
    ] {
        check_usage(&[&format!("{flag}={value}"), "--cgroup", "/x"], &["error:", flag, value]);
    }
    check_usage(&["--no-such-flag", "--cgroup", "/x"], &["error:", "--no-such-flag"]);
}

fn a_call_name_that_no_abi_has() {
    let cgroup = Cgroup::new("include");
    for flag in ["--include", "--exclude"] {
        let outcome = Tracer::new().cgroup(&cgroup).args([flag, "opne"]).run();
        let code = outcome.status.code();
        assert!(matches!(code, Some(1 | 2)), "{flag} is refused: {outcome:?}");
        // The nearest real name is offered.
        outcome.says(&["opne", "open"]).writes_nothing();
    }
}

fn the_profile_on_stdout_beside_a_command() {
    check_usage(&["--out", "-", "--", GROUND_TRUTH, "exit:0"], &["error:", "--out"]);
}

fn an_out_file_that_does_not_end_in_json() {
    check_usage(&["--out", "profile.txt", "--", GROUND_TRUTH], &["error:", "profile.txt", ".json"]);
}

fn a_command_that_does_not_exist() {
    let parts = ["error:", "no-such-command-anywhere"];
    let command = ["no-such-command-anywhere", "x"];
    Tracer::new().command(command).run().exits(1).says(&parts).writes_nothing();
    let command = ["/no/such/directory/command"];
    let parts = ["error:", command[0], "No such file or directory"];
    Tracer::new().command(command).run().exits(1).says(&parts).writes_nothing();
}

fn a_command_that_cannot_be_executed() {
    let parts = ["error:", "/etc/passwd", "Permission denied"];
    Tracer::new().command(["/etc/passwd"]).run().exits(1).says(&parts).writes_nothing();
    let parts = ["error:", "/etc"];
    Tracer::new().command(["/etc"]).run().exits(1).says(&parts).writes_nothing();
}

fn a_command_whose_interpreter_is_missing() {
    let tracer = Tracer::new();
    let directory = tests::temporary_directory();
    let program = directory.path().join("program");
    tests::write_program(&program, "#!/no/such/interpreter");
    let parts =
        ["error:", program.to_str().expect("the path is text"), "No such file or directory"];
    tracer.command([&program]).run().exits(1).says(&parts).writes_nothing();
    assert_eq!(file_names(directory.path()), ["program"]);
}

fn a_command_that_is_no_program() {
    let directory = tests::temporary_directory();
    let program = directory.path().join("program");
    tests::write_program(&program, "echo no interpreter is named here");
    let parts = ["error:", program.to_str().expect("the path is text"), "Exec format error"];
    Tracer::new().command([&program]).run().exits(1).says(&parts).writes_nothing();
}

fn no_call_of_the_workload_means_no_profile() {
    let cgroup = Cgroup::new("silent");
    let outcome = Tracer::new().cgroup(&cgroup).start().stop().exits(1).writes_nothing();
    outcome.says(&["error:", cgroup.name()]);
}

fn without_kernel_types_it_records_and_says_what_is_lost() {
    let cgroup = Cgroup::new("no-btf");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--no-btf"]).start();
    let steps = [cgroup.hop(), "x86_64:getpid*3".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let outcome = tracing.stop().says(&["BTF"]);
    assert!(matches!(outcome.status.code(), Some(0 | 3)), "it works: {outcome:?}");
    let recording = outcome.recording();
    assert!(!recording.host.btf, "the recording says so");
    let found = calls(&recording, cgroup.name());
    let expected = [((X86_64, 39), Some(3)), ((X86_64, 231), Some(1))];
    assert_eq!(found, std::collections::BTreeMap::from(expected), "left: recorded, right: made");
}

fn without_kernel_types_calls_of_32_bit_programs_make_the_result_incomplete() {
    let cgroup = Cgroup::new("no-btf-i386");
    let tracing = Tracer::new().cgroup(&cgroup).args(["--no-btf"]).start();
    let steps = [cgroup.hop(), "i386:getpriority".into(), "x86_64:getpid".into()];
    assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    let outcome = tracing.stop();
    let recording = outcome.recording();
    let wrong = calls(&recording, cgroup.name()).contains_key(&(X86_64, 96));
    assert!(
        !wrong || !recording.complete,
        "i386 number 96 is not taken for the native one without a word: {recording:?}"
    );
}
