//! A session under way: what it holds from its first moment to its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Instant, SystemTime},
};

use anyhow::{Context, Result};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    activity::CallRate,
    audit::Audit,
    child::{CommandGroup, RunningCommand},
    clock::boot_time,
    config::{Purpose, SessionConfig},
    event_stream::EventStream,
    events::EventHandler,
    late::Late,
    removal::Removal,
    roots::Roots,
    setup::{cgroups_to_watch, populated_below, select_arrived, selections, standing},
    tracker::TargetTracker,
};
use crate::{
    bpf::{Loading, Recorder},
    cgroup_path::CgroupPath,
    recording::{Host, facts::Snapshot, input::AssemblyInput},
    target::runtime::{self, Updates},
};

/// A recording under way.
pub(super) struct Session<'a> {
    pub(super) config: &'a SessionConfig,
    pub(super) roots: Roots,
    pub(super) recorder: Recorder,
    pub(super) stream: EventStream,
    pub(super) events: EventHandler,
    /// The updates of the runtimes; None when no name matters.
    pub(super) updates: Option<Updates>,
    pub(super) late: Late,
    pub(super) audit: Option<Audit>,
    pub(super) command: Option<RunningCommand>,
    pub(super) group: Option<CommandGroup>,
    /// Processes of the command that had to be killed, or still ran at the end.
    pub(super) cut_off: u64,
    /// Paths of the targets' uppermost cgroups whose leavers are followed.
    pub(super) followed: BTreeSet<CgroupPath>,
    /// A target that is gone is awaited, and a line has said so.
    pub(super) awaiting: bool,
    /// Whether a target that is gone can come again.
    pub(super) removal: Removal,
    pub(super) rate: CallRate,
    started: SystemTime,
    /// Nanoseconds since boot.
    began: u64,
}

impl<'a> Session<'a> {
    /// Finds the targets' cgroups and attaches the programs. No call below a root is missed from
    /// here on.
    ///
    /// Cgroups that hold processes are looked for before and after the programs are attached:
    /// whatever was populated at either moment may have made calls before.
    pub(super) fn begin(config: &'a SessionConfig, loading: Loading) -> Result<Self> {
        let targets = &config.targets;
        let group =
            config.command.as_ref().map(|_| CommandGroup::create(&config.root)).transpose()?;
        let watched = targets.addresses.clone().map(runtime::watch).transpose();
        let (poller, updates) = watched.context("the runtimes cannot be watched")?.unzip();
        let mut tracker = TargetTracker::new(
            selections(config, group.as_ref()),
            targets.matchers.clone(),
            targets.inventory.clone(),
            Box::new(config.root.clone()),
            poller.clone().map(|poller| Box::new(move || poller.poll()) as Box<dyn Fn()>),
        );
        let tree = config.root.tree().context("the cgroups of this host could not be read")?;
        let mut late = populated_below(config, &tracker.selections)?;
        late.extend(select_arrived(&mut tracker, &tree, Instant::now()));
        let roots = Roots::of(&config.root, &tracker.selections, targets.watch_whole_hierarchy)?;
        let (mut recorder, events) =
            Recorder::attach(&cgroups_to_watch(config, &tracker.selections, &roots), loading)?;
        let (started, began) = (SystemTime::now(), boot_time()?);
        late.extend(populated_below(config, &tracker.selections)?);
        if !targets.matchers.is_empty() {
            late.extend(select_arrived(&mut tracker, &config.root.tree()?, Instant::now()));
        }
        let stream = EventStream::new(events, poller)?;
        let mut events = EventHandler::new(tracker, began);
        events.names.learn(&tree.nodes);
        events.lives.expect_no_start_of(late.keys().copied());
        let late = Late::watch(&config.root, late, began)?;
        let audit = match config.purpose {
            Purpose::Record => None,
            Purpose::Verify => Some(Audit::start(&mut recorder)?),
        };
        Ok(Self {
            config,
            roots,
            recorder,
            stream,
            events,
            updates,
            late,
            audit,
            command: None,
            group,
            cut_off: 0,
            followed: BTreeSet::new(),
            awaiting: false,
            removal: Removal::new(targets.runtimes.clone()),
            rate: CallRate::default(),
            started,
            began,
        })
    }

    /// Starts the command, when there is one.
    pub(super) fn start_command(&mut self) -> Result<()> {
        if let (Some(group), Some(command)) = (&self.group, &self.config.command) {
            self.command = Some(group.start(command)?);
        }
        Ok(())
    }

    /// Hands everything that is known to a function that assembles something of it. `unfinished`:
    /// the recording goes on.
    pub(super) fn assemble_with<T>(
        &self,
        snapshot: &Snapshot,
        unfinished: bool,
        assemble: impl FnOnce(&AssemblyInput<'_>) -> T,
    ) -> Result<T> {
        let events = &self.events;
        let tracker = &events.tracker;
        let standing = standing(&self.config.root, &tracker.selections);
        Ok(assemble(&AssemblyInput {
            snapshot,
            paths: &events.names.paths,
            selections: &tracker.selections,
            identity: &|path| tracker.identities.identity(path),
            may_be_a_targets: &|id| self.may_be_a_targets(id, &standing),
            unresolved: tracker.unresolved(),
            labels: &events.labels,
            late: &self.late.ids(),
            restarted: &self.late.restarted(),
            moves: events.moves.all(),
            moves_lost: events.moves.lost,
            kind_of: &|path| tracker.identities.kind(path),
            contested: &tracker.identities.contested(),
            host: self.host(),
            started: OffsetDateTime::from(self.started).format(&Rfc3339).context("the clock")?,
            started_boot: self.began,
            duration_seconds: (boot_time()?.saturating_sub(self.began) / 1_000_000) as f64 / 1e3,
            every_denial_seen: self.config.denied && self.recorder.sees_killed_threads(),
            logged: &self.audit.as_ref().map(Audit::logged).unwrap_or_default(),
            replaced: self.roots.replaced(),
            cut_off: self.cut_off,
            unfinished,
            accept_late_start: self.config.accept_late_start,
        }))
    }

    /// A cgroup that is not selected may be a target's all the same, because its place is not
    /// known.
    fn may_be_a_targets(&self, id: u64, standing: &BTreeMap<CgroupPath, u64>) -> bool {
        let names = &self.events.names;
        match names.paths.get(&id) {
            None => names.destination(id).is_none_or(|path| !self.events.tracker.is_foreign(path)),
            Some(_) if names.is_placed(id) => false,
            Some(path) => self.events.tracker.may_hold(path, standing),
        }
    }

    fn host(&self) -> Host {
        let system = rustix::system::uname();
        Host {
            kernel: system.release().to_string_lossy().into_owned(),
            arch: system.machine().to_string_lossy().into_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            btf: self.recorder.btf().is_ok(),
            attach: Some(self.recorder.attached()),
        }
    }
}
