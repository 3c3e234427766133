//! The maps of denied calls.

use std::collections::HashSet;

use aya::maps::{HashMap, MapData};
use tracer_ebpf::{
    DENIALS, Denial, DenialKey, ENDS, PROCESSES, TASKS, TOLD_APART, arguments::told_apart_key,
    task_state,
};

use super::{
    error::KernelError,
    maps::{DenialKeyPod, DenialPod, Maps, ThreadEndPod, ToldApartPod, map_error, typed},
};
use crate::{
    recording::facts::DenialFacts,
    syscalls::{arguments::told_apart, as_the_kernel_shows},
};

/// The calls that filters denied.
pub(super) struct Denials {
    denials: HashMap<MapData, DenialKeyPod, DenialPod>,
    ends: HashMap<MapData, u32, ThreadEndPod>,
    tasks: HashMap<MapData, u32, u32>,
}

impl Denials {
    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        let mut apart: HashMap<_, u32, ToldApartPod> =
            HashMap::try_from(maps.get(TOLD_APART)?).map_err(map_error(TOLD_APART, "opening"))?;
        for (abi, number, how) in told_apart() {
            let (number, compat) = as_the_kernel_shows(abi, number);
            apart
                .insert(&told_apart_key(number, compat), &ToldApartPod(how), 0)
                .map_err(map_error(TOLD_APART, "filling"))?;
        }
        Ok(Self {
            denials: typed(maps.take(DENIALS)?, DENIALS)?,
            ends: typed(maps.take(ENDS)?, ENDS)?,
            tasks: typed(maps.take(TASKS)?, TASKS)?,
        })
    }

    /// All of them.
    pub(super) fn read(&self) -> Result<Vec<DenialFacts>, KernelError> {
        let entries = self.denials.iter();
        let refused = entries.map(|entry| entry.map(|(key, value)| self.refused(key.0, value.0)));
        refused.collect::<Result<_, _>>().map_err(map_error(DENIALS, "reading"))
    }

    /// A refused call, with what became of the thread that was refused it last.
    fn refused(&self, key: DenialKey, denial: Denial) -> DenialFacts {
        let thread = denial.last_thread as u32;
        let end = self.ends.get(&thread, 0).ok().map(|end| end.0);
        let state = self.tasks.get(&thread, 0).ok();
        DenialFacts {
            key,
            denial,
            // An end before that is the end of another thread with the same id.
            end: end.filter(|end| end.time >= denial.last_seen),
            calls_now: state.map(|state| state >> task_state::CALLS_SHIFT),
        }
    }

    /// Forgets those of some cgroups, in which no call is made any more.
    pub(super) fn forget(&mut self, cgroups: &HashSet<u64>) {
        let keys = self.denials.keys().filter_map(Result::ok);
        let gone: Vec<_> = keys.filter(|key| cgroups.contains(&key.0.call.cgroup)).collect();
        for key in gone {
            // A missing entry is as good.
            let _ = self.denials.remove(&key);
        }
    }
}

/// Which cgroup each process is in, or was in before it ended: of those that made a call in a
/// tracked cgroup.
pub struct Processes(HashMap<MapData, u32, u64>);

impl Processes {
    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        Ok(Self(typed(maps.take(PROCESSES)?, PROCESSES)?))
    }

    /// The id of the cgroup of a process. None: it made no call in a tracked cgroup, or was
    /// forgotten.
    pub fn cgroup(&self, pid: u32) -> Option<u64> {
        self.0.get(&pid, 0).ok()
    }
}
