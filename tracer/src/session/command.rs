//! A command of our own: its cgroup, its start, and its end.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    os::fd::AsFd,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::{
    kernel::{Filter, Program, Readiness, User, start_in_cgroup},
    message::tell,
    recording::CommandOutcome,
    target::{cgroup::CgroupRoot, held::HeldCgroup},
    text::{escape_bytes, escape_path},
};

/// A command to run and record.
#[derive(Debug)]
pub struct CommandRequest {
    /// The program, looked up.
    pub program: PathBuf,
    /// Its name as it was typed, then its arguments.
    pub arguments: Vec<OsString>,
    /// The environment it gets.
    pub environment: Vec<(OsString, OsString)>,
    /// Who it runs as; None: as tracer does.
    pub user: Option<User>,
    /// The filter it runs under.
    pub filter: Option<Filter>,
    /// The recording may hold the arguments, which may be secrets.
    pub keep_arguments: bool,
}

impl CommandRequest {
    /// The command as it was typed, escaped, for people; without its arguments, unless they are to be kept.
    pub fn name(&self) -> String {
        self.kept().join(" ")
    }

    /// The words that the recording may hold, escaped.
    fn kept(&self) -> Vec<String> {
        let count = if self.keep_arguments { self.arguments.len() } else { 1 };
        let words = self.arguments.iter().take(count);
        words.map(|word| escape_bytes(word.as_encoded_bytes())).collect()
    }
}

/// The fresh cgroup of a command. A process of its own made it and removes it, so that it goes even when tracer is
/// killed.
pub(super) struct CommandGroup {
    /// Path in the hierarchy.
    pub(super) path: String,
    directory: PathBuf,
    /// It, and the one that it is in: whatever becomes of their paths.
    held: HeldCgroup,
    above: HeldCgroup,
    keeper: Child,
    lifeline: Option<ChildStdin>,
}

impl CommandGroup {
    /// Makes the cgroup below tracer's own.
    pub(super) fn create(root: &CgroupRoot) -> Result<Self> {
        let mut keeper = Command::new("/proc/self/exe")
            .arg("internal-keep")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("the process that keeps the command's cgroup could not be started")?;
        let lifeline = keeper.stdin.take();
        let mut path = String::new();
        if let Some(answer) = keeper.stdout.take() {
            BufReader::new(answer).read_line(&mut path).context("reading from a pipe")?;
        }
        let path = path.trim_end_matches('\n').to_owned();
        if path.is_empty() {
            let _ = keeper.wait();
            bail!("a cgroup for the command could not be made");
        }
        let directory = root.directory(&path)?;
        let opened = HeldCgroup::open(&directory).and_then(|held| Ok((held.above()?, held)));
        let (above, held) =
            opened.with_context(|| format!("{} could not be opened", escape_path(&directory)))?;
        Ok(Self { path, directory, held, above, keeper, lifeline })
    }

    /// Starts the command in it.
    pub(super) fn start(&self, request: &CommandRequest) -> Result<RunningCommand> {
        let procs = self.held.open_to_write("cgroup.procs").with_context(|| {
            format!("{} could not be opened", escape_path(&self.directory.join("cgroup.procs")))
        })?;
        let not_executed = || format!("{} could not be executed", escape_path(&request.program));
        let program = Program::new(
            request.program.clone().into_os_string(),
            request.arguments.clone(),
            request.environment.clone(),
        )
        .with_context(not_executed)?;
        let child = start_in_cgroup(program, procs, request.user.clone(), request.filter.clone())
            .with_context(not_executed)?;
        RunningCommand::new(child)
    }

    /// Ends everything that still runs in it.
    pub(super) fn kill(&self) {
        if self.held.write("cgroup.kill", "1").is_ok() {
            return;
        }
        // Before 5.14 there is no cgroup.kill.
        let pids = self.held.processes().unwrap_or_default().into_iter();
        for pid in pids.filter_map(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Processes that are in it now, or below it.
    ///
    /// # Errors
    /// It cannot be told.
    pub(super) fn processes(&self) -> std::io::Result<usize> {
        self.held.processes().map(|processes| processes.len())
    }
}

impl Drop for CommandGroup {
    fn drop(&mut self) {
        // The end of the pipe is the word to remove the cgroup.
        drop(self.lifeline.take());
        if self.keeper.wait().is_ok_and(|status| status.success()) {
            return;
        }
        // The keeper was killed: what it would have done is tried here, without its patience.
        let name = self.directory.file_name().unwrap_or_default();
        if !self.above.remove_below(name).unwrap_or_default() {
            tell(&format!("warning: the cgroup {} is left behind", escape_path(&self.directory)));
        }
    }
}

/// A command that was started.
pub(super) struct RunningCommand {
    child: Child,
    ended: Readiness,
    status: Option<ExitStatus>,
}

impl RunningCommand {
    fn new(child: Child) -> Result<Self> {
        let pid = rustix::process::Pid::from_child(&child);
        let descriptor = pidfd_open(pid, PidfdFlags::NONBLOCK).context("pidfd_open")?;
        let ended = Readiness::to_read(descriptor.as_fd()).context("epoll")?;
        Ok(Self { child, ended, status: None })
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        self.ended.ready().await.context("epoll")?;
        let status = self.child.wait().context("waiting for the command")?;
        self.status = Some(status);
        Ok(status)
    }

    /// How it ended; None while it runs.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status
    }

    /// It has not ended yet.
    pub(super) fn is_running(&self) -> bool {
        self.status.is_none()
    }

    /// Sends it a signal.
    pub(super) fn send(&self, signal: Signal) {
        if self.is_running() {
            let _ = kill(Pid::from_raw(self.child.id() as i32), signal);
        }
    }

    /// How it ended, for the recording.
    pub(super) fn outcome(&self, request: &CommandRequest) -> CommandOutcome {
        let arguments = request.kept();
        CommandOutcome {
            arguments_left_out: request.arguments.len().saturating_sub(arguments.len()),
            arguments,
            exit_code: self.status.and_then(|status| status.code()),
            signal: self.status.and_then(|status| status.signal()),
        }
    }
}
