//! Calls that a filter logs and lets through. To the kernel side they look like any other: only the
//! kernel's audit records show them.

use std::{
    collections::BTreeMap,
    os::fd::AsFd,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::{clock::boot_time, config::Observers, events::EventHandler};
use crate::{
    audit::{AuditRecord, AuditedCall, FilterAction, parse_record, time},
    bpf::{Processes, Recorder},
    cgroup_path::CgroupPath,
    recording::{DenyOutcome, Phase, denied::is_a_runtimes, event::NewCall, facts::Logged},
    sys::{AsyncFdWait, AuditMessage, AuditSocket, LostRecords},
    syscalls::{self, Abi},
    target::cgroup::CgroupRoot,
};

/// Most different calls that are kept: a workload may call any number.
const MAX_LOGGED: usize = 1 << 14;
/// How many records are read before anything else is looked at.
const AT_ONCE: usize = 1024;
/// When no record came for so long, all have come; so they have when one came that was made so much
/// later.
const SETTLE: Duration = Duration::from_millis(100);
/// How long is read at the end, whatever the clock of the records says.
const END: Duration = Duration::from_secs(2);

/// The audit records of the target.
pub(super) struct Audit {
    socket: Option<(AuditSocket, AsyncFdWait)>,
    processes: Processes,
    logged: BTreeMap<(u64, Abi, i32, DenyOutcome), Logged>,
    /// The kernel side does not see threads that a filter kills; their audit records are used.
    killed_threads: bool,
    /// There may be records that wait to be read.
    has_more: bool,
    /// When the newest record was made of those that came at the end, since 1970.
    newest: Option<Duration>,
    /// Why records may be missing, besides those that the socket counts.
    missing: Option<String>,
}

impl Audit {
    /// Begins to read. A kernel without audit is no failure: the outcome says why records are
    /// missing.
    pub(super) fn start(recorder: &mut Recorder) -> Result<Self> {
        let mut missing = None;
        let socket = match AuditSocket::open() {
            Ok(socket) => {
                let ready = AsyncFdWait::readable(socket.as_fd()).context("epoll")?;
                Some((socket, ready))
            }
            Err(reason) => {
                missing = Some(reason.to_string());
                None
            }
        };
        let killed_threads = !recorder.sees_killed_threads();
        let (processes, logged) = (recorder.processes()?, BTreeMap::new());
        Ok(Self {
            socket,
            processes,
            logged,
            killed_threads,
            has_more: false,
            newest: None,
            missing,
        })
    }

    /// Waits until there is a record.
    pub(super) async fn ready(&self) {
        match &self.socket {
            Some(_) if self.has_more => tokio::task::yield_now().await,
            // An error is that of a runtime which is shutting down.
            Some((_, ready)) => drop(ready.ready().await),
            None => std::future::pending().await,
        }
    }

    /// Reads the records that are on their way: a kernel thread sends them, a moment after the
    /// call.
    pub(super) async fn settle(
        &mut self,
        events: &mut EventHandler,
        root: &CgroupRoot,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (last, end) = (now + SETTLE, Instant::now() + END);
        // The clock may have been set back since the others.
        self.newest = None;
        // Those of the whole machine may come without end.
        while self.newest <= Some(last) && timeout(SETTLE, self.ready()).await.is_ok() {
            if Instant::now() > end {
                self.miss("records that came to the end were not read: there were too many");
                return Ok(());
            }
            self.poll(events, root, observers)?;
        }
        Ok(())
    }

    /// Why records may be missing, with how many the socket had no room for.
    pub(super) fn missing(self) -> Option<String> {
        let lost = match self.socket.map(|(socket, _)| socket.lost()) {
            None | Some(Ok(0)) => None,
            Some(Ok(count)) => Some(LostRecords(count).to_string()),
            Some(Err(error)) => Some(format!("lost audit records are not counted: {error}")),
        };
        let reasons: Vec<String> = lost.into_iter().chain(self.missing).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn miss(&mut self, why: &str) {
        self.missing.get_or_insert_with(|| why.to_owned());
    }

    /// What was logged so far.
    pub(super) fn logged(&self) -> Vec<Logged> {
        self.logged.values().cloned().collect()
    }

    /// Reads the records that are there, at most [`AT_ONCE`], and shows the new ones of the target.
    pub(super) fn poll(
        &mut self,
        events: &mut EventHandler,
        root: &CgroupRoot,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        for _ in 0..AT_ONCE {
            let Some((socket, _)) = &mut self.socket else { return Ok(()) };
            match socket.poll().context("reading audit records")? {
                Some(AuditMessage::Seccomp(text)) => {
                    self.newest = self.newest.max(time(&text));
                    let Some(record) = parse_record(&text) else {
                        self.miss("an audit record could not be read");
                        continue;
                    };
                    self.handle(&record, events, root, observers)?;
                }
                Some(AuditMessage::Other(made)) => self.newest = self.newest.max(made),
                // The socket counts what it loses.
                Some(AuditMessage::Lost) => {}
                None => {
                    self.has_more = false;
                    return Ok(());
                }
            }
        }
        self.has_more = true;
        Ok(())
    }

    fn handle(
        &mut self,
        record: &AuditRecord,
        events: &mut EventHandler,
        root: &CgroupRoot,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let outcome = match record.action {
            FilterAction::Log => DenyOutcome::Logged,
            FilterAction::KillThread if self.killed_threads => DenyOutcome::ThreadKilled,
            // The kernel side sees the others at their exit from the kernel.
            _ => return Ok(()),
        };
        let AuditedCall::Known(abi, number) = record.call else { return Ok(()) };
        let Some((cgroup, path)) = self.cgroup(record.pid, events, root) else { return Ok(()) };
        if !events.tracker.is_selected(&path) {
            return Ok(());
        }
        let key = (cgroup, abi, number, outcome);
        if let Some(known) = self.logged.get_mut(&key) {
            known.count += 1;
            return Ok(());
        }
        if self.logged.len() == MAX_LOGGED {
            self.miss("more different calls were logged than are kept");
            return Ok(());
        }
        let first_seen = boot_time()?;
        let command = record.command.clone();
        let logged =
            Logged { cgroup, abi, number, outcome, count: 1, first_seen, command: command.clone() };
        self.logged.insert(key, logged);
        // As far as it is known by now.
        let phase = if is_a_runtimes(&command) { Phase::ContainerInit } else { Phase::Workload };
        let new = NewCall {
            seconds: events.seconds(first_seen),
            cgroup: crate::text::escape(&path),
            abi,
            number,
            name: syscalls::name(abi, number),
            invocation: None,
            pid: record.pid,
            command,
            outcome: Some(outcome),
            denied_in_phase: Some(phase),
            argument: None,
        };
        events.show(&new, &path, Instant::now(), observers);
        Ok(())
    }

    /// The cgroup of a process that may have ended: the one that it is in now, else the one in
    /// which the kernel side saw it first.
    fn cgroup(
        &self,
        pid: u32,
        events: &EventHandler,
        root: &CgroupRoot,
    ) -> Option<(u64, CgroupPath)> {
        if let Ok(path) = root.of_process(pid)
            && let Ok(id) = root.id(&path)
        {
            return Some((id, path));
        }
        let id = self.processes.cgroup(pid)?;
        Some((id, events.names.paths.get(&id)?.clone()))
    }
}
