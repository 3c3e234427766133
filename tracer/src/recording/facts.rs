//! What the kernel side recorded, as plain data: the input of every judgement.

use tracer_ebpf::{
    ArgumentKey, CgroupRecord, Denial, DenialKey, Evidence, EvidenceKey, NATIVE_NUMBERS, Stats,
    ThreadEnd,
};

use super::DenyOutcome;
use crate::{cgroup_path::CgroupPath, syscalls::Abi, text::Escaped};

/// Everything the kernel side knows at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The tracked cgroups that made a call, in no particular order, each once.
    pub cgroups: Vec<CgroupFacts>,
    /// Calls with an unusual origin, of another ABI, or out of range, of all cgroups.
    pub evidence: Vec<(EvidenceKey, Evidence)>,
    /// The values of arguments that were seen, of all cgroups.
    pub values: Vec<(ArgumentKey, Evidence)>,
    /// Calls that filters refused, of all cgroups; empty when they were not watched.
    pub denials: Vec<DenialFacts>,
    /// The kernel side's own counters.
    pub stats: Stats,
    /// Runs of the programs that the kernel skipped.
    pub recursion_misses: u64,
    /// Those among them of the program that sees calls being entered: a call whose entry was not
    /// seen looks denied.
    pub entry_misses: u64,
    /// Calls that found no place in the table, by cgroup.
    pub lost: Vec<(u64, u64)>,
    /// Moves of processes that were not reported to user space, by the cgroup whose process it was,
    /// or may have been.
    pub moves_lost: Vec<(u64, u64)>,
    /// Places of the verdict table that are taken, and how many there are.
    pub table_fill: (usize, usize),
}

/// A call that a filter refused, once for each way and class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DenialFacts {
    /// What distinguishes it from others.
    pub key: DenialKey,
    /// The first one, and who was the last to be refused it.
    pub denial: Denial,
    /// How that thread ended, if it did.
    pub end: Option<ThreadEnd>,
    /// How many calls that thread has entered by now, if it lives.
    pub calls_now: Option<u32>,
}

/// A call that a filter logged and let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Id of the cgroup.
    pub cgroup: u64,
    /// The ABI it was called through.
    pub abi: Abi,
    /// The number in that ABI's table.
    pub number: i32,
    /// How it was refused.
    pub outcome: DenyOutcome,
    /// How often it was logged.
    pub count: u64,
    /// When it was first logged: nanoseconds since boot.
    pub first_seen: u64,
    /// Command name of the task that was first logged, escaped.
    pub command: Escaped,
}

/// Moves of processes between two cgroups, as the kernel side saw them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Id of the cgroup that they left.
    pub from: u64,
    /// Id of the cgroup that they were moved to.
    pub to: u64,
    /// Path of that cgroup, when the kernel reported it.
    pub path: Option<CgroupPath>,
    /// Their calls belong to the target that they left.
    pub followed: bool,
    /// How many processes.
    pub processes: u64,
    /// Command name of the first one, escaped.
    pub command: Escaped,
}

/// What was recorded of one cgroup.
#[derive(Clone, Debug, PartialEq)]
pub struct CgroupFacts {
    /// The cgroup's id.
    pub id: u64,
    /// The sets and flags.
    pub record: CgroupRecord,
    /// Calls by native number over all CPUs; None when this cgroup was not counted.
    pub counts: Option<Box<[u64; NATIVE_NUMBERS]>>,
}

impl CgroupFacts {
    /// Adds what was recorded of the same cgroup in another place.
    pub fn add(&mut self, other: &Self) {
        let (record, more) = (&mut self.record, &other.record);
        record.flags |= more.flags;
        record.runtime_namespace = record.runtime_namespace.max(more.runtime_namespace);
        let sets = [(&mut record.container, &more.container), (&mut record.host, &more.host)];
        for (set, more) in sets {
            for (word, more) in set.as_flattened_mut().iter_mut().zip(more.as_flattened()) {
                *word |= more;
            }
        }
        for (first, other) in record.first_seen.iter_mut().zip(more.first_seen) {
            *first = [*first, other].into_iter().filter(|time| *time != 0).min().unwrap_or(0);
        }
        match (&mut self.counts, &other.counts) {
            (Some(counts), Some(more)) => {
                counts.iter_mut().zip(more.iter()).for_each(|(count, more)| *count += more);
            }
            (counts @ None, more) => counts.clone_from(more),
            (Some(_), None) => {}
        }
    }
}

/// Seconds from one moment to a later one, to the microsecond; negative when it was before.
pub(super) fn seconds_between(start: u64, end: u64) -> f64 {
    let micros = (i128::from(end) - i128::from(start)) / 1000;
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_places_of_a_cgroup_are_one() {
        let facts = |bit: u64, first: u64| {
            let mut record = CgroupRecord {
                verdict: 7,
                count_slot: 1,
                flags: bit,
                first_seen: [first, 0, 0, 0],
                ..CgroupRecord::EMPTY
            };
            record.container[1][2] = bit;
            CgroupFacts { id: 7, record, counts: Some(Box::new([bit; NATIVE_NUMBERS])) }
        };
        let mut one = facts(1, 9);
        one.add(&facts(2, 5));
        assert_eq!((one.record.flags, one.record.container[1][2]), (3, 3));
        assert_eq!(one.record.first_seen, [5, 0, 0, 0]);
        assert_eq!(one.counts.map(|counts| counts[3]), Some(3));
    }
}
