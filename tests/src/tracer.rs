//! The tracer under test: started, waited for, stopped, and what it left.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tracer::recording::Recording;

use crate::{BOUND, Cgroup, Running, holds_within, temporary_directory, wait_until};

/// The program that is tested.
pub fn tracer_program() -> PathBuf {
    env::var_os("TRACER_BIN").expect("TRACER_BIN is set: `kernel_tier` was asked").into()
}

/// A run of the tracer in the making. It writes to `profile.json` in a directory of its own, unless
/// set otherwise.
#[derive(Debug)]
pub struct Tracer {
    directory: TempDir,
    program: Option<PathBuf>,
    launcher: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    out: Option<PathBuf>,
    command: Vec<OsString>,
}

impl Default for Tracer {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracer {
    /// With no arguments but `--out`.
    pub fn new() -> Self {
        let directory = temporary_directory();
        let out = Some(directory.path().join("profile.json"));
        Self {
            directory,
            program: None,
            launcher: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            out,
            command: Vec::new(),
        }
    }

    /// Traces the cgroup.
    pub fn cgroup(self, cgroup: &Cgroup) -> Self {
        self.args(["--cgroup", cgroup.name()])
    }

    /// Adds arguments in front of the command.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Writes there.
    pub fn out(mut self, path: impl Into<PathBuf>) -> Self {
        self.out = Some(path.into());
        self
    }

    /// Gives no `--out`.
    pub fn without_out(mut self) -> Self {
        self.out = None;
        self
    }

    /// The command to trace.
    pub fn command(mut self, command: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.extend(command.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Runs the tracer through another program, such as setpriv.
    pub fn launcher(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.launcher.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs a copy of the tracer.
    pub fn program(mut self, path: PathBuf) -> Self {
        self.program = Some(path);
        self
    }

    /// The directory that it works in and, unless set otherwise, writes to.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts it and does not wait.
    pub fn spawn(self) -> Tracing {
        let mut words = self.launcher;
        words.push(self.program.unwrap_or_else(tracer_program).into());
        words.extend(self.arguments);
        if let Some(out) = &self.out {
            words.extend(["--out".into(), out.into()]);
        }
        if !self.command.is_empty() {
            words.push("--".into());
            words.extend(self.command);
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.directory.path());
        for variable in ["RUST_LOG", "SUDO_USER", "SUDO_UID", "SUDO_GID", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command.envs(self.environment);
        let process = Running::start(&mut command);
        Tracing { process, directory: self.directory, out: self.out }
    }

    /// Starts it and waits until it records.
    pub fn start(self) -> Tracing {
        let mut tracing = self.spawn();
        tracing.wait_until_recording();
        tracing
    }

    /// Runs it to its end.
    pub fn run(self) -> Outcome {
        self.spawn().finish()
    }
}

/// The tracer at work.
#[derive(Debug)]
pub struct Tracing {
    /// The process.
    pub process: Running,
    directory: TempDir,
    out: Option<PathBuf>,
}

impl Tracing {
    /// Waits until it says that it records; panics when it ends before.
    pub fn wait_until_recording(&mut self) {
        let says =
            |process: &Running| process.stderr().lines().any(|line| line.starts_with("recording"));
        holds_within(BOUND, || says(&self.process) || !self.process.is_running());
        let said = self.process.stderr();
        let state = if self.process.is_running() { "runs" } else { "ended" };
        assert!(says(&self.process), "the tracer {state} and does not record; it said:\n{said}");
    }

    /// Waits until it says so on its standard error.
    pub fn wait_for_message(&self, part: &str) {
        wait_until(&format!("the tracer says {part:?}"), BOUND, || {
            self.process.stderr().contains(part)
        });
    }

    /// Waits until it sleeps, and for a while: it has looked at everything that happened before.
    pub fn wait_until_idle(&self) {
        let stat = format!("/proc/{}/stat", self.process.id());
        let mut asleep = 0;
        wait_until("the tracer is idle", BOUND, || {
            let sleeps = fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") S "));
            asleep = if sleeps { asleep + 1 } else { 0 };
            asleep == 50
        });
    }

    /// Stops it for a while: it takes nothing from the kernel side.
    pub fn suspend(&self) {
        self.process.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.process.id());
        wait_until("the tracer is stopped", BOUND, || {
            fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "))
        });
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Lets it go on, and waits until it has taken what the kernel side kept: its answer to SIGUSR1
    /// shows that.
    pub fn resume(&self) {
        self.go_on();
        self.process.signal(Signal::USR1);
        self.wait_for_message("snapshot");
    }

    /// It sleeps at this moment.
    pub fn is_idle(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        stat.is_ok_and(|stat| stat.contains(") S "))
    }

    /// Its directory, where the files appear.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends the recording with SIGTERM, unless it has ended by itself, and collects what is there.
    pub fn stop(self) -> Outcome {
        self.stop_by(Signal::TERM)
    }

    /// Ends the recording with a signal, unless it has ended by itself.
    pub fn stop_by(mut self, signal: Signal) -> Outcome {
        if self.process.is_running() {
            self.process.signal(signal);
        }
        self.finish()
    }

    /// Waits until it ends by itself.
    pub fn finish(self) -> Outcome {
        let finished = self.process.finish();
        Outcome {
            status: finished.status,
            stdout: String::from_utf8_lossy(&finished.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&finished.stderr).into_owned(),
            directory: self.directory,
            out: self.out,
        }
    }
}

/// What a run of the tracer left.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    directory: TempDir,
    out: Option<PathBuf>,
}

impl Outcome {
    /// The directory with the files, there until this value is dropped.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Asserts the exit code.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "expected exit code {code}, got {}; the tracer said:\n{}",
            self.status,
            self.stderr,
        );
        self
    }

    /// Asserts that the messages hold every one of the parts.
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "expected {part:?} in the messages, which are:\n{}",
                self.stderr,
            );
        }
        self
    }

    /// Asserts that nothing was written into its directory.
    pub fn writes_nothing(self) -> Self {
        let files = crate::file_names(self.directory());
        assert!(files.is_empty(), "expected no files, found {files:?}; said:\n{}", self.stderr);
        self
    }

    /// The recording beside the profile.
    pub fn recording(&self) -> Recording {
        let text = self.read("recording.json");
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("the recording does not parse: {error}\n{text}"))
    }

    /// The profile.
    pub fn profile(&self) -> Value {
        let text = self.read("json");
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("the profile does not parse: {error}\n{text}"))
    }

    /// The names that the profile allows.
    pub fn allowed(&self) -> Vec<String> {
        crate::allowed(&self.profile())
    }

    /// The text of a file beside the profile, by what stands in the place of `json`.
    pub fn read(&self, extension: &str) -> String {
        let out = self.out.as_ref().expect("this run has an --out");
        let path = self.directory().join(out).with_extension(extension);
        fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("cannot read {}: {error}; the tracer said:\n{}", path.display(), self.stderr)
        })
    }
}
