//! The traced command: its cgroup, its start, and its end.

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
    cgroup_path::CgroupPath,
    message::print_err,
    recording::CommandOutcome,
    sys::{AsyncFdWait, CgroupEntry, ChildProcess, Filter, Program, User, start_in_cgroup},
    target::{cgroup::CgroupRoot, held::HeldCgroup},
    text::{Escaped, escape_bytes, escape_path},
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
    /// The command as it was typed, escaped, for people; without its arguments, unless they are to
    /// be kept.
    pub fn name(&self) -> String {
        self.kept().join(" ")
    }

    /// The words that the recording may hold, escaped.
    fn kept(&self) -> Vec<Escaped> {
        let count = if self.keep_arguments { self.arguments.len() } else { 1 };
        let words = self.arguments.iter().take(count);
        words.map(|word| escape_bytes(word.as_encoded_bytes())).collect()
    }
}

/// The fresh cgroup of a command. A process of its own, the guard, made it and removes it, also
/// when tracer is killed.
pub(super) struct CommandGroup {
    /// Path in the hierarchy.
    pub(super) path: CgroupPath,
    directory: PathBuf,
    /// It, and the one that it is in: whatever becomes of their paths.
    held: HeldCgroup,
    above: HeldCgroup,
    guard: Child,
    /// The guard removes the cgroup when this ends.
    guard_input: Option<ChildStdin>,
}

impl CommandGroup {
    /// Makes the cgroup below tracer's own.
    pub(super) fn create(root: &CgroupRoot) -> Result<Self> {
        let mut guard = Command::new("/proc/self/exe")
            .arg("internal-cgroup-guard")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context(
                "the process that removes the command's cgroup at the end could not be started",
            )?;
        let guard_input = guard.stdin.take();
        let mut path = String::new();
        if let Some(answer) = guard.stdout.take() {
            BufReader::new(answer).read_line(&mut path).context("reading from a pipe")?;
        }
        let path = CgroupPath::from(path.trim_end_matches('\n'));
        if path.is_empty() {
            let _ = guard.wait();
            bail!("a cgroup for the command could not be made");
        }
        let directory = root.directory(&path)?;
        let opened = HeldCgroup::open(&directory).and_then(|held| Ok((held.above()?, held)));
        let (above, held) =
            opened.with_context(|| format!("{} could not be opened", escape_path(&directory)))?;
        Ok(Self { path, directory, held, above, guard, guard_input })
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
        let directory = self.held.directory().context("dup")?;
        let cgroup = CgroupEntry { directory, procs };
        let child = start_in_cgroup(program, cgroup, request.user.clone(), request.filter.clone())
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
    /// A `cgroup.procs` file cannot be read.
    pub(super) fn processes(&self) -> std::io::Result<usize> {
        self.held.processes().map(|processes| processes.len())
    }
}

impl Drop for CommandGroup {
    fn drop(&mut self) {
        drop(self.guard_input.take());
        if self.guard.wait().is_ok_and(|status| status.success()) {
            return;
        }
        // The guard was killed: the cgroup is removed here, without waiting for its processes.
        let name = self.directory.file_name().unwrap_or_default();
        if !self.above.remove_below(name).unwrap_or_default() {
            print_err(&format!(
                "warning: the cgroup {} is left behind",
                escape_path(&self.directory)
            ));
        }
    }
}

/// A command that was started.
pub(super) struct RunningCommand {
    child: ChildProcess,
    ended: AsyncFdWait,
    status: Option<ExitStatus>,
}

impl RunningCommand {
    fn new(child: ChildProcess) -> Result<Self> {
        let descriptor = pidfd_open(child.id(), PidfdFlags::NONBLOCK).context("pidfd_open")?;
        let ended = AsyncFdWait::readable(descriptor.as_fd()).context("epoll")?;
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
            let _ = kill(Pid::from_raw(self.child.id().as_raw_nonzero().get()), signal);
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

/// The end of the command; never, when there is none.
pub(super) async fn ended(command: &mut Option<RunningCommand>) -> Result<ExitStatus> {
    match command {
        Some(command) => command.wait().await,
        None => std::future::pending().await,
    }
}
