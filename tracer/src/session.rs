//! The recording pipeline: from a request to a recording, top to bottom in [`record`].

mod audit;
mod autosave;
mod command;
mod ending;
mod events;
mod following;
mod late;
mod moves;
mod names;
mod removal;
mod request;
mod selecting;
mod setup;
mod status;
mod stops;
mod unknown;

use std::{
    collections::BTreeSet,
    process::ExitStatus,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{Interval, MissedTickBehavior, interval, interval_at, sleep_until, timeout_at};

use self::{
    audit::Audit,
    autosave::Autosave,
    command::{CommandGroup, RunningCommand},
    ending::Roots,
    events::Sightings,
    late::Late,
    removal::Removal,
    selecting::Selecting,
    setup::{
        announcement, boot_time, options, places, populated_below, selections, standing,
        take_arrived, tell_attached,
    },
    stops::Asked,
};
pub use self::{
    command::CommandRequest,
    request::{Observers, Outcome, Purpose, Request, Stop},
    stops::{StopSignal, Stops},
};
use crate::{
    kernel::Recorder,
    recording::{
        Host,
        assembly::{Parts, assemble},
        facts::Snapshot,
        filters::{filters, passed},
    },
    target::runtime::{self, Listener, News},
};

/// How often events are looked at when nothing wakes the session, and targets for their end.
const TICK: Duration = Duration::from_millis(250);
/// Longer than any recording.
const FOREVER: Duration = Duration::from_secs(0xffff_ffff);
/// How long the runtimes are asked at the end for the names of containers that nobody told of.
const NAMES_SETTLE: Duration = Duration::from_secs(5);

/// Records until something ends it.
///
/// # Errors
/// What could not be set up, or read at the end; nothing is left behind then.
pub async fn record(
    request: &Request,
    stops: &mut Stops,
    mut observers: Observers<'_>,
) -> Result<Outcome> {
    let group =
        request.command.as_ref().map(|_| CommandGroup::create(&request.root)).transpose()?;
    let (asker, listener) = request.addresses.clone().map(runtime::follow).unzip();
    let mut selecting = Selecting::new(
        selections(request, group.as_ref()),
        request.wanted.clone(),
        request.inventory.clone(),
        asker,
        request.root.clone(),
    );
    let tree = request.root.tree().context("the cgroups of this host could not be read")?;
    let mut late = populated_below(request, &selecting.selections)?;
    late.extend(take_arrived(&mut selecting, &tree));
    let roots = Roots::of(&request.root, &selecting.selections, request.anywhere)?;
    let (mut recorder, events) =
        Recorder::attach(&options(request, &selecting.selections, &roots, &tree))?;
    let (started, began) = (SystemTime::now(), boot_time()?);
    // Whatever was populated at either moment may have made calls before the program was attached.
    late.extend(populated_below(request, &selecting.selections)?);
    if !request.wanted.is_empty() {
        late.extend(take_arrived(&mut selecting, &request.root.tree()?));
    }
    let mut sightings = Sightings::new(events, selecting, began)?;
    sightings.names.learn(&tree.nodes);
    let late = Late::watch(&request.root, late, began)?;
    let audit = match request.purpose {
        Purpose::Record => None,
        Purpose::Verify => Some(Audit::start(&mut recorder)?),
    };
    if let Err(reason) = recorder.btf() {
        observers.live.line(&format!("warning: no kernel BTF: {reason}; phases are told by command names, 32-bit calls are lost"));
    }
    tell_attached(&recorder, request, observers.live);
    for line in places(&sightings.selecting.selections) {
        observers.live.line(&line);
    }
    for line in &request.notes {
        observers.live.line(line);
    }
    observers.live.line(&announcement(request, &sightings.selecting.selections));
    let command = match (&group, &request.command) {
        (Some(group), Some(command)) => Some(group.start(command)?),
        _ => None,
    };
    let mut session = Session {
        request,
        roots,
        recorder,
        sightings,
        listener,
        late,
        audit,
        cut_off: 0,
        awaiting: false,
        removal: Removal::new(request.runtimes.clone()),
        command,
        group,
        followed: BTreeSet::new(),
        started,
        began,
    };
    session.follow_targets()?;
    let stop = session.run(stops, &mut observers).await?;
    session.end_command(stop, stops, &mut observers).await?;
    session.await_rest(stop, stops, &mut observers).await?;
    // While moves are still seen: who leaves the command's cgroup between the two counts is in the second one.
    session.cut_off += session.left_running(&observers) + session.command_visitors()?;
    session.recorder.detach()?;
    session.late.settle().await;
    session.settle_audit(&mut observers).await?;
    session.settle_names(&mut observers).await?;
    session.finish(stop, &mut observers)
}

/// A recording under way.
struct Session<'a> {
    request: &'a Request,
    roots: Roots,
    recorder: Recorder,
    sightings: Sightings,
    /// Hears what runtimes tell.
    listener: Option<Listener>,
    late: Late,
    audit: Option<Audit>,
    command: Option<RunningCommand>,
    group: Option<CommandGroup>,
    /// Processes of the command that had to be killed, or still ran at the end.
    cut_off: u64,
    /// Paths of the targets' uppermost cgroups whose leavers are followed.
    followed: BTreeSet<String>,
    /// A target that is gone is awaited, and that was said.
    awaiting: bool,
    /// Whether it will come at all.
    removal: Removal,
    started: SystemTime,
    began: u64,
}

impl Session<'_> {
    async fn run(&mut self, stops: &mut Stops, observers: &mut Observers<'_>) -> Result<Stop> {
        let start = tokio::time::Instant::now();
        let deadline = start + self.request.duration.unwrap_or(FOREVER);
        let mut tick = ticks(interval(TICK));
        let mut autosave = Autosave::new(Instant::now());
        let mut snapshots = self.request.snapshot_every.map(|period| {
            let period = period.min(FOREVER);
            ticks(interval_at(start + period, period))
        });
        let mut last_line = String::new();
        loop {
            tokio::select! {
                asked = stops.next() => match asked {
                    Asked::Stop(signal) => return Ok(Stop::Signal(signal)),
                    Asked::Snapshot => {
                        let line = self.take_snapshot(observers)?;
                        observers.live.line(&line);
                    }
                },
                () = due(&mut snapshots) => {
                    let line = self.take_snapshot(observers)?;
                    // Not again and again what was said of the last one.
                    if line != last_line {
                        observers.live.line(&line);
                        last_line = line;
                    }
                }
                () = sleep_until(deadline), if self.request.duration.is_some() => return Ok(Stop::Duration),
                status = ended(&mut self.command) => {
                    status?;
                    // A signal of the terminal goes to both, and the command may have ended first.
                    return Ok(match stops.arrived() {
                        Some(Asked::Stop(signal)) => Stop::Signal(signal),
                        _ => Stop::CommandEnded,
                    });
                }
                ready = self.sightings.ready() => ready?,
                news = told(&mut self.listener) => self.take_news(news, observers),
                () = audited(&self.audit) => {}
                () = self.late.next_restart() => {}
                _ = tick.tick() => {
                    self.sightings.selecting.ask_again();
                    self.show_status(observers)?;
                    let now = Instant::now();
                    if autosave.is_due(now, self.sightings.sights()) {
                        let snapshot = self.recorder.drain()?;
                        (observers.autosave)(&self.judge(&snapshot, true, assemble)?);
                        autosave.took(now, Instant::now());
                    }
                }
            }
            self.take(observers)?;
            self.dismiss_foreign()?;
            let quiet = observers.live.quiet_for();
            if self.request.until_quiet.is_some_and(|wanted| quiet >= Some(wanted)) {
                return Ok(Stop::Quiet);
            }
            self.roots.look(&self.request.root);
            if self.command.is_none() && self.targets_ended(observers) {
                return Ok(Stop::TargetsEnded);
            }
        }
    }

    /// Hands out the recording as it is now; a line that says what came of it.
    fn take_snapshot(&mut self, observers: &mut Observers<'_>) -> Result<String> {
        self.take(observers)?;
        let snapshot = self.recorder.drain()?;
        Ok((observers.snapshot)(&self.judge(&snapshot, true, assemble)?))
    }

    /// Takes everything that happened.
    fn take(&mut self, observers: &mut Observers<'_>) -> Result<()> {
        self.sightings.take(&self.request.root, &mut self.late, observers);
        self.follow_targets()?;
        match &mut self.audit {
            Some(audit) => audit.take(&self.sightings, &self.request.root, observers),
            None => Ok(()),
        }
    }

    /// Takes what a runtime told of containers.
    fn take_news(&mut self, news: News, observers: &mut Observers<'_>) {
        for line in self.sightings.selecting.take_news(news, &self.request.root) {
            observers.live.line(&line);
        }
    }

    /// Asks a last time for the containers that nobody told of.
    async fn settle_names(&mut self, observers: &mut Observers<'_>) -> Result<()> {
        self.take(observers)?;
        let snapshot = self.recorder.drain()?;
        let root = &self.request.root;
        let recorded: Vec<u64> = snapshot.cgroups.iter().map(|one| one.id).collect();
        self.sightings.place_the_rest(&recorded, root, &mut self.late, observers)?;
        let moved = snapshot.moves_lost.iter().map(|(cgroup, _)| *cgroup);
        self.sightings.learn_names(moved, root)?;
        let deadline = tokio::time::Instant::now() + NAMES_SETTLE;
        while self.sightings.selecting.is_open() {
            self.sightings.selecting.ask_again();
            match timeout_at(deadline, told(&mut self.listener)).await {
                Ok(news) => self.take_news(news, observers),
                Err(_) => break,
            }
        }
        for line in self.sightings.selecting.decide_without_api(|_| true) {
            observers.live.line(&line);
        }
        self.take(observers)
    }

    /// Takes the audit records that are on their way.
    async fn settle_audit(&mut self, observers: &mut Observers<'_>) -> Result<()> {
        self.sightings.take(&self.request.root, &mut self.late, observers);
        match &mut self.audit {
            Some(audit) => audit.settle(&self.sightings, &self.request.root, observers).await,
            None => Ok(()),
        }
    }

    /// Reads everything, and puts the recording together.
    fn finish(mut self, stop: Stop, observers: &mut Observers<'_>) -> Result<Outcome> {
        self.take(observers)?;
        let snapshot = self.recorder.drain()?;
        self.roots.look(&self.request.root);
        let (mut recording, filters, passed) =
            self.judge(&snapshot, false, |parts| (assemble(parts), filters(parts), passed(parts)))?;
        let status = self.command.as_ref().and_then(RunningCommand::status);
        if let (Some(command), Some(request)) = (&self.command, &self.request.command) {
            recording.command = Some(command.outcome(request));
        }
        Ok(Outcome {
            filters,
            passed,
            recording,
            stop,
            command: status,
            table_fill: snapshot.table_fill,
            audit: self.audit.and_then(|audit| audit.missing),
            inventory: self.sightings.selecting.into_inventory(),
        })
    }

    /// Processes of the command that still run; at least one when it cannot be told.
    fn left_running(&self, observers: &Observers<'_>) -> u64 {
        let (left, line) = match self.group.as_ref().map_or(Ok(0), CommandGroup::processes) {
            Ok(0) => return 0,
            Ok(left) => (
                left,
                format!("{left} processes of the command still run; they are not watched any more"),
            ),
            Err(error) => {
                (1, format!("whether processes of the command still run cannot be told: {error}"))
            }
        };
        observers.live.line(&line);
        left as u64
    }

    /// Hands everything that is known to a judgement. `unfinished`: the recording goes on.
    fn judge<T>(
        &self,
        snapshot: &Snapshot,
        unfinished: bool,
        judgement: impl FnOnce(&Parts<'_>) -> T,
    ) -> Result<T> {
        let system = rustix::system::uname();
        let names = &self.sightings.names;
        let standing = standing(&self.request.root, &self.sightings.selecting.selections);
        let may_be_a_targets = |id: u64| match names.paths.get(&id) {
            None => true,
            Some(_) if names.is_placed(id) => false,
            Some(path) => self.sightings.selecting.may_hold(path, &standing),
        };
        Ok(judgement(&Parts {
            snapshot,
            paths: &self.sightings.names.paths,
            selections: &self.sightings.selecting.selections,
            identity: &|path| self.sightings.selecting.identity(path),
            may_be_a_targets: &may_be_a_targets,
            unresolved: self.sightings.selecting.unresolved(&self.request.root),
            labels: &self.sightings.labels,
            late: &self.late.ids(),
            restarted: &self.late.restarted(),
            moves: self.sightings.moves.all(),
            moves_lost: self.sightings.moves.lost,
            kind_of: &|path| self.sightings.selecting.kind(path),
            contested: &self.sightings.selecting.contested(),
            host: Host {
                kernel: system.release().to_string_lossy().into_owned(),
                arch: system.machine().to_string_lossy().into_owned(),
                cpus: std::thread::available_parallelism().map_or(1, usize::from),
                btf: self.recorder.btf().is_ok(),
                attach: Some(self.recorder.attached()),
            },
            started: OffsetDateTime::from(self.started).format(&Rfc3339).context("the clock")?,
            started_boot: self.began,
            duration_seconds: (boot_time()?.saturating_sub(self.began) / 1_000_000) as f64 / 1e3,
            every_denial_seen: self.request.denied && self.recorder.sees_every_denial(),
            logged: &self.audit.as_ref().map(Audit::logged).unwrap_or_default(),
            replaced: self.roots.replaced(),
            cut_off: self.cut_off,
            unfinished,
            accept_late_start: self.request.accept_late_start,
        }))
    }
}

/// The end of the command; never, when there is none.
async fn ended(command: &mut Option<RunningCommand>) -> Result<ExitStatus> {
    match command {
        Some(command) => command.wait().await,
        None => std::future::pending().await,
    }
}

/// What a runtime tells; never, when none is asked.
async fn told(listener: &mut Option<Listener>) -> News {
    match listener {
        Some(listener) => listener.next().await,
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
