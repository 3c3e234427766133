//! From the facts of the kernel side to phases: a container runtime's calls, and a workload's.
//!
//! Command names play no part in it, but for a kernel without BTF: a runtime's tasks have many
//! names, and a workload can take any. Where the facts do not decide, a call is workload, and is
//! marked: a profile that is a little too wide is better than one that does not start the
//! container.

use std::collections::{BTreeMap, BTreeSet};

use tracer_ebpf::{CgroupRecord, Evidence, EvidenceKey, FILTER_LEVELS, class, flags};

use super::{
    Phase,
    origin::{
        Facts, Origin, Sighting, enters_root, is_entering, is_exec_session, is_from_host,
        makes_processes_of_its_own, may_be_entering, origin, sightings,
    },
};
use crate::syscalls::Abi;

/// What is known of a cgroup besides what was recorded in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupKind {
    /// Its name is that of a container.
    Container,
    /// Its processes are those of the host: a command that tracer started, or a systemd unit.
    Host,
    /// Nothing: the recorded facts decide.
    Unknown,
}

/// The phases of one cgroup's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Each call that was seen, by ABI and number.
    pub calls: BTreeMap<(Abi, i32), CallPhase>,
    /// A filter was loaded between set-up and workload, and nothing contradicts it.
    pub exact: bool,
    /// At least one decision was in doubt.
    pub ambiguous: bool,
    /// Tasks had no_new_privs set.
    pub no_new_privs: bool,
    /// The workload ran under a filter that it did not load, and that may have denied calls.
    pub filtered: bool,
    /// How many filters the workload was given: of a container, the fewest that a call of the
    /// workload was made under, for it may load more by itself; elsewhere the most, for whoever
    /// started it may have loaded them in the same cgroup. None when no such call was seen.
    pub filters: Option<usize>,
    /// Calls that were made under as many filters as that, by the runtime or the workload: each
    /// passed those that the workload was given. Elsewhere than in containers none under three,
    /// which stands for more as well.
    pub passed: BTreeSet<(Abi, i32)>,
    /// Calls made under a filter by tasks that may be a runtime's, by the facts of each task.
    entering: BTreeSet<(Abi, i32)>,
    /// A runtime put processes into the container after the workload had started.
    pub exec_sessions: bool,
    /// A runtime made calls in it.
    pub runtime_calls: bool,
    /// Every phase that a call was made in, where there are several.
    several: BTreeMap<(Abi, i32), BTreeSet<Phase>>,
    rules: Rules,
}

impl Phases {
    /// What the facts say of a call of this class.
    pub fn decision(&self, class: u16) -> CallPhase {
        self.rules.decide(Facts(class))
    }

    /// The phase that a refused call of this class was made in. Where no container was seen to be
    /// made, one may have run before: there was a filter, and what looks like a runtime that enters
    /// a container had loaded it.
    pub fn denied_phase(&self, class: u16) -> Phase {
        let facts = Facts(class);
        let enters = facts.has(class::FORKED)
            && facts.has(class::PARENT_HOST)
            && !facts.has(class::HOST)
            && facts.is_executable_outside();
        if self.rules.unknown && enters {
            return Phase::ContainerInit;
        }
        self.decision(class).phase
    }

    /// A call was made in this phase.
    pub fn is_in(&self, call: (Abi, i32), phase: Phase) -> bool {
        self.calls.get(&call).is_some_and(|decision| decision.phase == phase)
            || self.several.get(&call).is_some_and(|phases| phases.contains(&phase))
    }

    /// A runtime made the call under a filter, or may have.
    pub fn may_be_a_runtimes(&self, call: (Abi, i32)) -> bool {
        self.is_in(call, Phase::ContainerInit) || self.entering.contains(&call)
    }

    /// The phases in which a call was seen, but for the one that counts; sorted.
    pub fn others(&self, call: (Abi, i32)) -> Vec<Phase> {
        let counts = self.calls.get(&call).map(|decision| decision.phase);
        let seen = self.several.get(&call).into_iter().flatten();
        seen.copied().filter(|phase| Some(*phase) != counts).collect()
    }
}

/// What is known of a cgroup as a whole: with the facts about a task it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rules {
    /// A container was made in the cgroup: its calls have phases.
    container: bool,
    /// Neither was one seen to be made there, nor does the cgroup's name say what it is.
    unknown: bool,
    /// The filter count of the cgroup's earliest calls.
    base: usize,
    /// A runtime started the container under a filter: never so where no container was made.
    started_under_filter: bool,
    /// The container has a pid namespace that is not the host's.
    own_processes: bool,
}

impl Rules {
    fn decide(self, facts: Facts) -> CallPhase {
        let decision = decision(facts, self.container, self.base);
        let at_base = facts.filters() <= self.base;
        let of_runtime = self.started_under_filter && at_base && is_entering(facts)
            || decision.ambiguous && self.is_not_of_workload(facts);
        match (of_runtime, at_base) {
            (false, _) => decision,
            (true, true) => CallPhase { phase: Phase::Setup, ambiguous: false },
            (true, false) => CallPhase { phase: Phase::ContainerInit, ambiguous: false },
        }
    }

    /// Decides doubt: a container that was started under a filter has no task of the workload
    /// without it, and one with a pid namespace of its own has none in the host's, unless it went
    /// there by itself.
    fn is_not_of_workload(self, facts: Facts) -> bool {
        let without_filter = self.started_under_filter && facts.filters() <= self.base;
        let from_host = facts.has(class::HOST_PROCESSES) && facts.has(class::PARENT_HOST);
        without_filter || self.own_processes && from_host
    }
}

/// The phase of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPhase {
    /// The phase that counts: workload before container-init before setup.
    pub phase: Phase,
    /// The facts did not decide.
    pub ambiguous: bool,
}

/// Decides the phase of every call of one cgroup. `evidence` holds the entries of this cgroup only.
///
/// The facts about the cgroup as a whole come first, in this order, because each needs those above:
///
/// | fact | from |
/// |---|---|
/// | `container`: a container was made in it | its kind and the sightings |
/// | `base`: filters before the container's own | its earliest calls |
/// | `started_under_filter`: the runtime made calls above `base` | `container`, `base` |
/// | `own_processes`: it has a pid namespace | the runtime's tasks on their way in |
///
/// Then `origin` and these rules decide each call:
///
/// | origin | filters of the task | phase |
/// |---|---|---|
/// | runtime | at most `base` | setup |
/// | runtime | above `base` | container-init |
/// | any, forked from outside, not exec'd, `started_under_filter` | at most `base` | setup |
/// | workload, or no container | any | workload |
/// | doubtful, and the cgroup's facts exclude the workload | as for the runtime | as for the runtime |
/// | doubtful | any | workload, marked ambiguous |
pub fn decide(
    record: &CgroupRecord,
    evidence: &[(EvidenceKey, Evidence)],
    kind: CgroupKind,
) -> Phases {
    let sightings = sightings(record, evidence);
    let container = match kind {
        // Nothing in it left the host: whatever its name says, no container was made there.
        CgroupKind::Container => sightings.iter().any(|sighting| !sighting.facts.has(class::HOST)),
        CgroupKind::Host => false,
        CgroupKind::Unknown => sightings.iter().any(enters_root),
    };
    // A container that is made in another container has to pass that one's filter.
    let container = container && sightings.iter().any(is_from_host);
    let base = base_filters(record, evidence);
    let started_under_filter = sightings
        .iter()
        .any(|sighting| decision(sighting.facts, container, base).phase == Phase::ContainerInit);
    let own_processes = sightings.iter().any(makes_processes_of_its_own);
    let unknown = kind == CgroupKind::Unknown && !container;
    let rules = Rules { container, unknown, base, started_under_filter, own_processes };
    let mut calls = BTreeMap::new();
    let mut seen_in: BTreeMap<(Abi, i32), BTreeSet<Phase>> = BTreeMap::new();
    let (mut above, mut workload_at_base, mut workload_filters) = (false, false, FILTER_LEVELS);
    for sighting in &sightings {
        let at_base = sighting.facts.filters() <= base;
        let decision = rules.decide(sighting.facts);
        above |= !at_base;
        if decision.phase == Phase::Workload {
            workload_at_base |= at_base;
            workload_filters = workload_filters.min(sighting.facts.filters());
        }
        let known = calls.entry((sighting.abi, sighting.number)).or_insert(decision);
        *known = strongest(*known, decision);
        seen_in.entry((sighting.abi, sighting.number)).or_default().insert(decision.phase);
    }
    seen_in.retain(|_, phases| phases.len() > 1);
    let ambiguous = calls.values().any(|decision| decision.ambiguous);
    let filters = if container {
        Some(workload_filters).filter(|filters| *filters < FILTER_LEVELS)
    } else {
        sightings.iter().map(|sighting| sighting.facts.filters()).max()
    };
    let (set, clear) =
        (record.flags & flags::NO_NEW_PRIVS != 0, record.flags & flags::NEW_PRIVS != 0);
    Phases {
        calls,
        exact: container && above && !workload_at_base,
        ambiguous,
        no_new_privs: set && (container || !clear),
        // A filter that the workload loads on top is its own: what that denies, it need not be
        // allowed.
        filtered: record.flags & (flags::FILTER_MAY_DENY << workload_filters) != 0,
        passed: passed(&sightings, rules, filters),
        entering: sightings
            .iter()
            .filter(|one| one.facts.filters() > 0 && may_be_entering(one.facts.0))
            .map(|one| (one.abi, one.number))
            .collect(),
        filters,
        exec_sessions: container && sightings.iter().any(is_exec_session),
        runtime_calls: container
            && sightings.iter().any(|sighting| origin(sighting.facts) == Origin::Runtime),
        several: seen_in,
        rules,
    }
}

/// [`Phases::passed`], of a workload that was given so many filters.
fn passed(sightings: &[Sighting], rules: Rules, filters: Option<usize>) -> BTreeSet<(Abi, i32)> {
    let least = match filters {
        None | Some(0) => return BTreeSet::new(),
        // Three or more: the last one may have been loaded after the call was made.
        Some(given) if !rules.container && given + 1 == FILTER_LEVELS => return BTreeSet::new(),
        Some(given) => given,
    };
    let has_passed = |sighting: &&Sighting| {
        let CallPhase { phase, ambiguous } = rules.decide(sighting.facts);
        sighting.facts.filters() >= least && phase != Phase::Setup && !ambiguous
    };
    sightings.iter().filter(has_passed).map(|one| (one.abi, one.number)).collect()
}

/// The phase of a call made with these facts.
fn decision(facts: Facts, container: bool, base: usize) -> CallPhase {
    let origin = if container { origin(facts) } else { Origin::Workload };
    match origin {
        Origin::Runtime if facts.filters() <= base => {
            CallPhase { phase: Phase::Setup, ambiguous: false }
        }
        Origin::Runtime => CallPhase { phase: Phase::ContainerInit, ambiguous: false },
        Origin::Workload => CallPhase { phase: Phase::Workload, ambiguous: false },
        Origin::Doubtful => CallPhase { phase: Phase::Workload, ambiguous: true },
    }
}

/// The phase that a refused call was made in, before the cgroup's other calls are known. There was
/// a filter, so that the runtime's own calls were made after its load.
pub fn denied_phase(class_bits: u16, kind: CgroupKind) -> Phase {
    let facts = Facts(class_bits);
    let container = match kind {
        CgroupKind::Container => true,
        CgroupKind::Host => false,
        CgroupKind::Unknown => !facts.has(class::HOST),
    };
    decision(facts, container, 0).phase
}

/// The phase of a call in a container, before the cgroup's other calls are known. `base`: the fewest
/// filters that a call was made under; `has_started`: a program of the container made a call.
pub fn phase_so_far(class_bits: u16, base: usize, has_started: bool) -> CallPhase {
    let facts = Facts(class_bits);
    let decision = decision(facts, true, base);
    // crun's second child on its way in, whose parent is in the container by then.
    if has_started || decision.phase != Phase::Workload || !is_entering(facts) {
        return decision;
    }
    let phase = if facts.filters() <= base { Phase::Setup } else { Phase::ContainerInit };
    CallPhase { phase, ambiguous: false }
}

/// Of two decisions on the same call, the one that counts; one without doubt beats a doubtful one.
fn strongest(one: CallPhase, other: CallPhase) -> CallPhase {
    match one.phase.cmp(&other.phase) {
        std::cmp::Ordering::Less => other,
        std::cmp::Ordering::Greater => one,
        std::cmp::Ordering::Equal => {
            CallPhase { phase: one.phase, ambiguous: one.ambiguous && other.ambiguous }
        }
    }
}

/// The filter count of the cgroup's earliest calls.
fn base_filters(record: &CgroupRecord, evidence: &[(EvidenceKey, Evidence)]) -> usize {
    let sets = record.first_seen.iter().copied().enumerate().filter(|(_, time)| *time != 0);
    let others = evidence.iter().map(|(key, seen)| (Facts(key.class).filters(), seen.first_seen));
    sets.chain(others).min_by_key(|(_, time)| *time).map_or(0, |(filters, _)| filters)
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;
