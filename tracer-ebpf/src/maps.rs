//! The maps, the loader's configuration, and the loss counters.

use core::ptr::addr_of_mut;

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, Queue, RingBuf},
};
use tracer_ebpf::{
    ArgumentKey, CgroupRecord, Counts, Denial, DenialKey, Evidence, EvidenceKey, KNOWN_VALUES_LOG2,
    Member, Stats, ThreadEnd, ToldApart,
};

use crate::atomic;

// The loader gives every map its real size. The names are those of the shared library. Every map
// has its memory from the beginning: where a program must ask for memory the kernel may have none
// at hand, and kernels before 6.1 warn.
#[map]
pub static RECORDS: Array<CgroupRecord> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
pub static COUNTS: PerCpuArray<Counts> = PerCpuArray::with_max_entries(1, 0);
#[map]
pub static ROOTS: HashMap<u64, u8> = HashMap::with_max_entries(64, 0);
#[map]
pub static TARGETS: HashMap<u64, u8> = HashMap::with_max_entries(1, 0);
#[map]
pub static MEMBERS: HashMap<u32, Member> = HashMap::with_max_entries(1, 0);
#[map]
pub static VISITED: HashMap<u64, u8> = HashMap::with_max_entries(1, 0);
#[map]
pub static MOVE_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub static PATH_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub static MOVES_LOST: HashMap<u64, u64> = HashMap::with_max_entries(1, 0);
#[map]
pub static CALLS_LOST: HashMap<u64, u64> = HashMap::with_max_entries(1, 0);
#[map]
pub static FREE_COUNTS: Queue<u32> = Queue::with_max_entries(1, 0);
#[map]
pub static EVIDENCE: HashMap<EvidenceKey, Evidence> = HashMap::with_max_entries(1, 0);
#[map]
pub static ARGUMENT_VALUES: HashMap<ArgumentKey, Evidence> = HashMap::with_max_entries(1, 0);
#[map]
pub static KNOWN_VALUES: Array<u64> =
    Array::with_max_entries(1 << KNOWN_VALUES_LOG2, BPF_F_MMAPABLE);
#[map]
pub static CGROUP_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub static CALL_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub static TASKS: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);
#[map]
pub static PROCESSES: LruHashMap<u32, u64> = LruHashMap::with_max_entries(1, 0);
#[map]
pub static DENIALS: HashMap<DenialKey, Denial> = HashMap::with_max_entries(1, 0);
#[map]
pub static TOLD_APART: HashMap<u32, ToldApart> = HashMap::with_max_entries(1, 0);
#[map]
pub static ENDS: LruHashMap<u32, ThreadEnd> = LruHashMap::with_max_entries(1, 0);
#[map]
pub static DENIAL_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
pub static STATS: Array<Stats> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// One field of [`Config`], a constant that the loader puts in.
macro_rules! config {
    ($field:ident) => {{
        let value: u64;
        // SAFETY: sets a register.
        unsafe {
            core::arch::asm!(
                "{0} = {1}",
                out(reg) value,
                const tracer_ebpf::CONST_PLACEHOLDER + (core::mem::offset_of!(tracer_ebpf::Config, $field) / 4) as i32,
                options(pure, nomem, nostack),
            );
        }
        value as u32
    }};
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
    Members,
    MoveEvents,
    Claims,
    Values,
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
            Counter::Members => addr_of_mut!((*stats).members_lost),
            Counter::MoveEvents => addr_of_mut!((*stats).move_events_lost),
            Counter::Claims => addr_of_mut!((*stats).claims),
            Counter::Values => addr_of_mut!((*stats).values),
        };
        atomic::add(word, 1);
    }
}
