//! The ring buffers of the kernel side, as one source of events.

use std::{io, iter, os::fd::AsFd};

use anyhow::{Context, Result};
use tracer_ebpf::{CallEvent, CgroupEvent, DenialEvent, MoveEvent, PathEvent};

use super::new_cgroups::NewCgroups;
use crate::{
    bpf::{EventBuffer, Events, KernelLog},
    sys::AsyncFdWait,
    target::runtime::Poller,
};

/// The ring buffers, each with what waits for it.
pub(super) struct EventStream {
    cgroups: NewCgroups,
    calls: EventBuffer<CallEvent>,
    moves: EventBuffer<MoveEvent>,
    /// Nobody waits for these: they matter at the end.
    paths: EventBuffer<PathEvent>,
    denials: Option<EventBuffer<DenialEvent>>,
    log: Option<KernelLog>,
    new_calls: AsyncFdWait,
    new_moves: AsyncFdWait,
    new_denials: Option<AsyncFdWait>,
    new_log: Option<AsyncFdWait>,
}

/// The events that the ring buffers held at one moment.
///
/// The kernel side sends a cgroup's event before the first event of a call in it. The cgroups are
/// read last, so that the cgroup of each call is among them, or was among those before.
#[derive(Default)]
pub(super) struct Batch {
    /// Processes that were moved.
    pub(super) moves: Vec<MoveEvent>,
    /// Cgroups that processes were moved to by moves that were not reported.
    pub(super) paths: Vec<PathEvent>,
    /// Calls, and values of their arguments.
    pub(super) calls: Vec<CallEvent>,
    /// Denied calls.
    pub(super) denials: Vec<DenialEvent>,
    /// New cgroups.
    pub(super) cgroups: Vec<CgroupEvent>,
}

impl EventStream {
    /// Begins to wait for events. `poller` asks the runtimes for their containers; without it, no
    /// name matters.
    pub(super) fn new(events: Events, poller: Option<Poller>) -> Result<Self> {
        let Events { cgroups, calls, moves, paths, denials, log } = events;
        Ok(Self {
            cgroups: NewCgroups::read(cgroups, poller)
                .context("the events of new cgroups cannot be read")?,
            new_calls: readiness(&calls)?,
            new_moves: readiness(&moves)?,
            new_denials: denials.as_ref().map(readiness).transpose()?,
            new_log: log.as_ref().map(readiness).transpose()?,
            calls,
            moves,
            paths,
            denials,
            log,
        })
    }

    /// Waits until there is an event.
    pub(super) async fn ready(&self) -> Result<()> {
        let ready = tokio::select! {
            () = self.cgroups.arrived() => Ok(()),
            ready = self.new_calls.ready() => ready,
            ready = self.new_moves.ready() => ready,
            ready = maybe(&self.new_denials) => ready,
            ready = maybe(&self.new_log) => ready,
        };
        ready.context("epoll")
    }

    /// A line about events that come later than they should; each once.
    pub(super) fn problem(&self) -> Option<String> {
        self.cgroups.problem()
    }

    /// Takes all events out of the buffers, and hands on what the kernel side logged.
    pub(super) fn drain(&mut self) -> Batch {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        Batch {
            moves: drain(&mut self.moves),
            paths: drain(&mut self.paths),
            calls: drain(&mut self.calls),
            denials: self.denials.as_mut().map(drain).unwrap_or_default(),
            cgroups: self.cgroups.drain(),
        }
    }
}

fn drain<T: Copy>(buffer: &mut EventBuffer<T>) -> Vec<T> {
    iter::from_fn(|| buffer.poll()).collect()
}

/// Waits for a buffer that may not exist.
async fn maybe(readiness: &Option<AsyncFdWait>) -> io::Result<()> {
    match readiness {
        Some(readiness) => readiness.ready().await,
        None => std::future::pending().await,
    }
}

fn readiness(buffer: &impl AsFd) -> Result<AsyncFdWait> {
    AsyncFdWait::readable(buffer.as_fd()).context("epoll")
}
