//! `tracer decode --follow`: the kernel's audit records as they are made.

mod printer;

use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use tokio::time::timeout;

use self::printer::Printer;
use super::{logged::LogRecording, width::columns};
use crate::{
    cli::Decode,
    command::{Exit, session_config::event_loop},
    json,
    message::print_err,
    session::Signals,
    sys::{AsyncFdWait, AuditError, AuditMessage, AuditSocket, LostRecords},
    workbench::decode::{self, DecodedCall, found::Asked, recorded::LoggedCalls, render},
};

/// How many records are read before a signal is looked for again.
const AT_ONCE: usize = 256;
/// How long the last records may take: a kernel thread sends them, a moment after the call.
const SETTLE: Duration = Duration::from_millis(100);
/// How long is read at the end, however many records come, and how long a slow reader of what is
/// printed is waited for then.
const END: Duration = Duration::from_secs(2);
/// Why nothing is printed.
const UNWRITTEN: &str = "the standard output could not be written";

/// Prints each record on seccomp, until a signal ends it.
///
/// # Errors
/// The records cannot be read, or nothing can be printed or written.
pub(super) fn run(options: &Decode, asked: Asked<'_>) -> Result<Exit> {
    let recording = LogRecording::prepare(options.recording.as_deref())?;
    let (runtime, mut signals) = event_loop()?;
    let socket = AuditSocket::open().map_err(|error| refused(&error))?;
    let printer = {
        let _context = runtime.enter();
        Printer::start().context("a thread could not be started")?
    };
    let mut follower = Follower {
        socket,
        lost: 0,
        asked,
        is_json: options.json,
        calls: recording.is_some().then(LoggedCalls::default),
        printer,
        is_stuck: false,
        remarks: Vec::new(),
        has_gap: false,
    };
    print_err("following the kernel's audit records on seccomp; Ctrl-C ends it");
    let begun = Instant::now();
    let followed = runtime.block_on(follower.follow(&mut signals));
    // Also when the reader of the output went away.
    let written = match recording.zip(follower.calls.take()) {
        Some((recording, calls)) => {
            recording.write_followed(calls.into_calls(), begun, asked.commands)
        }
        None => Ok(()),
    };
    if let (Err(_), Err(error)) = (&followed, &written) {
        print_err(&format!("error: {error:#}"));
    }
    followed?;
    written?;
    Ok(if follower.has_gap { Exit::Incomplete } else { Exit::Complete })
}

/// Why there is nothing to follow, with what to do about it.
fn refused(error: &AuditError) -> anyhow::Error {
    let remedy = match error {
        AuditError::Refused => {
            "run it as root on the host; in a container, add the capability AUDIT_READ and share the host's pid and user namespaces. Or decode the kernel log: dmesg | tracer decode"
        }
        AuditError::NotThere => "boot a kernel that is built with CONFIG_AUDIT=y",
        AuditError::SwitchedOff => "boot without audit=0",
        AuditError::NotLogged(_) => {
            "add it: sysctl kernel.seccomp.actions_logged='kill_process kill_thread trap errno user_notif trace log'"
        }
        AuditError::Socket(_) => "decode the kernel log instead: dmesg | tracer decode",
    };
    anyhow!("{error}\n\nhint: {remedy}")
}

struct Follower<'a> {
    socket: AuditSocket,
    /// How many messages were lost of which it was said.
    lost: u32,
    asked: Asked<'a>,
    is_json: bool,
    /// For a recording, when one is asked for.
    calls: Option<LoggedCalls>,
    printer: Printer,
    /// A line was dropped because nobody read those before.
    is_stuck: bool,
    /// The remarks that were printed.
    remarks: Vec<String>,
    /// Records were lost, could not be read, or were not printed.
    has_gap: bool,
}

impl Follower<'_> {
    /// Reads until a signal arrives, then what has come until then; or until nobody reads what is
    /// printed.
    async fn follow(&mut self, signals: &mut Signals) -> Result<()> {
        let ready = AsyncFdWait::readable(self.socket.as_fd()).context("epoll")?;
        let mut has_more = true;
        loop {
            let wait = async {
                match has_more {
                    true => tokio::task::yield_now().await,
                    // An error is that of a runtime which is shutting down.
                    false => drop(ready.ready().await),
                }
            };
            let is_over = tokio::select! {
                biased;
                () = signals.end() => true,
                error = self.printer.broken() => {
                    self.note_losses()?;
                    return Err(error).context(UNWRITTEN);
                }
                () = wait => false,
            };
            has_more = self.read()?;
            if is_over {
                self.read_the_rest(&ready, has_more).await?;
                self.note_losses()?;
                return self.print_the_rest().await;
            }
        }
    }

    /// Reads the records of what was called until now.
    async fn read_the_rest(&mut self, ready: &AsyncFdWait, mut has_more: bool) -> Result<()> {
        let end = Instant::now() + END;
        while has_more || timeout(SETTLE, ready.ready()).await.is_ok() {
            if Instant::now() > end {
                self.warn("records that came to the end were not read: there were too many");
                return Ok(());
            }
            has_more = self.read()?;
        }
        Ok(())
    }

    /// Waits for the reader of what is printed.
    async fn print_the_rest(&mut self) -> Result<()> {
        match self.printer.finish(END).await.context(UNWRITTEN)? {
            0 => {}
            left => self.warn(&format!("{left} records were not printed: nobody read them")),
        }
        Ok(())
    }

    /// Says how many messages did not find room since the last time.
    fn note_losses(&mut self) -> Result<()> {
        let lost = self.socket.lost().context("the audit socket")?;
        match lost.wrapping_sub(self.lost) {
            0 => {}
            more => self.warn(&LostRecords(more).to_string()),
        }
        self.lost = lost;
        Ok(())
    }

    /// Reads the records that are there, at most [`AT_ONCE`]; true when there may be more.
    fn read(&mut self) -> Result<bool> {
        for _ in 0..AT_ONCE {
            match self.socket.poll().context("reading audit records")? {
                Some(AuditMessage::Seccomp(text)) => self.show(&text),
                // The kernel counts what it loses until all that waits is read.
                Some(AuditMessage::Other(_) | AuditMessage::Lost) => {}
                None => {
                    self.note_losses()?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn show(&mut self, text: &str) {
        // The kernel log has the type in front of the same text.
        let decoded = decode::decode(format!("type=1326 {text}").as_bytes(), self.asked);
        if !decoded.complete {
            self.warn("an audit record could not be read as a whole");
        }
        for call in &decoded.calls {
            if let Some(calls) = &mut self.calls {
                calls.add(call);
            }
            let line = self.line(call);
            if !self.printer.print(line) && !self.is_stuck {
                self.is_stuck = true;
                print_err("incomplete: records are not printed: nobody reads those before");
            }
        }
        for remark in decoded.remarks {
            if !self.remarks.contains(&remark) {
                print_err(&format!("note: {remark}"));
                self.remarks.push(remark);
            }
        }
    }

    fn line(&self, call: &DecodedCall) -> String {
        if self.is_json {
            return json::line(call);
        }
        render::one(call, columns())
    }

    fn warn(&mut self, what: &str) {
        self.has_gap = true;
        print_err(&format!("incomplete: {what}"));
    }
}
