//! Events of the kernel side as they come: names of new cgroups, and first sights of calls.

use std::{collections::HashMap, os::fd::AsFd};

use anyhow::{Context, Result};
use tracer_ebpf::{CallEvent, CgroupEvent};

use super::{Observers, late::Late, names::Names};
use crate::{
    kernel::{Events, Readiness},
    live::FirstSeen,
    recording::{
        assembly::{Label, LabelKey, Selection},
        event::NewCall,
    },
    syscalls,
    target::cgroup::CgroupRoot,
    text::{escape, escape_bytes},
};

/// Most calls of cgroups without a known place that are kept for later.
const MAX_UNPLACED: usize = 1 << 16;

/// The event buffers, and what was learned from them.
pub(super) struct Sightings {
    pub(super) names: Names,
    pub(super) labels: HashMap<LabelKey, Label>,
    events: Events,
    new_cgroups: Readiness,
    new_calls: Readiness,
    new_log: Option<Readiness>,
    unplaced: Vec<CallEvent>,
    selections: Vec<Selection>,
    began: u64,
}

impl Sightings {
    pub(super) fn new(events: Events, selections: &[Selection], began: u64) -> Result<Self> {
        Ok(Self {
            names: Names::default(),
            labels: HashMap::new(),
            new_cgroups: readiness(&events.cgroups)?,
            new_calls: readiness(&events.calls)?,
            new_log: events.log.as_ref().map(readiness).transpose()?,
            events,
            unplaced: Vec::new(),
            selections: selections.to_vec(),
            began,
        })
    }

    /// Waits until there is something to take.
    pub(super) async fn ready(&mut self) -> Result<()> {
        let log = async {
            match &self.new_log {
                Some(log) => log.ready().await,
                None => std::future::pending().await,
            }
        };
        let ready = tokio::select! {
            ready = self.new_cgroups.ready() => ready,
            ready = self.new_calls.ready() => ready,
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
        if let Some(log) = &mut self.events.log {
            log.flush();
        }
        let mut calls = std::mem::take(&mut self.unplaced);
        while let Some(event) = self.events.calls.take() {
            calls.push(event);
        }
        // A cgroup is announced before its first call is: these names are those of the calls above.
        let new: Vec<CgroupEvent> = std::iter::from_fn(|| self.events.cgroups.take()).collect();
        for (id, path) in self.names.place(new, root) {
            late.announced(id, &path);
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
            cgroup: escape(path),
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

fn command(event: &CallEvent) -> String {
    escape_bytes(event.command.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn readiness(buffer: &impl AsFd) -> Result<Readiness> {
    Readiness::to_read(buffer.as_fd()).context("epoll")
}
