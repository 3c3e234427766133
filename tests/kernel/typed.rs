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
    BOUND, Cgroup, GROUND_TRUTH, HARMLESS, Running, call_in, temporary_directory, tracer_program,
    typed::KERNEL, wait_until, write_program,
};

tests::trials! {
    each_line_succeeds,
}

/// Where somebody sits and types: tests to run, and the programs that are typed.
fn directory() -> TempDir {
    let directory = temporary_directory();
    let path = |name: &str| directory.path().join(name);
    for name in ["bin", "new"] {
        fs::create_dir(path(name)).expect("a directory is made");
    }
    symlink(tracer_program(), path("bin/tracer")).expect("a link is made");
    // The tests run as root, and sudo may not be there.
    write_program(path("bin/sudo"), "#!/bin/sh\nexec \"$@\"\n");
    write_program(path("run-tests"), format!("#!/bin/sh\nexec {GROUND_TRUTH} x86_64:getpid\n"));
    directory
}

fn shell(directory: &Path, line: &str) -> Command {
    let path = env::var("PATH").expect("a path");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {line}")]).current_dir(directory);
    shell.env("PATH", format!("{}:{path}", directory.join("bin").display()));
    shell
}

fn each_line_succeeds() {
    let directory = directory();
    let slice = Cgroup::at(format!("/tracer-tests-{}-typed.slice", id()));
    let unit = format!("tracer-test-typed-{}.service", id());
    for line in KERNEL {
        let mut running =
            Running::start(&mut shell(directory.path(), &line.replace("nginx.service", &unit)));
        if line.contains("--wait") {
            wait_until("it records", BOUND, || running.stderr().contains("recording"));
            let service = slice.child(&unit);
            call_in(&service, HARMLESS[0].0);
            service.remove();
            running.signal(Signal::INT);
        }
        running.close_stdin();
        let finished = running.finish();
        let said = [&finished.stdout, &finished.stderr].map(|text| String::from_utf8_lossy(text));
        assert_eq!(finished.status.code(), Some(0), "{line}\n{}", said.concat());
        // What was recorded first is what is in git.
        if line.contains("--out profile.json") {
            let made = directory.path().join("profile.json");
            fs::copy(made, directory.path().join("seccomp.json")).expect("it was written");
        }
    }
}
