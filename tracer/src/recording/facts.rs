//! What the kernel side recorded, as plain data: the input of every judgement.

use tracer_ebpf::{CgroupRecord, DenialKey, Evidence, EvidenceKey, NATIVE_NUMBERS, Stats, class};

/// Everything the kernel side knows at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The tracked cgroups that made a call, in no particular order, each once.
    pub cgroups: Vec<CgroupFacts>,
    /// Calls with an unusual origin, of another ABI, or out of range, of all cgroups.
    pub evidence: Vec<(EvidenceKey, Evidence)>,
    /// Calls that filters refused, of all cgroups; empty when they were not watched.
    pub denials: Vec<(DenialKey, Evidence)>,
    /// The kernel side's own counters.
    pub stats: Stats,
    /// Runs of the program that the kernel skipped.
    pub recursion_misses: u64,
    /// Places of the verdict table that are taken, and how many there are.
    pub table_fill: (usize, usize),
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

/// What is known of the filters that a target runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filters {
    /// No call was seen: nothing is known.
    NoCalls,
    /// Nothing is known: the facts of tasks cannot be read without kernel BTF.
    Unknown,
    /// Every call was made without a filter.
    None,
    /// A call was made under a filter.
    Some,
}

impl Snapshot {
    /// What is known of filters in the cgroups of these ids.
    pub fn filters(&self, is_meant: impl Fn(u64) -> bool) -> Filters {
        let records = self.cgroups.iter().filter(|cgroup| is_meant(cgroup.id));
        let mut levels = [false; 4];
        for cgroup in records {
            for (level, seen) in levels.iter_mut().enumerate() {
                let sets = [&cgroup.record.container[level], &cgroup.record.host[level]];
                *seen |= sets.iter().any(|set| set.iter().any(|word| *word != 0));
            }
        }
        let evidence = self.evidence.iter().map(|(key, _)| key);
        let denials = self.denials.iter().map(|(key, _)| &key.call);
        for key in evidence.chain(denials).filter(|key| is_meant(key.cgroup)) {
            if key.class & class::UNKNOWN != 0 {
                return Filters::Unknown;
            }
            levels[usize::from(key.class & class::FILTERS_MASK)] = true;
        }
        match levels {
            [false, false, false, false] => Filters::NoCalls,
            [true, false, false, false] => Filters::None,
            _ => Filters::Some,
        }
    }
}
