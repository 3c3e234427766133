//! The values of arguments: each is recorded once for its cgroup, ABI and class, until they are too
//! many.
//!
//! The calls of the table come here each time, for the hot path never finds their bits. What was
//! seen before is found in the cgroup's record: those words hold the whole of what tells a value
//! apart, so that none is taken for another.

use core::{
    ffi::c_void,
    ptr::{addr_of_mut, read_volatile, write_volatile},
};

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_probe_read_user};
use tracer_ebpf::{
    ArgumentKey, CgroupRecord, EvidenceKey, KnownValue, SeenValue,
    architecture::{abi, classify},
    arguments::{
        ARGUMENTS, COUNT_SHIFT, LOWER_HALF, MOST_ENTRIES, MOST_VALUES, NUMBERS, PLACES, Source,
    },
    class, flags, kind,
};

use crate::{
    announcements::announce_value,
    atomic,
    evidence::{self, EXISTS},
    maps::{ARGUMENT_VALUES, Counter, KNOWN_VALUES, RECORDS, count_loss},
    passed_arguments::{Context, argument_of},
    verdict::unknown,
    verifier::barrier_var,
};

/// The sizes of `struct clone_args` that the kernel takes: `CLONE_ARGS_SIZE_VER0` to a page
/// (`kernel/fork.c`, `copy_clone_args_from_user`).
const CLONE_SIZES: core::ops::RangeInclusive<u64> = 64..=4096;

/// [`PLACES`] as data of the program.
static CALLS: [[u16; NUMBERS]; abi::COUNT] = PLACES;
/// The entries of the table: the mask, and from [`INDEX_SHIFT`] the argument's index, with
/// [`MEMORY`].
static ENTRIES: [u64; 1 << COUNT_SHIFT] = entries();
const INDEX_SHIFT: u32 = 32;
const MEMORY: u64 = 1 << 40;

const fn entries() -> [u64; 1 << COUNT_SHIFT] {
    let mut entries = [0; 1 << COUNT_SHIFT];
    let mut index = 0;
    while index < ARGUMENTS.len() {
        let entry = &ARGUMENTS[index];
        let memory = if matches!(entry.source, Source::Memory) { MEMORY } else { 0 };
        entries[index] = entry.mask | (entry.index as u64) << INDEX_SHIFT | memory;
        index += 1;
    }
    entries
}

/// A call of the table.
#[derive(Clone, Copy)]
pub struct Watched {
    /// Its place, of [`PLACES`].
    place: u64,
    /// One of [`kind`].
    kind: u8,
}

impl Watched {
    /// The call of a number as the tracepoint shows it.
    #[inline(always)]
    pub fn new(number: u32, compat: bool) -> Self {
        let (kind, number) = classify(number, compat);
        if number >= NUMBERS as u32 {
            return Self { place: 0, kind };
        }
        let index = (kind as usize - 1) * NUMBERS + number as usize;
        // SAFETY: the index is in range; the verifier checks it.
        let place = unsafe { read_volatile(CALLS.as_flattened().as_ptr().add(index)) };
        Self { place: u64::from(place), kind }
    }

    /// The same, with nothing that the verifier knows of it.
    #[inline(always)]
    pub fn forgotten(self, record: *const CgroupRecord) -> Self {
        Self { place: barrier_var(self.place, unknown(record)), ..self }
    }

    /// It is in the table.
    #[inline(always)]
    pub const fn is_watched(self) -> bool {
        self.place != 0
    }

    /// Its bit in [`CgroupRecord::container_watched`] and [`CgroupRecord::host_watched`].
    #[inline(always)]
    pub const fn bit(self) -> u64 {
        1 << (self.place & ((1 << COUNT_SHIFT) - 1))
    }
}

/// A call with the class that separates its values, in one word: a function takes few
/// arguments.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Sight(u64);

impl Sight {
    const KIND_SHIFT: u32 = 16;
    const CLASS_SHIFT: u32 = 32;

    #[inline(always)]
    const fn new(call: Watched, class: u16) -> Self {
        Self(
            call.place
                | (call.kind as u64) << Self::KIND_SHIFT
                | (class as u64) << Self::CLASS_SHIFT,
        )
    }

    /// The same, with nothing that the verifier knows of it.
    #[inline(always)]
    fn forgotten(self, record: *const CgroupRecord) -> Self {
        Self(barrier_var(self.0, unknown(record)))
    }

    #[inline(always)]
    const fn first(self) -> u32 {
        self.0 as u32 & ((1 << COUNT_SHIFT) - 1)
    }

    #[inline(always)]
    const fn entries(self) -> u32 {
        self.0 as u32 >> COUNT_SHIFT & 3
    }

    #[inline(always)]
    const fn kind(self) -> u8 {
        (self.0 >> Self::KIND_SHIFT) as u8
    }

    #[inline(always)]
    const fn class(self) -> u16 {
        (self.0 >> Self::CLASS_SHIFT) as u16
    }
}

/// The same, with nothing that the verifier knows of it.
#[inline(always)]
fn forgotten(seen: SeenValue, record: *const CgroupRecord) -> SeenValue {
    SeenValue(barrier_var(seen.0, unknown(record)))
}

/// Every value that the call passes was seen before of this class.
#[inline(always)]
pub fn are_known<C: Context>(
    context: *const c_void,
    record: *const CgroupRecord,
    call: Watched,
    class: u16,
) -> bool {
    known::<C>(context, record, Sight::new(call, class).forgotten(record)) != 0
}

#[inline(never)]
fn known<C: Context>(context: *const c_void, record: *const CgroupRecord, sight: Sight) -> u32 {
    let index = index_of(record);
    for step in 0..MOST_ENTRIES {
        if step >= sight.entries() {
            break;
        }
        let seen = forgotten(seen::<C>(context, sight, step), record);
        if !is_kept(index, seen) && !is_kept(index, seen.of_any()) {
            return 0;
        }
    }
    1
}

/// Records the values that the call passes.
#[inline(always)]
pub fn note<C: Context>(
    context: *const c_void,
    record: *mut CgroupRecord,
    key: &EvidenceKey,
    call: Watched,
) {
    // The facts that do not matter would multiply the values.
    let class = if evidence::is_unusual(key.class) {
        key.class
    } else {
        key.class & (class::HOST | class::FILTERS_MASK)
    };
    let sight = Sight::new(call, class).forgotten(record);
    note_all::<C>(context, record, key.cgroup, sight, key.number as u32);
}

#[inline(never)]
fn note_all<C: Context>(
    context: *const c_void,
    record: *mut CgroupRecord,
    cgroup: u64,
    sight: Sight,
    number: u32,
) -> u32 {
    let index = index_of(record);
    for step in 0..MOST_ENTRIES {
        if step >= sight.entries() {
            break;
        }
        let seen = seen::<C>(context, sight, step);
        note_value(index, cgroup, seen.0, number.into());
    }
    0
}

/// Records a value, if it is new and none too many. `index` is that of the cgroup's record.
///
/// It takes plain numbers, so that the verifier checks it once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn note_value(index: u64, cgroup: u64, seen: u64, number: u64) -> u64 {
    let (seen, number) = (SeenValue(seen), number as u32);
    if is_kept(index, seen) {
        return 0;
    }
    let any = seen.of_any();
    let outcome = count_of(cgroup, any).and_then(|count| put_in(cgroup, seen, any, count));
    let Some((known, is_new)) = outcome else {
        if let Some(record) = RECORDS.get_ptr_mut(index as u32) {
            // SAFETY: `record` points to a value of the map.
            unsafe { atomic::or(addr_of_mut!((*record).flags), flags::VALUES_LOST) };
        }
        return 0;
    };
    let known = SeenValue(barrier_var(known.0, cgroup));
    keep(index, known);
    if is_new {
        count_loss(Counter::Values);
        announce(cgroup, known, number);
    }
    0
}

/// What is known of the value then: that it was seen, or that every value counts as seen; and
/// whether that is new. None: the map is full.
#[inline(always)]
fn put_in(
    cgroup: u64,
    seen: SeenValue,
    any: SeenValue,
    count: *mut u64,
) -> Option<(SeenValue, bool)> {
    const MOST: u64 = MOST_VALUES as u64;
    // SAFETY: `count` points into a value of the map.
    let before = unsafe { read_volatile(count) };
    if before > MOST {
        return Some((any, false));
    }
    if seen.is_any() {
        // SAFETY: see above.
        unsafe { atomic::or(count, kind::UNREADABLE) };
        return Some((any, true));
    }
    let key = ArgumentKey { cgroup, seen };
    match ARGUMENT_VALUES.insert(&key, &evidence::by_current_task(1), BPF_NOEXIST as u64) {
        // Only who put a value in counts it: one that two CPUs see at once is one value.
        // SAFETY: see above.
        Ok(()) if unsafe { atomic::fetch_add(count, 1) } == MOST => Some((any, true)),
        Ok(()) => Some((seen, true)),
        Err(EXISTS) => Some((seen, false)),
        Err(_) => None,
    }
}

/// Tells whoever watches that a value was seen for the first time.
#[inline(always)]
fn announce(cgroup: u64, seen: SeenValue, number: u32) {
    let compat = (seen.abi() == abi::COMPAT) as u8;
    let key =
        EvidenceKey { cgroup, number: number as i32, class: seen.class(), compat, reserved: 0 };
    announce_value(&key, seen);
}

/// The number of values that differ in nothing else than themselves. None: the map is full.
#[inline(always)]
fn count_of(cgroup: u64, any: SeenValue) -> Option<*mut u64> {
    let key = ArgumentKey { cgroup, seen: any };
    let found = match ARGUMENT_VALUES.get_ptr_mut(&key) {
        Some(found) => found,
        None => {
            // Another CPU may have put it in.
            let _ = ARGUMENT_VALUES.insert(&key, &evidence::by_current_task(0), BPF_NOEXIST as u64);
            ARGUMENT_VALUES.get_ptr_mut(&key)?
        }
    };
    // SAFETY: `found` points to a value of the map.
    Some(unsafe { addr_of_mut!((*found).count) })
}

/// What the call passes as one of the entries of the table that are of it.
#[inline(always)]
fn seen<C: Context>(context: *const c_void, sight: Sight, step: u32) -> SeenValue {
    let argument = (sight.first() + step) & ((1 << COUNT_SHIFT) - 1);
    // SAFETY: the index is in range.
    let entry = unsafe { read_volatile(ENTRIES.as_ptr().add(argument as usize)) };
    let compat = sight.kind() == abi::COMPAT;
    let register = argument_of::<C>(context, (entry >> INDEX_SHIFT) as u32 & 7, compat);
    let value = if entry & MEMORY == 0 {
        Some(register)
    } else if CLONE_SIZES.contains(&argument_of::<C>(context, 1, compat)) {
        // SAFETY: the helper checks the address.
        unsafe { bpf_probe_read_user(register as *const u64) }.ok()
    } else {
        // The kernel refuses the call whatever is there. C libraries ask so whether it has the
        // call.
        Some(0)
    };
    let known = SeenValue::new(0, sight.class(), argument as u8, sight.kind());
    match value {
        Some(value) => SeenValue(known.0 | value & entry & LOWER_HALF),
        None => known.of_any(),
    }
}

/// The index of the place of a cgroup's record.
#[inline(always)]
fn index_of(record: *const CgroupRecord) -> u64 {
    // A division by five: its instruction may take longer than all the rest.
    const { assert!(size_of::<CgroupRecord>() == 5 << 7) };
    let Some(first) = RECORDS.get_ptr(0) else { return 0 };
    let offset = record as u64 - first as u64;
    ((offset >> 7) * 0xCCCC_CCCD) >> 34
}

/// The value was seen before, in the cgroup whose record has this index.
#[inline(always)]
fn is_kept(index: u64, seen: SeenValue) -> bool {
    let Some(known) = KnownValue::new(seen, index) else { return false };
    let stands_at = |place| {
        // SAFETY: the pointer is one to a value of the map.
        KNOWN_VALUES.get_ptr(place).is_some_and(|at| unsafe { read_volatile(at) } == known.0)
    };
    stands_at(known.place()) || stands_at(known.place() ^ 1)
}

/// Keeps that a value was seen, where it may take the place of another one: that is looked for in
/// the map the next time.
#[inline(always)]
fn keep(index: u64, seen: SeenValue) {
    let Some(known) = KnownValue::new(seen, index) else { return };
    let Some(first) = KNOWN_VALUES.get_ptr_mut(known.place()) else { return };
    let Some(second) = KNOWN_VALUES.get_ptr_mut(known.place() ^ 1) else { return };
    // SAFETY: the pointers are ones to values of the map.
    unsafe {
        let at = if read_volatile(first) == 0 { first } else { second };
        write_volatile(at, known.0);
    }
}
