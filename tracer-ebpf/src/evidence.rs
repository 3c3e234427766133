//! What is recorded of a call: a bit and a count on the hot path; facts, first sight and events on
//! the cold one.

use core::{
    ffi::c_void,
    ptr::{addr_of, addr_of_mut, read_volatile, write_volatile},
};

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_ktime_get_boot_ns};
use tracer_ebpf::{
    CgroupRecord, Evidence, EvidenceKey, FILTER_LEVELS, RUNTIME_NAMESPACE_KNOWN, WORDS,
    architecture::ENTER_ROOT, class, flags,
};

use crate::{
    announcements::{announce_call, of_words, words},
    argument_values::{self, Watched},
    atomic,
    maps::{COUNTS, Counter, EVIDENCE, FREE_COUNTS, STATS, config, count_loss},
    passed_arguments::Context,
    task::{self, Task},
    verdict::Found,
    verifier::barrier_var,
};

/// `count_slot` when no place was left, or nothing is counted: no index of the map.
const NO_SLOT: u64 = u64::MAX;
/// Facts that keep a call out of the container's set, whatever else holds.
const UNUSUAL: u16 = class::EXECUTABLE_MASK | class::INIT_PENDING | class::RUNTIME_NAME;
/// `-EEXIST`: another CPU inserted the key first.
pub const EXISTS: i32 = -17;

/// The word and the bit of a native number in a set.
#[inline(always)]
fn place(number: u32) -> (usize, u64) {
    ((number >> 6) as usize & (WORDS - 1), 1 << (number & 63))
}

/// Keeps where the runtime works that makes a container in a new cgroup.
#[inline(never)]
pub fn record_runtime_namespace(found: Found) -> u32 {
    let Some(record) = found.record() else { return 0 };
    let runtime_namespace = u64::from(Task::namespace_of_runtime()) | RUNTIME_NAMESPACE_KNOWN;
    // SAFETY: `record` points to a value of the map.
    unsafe { write_volatile(addr_of_mut!((*record).runtime_namespace), runtime_namespace) };
    0
}

/// [`CgroupRecord::runtime_namespace`]; 0 when there is none, or when it is not filled in yet.
#[inline(always)]
fn runtime_namespace(record: *const CgroupRecord) -> u32 {
    // SAFETY: `record` points to a value of the map.
    unsafe { read_volatile(addr_of!((*record).runtime_namespace)) as u32 }
}

/// The same for the facts about the current task. Another CPU may have claimed the record for the
/// first call and not have filled it in: two threads of a runtime come into a cgroup at once. What
/// the one will find there, the other finds as well.
#[inline(never)]
pub fn runtime_namespace_now(record: *mut CgroupRecord) -> u32 {
    // SAFETY: `record` points to a value of the map.
    let known = unsafe { read_volatile(addr_of!((*record).runtime_namespace)) };
    if known & RUNTIME_NAMESPACE_KNOWN == 0 { Task::namespace_of_runtime() } else { known as u32 }
}

/// Records a call of the native ABI. Hot: one bit test for a call that the container made before.
#[inline(always)]
pub fn note_native<C: Context>(
    context: *const c_void,
    record: *mut CgroupRecord,
    cgroup: u64,
    number: u32,
    task: &Task,
) {
    let level = task.filter_level() as usize & (FILTER_LEVELS - 1);
    let (word, bit) = place(number);
    // SAFETY: `record` points to a value of the map, the indexes are masked.
    unsafe {
        // Once a container runs here, a task of the host is looked at more closely; before, the
        // container's set is empty.
        if read_volatile(addr_of!((*record).flags)) & flags::STARTED != 0 {
            if read_volatile(addr_of!((*record).container[level][word])) & bit != 0 {
                return;
            }
        } else if task.has_facts()
            && read_volatile(addr_of!((*record).host[level][word])) & bit != 0
            && task.is_host(|| runtime_namespace(record))
        {
            return;
        }
    }
    first_sight::<C>(context, record, cgroup, number);
}

/// A native call that is in neither set of its cgroup, or was made by a task in neither position:
/// looks at the facts. A call whose arguments are looked at is in neither set, and comes here each
/// time.
#[inline(never)]
fn first_sight<C: Context>(
    context: *const c_void,
    record: *mut CgroupRecord,
    cgroup: u64,
    number: u32,
) -> u32 {
    let call = Watched::new(number, false);
    let task = Task::current();
    let level = barrier_var(task.filter_level().into(), cgroup) as usize & (FILTER_LEVELS - 1);
    if call.is_watched() && is_known::<C>(context, record, call, &task, level) {
        return 0;
    }
    let call = call.forgotten(record);
    claim_slot(record);
    let key = key_of(record, cgroup, number as i32, level as u16, false);
    if call.is_watched() {
        argument_values::note::<C>(context, record, &key, call);
        // As on the hot path: once the workload made a call, it does not matter who else does.
        if is_workloads(record, call, level) {
            return 0;
        }
    }
    let class_bits = barrier_var(u64::from(key.class), cgroup) as u16;
    let host = class_bits & class::HOST != 0;
    if is_unusual(class_bits) {
        note_evidence(&key);
        note_entry(record, number, host);
        return 0;
    }
    // SAFETY: `record` points to a value of the map, the indexes are masked.
    unsafe {
        let (set, bit) = if call.is_watched() {
            let sets = if host {
                addr_of_mut!((*record).host_watched)
            } else {
                addr_of_mut!((*record).container_watched)
            };
            (sets.cast::<u64>().add(level), call.bit())
        } else {
            let (word, bit) = place(number);
            let sets =
                if host { addr_of_mut!((*record).host) } else { addr_of_mut!((*record).container) };
            (sets.cast::<u64>().add(level * WORDS + word), bit)
        };
        if read_volatile(set) & bit != 0 {
            return 0;
        }
        // What the call passes is in the map by then: who finds the bit finds that.
        atomic::or(set, bit);
        let first_seen = addr_of_mut!((*record).first_seen[level]);
        if read_volatile(first_seen) == 0 {
            atomic::compare_exchange(first_seen, 0, bpf_ktime_get_boot_ns());
        }
        note_flags(record, !host);
    }
    announce_call(&key);
    0
}

/// What the call passes was seen before, from who counts: the same questions as on the hot path.
#[inline(always)]
fn is_known<C: Context>(
    context: *const c_void,
    record: *mut CgroupRecord,
    call: Watched,
    task: &Task,
    level: usize,
) -> bool {
    let class = if is_workloads(record, call, level) {
        level as u16
    } else if !has_started(record)
        && task.has_facts()
        && task.is_host_by_helper(|| runtime_namespace(record))
    {
        class::HOST | level as u16
    } else {
        return false;
    };
    argument_values::are_known::<C>(context, record, call, class)
}

/// A task of the container made a call in the cgroup.
#[inline(always)]
fn has_started(record: *const CgroupRecord) -> bool {
    // SAFETY: `record` points to a value of the map.
    unsafe { read_volatile(addr_of!((*record).flags)) & flags::STARTED != 0 }
}

/// The workload of a container that has started made the call.
#[inline(always)]
fn is_workloads(record: *const CgroupRecord, call: Watched, level: usize) -> bool {
    // SAFETY: `record` points to a value of the map, the index is masked.
    let made = unsafe { read_volatile(addr_of!((*record).container_watched[level])) };
    has_started(record) && made & call.bit() != 0
}

/// A call of this class is recorded by itself, with its facts: it belongs into neither set.
#[inline(always)]
pub fn is_unusual(class_bits: u16) -> bool {
    let host = class_bits & class::HOST != 0;
    // In a container that has started, a task of the host is a runtime's when its parent is the
    // host's as well. Else it may be one of the container that has entered the host's namespace.
    let doubtful = host && class_bits & (class::STARTED | class::PARENT_HOST) == class::STARTED;
    doubtful || !host && class_bits & UNUSUAL != 0
}

/// Keeps that a task from outside entered the container's root.
#[inline(always)]
fn note_entry(record: *mut CgroupRecord, number: u32, host: bool) {
    if !host && ENTER_ROOT.contains(&number) {
        // SAFETY: `record` points to a value of the map.
        unsafe { atomic::or(addr_of_mut!((*record).flags), flags::ENTERED) };
    }
}

/// Keeps what is known of the tasks that make calls in the cgroup.
///
/// # Safety
/// `record` must point to a value of the map.
#[inline(always)]
unsafe fn note_flags(record: *mut CgroupRecord, of_container: bool) {
    let seen = if of_container { flags::STARTED } else { 0 } | flags_of_current();
    // SAFETY: the caller's.
    unsafe {
        let word = addr_of_mut!((*record).flags);
        if read_volatile(word) & seen != seen {
            atomic::or(word, seen);
        }
    }
}

/// What is kept of the current task, but for whose it is.
///
/// It takes plain numbers, so that the verifier checks it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn flags_of_current() -> u64 {
    if config!(btf) == 0 {
        return 0;
    }
    let task = Task::current();
    let mut seen = if task.has_no_new_privs() { flags::NO_NEW_PRIVS } else { flags::NEW_PRIVS };
    if task.filter_may_deny() {
        seen |= flags::FILTER_MAY_DENY << task.filter_level();
    }
    seen
}

/// Records a call of another ABI, or one whose number has no bit of its own: in the evidence map,
/// with its count.
#[inline(never)]
pub fn note_unusual<C: Context>(
    context: *const c_void,
    record: *mut CgroupRecord,
    cgroup: u64,
    number: i32,
    compat: bool,
) -> u32 {
    let compat = barrier_var(u64::from(compat), cgroup) & 1 != 0;
    let level = Task::current().filter_level() as u16;
    let key = key_of(record, cgroup, number, level, compat);
    let call = Watched::new(number as u32, compat).forgotten(record);
    if call.is_watched() {
        argument_values::note::<C>(context, record, &key, call);
    }
    note_evidence(&key);
    let of_container = key.class & (class::HOST | UNUSUAL) == 0;
    // SAFETY: `record` points to a value of the map.
    unsafe { note_flags(record, of_container) };
    0
}

/// What separates a call of the current task from others, with the facts about the task, whose
/// filter count is `level`.
#[inline(always)]
fn key_of(
    record: *mut CgroupRecord,
    cgroup: u64,
    number: i32,
    level: u16,
    compat: bool,
) -> EvidenceKey {
    let facts = Task::facts(runtime_namespace_now(record)) | level;
    key(record, cgroup, number, facts, compat)
}

/// What separates a call from others, with the facts about its task.
#[inline(always)]
pub fn key(
    record: *const CgroupRecord,
    cgroup: u64,
    number: i32,
    facts: u16,
    compat: bool,
) -> EvidenceKey {
    // SAFETY: `record` points to a value of the map.
    let seen = unsafe { read_volatile(addr_of!((*record).flags)) };
    let started = if seen & flags::STARTED != 0 { class::STARTED } else { 0 };
    let entered = if seen & flags::ENTERED != 0 { class::ENTERED } else { 0 };
    let class = facts | started | entered;
    EvidenceKey { cgroup, number, class, compat: compat as u8, reserved: 0 }
}

/// Counts a key of the evidence map, or adds it.
#[inline(always)]
fn note_evidence(key: &EvidenceKey) {
    let [cgroup, rest] = words(key);
    note_key(cgroup, rest);
}

/// The same, as a function that the verifier checks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn note_key(cgroup: u64, rest: u64) -> u64 {
    let key = &of_words([cgroup, rest]);
    if count_evidence(key) {
        return 0;
    }
    match EVIDENCE.insert(key, &by_current_task(1), BPF_NOEXIST as u64) {
        Ok(()) => announce_call(key),
        Err(EXISTS) if count_evidence(key) => {}
        Err(_) => count_loss(Counter::Evidence),
    }
    0
}

/// What is seen now, of the current task.
#[inline(always)]
pub fn by_current_task(count: u64) -> Evidence {
    // SAFETY: a helper without arguments.
    let first_seen = unsafe { bpf_ktime_get_boot_ns() };
    Evidence { first_seen, count, command: task::command() }
}

/// Counts a key that is in the evidence map; false when it is not there.
#[inline(always)]
fn count_evidence(key: &EvidenceKey) -> bool {
    let Some(evidence) = EVIDENCE.get_ptr_mut(key) else { return false };
    // SAFETY: `evidence` points to a value of the map; entries are never removed.
    unsafe { atomic::add(addr_of_mut!((*evidence).count), 1) };
    true
}

/// Counts a call of the native ABI in the CPU's own counter.
#[inline(always)]
pub fn count(record: *mut CgroupRecord, number: u32) {
    // SAFETY: `record` and `counts` point to values of maps. Only this CPU adds to its counter, and
    // a run of this program is not interrupted by another one on the same CPU.
    unsafe {
        let slot = read_volatile(addr_of!((*record).count_slot));
        let Some(counts) = COUNTS.get_ptr_mut(slot as u32) else { return };
        *addr_of_mut!((*counts).0[number as usize & (tracer_ebpf::NATIVE_NUMBERS - 1)]) += 1;
    }
}

/// Gives a cgroup its place among the counters, before the first bit of its sets is set: from then
/// on the hot path counts without asking. Two CPUs may ask at once: the first one's place is used
/// by both.
#[inline(always)]
fn claim_slot(record: *mut CgroupRecord) {
    let Some(stats) = STATS.get_ptr_mut(0) else { return };
    let places = u64::from(config!(count_slots));
    // SAFETY: `record` and `stats` point to values of maps.
    unsafe {
        let slot = addr_of_mut!((*record).count_slot);
        if read_volatile(slot) != 0 {
            return;
        }
        let wanted = if places == 0 {
            NO_SLOT
        } else if let Ok(Some(free)) = FREE_COUNTS.pop() {
            u64::from(free)
        } else {
            atomic::fetch_add(addr_of_mut!((*stats).count_slots), 1) + 1
        };
        let wanted = if wanted > places { NO_SLOT } else { wanted };
        atomic::compare_exchange(slot, 0, wanted);
    }
}
