//! The maps of the kernel side, opened and mapped into memory.

use aya::maps::{HashMap, MapData};
use aya_log::EbpfLogger;
use tracer_ebpf::{
    ARGUMENT_VALUES, CALL_EVENTS, CGROUP_EVENTS, CallEvent, CgroupEvent, Config, DENIAL_EVENTS,
    DenialEvent, EVIDENCE, MOVE_EVENTS, MoveEvent, PATH_EVENTS, PathEvent, STATS, Stats,
};

use super::{
    cgroup_table::CgroupTable,
    denials::Denials,
    error::KernelError,
    load::LoadOptions,
    maps::{ArgumentKeyPod, EventBuffer, EvidenceKeyPod, EvidencePod, Maps, typed},
    membership::Membership,
    mmap_array::MmapArray,
};

/// The ring buffers, each to be polled by its file descriptor.
pub struct Events {
    /// One event for each new cgroup.
    pub cgroups: EventBuffer<CgroupEvent>,
    /// One event for each call that was seen for the first time.
    pub calls: EventBuffer<CallEvent>,
    /// One event for each process that was moved into a tracked cgroup or out of one.
    pub moves: EventBuffer<MoveEvent>,
    /// One event for each cgroup that a process came to unreported.
    pub paths: EventBuffer<PathEvent>,
    /// One event for each call that was denied for the first time, when they are watched.
    pub denials: Option<EventBuffer<DenialEvent>>,
    /// The kernel side's log, when it was asked for.
    pub log: Option<KernelLog>,
}

/// What the kernel side logs; `flush` hands it to the sink of
/// [`super::forward_kernel_log`].
pub type KernelLog = EbpfLogger<&'static dyn ::log::Log>;

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
