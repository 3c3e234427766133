//! From the facts of the kernel side to phases: which calls are the container runtime's, which the workload's.
//!
//! Command names play no part in it, but for a kernel without BTF: a runtime's tasks have many names, and a workload can
//! take any. Where the facts do not decide, a call is workload, and is marked: a profile that is a little too wide
//! is better than one that does not start the container.

use std::collections::{BTreeMap, BTreeSet};

use tracer_ebpf::{
    CgroupRecord, ENTER_ROOT, Evidence, EvidenceKey, FILTER_LEVELS, NATIVE_NUMBERS, NativeSets,
    class, executable, flags,
};

use super::Phase;
use crate::syscalls::{self, Abi};

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
    pub calls: BTreeMap<(Abi, i32), Decision>,
    /// A filter was loaded between set-up and workload, and nothing contradicts it.
    pub exact: bool,
    /// At least one decision was in doubt.
    pub ambiguous: bool,
    /// Tasks had no_new_privs set.
    pub no_new_privs: bool,
    /// The workload ran under a filter that it did not load, and that may have denied calls.
    pub filtered: bool,
    /// How many filters the workload was given: of a container, the fewest that a call of the workload was made under, for
    /// it may load more by itself; elsewhere the most, for whoever started it may have loaded them in the same cgroup. None
    /// when no such call was seen.
    pub filters: Option<usize>,
    /// Calls that were made under as many filters as that, by the runtime or the workload: each passed those that the workload was
    /// given. Elsewhere than in containers none under three, which stands for more as well.
    pub passed: BTreeSet<(Abi, i32)>,
    /// Calls that were made under a filter by tasks that may be a runtime's, as far as the facts of each task go.
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
    pub fn decision(&self, class: u16) -> Decision {
        self.rules.decide(Facts(class))
    }

    /// The phase that a refused call of this class was made in. Where no container was seen to be made, one may have run before:
    /// there was a filter, and what looks like a runtime that enters a container had loaded it.
    pub fn during(&self, class: u16) -> Phase {
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
    fn decide(self, facts: Facts) -> Decision {
        let decision = decision(facts, self.container, self.base);
        let at_base = facts.filters() <= self.base;
        let of_runtime = self.started_under_filter && at_base && is_entering(facts)
            || decision.ambiguous && self.is_not_of_workload(facts);
        match (of_runtime, at_base) {
            (false, _) => decision,
            (true, true) => Decision { phase: Phase::Setup, ambiguous: false },
            (true, false) => Decision { phase: Phase::ContainerInit, ambiguous: false },
        }
    }

    /// Decides doubt: a container that was started under a filter has no task of the workload without it, and one with
    /// a pid namespace of its own has none in the host's, unless it went there by itself.
    fn is_not_of_workload(self, facts: Facts) -> bool {
        let without_filter = self.started_under_filter && facts.filters() <= self.base;
        let from_host = facts.has(class::HOST_PROCESSES) && facts.has(class::PARENT_HOST);
        without_filter || self.own_processes && from_host
    }
}

/// The phase of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The phase that counts: workload before container-init before setup.
    pub phase: Phase,
    /// The facts did not decide.
    pub ambiguous: bool,
}

/// Who made a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Runtime,
    Workload,
    /// Counts as workload.
    Doubtful,
}

/// A call as it was seen, with the facts about the task.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    abi: Abi,
    number: i32,
    facts: Facts,
}

/// The bits of [`class`], readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts(u16);

impl Facts {
    fn filters(self) -> usize {
        usize::from(self.0 & class::FILTERS_MASK)
    }

    fn executable(self) -> u16 {
        (self.0 & class::EXECUTABLE_MASK) >> class::EXECUTABLE_SHIFT
    }

    fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    /// The executable is not one of the container: on the host, in a memfd, or in a detached mount.
    fn is_executable_outside(self) -> bool {
        matches!(self.executable(), executable::HOST | executable::INTERNAL | executable::OTHER)
    }
}

/// Decides the phase of every call of one cgroup. `evidence` holds the entries of this cgroup only.
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
        // A filter that the workload loads on top is its own: what that denies, it need not be allowed.
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
        let Decision { phase, ambiguous } = rules.decide(sighting.facts);
        sighting.facts.filters() >= least && phase != Phase::Setup && !ambiguous
    };
    sightings.iter().filter(has_passed).map(|one| (one.abi, one.number)).collect()
}

/// A task that may be a runtime's on its way into the container, though the facts do not say so: one that somebody from outside put
/// here, with an executable from outside.
pub(super) fn may_be_entering(class_bits: u16) -> bool {
    let facts = Facts(class_bits);
    let from_outside = facts.has(class::PARENT_OUTSIDE)
        || facts.has(class::PARENT_HOST) && !facts.has(class::HOST);
    from_outside && is_entering(facts)
}

/// A runtime's call in a container whose workload runs.
fn is_exec_session(sighting: &Sighting) -> bool {
    sighting.facts.has(class::STARTED) && origin(sighting.facts) == Origin::Runtime
}

/// The phase of a call made with these facts.
fn decision(facts: Facts, container: bool, base: usize) -> Decision {
    let origin = if container { origin(facts) } else { Origin::Workload };
    match origin {
        Origin::Runtime if facts.filters() <= base => {
            Decision { phase: Phase::Setup, ambiguous: false }
        }
        Origin::Runtime => Decision { phase: Phase::ContainerInit, ambiguous: false },
        Origin::Workload => Decision { phase: Phase::Workload, ambiguous: false },
        Origin::Doubtful => Decision { phase: Phase::Workload, ambiguous: true },
    }
}

/// The phase that a refused call was made in, before the cgroup's other calls are known. There was a filter, so that the
/// runtime's own calls were made after its load.
pub fn during(class_bits: u16, kind: CgroupKind) -> Phase {
    let facts = Facts(class_bits);
    let container = match kind {
        CgroupKind::Container => true,
        CgroupKind::Host => false,
        CgroupKind::Unknown => !facts.has(class::HOST),
    };
    decision(facts, container, 0).phase
}

/// Of two decisions on the same call, the one that counts; a decision without doubt beats a doubtful one.
fn strongest(one: Decision, other: Decision) -> Decision {
    match one.phase.cmp(&other.phase) {
        std::cmp::Ordering::Less => other,
        std::cmp::Ordering::Greater => one,
        std::cmp::Ordering::Equal => {
            Decision { phase: one.phase, ambiguous: one.ambiguous && other.ambiguous }
        }
    }
}

fn sightings(record: &CgroupRecord, evidence: &[(EvidenceKey, Evidence)]) -> Vec<Sighting> {
    let mut sightings = Vec::new();
    for (sets, bits) in [(&record.container, 0), (&record.host, class::HOST)] {
        for (filters, number) in members(sets) {
            let facts = Facts(bits | filters as u16);
            sightings.push(Sighting { abi: Abi::X86_64, number, facts });
        }
    }
    for (key, _) in evidence {
        let (abi, number) = syscalls::classify(key.number, key.compat != 0);
        sightings.push(Sighting { abi, number, facts: Facts(key.class) });
    }
    sightings
}

/// The filter counts and numbers whose bits are set.
fn members(sets: &NativeSets) -> impl Iterator<Item = (usize, i32)> {
    (0..FILTER_LEVELS).flat_map(move |level| {
        (0..NATIVE_NUMBERS)
            .filter(move |number| sets[level][number / 64] >> (number % 64) & 1 == 1)
            .map(move |number| (level, number as i32))
    })
}

/// The filter count of the cgroup's earliest calls.
fn base_filters(record: &CgroupRecord, evidence: &[(EvidenceKey, Evidence)]) -> usize {
    let sets = record.first_seen.iter().copied().enumerate().filter(|(_, time)| *time != 0);
    let others = evidence.iter().map(|(key, seen)| (Facts(key.class).filters(), seen.first_seen));
    sets.chain(others).min_by_key(|(_, time)| *time).map_or(0, |(filters, _)| filters)
}

/// A process with an executable from outside, put here from outside, enters a new root: a container is being made. (A
/// sandbox that a program makes for its children is made by a process of the same cgroup.)
fn enters_root(sighting: &Sighting) -> bool {
    let Sighting { abi, number, facts } = sighting;
    *abi == Abi::X86_64
        && u32::try_from(*number).is_ok_and(|number| ENTER_ROOT.contains(&number))
        && !facts.has(class::HOST)
        && facts.has(class::PARENT_OUTSIDE)
        && facts.is_executable_outside()
}

/// A runtime's task on its way into the container, in a pid namespace that is not the host's. Once the container runs, its
/// workload may have made such a namespace; and of a call in the sets it is not known.
fn makes_processes_of_its_own(sighting: &Sighting) -> bool {
    let facts = sighting.facts;
    facts.is_executable_outside()
        && !facts.has(class::STARTED | class::HOST | class::HOST_PROCESSES | class::UNKNOWN)
}

/// In a container that a runtime started under a filter, a task without it that has not exec'd and whose executable is not
/// the container's: crun's second child on its way in, whose parent is in the container by then. The workload's
/// own tasks all have the filter.
fn is_entering(facts: Facts) -> bool {
    facts.has(class::FORKED) && facts.is_executable_outside()
}

/// A task of the host, or one that a process of the host made.
fn is_from_host(sighting: &Sighting) -> bool {
    let facts = sighting.facts;
    facts.has(class::HOST | class::PARENT_HOST | class::UNKNOWN)
        || facts.executable() == executable::HOST
}

/// Who made a call in the cgroup of a container.
fn origin(facts: Facts) -> Origin {
    if facts.has(class::UNKNOWN) {
        return if facts.has(class::RUNTIME_NAME) { Origin::Runtime } else { Origin::Workload };
    }
    if facts.has(class::HOST) || facts.executable() == executable::HOST {
        // A process of the container may have entered the host's namespace, as node agents do.
        let entered = facts.has(class::STARTED) && !facts.has(class::PARENT_HOST);
        return if entered { Origin::Doubtful } else { Origin::Runtime };
    }
    // The container's init has not exec'd: set-up, hooks included. Once the workload runs, only the init of a pid
    // namespace that the workload itself made can be in this state.
    if facts.has(class::INIT_PENDING) && !facts.has(class::STARTED) {
        // Only a hook that is started in the container's own root runs under the filter (runtime specification,
        // "startContainer").
        let hook = facts.has(class::ENTERED) && facts.executable() == executable::INSIDE;
        return if hook { Origin::Doubtful } else { Origin::Runtime };
    }
    if !facts.is_executable_outside() {
        return Origin::Workload;
    }
    // A memfd or a detached mount: a runtime that enters the container was forked by a process of the host and has not
    // exec'd yet; a workload of that kind was exec'd, or forked by a process of the container.
    match (facts.has(class::FORKED), facts.has(class::PARENT_HOST)) {
        (true, true) => Origin::Runtime,
        (false, true) => Origin::Doubtful,
        (_, false) => Origin::Workload,
    }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;
