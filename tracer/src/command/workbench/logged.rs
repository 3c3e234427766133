//! The recording that `tracer decode --recording` writes.

use std::{
    path::Path,
    time::{Instant, SystemTime},
};

use anyhow::{Context, Result, bail};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    command::environment::owner,
    message::print_err,
    output::SingleFile,
    recording::{
        Call, Host, Phase,
        from_log::{LogRun, of_calls, unknown_host},
        json::to_json,
    },
    text::escape_path,
    workbench::decode::{Decoded, found::CommandName, recorded::LoggedCalls},
};

/// The option that names the file.
const OPTION: &str = "--recording";

/// Where a recording goes.
pub(super) struct LogRecording(SingleFile);

impl LogRecording {
    /// Finds out, before anything is read, what would make writing fail; None when no file was
    /// named.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn prepare(path: Option<&Path>) -> Result<Option<Self>> {
        let file = path.map(|path| SingleFile::prepare_for(path, owner(), OPTION)).transpose()?;
        Ok(file.map(Self))
    }

    /// Writes what a text names.
    ///
    /// # Errors
    /// It names nothing for a recording, or the file cannot be written.
    pub(super) fn write_decoded(&self, decoded: &Decoded, of: &[CommandName]) -> Result<()> {
        let mut calls = LoggedCalls::default();
        decoded.calls.iter().for_each(|call| calls.add(call));
        self.write(calls.into_calls(), of, (unknown_host(), 0.0))
    }

    /// Writes what was followed since then.
    ///
    /// # Errors
    /// As above.
    pub(super) fn write_followed(
        &self,
        calls: Vec<Call>,
        begun: Instant,
        of: &[CommandName],
    ) -> Result<()> {
        self.write(calls, of, (this_host(), begun.elapsed().as_secs_f64()))
    }

    fn write(
        &self,
        calls: Vec<Call>,
        of: &[CommandName],
        (host, duration_seconds): (Host, f64),
    ) -> Result<()> {
        let path = self.0.path();
        let name = escape_path(&path);
        if calls.is_empty() {
            bail!(
                "{name} is not written: no audit record and no line of strace holds a syscall of x86_64, i386 or x32\n\nhint: a filter writes records for the action log, and for others when it was loaded with SECCOMP_FILTER_FLAG_LOG"
            );
        }
        let begun =
            OffsetDateTime::from(SystemTime::now()) - time::Duration::seconds_f64(duration_seconds);
        let started = begun.format(&Rfc3339).context("the clock")?;
        let refused = calls.iter().filter(|call| call.phase == Phase::Denied).count();
        let made = calls.len() - refused;
        let recording = of_calls(calls, LogRun { started, duration_seconds, host });
        self.0.write(to_json(&recording).as_bytes())?;
        let of = match of {
            [] => "of every process that the log names".to_owned(),
            of => format!("of {}", CommandName::list(of)),
        };
        print_err(&format!(
            "{name}: {made} syscalls that were made, {refused} that were refused; incomplete, as every recording of a log; {of}\nhint: merge it, when the log is of one workload: tracer profile NAME.recording.json {name} --out NEW.json; what was refused is allowed by tracer profile --include-denied"
        ));
        Ok(())
    }
}

/// The machine whose log was followed.
fn this_host() -> Host {
    let system = rustix::system::uname();
    let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    Host {
        kernel: text(system.release()),
        arch: text(system.machine()),
        cpus,
        btf: false,
        attach: None,
    }
}
