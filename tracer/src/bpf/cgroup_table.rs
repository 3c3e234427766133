//! The table of cgroups: what was recorded of each, and how cgroups that are no target's give their
//! places back.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use aya::maps::{HashMap, MapData, PerCpuArray, PerCpuValues, Queue};
use rustix::thread::{MembarrierCommand, membarrier};
use tracer_ebpf::{
    CALLS_LOST, COUNTS, CgroupRecord, Counts, DISMISSED, FREE_COUNTS, ID_MASK, KNOWN_VALUES,
    KnownValue, NATIVE_NUMBERS, RECORDS, Stats, TRACKED, VISITED_BIT, flags,
};

use super::{
    error::KernelError,
    maps::{CountsPod, Maps, map_error, typed},
    mmap_array::MmapArray,
    sizes::EVIDENCE_ENTRIES,
};
use crate::recording::facts::CgroupFacts;

/// How long a run of the program that looked the cgroup up before may still write to a dismissed
/// cgroup's place, where the kernel has no way to wait for such runs. A run takes some
/// microseconds, and longer only when its task is preempted in it.
const GRACE: Duration = Duration::from_secs(1);
/// A table is crowded when new cgroups took one of so many places.
const CROWDED: u64 = 16;
/// It is crowded as well when there are so many new cgroups. All cgroups share the evidence map,
/// and a container that runc starts leaves some 200 keys in it: the map would be full of other
/// cgroups' keys long before the table is.
const MOST_NEW: u64 = EVIDENCE_ENTRIES as u64 / 1024;

/// The map of the values of arguments is crowded when new values took one of so many places.
const CROWDED_VALUES: u64 = 8;

/// The cgroups that made a call, and their counters.
pub(super) struct CgroupTable {
    records: MmapArray<CgroupRecord>,
    counts: Option<PerCpuArray<MapData, CountsPod>>,
    free_counts: Queue<MapData, u32>,
    known_values: MmapArray<u64>,
    lost: HashMap<MapData, u64, u64>,
    dismissed: Vec<Dismissed>,
    /// How many cgroups had taken a place, and how many values there had been, when places were
    /// last given back.
    claims: u64,
    values: u64,
    /// How many values there is room for.
    most_values: u64,
}

/// Totals over some cgroups.
pub(super) struct CgroupTotals {
    /// Their calls; None when calls are not counted.
    pub(super) calls: Option<u64>,
    /// How many of the cgroups lost values of arguments.
    pub(super) without_values: u64,
}

/// A place that will be free.
struct Dismissed {
    index: usize,
    cgroup: u64,
    since: Instant,
}

impl CgroupTable {
    pub(super) fn new(
        maps: &mut Maps,
        counted: bool,
        most_values: u32,
    ) -> Result<Self, KernelError> {
        Ok(Self {
            records: MmapArray::new(maps.take(RECORDS)?, RECORDS)?,
            counts: if counted { Some(typed(maps.take(COUNTS)?, COUNTS)?) } else { None },
            free_counts: typed(maps.take(FREE_COUNTS)?, FREE_COUNTS)?,
            known_values: MmapArray::new(maps.take(KNOWN_VALUES)?, KNOWN_VALUES)?,
            lost: typed(maps.take(CALLS_LOST)?, CALLS_LOST)?,
            dismissed: Vec::new(),
            claims: 0,
            values: 0,
            most_values: most_values.into(),
        })
    }

    /// The tracked cgroups, each once; how many places are taken, and how many there are.
    pub(super) fn read(&self) -> Result<(Vec<CgroupFacts>, (usize, usize)), KernelError> {
        let mut cgroups: BTreeMap<u64, CgroupFacts> = BTreeMap::new();
        let mut used = 0;
        for index in 0..self.records.len() {
            let verdict = self.records.first_word(index);
            used += usize::from(verdict != 0);
            if verdict & TRACKED == 0 {
                continue;
            }
            let record = self.records.read(index);
            let facts = CgroupFacts {
                id: verdict & ID_MASK,
                counts: self.counts_of(record.count_slot)?,
                record: record.with_watched_calls(),
            };
            match cgroups.get_mut(&facts.id) {
                // Two CPUs may claim two places for one cgroup when one is given back between them.
                Some(known) => known.add(&facts),
                None => {
                    cgroups.insert(facts.id, facts);
                }
            }
        }
        Ok((cgroups.into_values().collect(), (used, self.records.len())))
    }

    /// Totals over the tracked cgroups that `is_target` names.
    pub(super) fn totals(
        &self,
        is_target: impl Fn(u64) -> bool,
    ) -> Result<CgroupTotals, KernelError> {
        let mut calls = self.counts.is_some().then_some(0);
        let mut without_values = HashSet::new();
        for index in 0..self.records.len() {
            let verdict = self.records.first_word(index);
            let cgroup = verdict & ID_MASK;
            if verdict & TRACKED == 0 || !is_target(cgroup) {
                continue;
            }
            let record = self.records.read(index);
            if record.flags & flags::VALUES_LOST != 0 {
                without_values.insert(cgroup);
            }
            if let (Some(calls), Some(counts)) = (&mut calls, self.counts_of(record.count_slot)?) {
                *calls += counts.iter().sum::<u64>();
            }
        }
        Ok(CgroupTotals { calls, without_values: without_values.len() as u64 })
    }

    /// Calls of tracked cgroups that found no place, by cgroup.
    pub(super) fn lost(&self) -> Result<Vec<(u64, u64)>, KernelError> {
        self.lost.iter().collect::<Result<_, _>>().map_err(map_error(CALLS_LOST, "reading"))
    }

    /// The sum over all CPUs of one cgroup's counters; None without a slot.
    fn counts_of(&self, slot: u64) -> Result<Option<Box<[u64; NATIVE_NUMBERS]>>, KernelError> {
        let Some(counts) = &self.counts else { return Ok(None) };
        let Some(index) = u32::try_from(slot).ok().filter(|index| *index > 0) else {
            return Ok(None);
        };
        let mut sums = Box::new([0; NATIVE_NUMBERS]);
        let per_cpu = counts.get(&index, 0).map_err(map_error(COUNTS, "reading"))?;
        for cpu in per_cpu.iter() {
            for (sum, count) in sums.iter_mut().zip(cpu.0.0) {
                *sum += count;
            }
        }
        Ok(Some(sums))
    }

    /// There are so many new cgroups, or values of arguments, since places were last given back
    /// that it is worth looking for places.
    pub(super) fn is_crowded(&self, stats: &Stats) -> bool {
        let new = stats.claims.saturating_sub(self.claims);
        let new_values = stats.values.saturating_sub(self.values);
        new_values >= self.most_values / CROWDED_VALUES
            || new >= MOST_NEW.min(self.records.len() as u64 / CROWDED)
            || self.dismissed.first().is_some_and(|oldest| oldest.since.elapsed() > GRACE)
    }

    /// Dismisses the cgroups that `is_foreign` says are no target's: their calls are not recorded
    /// any more. Gives back the places of those that were dismissed long enough ago, and returns
    /// their ids.
    pub(super) fn dismiss(
        &mut self,
        stats: &Stats,
        is_foreign: impl Fn(u64) -> bool,
    ) -> Result<HashSet<u64>, KernelError> {
        (self.claims, self.values) = (stats.claims, stats.values);
        for index in 0..self.records.len() {
            let word = self.records.first_word(index);
            let cgroup = word & ID_MASK;
            if word & TRACKED == 0 || !is_foreign(cgroup) {
                continue;
            }
            let dismissed = cgroup | word & VISITED_BIT | DISMISSED;
            if self.records.replace_first_word(index, word, dismissed) {
                self.dismissed.push(Dismissed { index, cgroup, since: Instant::now() });
            }
        }
        let ready = if have_runs_ended() {
            self.dismissed.len()
        } else {
            self.dismissed.partition_point(|one| one.since.elapsed() > GRACE)
        };
        let mut freed = HashSet::new();
        let ready: Vec<Dismissed> = self.dismissed.drain(..ready).collect();
        self.forget_values(&ready.iter().map(|dismissed| dismissed.index).collect());
        for Dismissed { index, cgroup, .. } in ready {
            self.free(index)?;
            freed.insert(cgroup);
        }
        Ok(freed)
    }

    /// Forgets the values of cgroups whose places are given back.
    fn forget_values(&self, records: &HashSet<usize>) {
        if records.is_empty() {
            return;
        }
        for index in 0..self.known_values.len() {
            let word = self.known_values.first_word(index);
            if word != 0 && records.contains(&KnownValue(word).record()) {
                self.known_values.replace_first_word(index, word, 0);
            }
        }
    }

    /// Makes the place of a dismissed cgroup one that holds no evidence.
    fn free(&mut self, index: usize) -> Result<(), KernelError> {
        let slot = self.records.read(index).count_slot;
        if let (Some(counts), Ok(slot @ 1..)) = (&mut self.counts, u32::try_from(slot)) {
            let cpus = counts.get(&slot, 0).map_err(map_error(COUNTS, "reading"))?.len();
            let zeros = PerCpuValues::try_from(vec![CountsPod(Counts([0; NATIVE_NUMBERS])); cpus]);
            let zeros = zeros.map_err(|error| map_error(COUNTS, "clearing")(error.into()))?;
            counts.set(slot, zeros, 0).map_err(map_error(COUNTS, "clearing"))?;
            // A queue that is full forgets the place: cgroups are counted as long as there are
            // others.
            let _ = self.free_counts.push(&slot, 0);
        }
        self.records.clear_behind_first_word(index);
        let word = self.records.first_word(index);
        self.records.replace_first_word(index, word, word & !DISMISSED);
        Ok(())
    }
}

/// Waits until every run of the kernel side that is under way has ended. A run is a read-side
/// critical section of RCU, and this command waits for those (`kernel/sched/membarrier.c`). False
/// where the kernel does not have the command.
fn have_runs_ended() -> bool {
    membarrier(MembarrierCommand::Global).is_ok()
}
