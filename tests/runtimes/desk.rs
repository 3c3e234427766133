//! Where somebody sits and types the lines of the documents.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use rustix::process::Signal;
use tempfile::TempDir;
use tests::{BOUND, Running, temporary_directory, wait_until};

use crate::engine::quoted;

/// A directory. The programs that are typed are in its directory `bin`.
pub struct Desk(TempDir);

/// What a line did.
#[derive(Debug)]
pub struct Said {
    status: Option<i32>,
    /// Its output and its messages.
    pub text: String,
}

impl Said {
    fn new(status: Option<i32>, output: [Vec<u8>; 2]) -> Self {
        let text = output.map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        Self { status, text }
    }

    /// Asserts the exit status.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}", self.text);
        self
    }

    /// Asserts that it failed.
    #[track_caller]
    pub fn fails(self) -> Self {
        assert_ne!(self.status, Some(0), "{}", self.text);
        self
    }

    /// Asserts what it says.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.text.contains(part), "{part}: {}", self.text);
        }
        self
    }

    /// Asserts what it does not say.
    #[track_caller]
    pub fn says_not(self, part: &str) -> Self {
        assert!(!self.text.contains(part), "{part}: {}", self.text);
        self
    }
}

/// A program that runs a command with the words that it is given.
fn program(command: &Command, before: &str) -> String {
    let mut script = String::from("#!/bin/sh\n");
    for (name, value) in command.get_envs() {
        let value = quoted(value.unwrap_or_default());
        let _ = writeln!(script, "export {}={value}", name.to_string_lossy());
    }
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<String> = words.map(quoted).collect();
    let _ = writeln!(script, "{before}exec {} \"$@\"", words.join(" "));
    script
}

impl Desk {
    /// One at which `tracer` is this command.
    pub fn new(tracer: &Command) -> Self {
        let desk = Self(temporary_directory());
        fs::create_dir(desk.path("bin")).expect("a directory can be made");
        desk.install("tracer", tracer, "");
        // The tests run as root, and sudo may not be there.
        tests::write_program(desk.path("bin/sudo"), "#!/bin/sh\nexec \"$@\"\n");
        desk
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Lets a name mean this command. `before`: what its shell does first.
    pub fn install(&self, name: &str, command: &Command, before: &str) {
        tests::write_program(self.path("bin").join(name), program(command, before));
    }

    fn shell(&self, line: &str) -> Command {
        let path = env::var("PATH").expect("a path");
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(self.directory());
        shell.env("PATH", format!("{}:{path}", self.path("bin").display()));
        shell
    }

    /// Types a line.
    pub fn run(&self, line: &str) -> Said {
        let output = self.shell(line).stdin(Stdio::null()).output().expect("a shell");
        Said::new(output.status.code(), [output.stdout, output.stderr])
    }

    /// Does something while tracer watches, and then types Ctrl-C: what tracer says, and what was
    /// done.
    pub fn watched<T>(&self, line: &str, act: impl FnOnce() -> T) -> (Said, T) {
        let running = Running::start(&mut self.shell(&format!("exec {line}")));
        let watches = |line: &str| line.starts_with("recording ") || line.starts_with("verifying ");
        wait_until("tracer watches", BOUND, || running.stderr().lines().any(watches));
        let done = act();
        running.signal(Signal::INT);
        let finished = running.finish();
        (Said::new(finished.status.code(), [finished.stdout, finished.stderr]), done)
    }
}
