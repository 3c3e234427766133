//! The end of what is watched: targets that are gone, and a command that has to end.

use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    child::{CommandGroup, ended},
    config::{Observers, Stop},
    signals::{SignalRequest, Signals, StopSignal},
    state::Session,
};

/// How long a command may take to end after the signal.
const GRACE: Duration = Duration::from_secs(10);
/// How long the other processes of a command may take to end after it did. Its end makes most of
/// them end.
const REST: Duration = Duration::from_secs(1);
/// How often the session looks whether they have.
const LOOK: Duration = Duration::from_millis(10);

impl Session<'_> {
    /// Every target's cgroup is gone, and none of them is awaited for a complete start.
    pub(super) fn targets_ended(&mut self, observers: &mut Observers<'_>) -> bool {
        if self.config.wait {
            return false;
        }
        let mut paths =
            self.events.tracker.selections.iter().flat_map(|selection| &selection.paths);
        if paths.any(|path| self.config.root.id(path).is_ok()) {
            return false;
        }
        let tracker = &self.events.tracker;
        if self.late.is_pending()
            && self.removal.is_final(&tracker.selections, |path| tracker.identities.territory(path))
        {
            observers.live.line("the target has ended and will not start again");
            return true;
        }
        if self.late.is_pending() && !self.awaiting {
            self.awaiting = true;
            observers.live.line(
                "the target has ended; its start was not seen: waiting for it to start again (Ctrl-C to stop)",
            );
        }
        !self.late.is_pending()
    }

    /// Makes a command that still runs end, and records that as well.
    pub(super) async fn end_command(
        &mut self,
        stop: Stop,
        signals: &mut Signals,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let Some(command) = &mut self.command else { return Ok(()) };
        if !command.is_running() {
            return Ok(());
        }
        match stop {
            Stop::Signal(stop) if stop.from_terminal => {}
            Stop::Signal(stop) => command.send(stop.signal),
            _ => command.send(Signal::SIGTERM),
        }
        let grace = Instant::now() + GRACE;
        loop {
            tokio::select! {
                status = ended(&mut self.command) => {
                    status?;
                    return Ok(());
                }
                ready = self.stream.ready() => ready?,
                request = signals.next() => match (request, &self.command) {
                    // The files are about to be written anyway.
                    (SignalRequest::Snapshot, _) => {}
                    (SignalRequest::Stop(StopSignal { signal: Signal::SIGINT, .. }), _) | (SignalRequest::Stop(_), None) => {
                        return self.kill_command("interrupted again: killing the command", observers).await;
                    }
                    (SignalRequest::Stop(again), Some(_)) if again.from_terminal => {}
                    (SignalRequest::Stop(again), Some(command)) => command.send(again.signal),
                },
                () = sleep_until(grace) => {
                    return self.kill_command("the command did not end in time: killing it", observers).await;
                }
            }
            self.poll(observers)?;
        }
    }

    /// Waits a moment for the other processes of a command that ended by itself, and records what
    /// they do.
    pub(super) async fn await_rest(
        &mut self,
        stop: Stop,
        signals: &mut Signals,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let patience = Instant::now() + REST;
        let left = |group: &Option<CommandGroup>| {
            group.as_ref().is_some_and(|group| group.processes().is_ok_and(|left| left > 0))
        };
        while stop == Stop::CommandEnded && left(&self.group) && Instant::now() < patience {
            tokio::select! {
                _ = signals.next() => return Ok(()),
                () = sleep(LOOK) => {}
            }
            self.poll(observers)?;
        }
        Ok(())
    }

    async fn kill_command(&mut self, why: &str, observers: &mut Observers<'_>) -> Result<()> {
        observers.live.line(why);
        self.cut_off += 1;
        if let Some(group) = &self.group {
            group.kill();
        }
        ended(&mut self.command).await?;
        Ok(())
    }

    /// Processes of the command that still run; at least one when they cannot be counted.
    pub(super) fn left_running(&self, observers: &Observers<'_>) -> u64 {
        let (left, line) = match self.group.as_ref().map_or(Ok(0), CommandGroup::processes) {
            Ok(0) => return 0,
            Ok(left) => (
                left,
                format!(
                    "{left} processes of the command still run; tracer does not watch them any more"
                ),
            ),
            Err(error) => (
                1,
                format!("tracer cannot see whether processes of the command still run: {error}"),
            ),
        };
        observers.live.line(&line);
        left as u64
    }
}
