//! Who made a call, by the facts about its task: a container runtime, or the workload.

use tracer_ebpf::{
    CgroupRecord, Evidence, EvidenceKey, FILTER_LEVELS, NATIVE_NUMBERS, NativeSets, class,
    executable,
};

use crate::syscalls::{self, Abi, HOST};

/// Who made a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Runtime,
    Workload,
    /// Counts as workload.
    Doubtful,
}

/// A call as it was seen, with the facts about the task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) abi: Abi,
    pub(super) number: i32,
    pub(super) facts: Facts,
}

/// The bits of [`class`], readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts(pub(super) u16);

impl Facts {
    pub(super) fn filters(self) -> usize {
        usize::from(self.0 & class::FILTERS_MASK)
    }

    pub(super) fn executable(self) -> u16 {
        (self.0 & class::EXECUTABLE_MASK) >> class::EXECUTABLE_SHIFT
    }

    pub(super) fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    /// The executable is not one of the container: on the host, in a memfd, or in a detached mount.
    pub(super) fn is_executable_outside(self) -> bool {
        matches!(self.executable(), executable::HOST | executable::INTERNAL | executable::OTHER)
    }
}

/// The calls of a cgroup: those of its sets, and those of its evidence.
pub(super) fn sightings(
    record: &CgroupRecord,
    evidence: &[(EvidenceKey, Evidence)],
) -> Vec<Sighting> {
    let mut sightings = Vec::new();
    for (sets, bits) in [(&record.container, 0), (&record.host, class::HOST)] {
        for (filters, number) in members(sets) {
            let facts = Facts(bits | filters as u16);
            sightings.push(Sighting { abi: Abi::NATIVE, number, facts });
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

/// A task that may be a runtime's on its way into the container, though the facts do not say so:
/// one that somebody from outside put here, with an executable from outside.
pub(super) fn may_be_entering(class_bits: u16) -> bool {
    let facts = Facts(class_bits);
    let from_outside = facts.has(class::PARENT_OUTSIDE)
        || facts.has(class::PARENT_HOST) && !facts.has(class::HOST);
    from_outside && is_entering(facts)
}

/// A runtime's call in a container whose workload runs.
pub(super) fn is_exec_session(sighting: &Sighting) -> bool {
    sighting.facts.has(class::STARTED) && origin(sighting.facts) == Origin::Runtime
}

/// A process with an executable from outside, put here from outside, enters a new root: a container
/// is being made. (A process of the same cgroup makes the sandbox of a program's children.)
pub(super) fn enters_root(sighting: &Sighting) -> bool {
    let Sighting { abi, number, facts } = sighting;
    *abi == Abi::NATIVE
        && u32::try_from(*number).is_ok_and(|number| HOST.enters_root.contains(&number))
        && !facts.has(class::HOST)
        && facts.has(class::PARENT_OUTSIDE)
        && facts.is_executable_outside()
}

/// A runtime's task on its way into the container, in a pid namespace that is not the host's. Once
/// the container runs, its workload may have made such a namespace; and of a call in the sets it is
/// not known.
pub(super) fn makes_processes_of_its_own(sighting: &Sighting) -> bool {
    let facts = sighting.facts;
    facts.is_executable_outside()
        && !facts.has(class::STARTED | class::HOST | class::HOST_PROCESSES | class::UNKNOWN)
}

/// In a container that a runtime started under a filter, a task without it that has not exec'd and
/// whose executable is not the container's: crun's second child on its way in, whose parent is in
/// the container by then. The workload's own tasks all have the filter.
pub(super) fn is_entering(facts: Facts) -> bool {
    facts.has(class::FORKED) && facts.is_executable_outside()
}

/// A task of the host, or one that a process of the host made.
pub(super) fn is_from_host(sighting: &Sighting) -> bool {
    let facts = sighting.facts;
    facts.has(class::HOST | class::PARENT_HOST | class::UNKNOWN)
        || facts.executable() == executable::HOST
}

/// Who made a call in the cgroup of a container. The first line whose facts hold decides; an empty
/// field stands for any value.
///
/// | facts known | mount namespace or executable | init pending, not started | forked | parent of the host | origin |
/// |---|---|---|---|---|---|
/// | no  |                             |     |     |     | runtime by its command name, else workload |
/// | yes | the host's                  |     |     | no, and the container had started | doubtful |
/// | yes | the host's                  |     |     |     | runtime  |
/// | yes | executable inside, root entered | yes |  |     | doubtful: a `startContainer` hook |
/// | yes |                             | yes |     |     | runtime  |
/// | yes | executable inside           |     |     |     | workload |
/// | yes | executable elsewhere        |     | yes | yes | runtime  |
/// | yes | executable elsewhere        |     | no  | yes | doubtful |
/// | yes | executable elsewhere        |     |     | no  | workload |
pub(super) fn origin(facts: Facts) -> Origin {
    if facts.has(class::UNKNOWN) {
        return if facts.has(class::RUNTIME_NAME) { Origin::Runtime } else { Origin::Workload };
    }
    if facts.has(class::HOST) || facts.executable() == executable::HOST {
        // A process of the container may have entered the host's namespace, as node agents do.
        let entered = facts.has(class::STARTED) && !facts.has(class::PARENT_HOST);
        return if entered { Origin::Doubtful } else { Origin::Runtime };
    }
    // The container's init has not exec'd: set-up, hooks included. Once the workload runs, only the
    // init of a pid namespace that the workload itself made can be in this state.
    if facts.has(class::INIT_PENDING) && !facts.has(class::STARTED) {
        // Only a hook that is started in the container's own root runs under the filter (runtime
        // specification, "startContainer").
        let hook = facts.has(class::ENTERED) && facts.executable() == executable::INSIDE;
        return if hook { Origin::Doubtful } else { Origin::Runtime };
    }
    if !facts.is_executable_outside() {
        return Origin::Workload;
    }
    // A memfd or a detached mount: a runtime that enters the container was forked by a process of
    // the host and has not exec'd yet; a workload of that kind was exec'd, or forked by a process
    // of the container.
    match (facts.has(class::FORKED), facts.has(class::PARENT_HOST)) {
        (true, true) => Origin::Runtime,
        (false, true) => Origin::Doubtful,
        (_, false) => Origin::Workload,
    }
}
