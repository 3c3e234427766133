//! What the kernel side recorded, as plain data: the input of every judgement.

use tracer_ebpf::{
    ArgumentKey, CgroupRecord, Denial, DenialKey, Evidence, EvidenceKey, NATIVE_NUMBERS, Stats,
    ThreadEnd,
};

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
    pub denials: Vec<Refused>,
    /// The kernel side's own counters.
    pub stats: Stats,
    /// Runs of the programs that the kernel skipped.
    pub recursion_misses: u64,
    /// Those among them of the program that sees calls being entered: a call whose entry was not seen looks denied.
    pub entry_misses: u64,
    /// Calls that found no place in the table, by cgroup.
    pub lost: Vec<(u64, u64)>,
    /// Moves of processes that user space was not told of, by the cgroup whose process it was, or may have been.
    pub moves_lost: Vec<(u64, u64)>,
    /// Places of the verdict table that are taken, and how many there are.
    pub table_fill: (usize, usize),
}

/// A call that a filter refused, once for each way and class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it is told apart by.
    pub key: DenialKey,
    /// The first one, and who was the last to be refused it.
    pub denial: Denial,
    /// How that thread ended, if it did.
    pub end: Option<ThreadEnd>,
    /// How many calls that thread has entered by now, if it lives.
    pub calls_now: Option<u32>,
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
        record.outer = record.outer.max(more.outer);
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
