//! The maps of the kernel side, opened and mapped into memory.

use aya::maps::{HashMap, MapData};
use tracer_ebpf::{
    ARGUMENT_VALUES, CALL_EVENTS, CGROUP_EVENTS, Config, DENIAL_EVENTS, EVIDENCE, MOVE_EVENTS,
    PATH_EVENTS, STATS, Stats,
};

use super::{
    cgroup_table::CgroupTable,
    denials::Denials,
    error::KernelError,
    load::LoadOptions,
    maps::{ArgumentKeyPod, EventBuffer, EvidenceKeyPod, EvidencePod, Maps, typed},
    membership::Membership,
    mmap_array::MmapArray,
    recorder::Events,
};

/// What a recording reads and writes.
pub(super) struct Tables {
    pub(super) cgroups: CgroupTable,
    pub(super) membership: Membership,
    pub(super) stats: MmapArray<Stats>,
    pub(super) evidence: HashMap<MapData, EvidenceKeyPod, EvidencePod>,
    pub(super) values: HashMap<MapData, ArgumentKeyPod, EvidencePod>,
    /// None when denied calls are not watched.
    pub(super) denials: Option<Denials>,
    pub(super) events: Events,
}

impl Tables {
    /// Opens the maps. The programs need not be loaded.
    pub(super) fn new(
        maps: &mut Maps,
        options: &LoadOptions,
        config: &Config,
    ) -> Result<Self, KernelError> {
        let denied = options.denied;
        Ok(Self {
            cgroups: CgroupTable::new(maps, config.count_slots > 0, options.argument_values)?,
            membership: Membership::new(maps)?,
            stats: MmapArray::new(maps.take(STATS)?, STATS)?,
            evidence: typed(maps.take(EVIDENCE)?, EVIDENCE)?,
            values: typed(maps.take(ARGUMENT_VALUES)?, ARGUMENT_VALUES)?,
            denials: denied.then(|| Denials::new(maps)).transpose()?,
            events: Events {
                cgroups: EventBuffer::new(maps, CGROUP_EVENTS)?,
                calls: EventBuffer::new(maps, CALL_EVENTS)?,
                moves: EventBuffer::new(maps, MOVE_EVENTS)?,
                paths: EventBuffer::new(maps, PATH_EVENTS)?,
                denials: denied.then(|| EventBuffer::new(maps, DENIAL_EVENTS)).transpose()?,
                log: None,
            },
        })
    }
}
