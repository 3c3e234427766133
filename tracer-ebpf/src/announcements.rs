//! Events for whoever watches: the first sight of a cgroup, of a call, and of a value.

use core::{
    mem::transmute,
    ptr::{addr_of_mut, write_volatile},
};

use aya_ebpf::helpers::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns,
};
use tracer_ebpf::{CallEvent, CgroupEvent, EvidenceKey, MAX_DEPTH, SeenValue};

use crate::{
    maps::{CALL_EVENTS, CGROUP_EVENTS, Counter, count_loss},
    task::{self, Task},
};

/// Tells whoever watches that a call was seen for the first time.
#[inline(always)]
pub fn announce_call(key: &EvidenceKey) {
    announce_value(key, SeenValue(0));
}

/// The same of a value of one of its arguments.
#[inline(always)]
pub fn announce_value(key: &EvidenceKey, seen: SeenValue) {
    let [cgroup, rest] = words(key);
    announce_sight(cgroup, rest, seen.0);
}

/// The same, as a function that the verifier checks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn announce_sight(cgroup: u64, rest: u64, seen: u64) -> u64 {
    let (key, seen) = (of_words([cgroup, rest]), SeenValue(seen));
    let Some(mut entry) = CALL_EVENTS.reserve::<CallEvent>(0) else {
        count_loss(Counter::CallEvents);
        return 0;
    };
    // SAFETY: a helper without arguments.
    let time = unsafe { bpf_ktime_get_boot_ns() };
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    entry.write(CallEvent { time, key, seen, pid, reserved: 0, command: task::command() });
    entry.submit(0);
    0
}

/// A key in two numbers.
#[inline(always)]
pub fn words(key: &EvidenceKey) -> [u64; 2] {
    // SAFETY: a structure of sixteen bytes without padding.
    unsafe { transmute(*key) }
}

/// The key in two numbers.
#[inline(always)]
pub fn of_words(words: [u64; 2]) -> EvidenceKey {
    // SAFETY: a structure of sixteen bytes, in which any bits are valid.
    unsafe { transmute(words) }
}

/// Tells user space the name and the ancestors of a cgroup that made its first call.
#[inline(always)]
pub fn announce_cgroup(cgroup: u64) {
    let Some(mut entry) = CGROUP_EVENTS.reserve::<CgroupEvent>(0) else {
        count_loss(Counter::CgroupEvents);
        return;
    };
    let event = entry.as_mut_ptr();
    // SAFETY: `event` points to the reserved entry; every field is written before it is submitted,
    // but for the bytes of `name` behind the NUL, which nobody reads.
    unsafe {
        write_volatile(addr_of_mut!((*event).time), bpf_ktime_get_boot_ns());
        write_volatile(addr_of_mut!((*event).cgroup), cgroup);
        for level in 0..MAX_DEPTH as usize {
            let ancestor = bpf_get_current_ancestor_cgroup_id(level as i32);
            write_volatile(addr_of_mut!((*event).ancestors[level]), ancestor);
        }
        write_volatile(addr_of_mut!((*event).name[0]), 0);
        Task::current().copy_cgroup_name(cgroup, addr_of_mut!((*event).name));
    }
    entry.submit(0);
}
