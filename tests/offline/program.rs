//! The program as people run it, in a process of its own: this test program started once more, as
//! tracer. So what is printed and the exit code are tested without another build.

use std::env;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};
use tracer::cli::Cli;
use tracer::command::{self, Exit, UsageError};
use tracer::message::print_err;

/// The variable by which this program knows that it is to be tracer.
pub const ROLE: &str = "TRACER_TESTS_AS_TRACER";
/// The most memory that a question to files may take, in bytes.
const MEMORY: u64 = 1 << 30;

/// Variables of the person who runs the tests that change what is printed.
const NOT_INHERITED: [&str; 11] = [
    "CI",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "NO_COLOR",
    "RUST_BACKTRACE",
    "SUDO_GID",
    "SUDO_UID",
    "TRACER_COLOR",
    "TRACER_LIVE",
    "TRACER_RUNTIME",
];

/// How a run ended, and what it printed.
#[derive(Debug)]
pub struct Run {
    /// The exit code; None when a signal ended it.
    pub code: Option<i32>,
    /// The data.
    pub stdout: String,
    /// The messages.
    pub stderr: String,
}

/// Does what `tracer/src/main.rs` does, when this process was started for it.
pub fn as_tracer() -> Option<ExitCode> {
    env::var_os(ROLE)?;
    let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    setrlimit(Resource::Data, limit).expect("the memory can be limited");
    let cli = match Cli::read(env::args_os()) {
        Ok(cli) => cli,
        Err(mistyped) => return Some(mistyped.report()),
    };
    let exit = command::run(&cli).unwrap_or_else(|error| {
        print_err(&format!("error: {error:#}"));
        if error.is::<UsageError>() { Exit::Usage } else { Exit::Failed }
    });
    Some(ExitCode::from(exit.code()))
}

/// Runs `tracer WORDS` in a directory, with nothing on its standard input.
pub fn tracer(directory: &Path, words: &[impl AsRef<OsStr>]) -> Run {
    let Output { status, stdout, stderr } =
        command(directory, words).output().expect("this program can be started");
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Run { code: status.code(), stdout, stderr }
}

/// The same, to be started.
pub fn command(directory: &Path, words: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    command.arg0("tracer").args(words).current_dir(directory).env(ROLE, "1");
    for variable in NOT_INHERITED {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}
