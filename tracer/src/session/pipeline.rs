//! The recording pipeline: from a configuration to a recording, top to bottom in [`record`].

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::{Interval, MissedTickBehavior, interval, interval_at, sleep_until, timeout_at};

use super::{
    audit::Audit,
    autosave::Autosave,
    child::{RunningCommand, ended},
    config::{Observers, SessionConfig, SessionOutcome, Stop},
    setup::announce,
    signals::{SignalRequest, Signals},
    state::Session,
};
use crate::{
    bpf::Loading,
    recording::{
        assembly::assemble,
        filters::{filters, passed},
    },
    target::runtime::{RuntimeUpdate, Updates},
};

/// How often events are looked at when nothing wakes the session, and targets for their end.
const TICK: Duration = Duration::from_millis(250);
/// Longer than any recording.
const FOREVER: Duration = Duration::from_secs(0xffff_ffff);
/// How long the session waits at the end for the names of containers that no runtime reported.
const NAMES_SETTLE: Duration = Duration::from_secs(5);

/// Records until something ends it. `loading` was begun before ([`super::load`]), so that it is done
/// meanwhile.
///
/// # Errors
/// Something could not be set up, or not be read at the end; nothing is left behind then.
pub async fn record(
    config: &SessionConfig,
    loading: Loading,
    signals: &mut Signals,
    mut observers: Observers<'_>,
) -> Result<SessionOutcome> {
    let mut session = Session::begin(config, loading)?;
    announce(&session.recorder, config, &session.events.tracker.selections, observers.live);
    session.start_command()?;
    session.follow_targets()?;
    let stop = session.run(signals, &mut observers).await?;
    session.end_command(stop, signals, &mut observers).await?;
    session.await_rest(stop, signals, &mut observers).await?;
    // While moves are still seen: who leaves the command's cgroup between the two counts is in the
    // second one.
    session.cut_off += session.left_running(&observers) + session.command_visitors()?;
    session.recorder.detach()?;
    session.late.settle().await;
    session.settle_audit(&mut observers).await?;
    session.settle_names(&mut observers).await?;
    session.finish(stop, &mut observers)
}

impl Session<'_> {
    async fn run(&mut self, signals: &mut Signals, observers: &mut Observers<'_>) -> Result<Stop> {
        let start = tokio::time::Instant::now();
        let deadline = start + self.config.duration.unwrap_or(FOREVER);
        let mut tick = ticks(interval(TICK));
        let mut autosave = Autosave::new(Instant::now());
        let mut snapshots = self.config.snapshot_every.map(|period| {
            let period = period.min(FOREVER);
            ticks(interval_at(start + period, period))
        });
        let mut last_line = String::new();
        loop {
            tokio::select! {
                request = signals.next() => match request {
                    SignalRequest::Stop(signal) => return Ok(Stop::Signal(signal)),
                    SignalRequest::Snapshot => {
                        let line = self.take_snapshot(observers)?;
                        observers.live.line(&line);
                    }
                },
                () = due(&mut snapshots) => {
                    let line = self.take_snapshot(observers)?;
                    // The same line is not shown again and again.
                    if line != last_line {
                        observers.live.line(&line);
                        last_line = line;
                    }
                }
                () = sleep_until(deadline), if self.config.duration.is_some() => return Ok(Stop::Duration),
                status = ended(&mut self.command) => {
                    status?;
                    // A signal of the terminal goes to both, and the command may have ended first.
                    return Ok(match signals.poll() {
                        Some(SignalRequest::Stop(signal)) => Stop::Signal(signal),
                        _ => Stop::CommandEnded,
                    });
                }
                ready = self.stream.ready() => ready?,
                update = next_update(&mut self.updates) => self.on_update(update, observers),
                () = audited(&self.audit) => {}
                () = self.late.next_restart() => {}
                _ = tick.tick() => {
                    self.events.tracker.poll_again(Instant::now());
                    self.show_ends(observers)?;
                    self.show_status(Instant::now(), observers)?;
                    self.autosave(&mut autosave, observers)?;
                }
            }
            self.poll(observers)?;
            self.dismiss_foreign()?;
            let quiet = self.events.activity.quiet_for(Instant::now());
            if self.config.until_quiet.is_some_and(|wanted| quiet >= Some(wanted)) {
                return Ok(Stop::Quiet);
            }
            self.roots.look(&self.config.root);
            if self.command.is_none() && self.targets_ended(observers) {
                return Ok(Stop::TargetsEnded);
            }
        }
    }

    /// Saves the recording so far, when it is time to.
    fn autosave(&mut self, autosave: &mut Autosave, observers: &mut Observers<'_>) -> Result<()> {
        let now = Instant::now();
        if autosave.is_due(now, self.events.seen()) {
            let snapshot = self.recorder.drain()?;
            (observers.autosave)(&self.assemble_with(&snapshot, true, assemble)?);
            autosave.note_duration(now, Instant::now());
        }
        Ok(())
    }

    /// Hands out the recording as it is now, and returns a line that says what was written.
    fn take_snapshot(&mut self, observers: &mut Observers<'_>) -> Result<String> {
        self.poll(observers)?;
        let snapshot = self.recorder.drain()?;
        Ok((observers.snapshot)(&self.assemble_with(&snapshot, true, assemble)?))
    }

    /// Handles an update of a runtime.
    fn on_update(&mut self, update: RuntimeUpdate, observers: &mut Observers<'_>) {
        for line in self.events.tracker.on_update(update, Instant::now()) {
            observers.live.line(&line);
        }
    }

    /// Asks a last time for the containers that no runtime reported.
    async fn settle_names(&mut self, observers: &mut Observers<'_>) -> Result<()> {
        self.poll(observers)?;
        let snapshot = self.recorder.drain()?;
        let root = &self.config.root;
        let recorded: Vec<u64> = snapshot.cgroups.iter().map(|one| one.id).collect();
        self.events.place_the_rest(&recorded, Instant::now(), root, &mut self.late, observers)?;
        let moved = snapshot.moves_lost.iter().map(|(cgroup, _)| *cgroup);
        self.events.learn_names(moved, root)?;
        self.events.tracker.expect_another_answer(Instant::now());
        let deadline = tokio::time::Instant::now() + NAMES_SETTLE;
        while self.events.tracker.is_any_pending() {
            self.events.tracker.poll_again(Instant::now());
            match timeout_at(deadline, next_update(&mut self.updates)).await {
                Ok(update) => self.on_update(update, observers),
                Err(_) => break,
            }
        }
        let tracker = &mut self.events.tracker;
        let mut lines = tracker.decide_without_api(Instant::now());
        lines.extend(tracker.unresolved_lines());
        for line in lines {
            observers.live.line(&line);
        }
        self.poll(observers)
    }

    /// Reads the audit records that are on their way.
    async fn settle_audit(&mut self, observers: &mut Observers<'_>) -> Result<()> {
        self.poll_events(observers);
        match &mut self.audit {
            Some(audit) => audit.settle(&mut self.events, &self.config.root, observers).await,
            None => Ok(()),
        }
    }

    /// Reads everything, and assembles the recording.
    fn finish(mut self, stop: Stop, observers: &mut Observers<'_>) -> Result<SessionOutcome> {
        self.poll(observers)?;
        self.show_ends(observers)?;
        let snapshot = self.recorder.drain()?;
        self.roots.look(&self.config.root);
        let (mut recording, filters, passed) = self.assemble_with(&snapshot, false, |parts| {
            (assemble(parts), filters(parts), passed(parts))
        })?;
        let status = self.command.as_ref().and_then(RunningCommand::status);
        if let (Some(command), Some(request)) = (&self.command, &self.config.command) {
            recording.command = Some(command.outcome(request));
        }
        Ok(SessionOutcome {
            filters,
            passed,
            recording,
            stop,
            command: status,
            table_fill: snapshot.table_fill,
            audit: self.audit.and_then(Audit::missing),
            inventory: self.events.tracker.into_inventory(),
        })
    }
}

/// The next update of a runtime; never, when none is asked.
async fn next_update(updates: &mut Option<Updates>) -> RuntimeUpdate {
    match updates {
        Some(updates) => updates.next().await,
        None => std::future::pending().await,
    }
}

/// The next audit record; never, when they are not read.
async fn audited(audit: &Option<Audit>) {
    match audit {
        Some(audit) => audit.ready().await,
        None => std::future::pending().await,
    }
}

/// The next tick; never, when there are none.
async fn due(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}

fn ticks(mut ticks: Interval) -> Interval {
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
