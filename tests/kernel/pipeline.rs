//! The script of docs/ci.md, taken out of the file and run as it stands there.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use tests::{GROUND_TRUTH, temporary_directory, tracer_program, write_program};

tests::trials! {
    the_script_passes_as_long_as_the_tests_need_nothing_new,
    the_script_fails_when_the_tests_fail,
}

const DOCS: &str = include_str!("../../docs/ci.md");

/// The first block of shell in the docs.
fn script() -> &'static str {
    let (_, from) = DOCS.split_once("```sh\n").expect("a block of shell");
    from.split_once("```").expect("it ends").0
}

/// A repository with the script, whose tests make one call and end with a status.
struct Repository(TempDir);

impl Repository {
    fn new(call: &str, status: u8) -> Self {
        let repository = Self(temporary_directory());
        write_program(repository.path().join("ci-seccomp.sh"), script());
        let programs = repository.path().join("bin");
        fs::create_dir(&programs).expect("a directory is made");
        symlink(tracer_program(), programs.join("tracer")).expect("a link is made");
        repository.tests_are(call, status);
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn tests_are(&self, call: &str, status: u8) {
        let tests = format!("#!/bin/sh\n{GROUND_TRUTH} x86_64:{call} && exit {status}\n");
        write_program(self.path().join("run-tests"), tests);
    }

    fn run(&self) -> Output {
        let path = env::var("PATH").expect("a path");
        Command::new("./ci-seccomp.sh")
            .current_dir(self.path())
            .env("PATH", format!("{}:{path}", self.path().join("bin").display()))
            .output()
            .expect("the script runs")
    }
}

fn the_script_passes_as_long_as_the_tests_need_nothing_new() {
    let repository = Repository::new("getpid", 0);
    let first = repository.run();
    assert_ne!(first.status.code(), Some(0), "no profile is in git: {first:?}");
    let made = repository.path().join("seccomp-new/profile.json");
    fs::copy(&made, repository.path().join("seccomp.json")).expect("it was recorded");
    let second = repository.run();
    assert_eq!(second.status.code(), Some(0), "{second:?}");
    repository.tests_are("sched_get_priority_min", 0);
    let third = repository.run();
    assert_eq!(third.status.code(), Some(5), "{third:?}");
    let said = String::from_utf8_lossy(&third.stdout);
    assert!(said.contains("sched_get_priority_min"), "{said}");
    assert!(!said.contains("getpid\n"), "{said}");
}

fn the_script_fails_when_the_tests_fail() {
    let repository = Repository::new("getpid", 7);
    assert_eq!(repository.run().status.code(), Some(7));
}
