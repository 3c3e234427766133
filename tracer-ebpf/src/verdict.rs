//! Which cgroups are tracked: a table that fills itself.
//!
//! The first call of a cgroup decides, by walking the cgroup's ancestors against the roots, and the
//! answer is kept, whichever it is. So a cgroup that is made later needs nothing from user space,
//! and there is no moment at which its calls would be missed.
//!
//! The table forgets. A place that holds "not tracked" is only a cached answer, and a cgroup that
//! finds no free place takes it. User space dismisses tracked cgroups that are no target's, and so
//! makes such places of theirs.

use core::ptr::{addr_of, addr_of_mut, read_volatile};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{
        bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id,
        generated::bpf_get_prandom_u32,
    },
};
use tracer_ebpf::{
    CgroupRecord, DISMISSED, ID_MASK, MAX_ROOT_LEVEL, PROBES, TRACKED, VISITED_BIT, verdict_index,
};

use crate::{
    announcements, atomic,
    maps::{CALLS_LOST, Counter, RECORDS, ROOTS, VISITED, config, count_loss},
    members,
    verifier::{GO_ON, STOP, barrier_var, repeat},
};

/// Most ancestors that are looked at, those of a repeated walk included. No root lies deeper, so
/// that a cgroup without one among them is not tracked.
const MAX_STEPS: u32 = 2 * MAX_ROOT_LEVEL + 4;

/// What the first look at the table says.
pub enum Tracking {
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
    const VISITED: u64 = 1 << 34;
    const ABSENT: Self = Self(1 << 35);

    const fn at(index: u32) -> Self {
        Self(index as u64 + 1)
    }

    /// The same, with nothing that the verifier knows of it.
    #[inline(always)]
    fn forgotten(self, unknown: u64) -> Self {
        Self(barrier_var(self.0, unknown))
    }

    /// What a word of the table says of its cgroup.
    #[inline(always)]
    fn by_word(word: u64, index: u32) -> Self {
        // Without a branch: the verifier would follow both ways of each.
        let tracked = word / TRACKED;
        let visited = (word / VISITED_BIT) & 1;
        Self((tracked * Self::at(index).0) | (visited * Self::VISITED))
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
pub fn look_up(cgroup: u64) -> Tracking {
    let index = verdict_index(cgroup, config!(verdicts_log2));
    let Some(record) = RECORDS.get_ptr_mut(index) else { return Tracking::NotTracked };
    // SAFETY: `record` points to a value of the map.
    match unsafe { read_volatile(addr_of!((*record).verdict)) } ^ cgroup {
        0 => Tracking::NotTracked,
        TRACKED => Tracking::Tracked(record),
        _ => Tracking::Unknown,
    }
}

/// The id of the cgroup that a record is of.
#[inline(always)]
pub fn cgroup_of(record: *const CgroupRecord) -> u64 {
    // SAFETY: `record` points to a value of the map.
    unsafe { read_volatile(addr_of!((*record).verdict)) & ID_MASK }
}

/// A word that the verifier does not know.
#[inline(always)]
pub fn unknown(record: *const CgroupRecord) -> u64 {
    // SAFETY: `record` points to a value of the map.
    unsafe { read_volatile(addr_of!((*record).verdict)) }
}

/// Finds a cgroup behind its first place, or decides about it and claims a place. In a cgroup that
/// is visited, a call of a process that left a target is that target's.
#[inline(never)]
pub fn resolve(cgroup: u64) -> Found {
    if cgroup & !ID_MASK != 0 {
        count_loss(Counter::Calls);
        return Found::LOST;
    }
    let mut found = Found(probe(cgroup)).forgotten(cgroup);
    if found.0 == Found::ABSENT.0 {
        found = match decide(cgroup) {
            0 => {
                count_loss(Counter::Calls);
                Found::LOST
            }
            word => Found(claim(word)),
        };
        found = found.forgotten(cgroup);
    }
    if found.0 & Found::VISITED != 0 {
        found = match members::home_of_visitor(cgroup) {
            0 => Found(found.0 & !Found::VISITED),
            home => record_of(home),
        };
    }
    found.forgotten(cgroup)
}

/// The record of a target's cgroup, for a process that is elsewhere.
#[inline(always)]
fn record_of(home: u64) -> Found {
    let mut found = Found(probe(home));
    if found.0 == Found::ABSENT.0 {
        found = Found(claim(home | TRACKED));
    }
    Found(found.0 & !(Found::VISITED | Found::NEW))
}

/// Looks at the places of a cgroup. Returns a [`Found`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn probe(cgroup: u64) -> u64 {
    let log2 = config!(verdicts_log2);
    let start = verdict_index(cgroup, log2);
    for step in 0..PROBES {
        let index = (start + step) & ((1 << log2) - 1);
        let Some(record) = RECORDS.get_ptr(index) else { break };
        // SAFETY: `record` points to a value of the map.
        match unsafe { read_volatile(addr_of!((*record).verdict)) } {
            0 => break,
            word if word & ID_MASK == cgroup => return Found::by_word(word, index).0,
            _ => {}
        }
    }
    Found::ABSENT.0
}

/// The word for the current task's cgroup: its id, with [`TRACKED`] when an ancestor is a root. 0:
/// undecided, because the task is moved again and again.
///
/// Another CPU may move the task between the reading of its id and of its ancestors. A verdict must
/// never be kept under the wrong id, so the id is read again afterwards, and the walk begun anew
/// when it changed.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn decide(cgroup: u64) -> u64 {
    let mut walk = Walk { id: cgroup, level: 0, root: 0 };
    repeat(MAX_STEPS, look_at_ancestor, &mut walk);
    // SAFETY: a helper without pointers.
    let now = unsafe { bpf_get_current_cgroup_id() };
    // A walk without an end, of a task that stayed where it is, met no root.
    if now == walk.id { walk.id | walk.root & TRACKED } else { 0 }
}

/// A walk along the ancestors of a cgroup, from the hierarchy's root.
struct Walk {
    /// The cgroup.
    id: u64,
    /// The level of the next ancestor.
    level: u64,
    /// [`TRACKED`] when the last one is a root.
    root: u64,
}

/// Looks at the next ancestor, and ends the walk at a root or behind the cgroup itself.
extern "C" fn look_at_ancestor(_: u32, walk: *mut Walk) -> i64 {
    // SAFETY: the caller's walk.
    let walk = unsafe { &mut *walk };
    // SAFETY: a helper without pointers.
    let ancestor = unsafe { bpf_get_current_ancestor_cgroup_id(walk.level as i32) };
    // SAFETY: the value is not looked at.
    let tracked = unsafe { ROOTS.get(&ancestor) }.is_some();
    walk.level = barrier_var(walk.level + 1, ancestor);
    walk.root = barrier_var(if tracked { TRACKED } else { 0 }, ancestor);
    if ancestor != 0 && !tracked {
        return GO_ON;
    }
    // SAFETY: a helper without pointers.
    let now = unsafe { bpf_get_current_cgroup_id() };
    if now == walk.id {
        return STOP;
    }
    (walk.id, walk.level) = (now, barrier_var(0, ancestor));
    GO_ON
}

/// Puts a word into the table: at the first place that was never taken, else at one that holds no
/// evidence. Returns a [`Found`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn claim(word: u64) -> u64 {
    let cgroup = word & ID_MASK;
    let tracked = word & TRACKED != 0;
    let log2 = config!(verdicts_log2);
    let start = verdict_index(cgroup, log2);
    // Cgroups that are not tracked may collide for good, so that each throws out another one; a
    // tracked one takes the first, so that two CPUs take the same. SAFETY: a helper without
    // arguments.
    let shift = if tracked { 0 } else { unsafe { bpf_get_prandom_u32() } };
    let mut search = Search { word, start, shift, outcome: Found::ABSENT };
    // Twice around: first for a place that was never taken.
    repeat(2 * PROBES, take_next, &mut search);
    let outcome = search.outcome;
    if outcome.0 == Found::ABSENT.0 {
        return without_place(cgroup, tracked).0;
    }
    if outcome.is_new() { claimed(cgroup, tracked, outcome.0 as u32 - 1).0 } else { outcome.0 }
}

/// A search for a place for a word.
struct Search {
    word: u64,
    /// The index of the first place.
    start: u32,
    /// Where the second round begins.
    shift: u32,
    outcome: Found,
}

/// Looks at the next place.
extern "C" fn take_next(step: u32, search: *mut Search) -> i64 {
    // SAFETY: the caller's search.
    let search = unsafe { &mut *search };
    let again = step >= PROBES;
    let offset = if again { step.wrapping_add(search.shift) & (PROBES - 1) } else { step };
    let index = search.start.wrapping_add(offset) & ((1 << config!(verdicts_log2)) - 1);
    search.outcome = take(index, search.word, again).forgotten(search.word);
    if search.outcome.0 == Found::ABSENT.0 { GO_ON } else { STOP }
}

/// Takes a place for a word, if it is free; `again`: also one that holds no evidence.
/// [`Found::ABSENT`]: it is another cgroup's.
#[inline(always)]
fn take(index: u32, word: u64, again: bool) -> Found {
    let cgroup = word & ID_MASK;
    let Some(record) = RECORDS.get_ptr_mut(index) else { return Found::ABSENT };
    // SAFETY: `record` points to a value of the map.
    let place = unsafe { addr_of_mut!((*record).verdict) };
    // SAFETY: see above.
    let known = unsafe { read_volatile(place) };
    if known != 0 {
        if known & ID_MASK == cgroup {
            return Found::by_word(known, index);
        }
        if !again || known & (TRACKED | DISMISSED) != 0 {
            return Found::ABSENT;
        }
    }
    // SAFETY: see above.
    let before = unsafe { atomic::compare_exchange(place, known, word) };
    if before == known {
        return Found(Found::at(index).0 | Found::NEW);
    }
    if before & ID_MASK == cgroup { Found::by_word(before, index) } else { Found::ABSENT }
}

/// What follows from a place that was just taken.
#[inline(always)]
fn claimed(cgroup: u64, tracked: bool, index: u32) -> Found {
    let mut flags = 0;
    // Whoever enters the cgroup into the map marks the place afterwards: one of the two sees the
    // other. SAFETY: the value is not looked at.
    if unsafe { VISITED.get(&cgroup) }.is_some() {
        mark_visited(index, cgroup);
        flags = Found::VISITED;
    }
    if !tracked {
        return Found(Found::NOT_TRACKED.0 | flags);
    }
    count_loss(Counter::Claims);
    announcements::announce_cgroup(cgroup);
    Found(Found::at(index).0 | Found::NEW | flags)
}

/// A cgroup for which there is no place.
#[inline(always)]
fn without_place(cgroup: u64, tracked: bool) -> Found {
    // SAFETY: the value is not looked at.
    if unsafe { VISITED.get(&cgroup) }.is_some() {
        return Found(Found::VISITED);
    }
    if !tracked {
        return Found::NOT_TRACKED;
    }
    // A variable: a constant would lie in one more map of constants.
    let first = 1;
    if let Some(count) = CALLS_LOST.get_ptr_mut(&cgroup) {
        // SAFETY: `count` points to a value of the map.
        unsafe { atomic::add(count, 1) };
    } else if CALLS_LOST.insert(&cgroup, &first, BPF_NOEXIST as u64).is_ok() {
        announcements::announce_cgroup(cgroup);
    } else {
        count_loss(Counter::Calls);
    }
    Found::LOST
}

/// Notes that processes which left a target are in a cgroup.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn note_visited(cgroup: u64) -> u64 {
    let mark = 1;
    if VISITED.insert(&cgroup, &mark, 0).is_err() {
        count_loss(Counter::Members);
        return 0;
    }
    let mut cgroup = cgroup;
    repeat(PROBES, mark_next, &mut cgroup);
    0
}

/// Looks at the next place of a cgroup.
extern "C" fn mark_next(step: u32, cgroup: *mut u64) -> i64 {
    // SAFETY: the caller's cgroup.
    let cgroup = unsafe { *cgroup };
    let log2 = config!(verdicts_log2);
    mark_visited(verdict_index(cgroup, log2).wrapping_add(step) & ((1 << log2) - 1), cgroup);
    GO_ON
}

/// Marks the place, if it is that cgroup's.
#[inline(always)]
fn mark_visited(index: u32, cgroup: u64) {
    let Some(record) = RECORDS.get_ptr_mut(index) else { return };
    // SAFETY: `record` points to a value of the map.
    unsafe {
        let place = addr_of_mut!((*record).verdict);
        let word = read_volatile(place);
        // A place that another cgroup takes at this moment is marked without need, which costs that
        // one a longer way.
        if word & ID_MASK == cgroup && word & VISITED_BIT == 0 {
            atomic::or(place, VISITED_BIT);
        }
    }
}
