//! What the tests want of every container engine.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

pub use tests::succeed;
use tests::{BOUND, holds_within};

/// What a workload says when its work is done; then it idles.
pub const DONE: &str = "workload done";

/// What a profile answers to a call that it does not allow.
pub const ENOSYS: i32 = 38;

/// A container to start.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The program and its arguments.
    pub words: &'a [&'a str],
    /// The user and group that it runs as.
    pub user: u32,
    /// Whether it gets no_new_privs.
    pub no_new_privs: bool,
    /// The profile that is enforced; none leaves it unconfined.
    pub profile: Option<&'a Path>,
    /// The cgroup below which the container's own will be.
    pub parent: &'a str,
}

/// Something that starts containers.
pub trait Engine: Send + Sync {
    /// Starts a container and returns as soon as it was started.
    fn start(&self, order: &Order) -> Result<Box<dyn Container + '_>, String>;

    /// Whether [`Container::exec`] can take a user.
    fn executes_as_user(&self) -> bool {
        true
    }

    /// The same engine, with a user namespace for each container, where that is supported.
    fn with_user_namespace(&self) -> Option<Box<dyn Engine + '_>> {
        None
    }

    /// Where its API is served, with or without `unix://`.
    fn socket(&self) -> Option<&str> {
        None
    }

    /// The error number of a call that the profile does not allow.
    fn refusal(&self) -> i32 {
        ENOSYS
    }
}

/// A container that was started. Dropping it ends and removes it.
pub trait Container {
    /// What the workload wrote so far.
    fn output(&self) -> String;

    /// Whether the workload runs.
    fn is_running(&self) -> bool;

    /// What its engine calls it.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Executes another program in it.
    fn exec(&self, user: Option<u32>, words: &[&str]) -> Result<String, String>;

    /// The same with a terminal of its own.
    fn exec_in_terminal(&self, user: Option<u32>, words: &[&str]) -> Result<String, String>;
}

/// A word as a shell takes it literally.
pub fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))
}

/// Runs a command with a terminal, as somebody types it.
pub fn in_terminal(command: &Command) -> Command {
    let words: Vec<String> =
        [command.get_program()].into_iter().chain(command.get_args()).map(quoted).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    script.envs(variables).stdin(Stdio::null());
    script
}

/// Waits until the workload has done its work.
pub fn wait_until_done(container: &dyn Container) -> Result<(), String> {
    let mut done = false;
    let mut running = true;
    holds_within(BOUND, || {
        running = container.is_running();
        done = container.output().lines().any(|line| line.ends_with(DONE));
        done || !running
    });
    let state = if running { "still runs" } else { "has ended" };
    if done {
        Ok(())
    } else {
        Err(format!("the workload did not finish and {state}; it said:\n{}", container.output()))
    }
}
