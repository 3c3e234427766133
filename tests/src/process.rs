//! Processes that end with the test that started them.

use std::fs;
use std::io::Read;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, Once};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::{BOUND, holds_within, wait_until};

/// A process with its output collected. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    what: String,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
}

/// How a process ended and what it wrote.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

static HANG_UP: Once = Once::new();

/// Under `nohup` SIGHUP is ignored, which what is executed inherits (execve(2)). A signal that is
/// caught has its default action there; the handler does nothing, so that it ends this program as
/// little as before.
fn catch_ignored_hang_up() {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("SigIgn");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    // Bit 0 is signal 1.
    if ignored & 1 == 1 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        // The handler outlives both.
        let _entered = runtime.enter();
        drop(signal(SignalKind::hangup()).expect("SIGHUP can be caught"));
    }
}

impl Running {
    /// Starts the command, with SIGHUP as it is by default. Its standard input stays open until
    /// [`Self::close_stdin`].
    pub fn start(command: &mut Command) -> Self {
        HANG_UP.call_once(catch_ignored_hang_up);
        let what = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {what}: {error}"));
        let stdin = child.stdin.take();
        let stdout = Stream::read(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Stream::read(child.stderr.take().expect("stderr is a pipe"));
        Self { child, what, stdin, stdout, stderr }
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Lets it read the end of its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends it a signal. It has not been waited for, so that the id is its own.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.id()).expect("a process id is above 0");
        kill_process(pid, signal)
            .unwrap_or_else(|error| panic!("cannot send {signal:?} to {}: {error}", self.what));
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its status can be asked for").is_none()
    }

    /// What it has written to its standard error by now.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// What it has written to its standard output by now.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits until it says a line on its standard output; panics when it ends before.
    pub fn wait_for_line(&mut self, line: &str) {
        let mut ended = false;
        wait_until(&format!("{} says {line:?}", self.what), BOUND, || {
            ended = !self.is_running() && self.stdout.is_done();
            ended || self.stdout.text().lines().any(|said| said == line)
        });
        let said = self.stdout.text().lines().any(|said| said == line);
        assert!(said, "{} ended and did not say {line:?}: {}", self.what, self.stderr());
    }

    /// Closes its standard input and waits until it ends.
    pub fn finish(mut self) -> Finished {
        self.close_stdin();
        let what = format!("{} ends (stderr so far: {})", self.what, self.stderr());
        wait_until(&what, BOUND, || !self.is_running());
        // A process that it left behind may hold the pipes open: not waited for much longer.
        let done = || self.stdout.is_done() && self.stderr.is_done();
        wait_until(&format!("{} closes its output", self.what), Duration::from_secs(10), done);
        let status = self.child.wait().expect("it has ended");
        Finished { status, stdout: self.stdout.bytes(), stderr: self.stderr.bytes() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            // Asked first: the tracer ends what it started itself.
            self.signal(Signal::TERM);
            if !holds_within(Duration::from_secs(5), || !self.is_running()) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

/// Runs a command to its end and returns its standard output, or the story of its failure.
pub fn succeed(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } =
        command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    if status.success() {
        Ok(stdout)
    } else {
        Err(format!("{command:?}: {status}\n{stdout}{stderr}"))
    }
}

/// What a pipe carried so far.
#[derive(Debug)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn read(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                shared.lock().expect("no reader panics").extend_from_slice(&buffer[..length]);
            }
        });
        Self { bytes, reader }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("no reader panics").clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn is_done(&self) -> bool {
        self.reader.is_finished()
    }
}
