//! The lives of the targets' containers, for people who watch: a container starts, a runtime sets it
//! up, its program starts, and it ends.
//!
//! The phases are those of the recording as far as they are known by then. What is shown changes no
//! result.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::identities::IdentifiedContainer;
use crate::{
    cgroup_path::CgroupPath,
    live::Mark,
    recording::{
        Phase,
        denied::is_a_runtimes,
        event::NewCall,
        labels::LabelKey,
        phases::{CallPhase, phase_so_far},
    },
    text::Escaped,
};

/// Most containers whose lives are followed: a machine has any number.
const MOST: usize = 1 << 10;
/// Most calls of one container that are kept apart: one that makes cgroups may have any number.
const MOST_CALLS: usize = 1 << 16;

/// The containers that made a call.
#[derive(Default)]
pub(super) struct Lives {
    /// By their ids.
    lives: BTreeMap<String, Life>,
    /// Cgroups that held processes when tracing began: their start was not seen.
    late: BTreeSet<u64>,
    /// There was more than one.
    several: bool,
    /// A life ended since the last time that there was no room.
    has_ended: bool,
}

/// A call that one class of tasks made for the first time, or a value of its arguments.
pub(super) struct Sight<'a> {
    pub(super) key: LabelKey,
    pub(super) path: &'a CgroupPath,
    /// The facts about the task (`tracer_ebpf::class`).
    pub(super) class: u16,
    pub(super) new: &'a NewCall,
    /// Nobody made it in this cgroup before.
    pub(super) is_first: bool,
}

/// What a sight means.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    /// What it shows of the container.
    pub(super) marks: Vec<Mark>,
    pub(super) phase: Phase,
    /// The call is new: to the runtime's set-up, or to what comes after it.
    pub(super) is_new: bool,
}

/// What became of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    SettingUp,
    Running,
    Ended,
}

struct Life {
    label: Escaped,
    /// The cgroup that was seen first; one with the same path and another id is another start.
    first: CgroupPath,
    top: CgroupPath,
    cgroups: BTreeSet<u64>,
    /// The fewest filters that a call was made under.
    base: usize,
    /// The calls that were seen, with whether the runtime's set-up made them.
    seen: HashSet<(LabelKey, bool)>,
    set_up: SetUp,
    stage: Stage,
}

/// What a runtime did to set a container up.
#[derive(Default)]
struct SetUp {
    calls: usize,
    by: Option<Escaped>,
    is_said: bool,
}

impl Lives {
    /// Takes the cgroups that held processes when tracing began.
    pub(super) fn expect_no_start_of(&mut self, cgroups: impl IntoIterator<Item = u64>) {
        self.late.extend(cgroups);
    }

    /// There was more than one container: each line names its own.
    pub(super) fn are_several(&self) -> bool {
        self.several
    }

    /// Takes a sight. `container`: whose it is; None: of no container.
    pub(super) fn sight(
        &mut self,
        container: Option<IdentifiedContainer>,
        sight: &Sight<'_>,
    ) -> Seen {
        let no_container =
            Seen { marks: Vec::new(), phase: Phase::Workload, is_new: sight.is_first };
        let Some(container) = container else { return no_container };
        let cgroup = sight.key.0;
        let mut marks = Vec::new();
        if let Some(life) = self.lives.get_mut(&container.id)
            && life.is_another_start(cgroup, sight.path)
        {
            marks.extend(life.end());
            self.lives.remove(&container.id);
        }
        if !self.lives.contains_key(&container.id) {
            if !self.has_room() {
                let filters = usize::from(sight.class & tracer_ebpf::class::FILTERS_MASK);
                let CallPhase { phase, .. } = phase_so_far(sight.class, filters, false);
                return Seen { phase, ..no_container };
            }
            let is_late = self.late.contains(&cgroup);
            marks.extend((!is_late).then_some(Mark::Starts));
            self.several |= self.lives.values().any(|life| life.label != container.label);
            let life = Life::new(&container, sight, is_late);
            self.lives.insert(container.id.clone(), life);
        }
        let Some(life) = self.lives.get_mut(&container.id) else { return no_container };
        // A runtime may have reported the name meanwhile.
        life.label = container.label;
        if life.seen.len() < MOST_CALLS {
            life.cgroups.insert(cgroup);
        }
        let (more, phase, is_new) = life.sight(sight);
        marks.extend(more);
        Seen { marks, phase, is_new }
    }

    /// The containers that are gone, each with what is to be said of it. `is_there`: whether there
    /// is a cgroup of that path.
    pub(super) fn ended(
        &mut self,
        is_there: impl Fn(&CgroupPath) -> bool,
    ) -> Vec<(Escaped, Vec<Mark>)> {
        let lives = self.lives.values_mut();
        let gone = lives.filter(|life| life.stage != Stage::Ended && !is_there(&life.top));
        let gone: Vec<_> = gone.map(|life| (life.label.clone(), life.end())).collect();
        self.has_ended |= !gone.is_empty();
        gone
    }

    /// Makes room for one more life, if need be.
    fn has_room(&mut self) -> bool {
        if self.lives.len() >= MOST && std::mem::take(&mut self.has_ended) {
            self.lives.retain(|_, life| life.stage != Stage::Ended);
        }
        self.lives.len() < MOST
    }
}

impl Life {
    fn new(container: &IdentifiedContainer, sight: &Sight<'_>, is_late: bool) -> Self {
        Self {
            label: container.label.clone(),
            first: sight.path.clone(),
            top: container.top.clone(),
            cgroups: BTreeSet::new(),
            base: usize::MAX,
            seen: HashSet::new(),
            set_up: SetUp::default(),
            stage: if is_late { Stage::Running } else { Stage::SettingUp },
        }
    }

    /// A cgroup that was not seen before belongs to another start, when the container had ended or
    /// this one takes the place of its first.
    fn is_another_start(&self, cgroup: u64, path: &CgroupPath) -> bool {
        let is_unknown = !self.cgroups.contains(&cgroup);
        is_unknown && (self.stage == Stage::Ended || *path == self.first)
    }

    fn sight(&mut self, sight: &Sight<'_>) -> (Vec<Mark>, Phase, bool) {
        let filters = usize::from(sight.class & tracer_ebpf::class::FILTERS_MASK);
        self.base = self.base.min(filters);
        let has_started = self.stage != Stage::SettingUp;
        let CallPhase { phase, ambiguous } = phase_so_far(sight.class, self.base, has_started);
        if sight.new.argument.is_some() {
            return (Vec::new(), phase, sight.is_first);
        }
        let is_set_up = phase == Phase::Setup;
        let is_new = match self.seen.len() < MOST_CALLS {
            true => self.seen.insert((sight.key, is_set_up)),
            false => sight.is_first,
        };
        if is_set_up {
            self.set_up.add(&sight.new.command, is_new);
            return (Vec::new(), phase, is_new);
        }
        let NewCall { command, pid, .. } = sight.new;
        let mut marks = Vec::new();
        if !has_started {
            marks.extend(self.set_up.mark());
            if phase == Phase::Workload && !ambiguous {
                self.stage = Stage::Running;
                marks.push(Mark::Program { command: command.clone(), pid: *pid });
            }
        }
        (marks, phase, is_new)
    }

    fn end(&mut self) -> Vec<Mark> {
        let mut marks = Vec::new();
        if self.stage == Stage::SettingUp {
            marks.extend(self.set_up.mark());
        }
        if self.stage != Stage::Ended {
            marks.push(Mark::Ended { had_started: self.stage == Stage::Running });
        }
        self.stage = Stage::Ended;
        self.seen = HashSet::new();
        marks
    }
}

impl SetUp {
    fn add(&mut self, command: &Escaped, is_new: bool) {
        self.calls += usize::from(is_new);
        if self.by.is_none() && is_a_runtimes(command) {
            self.by = Some(command.clone());
        }
    }

    /// The line about it, once.
    fn mark(&mut self) -> Option<Mark> {
        let is_new = self.calls > 0 && !self.is_said;
        self.is_said |= is_new;
        is_new.then(|| Mark::SetUp { by: self.by.clone(), calls: self.calls })
    }
}

#[cfg(test)]
#[path = "lives_tests.rs"]
mod tests;
