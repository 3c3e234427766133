//! Events of the kernel side as they come: names of new cgroups, and first sights of calls.

use std::{
    collections::HashMap,
    os::fd::AsRawFd,
};

use anyhow::{Context, Result};
use tokio::io::{Interest, unix::AsyncFd};
use tracer_ebpf::{CallEvent, CgroupEvent};

use super::{Observers, late::Late, names::Names};
use crate::{
    kernel::{EventBuffer, Events, KernelLog},
    live::FirstSeen,
    recording::assembly::{Label, LabelKey, Selection},
    syscalls::{self, Abi},
    target::cgroup::CgroupRoot,
    text::escape_bytes,
};

/// Most calls of cgroups without a known place that are kept for later.
const MAX_UNPLACED: usize = 1 << 16;

/// A call of the target that was seen for the first time.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCall {
    /// Seconds since the recording began.
    pub seconds: f64,
    /// Path of the cgroup.
    pub cgroup: String,
    /// The ABI it was called through.
    pub abi: Abi,
    /// The number in that ABI's table.
    pub number: i32,
    /// Its name, if it has one.
    pub name: Option<&'static str>,
    /// Process id.
    pub pid: u32,
    /// Command name, escaped.
    pub command: String,
}

/// The event buffers, and what was learned from them.
pub(super) struct Sightings {
    pub(super) names: Names,
    pub(super) labels: HashMap<LabelKey, Label>,
    cgroups: AsyncFd<EventBuffer<CgroupEvent>>,
    calls: AsyncFd<EventBuffer<CallEvent>>,
    log: Option<AsyncFd<KernelLog>>,
    unplaced: Vec<CallEvent>,
    selections: Vec<Selection>,
    began: u64,
}

impl Sightings {
    pub(super) fn new(events: Events, selections: &[Selection], began: u64) -> Result<Self> {
        Ok(Self {
            names: Names::default(),
            labels: HashMap::new(),
            cgroups: readable(events.cgroups)?,
            calls: readable(events.calls)?,
            log: events.log.map(readable).transpose()?,
            unplaced: Vec::new(),
            selections: selections.to_vec(),
            began,
        })
    }

    /// Waits until there is something to take.
    pub(super) async fn ready(&mut self) -> Result<()> {
        let log = async {
            match &self.log {
                Some(log) => log.readable().await.map(|mut guard| guard.clear_ready()),
                None => std::future::pending().await,
            }
        };
        let ready = tokio::select! {
            guard = self.cgroups.readable() => guard.map(|mut guard| guard.clear_ready()),
            guard = self.calls.readable() => guard.map(|mut guard| guard.clear_ready()),
            ready = log => ready,
        };
        ready.context("epoll")
    }

    /// How many different calls were seen, over all cgroups.
    pub(super) fn calls_seen(&self) -> usize {
        self.labels.len()
    }

    /// Takes all events that are there, and shows the target's.
    pub(super) fn take(
        &mut self,
        root: &CgroupRoot,
        late: &mut Late,
        observers: &mut Observers<'_>,
    ) {
        if let Some(log) = &mut self.log {
            log.get_mut().flush();
        }
        let mut calls = std::mem::take(&mut self.unplaced);
        while let Some(event) = self.calls.get_mut().next() {
            calls.push(event);
        }
        // A cgroup is announced before its first call is: these names are those of the calls above.
        while let Some(event) = self.cgroups.get_mut().next() {
            if let Some(path) = self.names.place(&event, root) {
                late.announced(event.cgroup, &path);
            }
        }
        for event in calls {
            self.take_call(&event, observers);
        }
    }

    fn take_call(&mut self, event: &CallEvent, observers: &mut Observers<'_>) {
        let (abi, number) = syscalls::classify(event.key.number, event.key.compat != 0);
        let command = command(event);
        let known = (event.key.cgroup, abi, number);
        let is_new = !self.labels.contains_key(&known);
        if is_new {
            let label = Label { time: event.time, command: command.clone() };
            self.labels.insert(known, label);
        }
        let Some(path) = self.names.paths.get(&event.key.cgroup) else {
            if self.unplaced.len() < MAX_UNPLACED {
                self.labels.remove(&known);
                self.unplaced.push(*event);
            }
            return;
        };
        if !is_new || !self.selections.iter().any(|selection| selection.holds(path)) {
            return;
        }
        let new = NewCall {
            seconds: (event.time.saturating_sub(self.began) / 1000) as f64 / 1e6,
            cgroup: path.clone(),
            abi,
            number,
            name: syscalls::name(abi, number),
            pid: event.pid,
            command,
        };
        observers.live.first_seen(&FirstSeen {
            seconds: new.seconds,
            call: &new.display(),
            command: &new.command,
            pid: new.pid,
        });
        (observers.new_call)(&new);
    }
}

impl NewCall {
    /// The call for people: its name, or its number, with the ABI when that is not x86_64.
    pub fn display(&self) -> String {
        let name = self.name.map_or_else(|| format!("syscall_{}", self.number), str::to_owned);
        match self.abi {
            Abi::X86_64 => name,
            Abi::I386 => format!("{name} (i386)"),
            Abi::X32 => format!("{name} (x32)"),
        }
    }
}

fn command(event: &CallEvent) -> String {
    escape_bytes(event.command.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn readable<T: AsRawFd>(buffer: T) -> Result<AsyncFd<T>> {
    AsyncFd::with_interest(buffer, Interest::READABLE).context("epoll")
}
