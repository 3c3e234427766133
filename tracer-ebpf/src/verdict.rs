//! Which cgroups are tracked: a table that fills itself.
//!
//! The first call of a cgroup decides, by walking the cgroup's ancestors against the roots, and the answer is kept,
//! whichever it is. So a cgroup that is made later needs nothing from user space, and there is no moment at which
//! its calls would be missed.

use core::ptr::{addr_of, addr_of_mut, read_volatile};

use aya_ebpf::helpers::{bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id};
use tracer_ebpf::{CgroupRecord, MAX_DEPTH, PROBES, TRACKED, verdict_index};

use crate::{
    atomic, evidence,
    maps::{Counter, RECORDS, ROOTS, config, count_loss},
    verifier::forget,
};

/// Most ancestors that are looked at, those of repeated walks included.
const MAX_STEPS: u32 = 2 * MAX_DEPTH;

/// What the first look at the table says.
pub enum Verdict {
    NotTracked,
    /// The cgroup's record.
    Tracked(*mut CgroupRecord),
    /// Not at the first place: [`resolve`] decides.
    Unknown,
}

/// The outcome of [`resolve`]: index + 1 in the low half, or 0; flags in the high half.
#[derive(Clone, Copy)]
pub struct Found(u64);

impl Found {
    const NOT_TRACKED: Self = Self(0);
    const NEW: u64 = 1 << 32;
    const LOST: Self = Self(1 << 33);

    const fn at(index: u32) -> Self {
        Self(index as u64 + 1)
    }

    const fn new_at(index: u32) -> Self {
        Self((index as u64 + 1) | Self::NEW)
    }

    /// The cgroup's record, when it is tracked.
    #[inline(always)]
    pub fn record(self) -> Option<*mut CgroupRecord> {
        match self.0 as u32 {
            0 => None,
            index => RECORDS.get_ptr_mut(index - 1),
        }
    }

    /// This call claimed the cgroup's place in the table.
    pub fn is_new(self) -> bool {
        self.0 & Self::NEW != 0
    }

    /// The table had no place for a tracked cgroup.
    pub fn is_lost(self) -> bool {
        self.0 == Self::LOST.0
    }
}

/// The hot path: one load. A cached "not tracked" ends here as well.
#[inline(always)]
pub fn look_up(cgroup: u64) -> Verdict {
    let index = verdict_index(cgroup, config!(verdicts_log2));
    let Some(record) = RECORDS.get_ptr_mut(index) else { return Verdict::NotTracked };
    // SAFETY: `record` points to a value of the map.
    match unsafe { read_volatile(addr_of!((*record).verdict)) } ^ cgroup {
        0 => Verdict::NotTracked,
        TRACKED => Verdict::Tracked(record),
        _ => Verdict::Unknown,
    }
}

/// Finds a cgroup behind its first place, or decides about it and claims a place.
#[inline(never)]
pub fn resolve(cgroup: u64) -> Found {
    if cgroup & TRACKED != 0 {
        count_loss(Counter::Calls);
        return Found::LOST;
    }
    if let Some(found) = probe(cgroup) {
        return found;
    }
    match decide(cgroup) {
        0 => {
            count_loss(Counter::Calls);
            Found::LOST
        }
        word => claim(word),
    }
}

/// Looks at the places behind the first one. None: the cgroup is not in the table.
#[inline(always)]
fn probe(cgroup: u64) -> Option<Found> {
    let log2 = config!(verdicts_log2);
    let start = verdict_index(cgroup, log2);
    for step in 0..PROBES {
        let index = (start + step) & ((1 << log2) - 1);
        let record = RECORDS.get_ptr(index)?;
        // SAFETY: `record` points to a value of the map.
        match unsafe { read_volatile(addr_of!((*record).verdict)) } {
            0 => return None,
            word if word ^ cgroup == TRACKED => return Some(Found::at(index)),
            word if word == cgroup => return Some(Found::NOT_TRACKED),
            _ => {}
        }
    }
    None
}

/// The word for the current task's cgroup: its id, with [`TRACKED`] when an ancestor is a root. 0: undecided.
///
/// Another CPU may move the task between the reading of its id and of its ancestors. A verdict must never be kept
/// under the wrong id, so the id is read again afterwards, and the walk begun anew when it changed.
#[inline(always)]
fn decide(cgroup: u64) -> u64 {
    let (mut id, mut level) = (cgroup, 0_u64);
    // One flat loop: nested ones would have the verifier walk every combination.
    for _ in 0..MAX_STEPS {
        // SAFETY: a helper without pointers.
        let ancestor = unsafe { bpf_get_current_ancestor_cgroup_id(level as i32) };
        // SAFETY: the value is not looked at.
        let tracked =
            if ancestor != 0 && unsafe { ROOTS.get(ancestor) }.is_some() { TRACKED } else { 0 };
        level = forget(level + 1, ancestor);
        if ancestor != 0 && tracked == 0 {
            continue;
        }
        // SAFETY: a helper without pointers.
        let now = unsafe { bpf_get_current_cgroup_id() };
        if now == id {
            return id | tracked;
        }
        (id, level) = (now, 0);
    }
    0
}

/// Puts a word into the table, at the first free place.
#[inline(always)]
fn claim(word: u64) -> Found {
    let cgroup = word & !TRACKED;
    let tracked = word & TRACKED != 0;
    let log2 = config!(verdicts_log2);
    let start = verdict_index(cgroup, log2);
    for step in 0..PROBES {
        let index = (start + step) & ((1 << log2) - 1);
        let Some(record) = RECORDS.get_ptr_mut(index) else { break };
        // SAFETY: `record` points to a value of the map.
        let before = unsafe { atomic::compare_exchange(addr_of_mut!((*record).verdict), 0, word) };
        if before == 0 {
            if !tracked {
                return Found::NOT_TRACKED;
            }
            evidence::announce_cgroup(cgroup);
            return Found::new_at(index);
        }
        if before & !TRACKED == cgroup {
            return if tracked { Found::at(index) } else { Found::NOT_TRACKED };
        }
    }
    if tracked {
        count_loss(Counter::Calls);
        return Found::LOST;
    }
    Found::NOT_TRACKED
}
