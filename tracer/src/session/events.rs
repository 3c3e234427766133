//! What the events of the kernel side mean: names of new cgroups, and the first time that a call is
//! seen in one.

use std::{collections::HashSet, time::Instant};

use anyhow::Result;
use tracer_ebpf::{CallEvent, DenialEvent, SeenValue, Values, arguments::ARGUMENTS, known};

use super::{
    activity::Activity,
    config::Observers,
    event_stream::Batch,
    late::Late,
    lives::{Lives, Sight},
    moves::Moves,
    names::CgroupNames,
    tracker::TargetTracker,
};
use crate::{
    cgroup_path::CgroupPath,
    live::Place,
    recording::{
        DenyOutcome, Phase, denied,
        event::{NewCall, NewValue},
        labels::{self, Label, LabelKey, Labels},
        phases::denied_phase,
    },
    syscalls::{self, Abi, arguments},
    target::cgroup::CgroupRoot,
    text::{Escaped, escape, escape_c_string},
};

/// Most calls that are kept for later: of cgroups without a known place, or whose target is not
/// known yet.
const MAX_UNPLACED: usize = 1 << 16;

/// Handles the events, and keeps what they report.
pub(super) struct EventHandler {
    pub(super) names: CgroupNames,
    pub(super) labels: Labels,
    pub(super) moves: Moves,
    pub(super) activity: Activity,
    pub(super) lives: Lives,
    /// Cgroups that are a target's uppermost one and made their first call, and that are not
    /// followed yet: ids and paths.
    pub(super) new_targets: Vec<(u64, CgroupPath)>,
    unplaced: Vec<CallEvent>,
    unplaced_denials: Vec<DenialEvent>,
    denied: HashSet<(LabelKey, DenyOutcome, Option<String>)>,
    values: HashSet<(LabelKey, NewValue)>,
    pub(super) tracker: TargetTracker,
    began: u64,
}

impl EventHandler {
    /// Knows nothing yet. `began`: when the recording did, in nanoseconds since boot.
    pub(super) fn new(tracker: TargetTracker, began: u64) -> Self {
        Self {
            names: CgroupNames::default(),
            labels: Labels::new(),
            moves: Moves::default(),
            activity: Activity::default(),
            new_targets: Vec::new(),
            lives: Lives::default(),
            unplaced: Vec::new(),
            unplaced_denials: Vec::new(),
            denied: HashSet::new(),
            values: HashSet::new(),
            tracker,
            began,
        }
    }

    /// How many different calls, and values of their arguments, were seen, over all cgroups.
    pub(super) fn seen(&self) -> usize {
        self.labels.len() + self.values.len()
    }

    /// Handles the events of one moment, and shows the targets' new calls.
    pub(super) fn handle(
        &mut self,
        batch: Batch,
        now: Instant,
        root: &CgroupRoot,
        late: &mut Late,
        observers: &mut Observers<'_>,
    ) {
        for event in &batch.moves {
            self.moves.add(event);
            self.names.add_destination(event.to, &event.path);
            late.process_entered(event.to, event.started < self.began);
        }
        for event in &batch.paths {
            self.names.add_destination(event.cgroup, &event.path);
        }
        let placed = self.names.place(batch.cgroups, root);
        self.select(&placed, now, late, observers);
        let mut calls = std::mem::take(&mut self.unplaced);
        calls.extend(batch.calls);
        self.handle_calls(calls, now, observers);
        let mut denials = std::mem::take(&mut self.unplaced_denials);
        denials.extend(batch.denials);
        for event in denials {
            self.handle_denial(&event, now, observers);
        }
    }

    /// Selects the targets' cgroups among those that were placed.
    fn select(
        &mut self,
        placed: &[(u64, CgroupPath)],
        now: Instant,
        late: &mut Late,
        observers: &mut Observers<'_>,
    ) {
        for (id, path) in placed {
            late.announced(*id, path);
            for line in self.tracker.on_cgroup(*id, path, now) {
                observers.live.line(&line);
            }
            if self.tracker.is_top(path) {
                self.new_targets.push((*id, path.clone()));
            }
        }
    }

    /// Looks for the names of cgroups, also of those that made no call.
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

    /// Places the cgroups that are left at the end, by what is known of them. `recorded` are the
    /// ids of all that made a call.
    pub(super) fn place_the_rest(
        &mut self,
        recorded: &[u64],
        now: Instant,
        root: &CgroupRoot,
        late: &mut Late,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let mut placed = Vec::new();
        let is_unknown = |names: &CgroupNames, id: &&u64| !names.paths.contains_key(id);
        let missing: Vec<u64> =
            recorded.iter().filter(|id| is_unknown(&self.names, id)).copied().collect();
        if !missing.is_empty() {
            let nodes = root.tree()?.nodes;
            self.names.learn(&nodes);
            let found = nodes.into_iter().filter(|node| missing.contains(&node.id));
            placed.extend(found.map(|node| (node.id, node.path)));
        }
        placed.extend(self.names.place_the_rest());
        for id in missing {
            placed.extend(self.names.place_destination(id).map(|path| (id, path)));
        }
        self.select(&placed, now, late, observers);
        Ok(())
    }

    /// Handles calls and values in the order in which they came. The values that a new call passes
    /// are an exception: the kernel side sends them before the call, and they are handled after it.
    fn handle_calls(&mut self, calls: Vec<CallEvent>, now: Instant, observers: &mut Observers<'_>) {
        let mut early: Vec<CallEvent> = Vec::new();
        for event in calls {
            if event.seen.0 != 0 && !self.labels.contains_key(&label_key(&event)) {
                early.push(event);
                continue;
            }
            self.handle_call(&event, now, observers);
            let of_call = |early: &mut CallEvent| label_key(early) == label_key(&event);
            for value in early.extract_if(.., of_call).collect::<Vec<_>>() {
                self.handle_call(&value, now, observers);
            }
        }
        for value in early {
            self.handle_call(&value, now, observers);
        }
    }

    fn handle_call(&mut self, event: &CallEvent, now: Instant, observers: &mut Observers<'_>) {
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
        if !self.tracker.is_selected(path) {
            return;
        }
        let path = path.clone();
        let new = NewCall {
            seconds: self.seconds(event.time),
            cgroup: escape(&path),
            abi,
            number,
            name: syscalls::name(abi, number),
            invocation: None,
            pid: event.pid,
            command,
            outcome: None,
            denied_in_phase: None,
            argument,
        };
        let sight =
            Sight { key: known, path: &path, class: event.key.class, new: &new, is_first: is_new };
        self.handle_sight(&sight, now, observers);
        if is_new {
            (observers.new_call)(&new);
        }
    }

    /// Shows what a call of a target says to people who watch.
    fn handle_sight(&mut self, sight: &Sight<'_>, now: Instant, observers: &mut Observers<'_>) {
        let seen = self.lives.sight(self.tracker.identities.container(sight.path), sight);
        for mark in &seen.marks {
            observers.live.mark(sight.new.seconds, mark, &self.label(sight.path));
        }
        if seen.is_new {
            let place = Place { phase: seen.phase, container: self.shown_label(sight.path) };
            self.show_live(sight.new, &place, now, observers);
        }
    }

    /// Handles a denied call. It is shown once for each cgroup, way of denial and value.
    fn handle_denial(&mut self, event: &DenialEvent, now: Instant, observers: &mut Observers<'_>) {
        let call = &event.key.call;
        let (abi, number) = syscalls::classify(call.number, call.compat != 0);
        let outcome = denied::outcome(event.key.outcome);
        let Some(path) = self.decided_path(call.cgroup).cloned() else {
            if self.unplaced_denials.len() < MAX_UNPLACED {
                self.unplaced_denials.push(*event);
            }
            return;
        };
        let invocation = invocation(abi, number, &event.values);
        let is_new = self.denied.insert(((call.cgroup, abi, number), outcome, invocation.clone()));
        if !is_new || !self.tracker.is_selected(&path) {
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
            outcome: Some(outcome),
            denied_in_phase: Some(denied_phase(call.class, self.tracker.identities.kind(&path))),
            argument: None,
        };
        self.show(&new, &path, now, observers);
    }

    /// The cgroup is no target's, and will be none: its record is of no use.
    pub(super) fn is_foreign(&self, cgroup: u64) -> bool {
        self.names.paths.get(&cgroup).is_some_and(|path| self.tracker.is_foreign(path))
    }

    /// Forgets cgroups that are no target's: those of `freed`, and those that are known by name and
    /// gone. Returns the ids of the latter.
    pub(super) fn forget(&mut self, freed: &HashSet<u64>, root: &CgroupRoot) -> Vec<u64> {
        self.labels.retain(|(cgroup, _, _), _| !freed.contains(cgroup));
        self.denied.retain(|((cgroup, _, _), ..)| !freed.contains(cgroup));
        self.values.retain(|((cgroup, _, _), _)| !freed.contains(cgroup));
        let tracker = &self.tracker;
        let names = &mut self.names;
        self.moves
            .forget(|cgroup| names.paths.get(&cgroup).is_some_and(|path| tracker.is_foreign(path)));
        names.forget(freed, |id, path| tracker.is_foreign(path) && root.id(path).ok() != Some(id))
    }

    /// The path of a cgroup; None as long as the path is unknown, or whether the cgroup is the
    /// target's.
    fn decided_path(&self, cgroup: u64) -> Option<&CgroupPath> {
        self.names.paths.get(&cgroup).filter(|path| !self.tracker.is_undecided(path))
    }

    /// Seconds since the recording began, to the microsecond.
    pub(super) fn seconds(&self, time: u64) -> f64 {
        (time.saturating_sub(self.began) / 1000) as f64 / 1e6
    }

    /// Shows a denied call of the target.
    pub(super) fn show(
        &mut self,
        new: &NewCall,
        path: &CgroupPath,
        now: Instant,
        observers: &mut Observers<'_>,
    ) {
        let phase = new.denied_in_phase.unwrap_or(Phase::Workload);
        let place = Place { phase, container: self.shown_label(path) };
        self.show_live(new, &place, now, observers);
        (observers.new_call)(new);
    }

    /// Shows a new call to whoever watches.
    fn show_live(
        &mut self,
        new: &NewCall,
        place: &Place,
        now: Instant,
        observers: &mut Observers<'_>,
    ) {
        if new.argument.is_none_or(|argument| !argument.is_part_of_another(new.name)) {
            self.activity.add(new, place.phase, now);
            observers.live.new_call(new, place);
        }
    }

    /// Whose a line is, where there are several that it may be.
    fn shown_label(&self, path: &CgroupPath) -> Option<Escaped> {
        let are_several = self.lives.are_several() || self.tracker.selections.len() > 1;
        are_several.then(|| self.label(path))
    }

    /// What a target's cgroup is of: its container, or else the target. Short, and escaped.
    fn label(&self, path: &CgroupPath) -> Escaped {
        if let Some(container) = self.tracker.identities.container(path) {
            return container.label;
        }
        let selections = &self.tracker.selections;
        let target = selections.iter().find(|selection| selection.holds(path));
        escape(target.map_or(path, |target| &target.name))
    }
}

/// The call that an event reports.
fn label_key(event: &CallEvent) -> LabelKey {
    let (abi, number) = syscalls::classify(event.key.number, event.key.compat != 0);
    (event.key.cgroup, abi, number)
}

/// The value that an event reports; None when it reports a call.
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

fn command(name: &[u8]) -> Escaped {
    escape_c_string(name)
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
