//! The maps of denied calls.

use std::collections::HashSet;

use aya::{
    Ebpf,
    maps::{HashMap, MapData},
};
use tracer_ebpf::{DENIALS, DenialKey, Evidence, PROCESSES};

use super::{
    KernelError,
    maps::{DenialKeyPod, EvidencePod, map_error, take, typed},
};

/// The calls that filters refused.
pub(super) struct Denials(HashMap<MapData, DenialKeyPod, EvidencePod>);

impl Denials {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        Ok(Self(typed(take(ebpf, DENIALS)?, DENIALS)?))
    }

    /// All of them.
    pub(super) fn read(&self) -> Result<Vec<(DenialKey, Evidence)>, KernelError> {
        let entries = self.0.iter().map(|entry| entry.map(|(key, value)| (key.0, value.0)));
        entries.collect::<Result<_, _>>().map_err(map_error(DENIALS, "reading"))
    }

    /// Forgets those of some cgroups, in which no call is made any more.
    pub(super) fn forget(&mut self, cgroups: &HashSet<u64>) {
        let keys = self.0.keys().filter_map(Result::ok);
        let gone: Vec<_> = keys.filter(|key| cgroups.contains(&key.0.call.cgroup)).collect();
        for key in gone {
            // One that is not there any more is as good.
            let _ = self.0.remove(&key);
        }
    }
}

/// Which cgroup each process is in, or was in before it ended: of those that made a call in a tracked cgroup.
pub struct Processes(HashMap<MapData, u32, u64>);

impl Processes {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        Ok(Self(typed(take(ebpf, PROCESSES)?, PROCESSES)?))
    }

    /// The id of the cgroup of a process. None: it made no call in a tracked cgroup, or was forgotten.
    pub fn cgroup(&self, pid: u32) -> Option<u64> {
        self.0.get(&pid, 0).ok()
    }
}
