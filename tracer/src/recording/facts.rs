//! What the kernel side recorded, as plain data: the input of every judgement.

use tracer_ebpf::{CgroupRecord, DenialKey, Evidence, EvidenceKey, NATIVE_NUMBERS, Stats};

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
    /// Runs of the programs that the kernel skipped.
    pub recursion_misses: u64,
    /// Those among them of the program that sees calls being entered: a call whose entry was not seen looks denied.
    pub entry_misses: u64,
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
