//! The maps, the loader's configuration, and the loss counters.

use core::ptr::addr_of_mut;

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC},
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use tracer_ebpf::{CgroupRecord, Config, Counts, DenialKey, Evidence, EvidenceKey, Stats};

use crate::atomic;

// The loader gives every map its real size. The names are those of the shared library.
#[map]
pub static RECORDS: Array<CgroupRecord> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
pub static COUNTS: PerCpuArray<Counts> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub static ROOTS: HashMap<u64, u8> = HashMap::with_max_entries(64, 0);
#[map]
pub static EVIDENCE: HashMap<EvidenceKey, Evidence> =
    HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);
#[map]
pub static CGROUP_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub static CALL_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub static TASKS: HashMap<u32, u32> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);
#[map]
pub static PROCESSES: LruHashMap<u32, u64> = LruHashMap::with_max_entries(1, 0);
#[map]
pub static DENIALS: HashMap<DenialKey, Evidence> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);
#[map]
pub static DENIAL_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub static STATS: Array<Stats> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Filled in by the loader, in a map that is frozen before the program is verified.
#[unsafe(no_mangle)]
pub static CONFIG: Config = Config {
    btf: 0,
    verdicts_log2: 0,
    count_slots: 0,
    host_mount_namespace: 0,
    task_cgroups: 0,
    css_set_default_cgroup: 0,
    cgroup_node: 0,
    node_id: 0,
    node_name: 0,
    task_status: 0,
    task_flags: 0,
    task_atomic_flags: 0,
    task_filter_count: 0,
    task_filter: 0,
    filter_allow_native: 0,
    filter_allow_native_words: 0,
    task_namespaces: 0,
    task_parent: 0,
    task_leader: 0,
    task_memory: 0,
    namespaces_mount: 0,
    namespaces_pid_for_children: 0,
    mount_namespace_inode: 0,
    pid_namespace_init: 0,
    memory_executable: 0,
    file_mount: 0,
    mount_namespace: 0,
    task_pending_signals: 0,
    task_exit_code: 0,
    task_signal: 0,
    signal_flags: 0,
};

/// Reads a field of [`CONFIG`]: volatile, so that the compiler does not use the zero that it sees; the verifier sees the
/// loader's value as a constant.
#[inline(always)]
pub fn read_config(field: &u32) -> u32 {
    // SAFETY: a reference is valid.
    unsafe { core::ptr::read_volatile(field) }
}

/// One field of [`CONFIG`].
macro_rules! config {
    ($field:ident) => {
        $crate::maps::read_config(&$crate::maps::CONFIG.$field)
    };
}
pub(crate) use config;

/// One counter of [`Stats`].
#[derive(Clone, Copy)]
pub enum Counter {
    Calls,
    Evidence,
    Compat,
    CgroupEvents,
    CallEvents,
    Tasks,
    Denials,
    DenialEvents,
}

/// Adds one to a counter.
pub fn count_loss(counter: Counter) {
    let Some(stats) = STATS.get_ptr_mut(0) else { return };
    // SAFETY: `stats` points to the one value of the map.
    unsafe {
        let word = match counter {
            Counter::Calls => addr_of_mut!((*stats).calls_lost),
            Counter::Evidence => addr_of_mut!((*stats).evidence_lost),
            Counter::Compat => addr_of_mut!((*stats).compat_lost),
            Counter::CgroupEvents => addr_of_mut!((*stats).cgroup_events_lost),
            Counter::CallEvents => addr_of_mut!((*stats).call_events_lost),
            Counter::Tasks => addr_of_mut!((*stats).tasks_lost),
            Counter::Denials => addr_of_mut!((*stats).denials_lost),
            Counter::DenialEvents => addr_of_mut!((*stats).denial_events_lost),
        };
        atomic::add(word, 1);
    }
}
