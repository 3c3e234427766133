//! Calls that a filter logs and lets through. To the kernel side they look like any other: only the
//! kernel's audit records show them.

use std::{
    collections::BTreeMap,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::{clock::boot_time, config::Observers, events::EventHandler};
use crate::{
    audit::{AuditRecord, AuditedCall, FilterAction, parse_record},
    bpf::{Processes, Recorder},
    cgroup_path::CgroupPath,
    recording::{DenyOutcome, Phase, denied::is_a_runtimes, event::NewCall, facts::Logged},
    sys::{AsyncFdWait, AuditMessage, AuditSocket},
    syscalls::{self, Abi},
    target::cgroup::CgroupRoot,
};

/// Most different calls that are kept: a workload may call any number.
const MAX_LOGGED: usize = 1 << 14;
/// When no record came for so long, all have come.
const SETTLE: Duration = Duration::from_millis(100);

/// The audit records of the target.
pub(super) struct Audit {
    socket: Option<(AuditSocket, AsyncFdWait)>,
    processes: Processes,
    logged: BTreeMap<(u64, Abi, i32, DenyOutcome), Logged>,
    /// The kernel side does not see threads that a filter kills; their audit records are used.
    killed_threads: bool,
    /// Why records may be missing.
    pub(super) missing: Option<String>,
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
        Ok(Self { socket, processes, logged, killed_threads, missing })
    }

    /// Waits until there is a record.
    pub(super) async fn ready(&self) {
        match &self.socket {
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
        while timeout(SETTLE, self.ready()).await.is_ok() {
            self.poll(events, root, observers)?;
        }
        Ok(())
    }

    /// What was logged so far.
    pub(super) fn logged(&self) -> Vec<Logged> {
        self.logged.values().cloned().collect()
    }

    /// Reads every record that is there, and shows the new ones of the target.
    pub(super) fn poll(
        &mut self,
        events: &mut EventHandler,
        root: &CgroupRoot,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        loop {
            let Some((socket, _)) = &mut self.socket else { return Ok(()) };
            match socket.poll().context("reading audit records")? {
                Some(AuditMessage::Seccomp(text)) => {
                    let record = parse_record(&text);
                    let Some(record) = record else {
                        self.missing = Some("an audit record could not be read".to_owned());
                        continue;
                    };
                    self.handle(&record, events, root, observers)?;
                }
                Some(AuditMessage::Other) => {}
                Some(AuditMessage::Lost) => {
                    self.missing = Some("audit records were lost: there were too many".to_owned());
                }
                None => return Ok(()),
            }
        }
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
            self.missing = Some("more different calls were logged than are kept".to_owned());
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
