//! Calls that a filter logs and lets through: they look like any other to the kernel side, and are known by the kernel's
//! audit records alone.

use std::{collections::BTreeMap, os::fd::AsFd, time::Duration};

use anyhow::{Context, Result};
use tokio::time::timeout;

use super::{Observers, events::Sightings, setup::boot_time};
use crate::{
    audit::{Action, AuditedCall, Record, parse_record},
    kernel::{AuditLog, AuditMessage, Processes, Readiness, Recorder},
    recording::{
        Phase, Refusal,
        denied::{Logged, is_a_runtimes},
        event::NewCall,
    },
    syscalls::{self, Abi},
    target::cgroup::CgroupRoot,
};

/// No record for so long: all are there.
const SETTLE: Duration = Duration::from_millis(100);

/// The audit records of the target.
pub(super) struct Audit {
    log: Option<(AuditLog, Readiness)>,
    processes: Processes,
    logged: BTreeMap<(u64, Abi, i32, Refusal), Logged>,
    /// Threads that a filter kills are not seen by the kernel side.
    killed_threads: bool,
    /// Why records may be missing.
    pub(super) missing: Option<String>,
}

impl Audit {
    /// Begins to read. That it cannot be done is no failure: it is told at the end.
    pub(super) fn start(recorder: &mut Recorder) -> Result<Self> {
        let mut missing = None;
        let log = match AuditLog::open() {
            Ok(log) => {
                let ready = Readiness::to_read(log.as_fd()).context("epoll")?;
                Some((log, ready))
            }
            Err(reason) => {
                missing = Some(reason.to_string());
                None
            }
        };
        let killed_threads = !recorder.sees_killed_threads();
        let (processes, logged) = (recorder.processes()?, BTreeMap::new());
        Ok(Self { log, processes, logged, killed_threads, missing })
    }

    /// Waits until there is something to take.
    pub(super) async fn ready(&self) {
        match &self.log {
            // An error is that of a runtime which is shutting down.
            Some((_, ready)) => drop(ready.ready().await),
            None => std::future::pending().await,
        }
    }

    /// Waits for the records that are on their way: a kernel thread sends them, a moment after the call was made.
    pub(super) async fn settle(
        &mut self,
        sightings: &Sightings,
        root: &CgroupRoot,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        while timeout(SETTLE, self.ready()).await.is_ok() {
            self.take(sightings, root, observers)?;
        }
        Ok(())
    }

    /// What was logged so far.
    pub(super) fn logged(&self) -> Vec<Logged> {
        self.logged.values().cloned().collect()
    }

    /// Takes every record that is there, and shows the new ones of the target.
    pub(super) fn take(
        &mut self,
        sightings: &Sightings,
        root: &CgroupRoot,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        loop {
            let Some((log, _)) = &mut self.log else { return Ok(()) };
            match log.take().context("reading audit records")? {
                Some(AuditMessage::Seccomp(text)) => {
                    let record = parse_record(&text);
                    let Some(record) = record else {
                        self.missing = Some("an audit record could not be read".to_owned());
                        continue;
                    };
                    self.take_record(&record, sightings, root, observers)?;
                }
                Some(AuditMessage::Other) => {}
                Some(AuditMessage::Lost) => {
                    self.missing = Some("audit records were lost: there were too many".to_owned());
                }
                None => return Ok(()),
            }
        }
    }

    fn take_record(
        &mut self,
        record: &Record,
        sightings: &Sightings,
        root: &CgroupRoot,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let refused = match record.action {
            Action::Log => Refusal::Logged,
            Action::KillThread if self.killed_threads => Refusal::ThreadKilled,
            // The others are seen on their way out of the kernel.
            _ => return Ok(()),
        };
        let AuditedCall::Known(abi, number) = record.call else { return Ok(()) };
        let Some((cgroup, path)) = self.cgroup(record.pid, sightings, root) else { return Ok(()) };
        if !sightings.selecting.is_selected(&path) {
            return Ok(());
        }
        let key = (cgroup, abi, number, refused);
        if let Some(known) = self.logged.get_mut(&key) {
            known.count += 1;
            return Ok(());
        }
        let first_seen = boot_time()?;
        let command = record.command.clone();
        let logged =
            Logged { cgroup, abi, number, refused, count: 1, first_seen, command: command.clone() };
        self.logged.insert(key, logged);
        // As far as it is known by now.
        let during = if is_a_runtimes(&command) { Phase::ContainerInit } else { Phase::Workload };
        let new = NewCall {
            seconds: sightings.seconds(first_seen),
            cgroup: crate::text::escape(&path),
            abi,
            number,
            name: syscalls::name(abi, number),
            invocation: None,
            pid: record.pid,
            command,
            refused: Some(refused),
            during: Some(during),
            argument: None,
        };
        sightings.show(&new, observers);
        Ok(())
    }

    /// The cgroup of a process that may have ended: by where it is now, else by where the kernel side saw
    /// it first.
    fn cgroup(&self, pid: u32, sightings: &Sightings, root: &CgroupRoot) -> Option<(u64, String)> {
        if let Ok(path) = root.of_process(pid)
            && let Ok(id) = root.id(&path)
        {
            return Some((id, path));
        }
        let id = self.processes.cgroup(pid)?;
        Some((id, sightings.names.paths.get(&id)?.clone()))
    }
}
