//! Events of the kernel side as they come: names of new cgroups, and first sights of calls.

use std::{collections::HashSet, io, os::fd::AsFd};

use anyhow::{Context, Result};
use tracer_ebpf::{
    CallEvent, CgroupEvent, DenialEvent, SeenValue, Values, arguments::ARGUMENTS, known,
};

use super::{Observers, late::Late, moves::Moves, names::Names, selecting::Selecting};
use crate::{
    kernel::{EventBuffer, Events, Readiness},
    live::FirstSeen,
    recording::{
        Phase, Refusal,
        denied::refusal,
        event::{NewCall, NewValue},
        labels::{self, Label, LabelKey, Labels},
        phases::during,
    },
    syscalls::{self, Abi, arguments},
    target::cgroup::CgroupRoot,
    text::{escape, escape_bytes},
};

/// Most calls that are kept for later: of cgroups without a known place, or whose target is not known yet.
const MAX_UNPLACED: usize = 1 << 16;

/// The event buffers, and what was learned from them.
pub(super) struct Sightings {
    pub(super) names: Names,
    pub(super) labels: Labels,
    pub(super) moves: Moves,
    /// Cgroups that are a target's uppermost one and made their first call: ids and paths, until they are taken.
    pub(super) new_targets: Vec<(u64, String)>,
    events: Events,
    new_cgroups: Readiness,
    new_calls: Readiness,
    new_moves: Readiness,
    new_denials: Option<Readiness>,
    new_log: Option<Readiness>,
    unplaced: Vec<CallEvent>,
    unplaced_denials: Vec<DenialEvent>,
    denied: HashSet<(LabelKey, Refusal, Option<String>)>,
    values: HashSet<(LabelKey, NewValue)>,
    pub(super) selecting: Selecting,
    began: u64,
}

impl Sightings {
    pub(super) fn new(events: Events, selecting: Selecting, began: u64) -> Result<Self> {
        Ok(Self {
            names: Names::default(),
            labels: Labels::new(),
            moves: Moves::default(),
            new_targets: Vec::new(),
            new_cgroups: readiness(&events.cgroups)?,
            new_calls: readiness(&events.calls)?,
            new_moves: readiness(&events.moves)?,
            new_denials: events.denials.as_ref().map(readiness).transpose()?,
            new_log: events.log.as_ref().map(readiness).transpose()?,
            events,
            unplaced: Vec::new(),
            unplaced_denials: Vec::new(),
            denied: HashSet::new(),
            values: HashSet::new(),
            selecting,
            began,
        })
    }

    /// Waits until there is something to take.
    pub(super) async fn ready(&mut self) -> Result<()> {
        let ready = tokio::select! {
            ready = self.new_cgroups.ready() => ready,
            ready = self.new_calls.ready() => ready,
            ready = self.new_moves.ready() => ready,
            ready = maybe(&self.new_denials) => ready,
            ready = maybe(&self.new_log) => ready,
        };
        ready.context("epoll")
    }

    /// How many different calls, and values of their arguments, were seen, over all cgroups.
    pub(super) fn sights(&self) -> usize {
        self.labels.len() + self.values.len()
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
        while let Some(event) = self.events.moves.take() {
            self.moves.take(&event);
            late.took_in(event.to, event.started < self.began);
        }
        let mut calls = std::mem::take(&mut self.unplaced);
        while let Some(event) = self.events.calls.take() {
            calls.push(event);
        }
        // A cgroup is announced before its first call is: these names are those of the calls above.
        let new: Vec<CgroupEvent> = std::iter::from_fn(|| self.events.cgroups.take()).collect();
        let placed = self.names.place(new, root);
        self.select(&placed, late, observers);
        self.take_calls(calls, observers);
        let mut denials = std::mem::take(&mut self.unplaced_denials);
        while let Some(event) = self.events.denials.as_mut().and_then(EventBuffer::take) {
            denials.push(event);
        }
        for event in denials {
            self.take_denial(&event, observers);
        }
    }

    /// Takes the targets' cgroups among those that were placed.
    fn select(&mut self, placed: &[(u64, String)], late: &mut Late, observers: &mut Observers<'_>) {
        for (id, path) in placed {
            late.announced(*id, path);
            for line in self.selecting.place(*id, path) {
                observers.live.line(&line);
            }
            if self.selecting.is_top(path) {
                self.new_targets.push((*id, path.clone()));
            }
        }
    }

    /// Looks for the names of cgroups in which no call need have been made.
    pub(super) fn learn_names(
        &mut self,
        mut cgroups: impl Iterator<Item = u64>,
        root: &CgroupRoot,
    ) -> Result<()> {
        if cgroups.any(|cgroup| !self.names.paths.contains_key(&cgroup)) {
            self.names.learn(&root.tree()?.nodes);
        }
        Ok(())
    }

    /// Places the cgroups that are left at the end, by what is known of them. `recorded` are the ids of all that made a call.
    pub(super) fn place_the_rest(
        &mut self,
        recorded: &[u64],
        root: &CgroupRoot,
        late: &mut Late,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let mut placed = Vec::new();
        let is_unknown = |names: &Names, id: &&u64| !names.paths.contains_key(id);
        let missing: Vec<u64> =
            recorded.iter().filter(|id| is_unknown(&self.names, id)).copied().collect();
        if !missing.is_empty() {
            let nodes = root.tree()?.nodes;
            self.names.learn(&nodes);
            let found = nodes.into_iter().filter(|node| missing.contains(&node.id));
            placed.extend(found.map(|node| (node.id, node.path)));
        }
        placed.extend(self.names.place_the_rest());
        self.select(&placed, late, observers);
        Ok(())
    }

    /// Calls and values in the order in which they came, but for the values that a new call passes: the kernel side tells them before it.
    fn take_calls(&mut self, calls: Vec<CallEvent>, observers: &mut Observers<'_>) {
        let mut early: Vec<CallEvent> = Vec::new();
        for event in calls {
            if event.seen.0 != 0 && !self.labels.contains_key(&label_key(&event)) {
                early.push(event);
                continue;
            }
            self.take_call(&event, observers);
            let of_call = |early: &mut CallEvent| label_key(early) == label_key(&event);
            for value in early.extract_if(.., of_call).collect::<Vec<_>>() {
                self.take_call(&value, observers);
            }
        }
        for value in early {
            self.take_call(&value, observers);
        }
    }

    fn take_call(&mut self, event: &CallEvent, observers: &mut Observers<'_>) {
        let known @ (_, abi, number) = label_key(event);
        let command = command(&event.command);
        let argument = new_value(event.seen);
        let is_new = match argument {
            Some(argument) => self.values.insert((known, argument)),
            None => {
                let is_new = !self.labels.contains_key(&known);
                let label = Label { time: event.time, command: command.clone() };
                labels::add(&mut self.labels, known, event.key.class, label);
                is_new
            }
        };
        let Some(path) = self.decided_path(event.key.cgroup) else {
            if self.unplaced.len() < MAX_UNPLACED {
                match &argument {
                    Some(argument) => {
                        self.values.remove(&(known, *argument));
                    }
                    None => labels::remove(&mut self.labels, known, event.key.class),
                }
                self.unplaced.push(*event);
            }
            return;
        };
        if !is_new || !self.selecting.is_selected(path) {
            return;
        }
        let new = NewCall {
            seconds: self.seconds(event.time),
            cgroup: escape(path),
            abi,
            number,
            name: syscalls::name(abi, number),
            invocation: None,
            pid: event.pid,
            command,
            refused: None,
            during: None,
            argument,
        };
        self.show(&new, observers);
    }

    /// A denied call, shown once for each cgroup, way and value.
    fn take_denial(&mut self, event: &DenialEvent, observers: &mut Observers<'_>) {
        let call = &event.key.call;
        let (abi, number) = syscalls::classify(call.number, call.compat != 0);
        let refused = refusal(event.key.verdict);
        let Some(path) = self.decided_path(call.cgroup).cloned() else {
            if self.unplaced_denials.len() < MAX_UNPLACED {
                self.unplaced_denials.push(*event);
            }
            return;
        };
        let invocation = invocation(abi, number, &event.values);
        let is_new = self.denied.insert(((call.cgroup, abi, number), refused, invocation.clone()));
        if !is_new || !self.selecting.is_selected(&path) {
            return;
        }
        let new = NewCall {
            seconds: self.seconds(event.time),
            cgroup: escape(&path),
            abi,
            number,
            name: syscalls::name(abi, number),
            invocation,
            pid: event.values.pid,
            command: command(&event.command),
            refused: Some(refused),
            during: Some(during(call.class, self.selecting.kind(&path))),
            argument: None,
        };
        self.show(&new, observers);
    }

    /// The cgroup is no target's, and will be none: what is recorded of it is of no use.
    pub(super) fn is_foreign(&self, cgroup: u64) -> bool {
        self.names.paths.get(&cgroup).is_some_and(|path| self.selecting.is_foreign(path))
    }

    /// Forgets cgroups that are no target's: those of `freed`, and of what is known by name what is gone. Tells the ids of the latter.
    pub(super) fn forget(&mut self, freed: &HashSet<u64>, root: &CgroupRoot) -> Vec<u64> {
        self.labels.retain(|(cgroup, _, _), _| !freed.contains(cgroup));
        self.denied.retain(|((cgroup, _, _), ..)| !freed.contains(cgroup));
        self.values.retain(|((cgroup, _, _), _)| !freed.contains(cgroup));
        let selecting = &self.selecting;
        let names = &mut self.names;
        self.moves.forget(|cgroup| {
            names.paths.get(&cgroup).is_some_and(|path| selecting.is_foreign(path))
        });
        names.forget(freed, |id, path| selecting.is_foreign(path) && root.id(path).ok() != Some(id))
    }

    /// The path of a cgroup; None as long as it is not known, or not whether it is the target's.
    fn decided_path(&self, cgroup: u64) -> Option<&String> {
        self.names.paths.get(&cgroup).filter(|path| !self.selecting.is_undecided(path))
    }

    /// Seconds since the recording began, to the microsecond.
    pub(super) fn seconds(&self, time: u64) -> f64 {
        (time.saturating_sub(self.began) / 1000) as f64 / 1e6
    }

    /// Shows a new call of the target.
    pub(super) fn show(&self, new: &NewCall, observers: &mut Observers<'_>) {
        let refused = new.refused.map(Refusal::display);
        if new.argument.is_none_or(|argument| !argument.is_part_of_another(new.name)) {
            observers.live.first_seen(&FirstSeen {
                seconds: new.seconds,
                call: &new.display(),
                command: &new.command,
                pid: new.pid,
                refused: refused.as_deref(),
                phase: new.during.map(Phase::name),
                is_value: new.argument.is_some(),
            });
        }
        (observers.new_call)(new);
    }
}

/// The call that an event is of.
fn label_key(event: &CallEvent) -> LabelKey {
    let (abi, number) = syscalls::classify(event.key.number, event.key.compat != 0);
    (event.key.cgroup, abi, number)
}

/// The value that an event is of; None of a call.
fn new_value(seen: SeenValue) -> Option<NewValue> {
    let entry = ARGUMENTS.get(seen.argument()).filter(|_| seen.0 != 0)?;
    let value = (!seen.is_any()).then(|| u64::from(seen.value()));
    Some(NewValue { index: entry.index, mask: entry.mask, value })
}

/// How a denied call was made, when its arguments are looked at and known.
fn invocation(abi: Abi, number: i32, values: &Values) -> Option<String> {
    let name = syscalls::name(abi, number).filter(|_| values.known & known::ARGUMENTS != 0)?;
    arguments::watched(abi, name).next()?;
    let pointed = (values.known & known::POINTED != 0).then_some(values.pointed);
    arguments::call_with(name, &values.arguments, pointed)
}

fn command(name: &[u8]) -> String {
    escape_bytes(name.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// Waits for what may not be there.
async fn maybe(readiness: &Option<Readiness>) -> io::Result<()> {
    match readiness {
        Some(readiness) => readiness.ready().await,
        None => std::future::pending().await,
    }
}

fn readiness(buffer: &impl AsFd) -> Result<Readiness> {
    Readiness::to_read(buffer.as_fd()).context("epoll")
}
