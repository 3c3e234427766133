//! The lines of the documents that need a kernel, as they are typed there, one after the other.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, id},
};

use rustix::process::Signal;
use tempfile::TempDir;
use tests::{
    BOUND, Cgroup, GROUND_TRUTH, HARMLESS, Running, call_in, ground_truth, temporary_directory,
    tracer_program, typed::KERNEL, wait_until, write_program,
};

tests::trials! {
    each_line_does_what_is_said,
}

/// The cgroup of a container.
const CONTAINER: &str =
    "docker-7e57ab1e0000000000000000000000000000000000000000000000000000ab1e.scope";
/// What makes tracer watch until Ctrl-C.
const WATCHING: [&str; 4] = ["--wait", "--cgroup", "--all-containers", "--follow"];
/// What it says when it does.
const STARTED: [&str; 2] = ["recording", "following"];

/// Where somebody sits and types: tests to run, and the programs that are typed.
fn directory() -> TempDir {
    let directory = temporary_directory();
    let path = |name: &str| directory.path().join(name);
    for name in ["bin", "new", "seccomp-new"] {
        fs::create_dir(path(name)).expect("a directory is made");
    }
    symlink(tracer_program(), path("bin/tracer")).expect("a link is made");
    // The tests run as root, and sudo may not be there.
    write_program(path("bin/sudo"), "#!/bin/sh\nexec \"$@\"\n");
    for program in ["run-tests", "bin/nginx"] {
        write_program(path(program), format!("#!/bin/sh\nexec {GROUND_TRUTH} x86_64:getpid\n"));
    }
    directory
}

fn shell(directory: &Path, line: &str) -> Command {
    let path = env::var("PATH").expect("a path");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {line}")]).current_dir(directory);
    shell.env("PATH", format!("{}:{path}", directory.join("bin").display()));
    shell
}

/// A service and a container come while tracer watches, and go.
fn others(slice: &Cgroup, unit: &str) {
    for name in [unit, CONTAINER] {
        let cgroup = slice.child(name);
        call_in(&cgroup, HARMLESS[0].0);
        cgroup.remove();
    }
}

/// Types a line; how it ends, and what it says.
fn typed(directory: &Path, slice: &Cgroup, line: &str) -> (Option<i32>, String) {
    let unit = format!("tracer-test-typed-{}.service", id());
    let runs = line.contains("/system.slice/").then(|| {
        let cgroup = slice.child(&unit);
        let mut process =
            Running::start(&mut ground_truth([cgroup.hop().as_str(), "say:here", "barrier"]));
        process.wait_for_line("here");
        (cgroup, process)
    });
    let line = line.replace("/system.slice", slice.name()).replace("nginx.service", &unit);
    let mut running = Running::start(&mut shell(directory, &line));
    if WATCHING.iter().any(|option| line.contains(option)) {
        wait_until("it watches", BOUND, || {
            STARTED.iter().any(|said| running.stderr().contains(said))
        });
        match runs {
            Some((_, process)) => assert!(process.finish().status.success(), "the service ends"),
            None => others(slice, &unit),
        }
        running.signal(Signal::INT);
    }
    running.close_stdin();
    let finished = running.finish();
    let said = [&finished.stdout, &finished.stderr].map(|text| String::from_utf8_lossy(text));
    (finished.status.code(), said.concat())
}

fn each_line_does_what_is_said() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    let slice = Cgroup::at(format!("/tracer-tests-{}-typed.slice", id()));
    for (line, status) in KERNEL {
        let (ended, said) = typed(directory.path(), &slice, line);
        // The containers of other tests may be late.
        let may_be_incomplete = line.contains("--all-containers") && ended == Some(3);
        assert!(ended == Some(status) || may_be_incomplete, "{line}: {ended:?}\n{said}");
        // What was recorded first is what is in git.
        if line == "sudo tracer --out profile.json -- ./run-tests" {
            fs::copy(path("profile.json"), path("seccomp.json")).expect("it was written");
        }
    }
    let id = CONTAINER.trim_start_matches("docker-").trim_end_matches(".scope");
    assert!(path("profiles").join(format!("{id}.json")).is_file(), "the container has a profile");
}
