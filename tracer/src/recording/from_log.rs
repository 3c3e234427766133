//! A recording of what a log shows, for whoever has nothing better.
//!
//! A log names no cgroup, and holds what a filter logged or refused alone. So the recording is
//! incomplete by a loss of its own, which nothing makes up for.

use super::{
    completeness,
    model::{Call, Cgroup, Host, Losses, Recording, VERSION},
};

/// Stands for the cgroups, which a log does not name. No runtime makes a cgroup of this name.
pub const CGROUP: &str = "/(log)";

/// When and where the log was made.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRun {
    /// When it was read, or its first record arrived: RFC 3339, UTC.
    pub started: String,
    /// How long records were read as they were made; 0 of a text.
    pub duration_seconds: f64,
    /// The machine; [`unknown_host`] of a text.
    pub host: Host,
}

/// A machine of which nothing is known: a text may come from any.
pub fn unknown_host() -> Host {
    let unknown = || "unknown".to_owned();
    Host { kernel: unknown(), arch: unknown(), cpus: 0, btf: false, attach: None }
}

/// The recording of calls that a log shows, sorted by ABI and number.
pub fn of_calls(calls: Vec<Call>, run: LogRun) -> Recording {
    let LogRun { started, duration_seconds, host } = run;
    let cgroup = Cgroup {
        id: 0,
        path: CGROUP.to_owned(),
        late_start: false,
        exact: false,
        ambiguous: false,
        no_new_privs: false,
        filtered: false,
        exec_sessions: false,
        container: None,
        calls,
    };
    let unnamed = super::assembly::unnamed(&cgroup);
    let losses = Losses { from_log: 1, unnamed, ..Losses::default() };
    Recording {
        version: VERSION,
        tracer: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        duration_seconds,
        incomplete_reasons: completeness::reasons(&losses, &[], &[], &[], false, &host),
        host,
        targets: Vec::new(),
        cgroups: vec![cgroup],
        losses,
        late_starts: Vec::new(),
        contested: Vec::new(),
        departures: Vec::new(),
        complete: false,
        command: None,
        derived: None,
    }
}
