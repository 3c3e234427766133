//! What each of several recordings brings: the syscalls that no recording before it has, and the
//! syscalls that few of them have.

use std::collections::{BTreeMap, BTreeSet};

use super::{Phase, Recording, merge};
use crate::syscalls;

/// What a recording brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contribution {
    /// How many different syscalls it has, of those that a profile is made of.
    pub syscalls: usize,
    /// Those that no recording before it has; sorted.
    pub new: Vec<&'static str>,
    /// The place of an earlier recording that holds the same: this one does not count.
    pub same_as: Option<usize>,
    /// What it lacks and no other recording makes up for, in sentences as in
    /// [`Recording::incomplete_reasons`].
    pub missing: Vec<String>,
}

/// Several recordings side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contributions {
    /// What each brings, in the order in which they were given.
    pub parts: Vec<Contribution>,
    /// In how many recordings the workload made each syscall.
    pub runs: BTreeMap<&'static str, usize>,
}

impl Contributions {
    /// Compares recordings. `accept_late_start`: a start that was not seen is not missing.
    pub fn of(recordings: &[Recording], accept_late_start: bool) -> Self {
        let mut all = Self::default();
        let mut known: BTreeSet<&'static str> = BTreeSet::new();
        let same = merge::repetitions(recordings);
        let missing = merge::missing(recordings, &same, accept_late_start);
        for ((recording, same_as), missing) in recordings.iter().zip(same).zip(missing) {
            let counts = |phase| matches!(phase, Phase::Workload | Phase::ContainerInit);
            let names = names(recording, counts);
            let new = names.iter().copied().filter(|name| known.insert(name)).collect();
            if same_as.is_none() {
                for name in self::names(recording, |phase| phase == Phase::Workload) {
                    *all.runs.entry(name).or_default() += 1;
                }
            }
            all.parts.push(Contribution { syscalls: names.len(), new, same_as, missing });
        }
        all
    }

    /// How many recordings count.
    pub fn recordings(&self) -> usize {
        self.parts.iter().filter(|part| part.same_as.is_none()).count()
    }

    /// The syscalls that the workload made in fewer recordings than this.
    pub fn rarer_than(&self, recordings: usize) -> impl Iterator<Item = (&'static str, usize)> {
        let runs = self.runs.iter().map(|(name, runs)| (*name, *runs));
        runs.filter(move |(_, runs)| *runs < recordings)
    }
}

/// The names of the syscalls that were made in these phases, through any ABI.
fn names(recording: &Recording, counts: impl Fn(Phase) -> bool) -> BTreeSet<&'static str> {
    let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
    let counted = calls.filter(|call| counts(call.phase));
    counted.filter_map(|call| syscalls::name(call.abi, call.number)).collect()
}
