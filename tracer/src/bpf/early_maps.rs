//! The large maps, which are made before the object is loaded.
//!
//! The kernel clears the memory of a map, which takes it some milliseconds for all of them. The
//! loader makes maps one after the other; a map that has the path of a pinned one is opened instead.
//! So two threads make the large ones at once, and pin them in a file system that is attached
//! nowhere: no other process can see it, and it ends with its descriptor.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aya::{maps::MapData, util::KernelVersion};
use aya_obj::{
    Map,
    generated::{
        BPF_F_MMAPABLE,
        bpf_map_type::{
            self, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_ARRAY,
            BPF_MAP_TYPE_RINGBUF,
        },
    },
};
use tracer_ebpf::{
    ARGUMENT_VALUES, ArgumentKey, CALL_EVENTS, CGROUP_EVENTS, COUNTS, CgroupRecord, Config, Counts,
    EVIDENCE, Evidence, EvidenceKey, MEMBERS, MOVE_EVENTS, MOVES_LOST, Member, PATH_EVENTS,
    RECORDS, TARGETS, TASKS, VISITED,
};

use super::{
    load::LoadOptions,
    private_mount::mount_privately,
    sizes::{
        CALL_EVENTS_SIZE, CGROUP_EVENTS_SIZE, EVIDENCE_ENTRIES, MOVE_EVENTS_SIZE,
        MOVES_LOST_ENTRIES, PATH_EVENTS_SIZE, TARGET_ENTRIES, TASK_ENTRIES, VISITED_ENTRIES,
        members,
    },
};
use crate::sys::is_filtered;

/// The first kernel that starts no process of its own when this file system is mounted
/// (`kernel/bpf/preload`).
const WITHOUT_PRELOAD: KernelVersion = KernelVersion::new(5, 18, 0);

/// The maps that are made, and those that are still to be made.
pub(super) struct EarlyMaps {
    file_system: Option<OwnedFd>,
    queue: Mutex<Vec<Definition>>,
    made: Mutex<Vec<&'static str>>,
}

/// A map as the object defines it. The loader compares the two.
struct Definition {
    name: &'static str,
    kind: bpf_map_type,
    key: usize,
    value: usize,
    entries: u32,
    flags: u32,
}

impl EarlyMaps {
    /// None of them is made yet. `config` has the sizes that the options lead to.
    ///
    /// A seccomp filter on this process may end it for a mount: there the loader makes all maps.
    pub(super) fn new(options: &LoadOptions, config: &Config) -> Self {
        let mut queue = definitions(options, config);
        // The last one is taken first: the largest.
        queue.sort_by_key(Definition::bytes);
        let mounts = KernelVersion::current().is_ok_and(|kernel| kernel >= WITHOUT_PRELOAD);
        let mounts = mounts && !is_filtered();
        Self {
            file_system: mounts.then(|| mount_privately("bpf", false).ok()).flatten(),
            queue: Mutex::new(queue),
            made: Mutex::default(),
        }
    }

    /// Makes maps until none is left, as far as that is possible: the loader makes the others, and
    /// its error says what the kernel refuses. Several threads may call it at once.
    pub(super) fn make(&self) {
        while let Some(definition) = self.next() {
            if self.pin(&definition).is_none() {
                locked(&self.queue).clear();
                return;
            }
            locked(&self.made).push(definition.name);
        }
    }

    /// The maps that the loader finds, each with its path.
    pub(super) fn pinned(&self) -> Vec<(&'static str, PathBuf)> {
        locked(&self.made).iter().filter_map(|name| Some((*name, self.path(name)?))).collect()
    }

    fn next(&self) -> Option<Definition> {
        locked(&self.queue).pop()
    }

    fn pin(&self, definition: &Definition) -> Option<()> {
        let path = self.path(definition.name)?;
        let Definition { name, kind, key, value, entries, flags } = *definition;
        let map = Map::new_from_params(kind as u32, key as u32, value as u32, entries, flags);
        MapData::create(map, name, None).ok()?.pin(&path).ok()?;
        MapData::from_pin(&path).ok().map(drop)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let descriptor = self.file_system.as_ref()?.as_raw_fd();
        Some(PathBuf::from(format!("/proc/self/fd/{descriptor}/{name}")))
    }
}

impl Definition {
    fn hash<K, V>(name: &'static str, entries: u32) -> Self {
        let (key, value) = (size_of::<K>(), size_of::<V>());
        Self { name, kind: BPF_MAP_TYPE_HASH, key, value, entries, flags: 0 }
    }

    fn array<V>(name: &'static str, kind: bpf_map_type, entries: u32, flags: u32) -> Self {
        Self { name, kind, key: size_of::<u32>(), value: size_of::<V>(), entries, flags }
    }

    fn ring(name: &'static str, bytes: u32) -> Self {
        Self { name, kind: BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, entries: bytes, flags: 0 }
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        (self.key + self.value).max(1) * self.entries as usize
    }
}

fn definitions(options: &LoadOptions, config: &Config) -> Vec<Definition> {
    let records = 1 << config.verdicts_log2;
    let counters = config.count_slots + 1;
    let mut definitions = vec![
        Definition::array::<CgroupRecord>(RECORDS, BPF_MAP_TYPE_ARRAY, records, BPF_F_MMAPABLE),
        Definition::array::<Counts>(COUNTS, BPF_MAP_TYPE_PERCPU_ARRAY, counters, 0),
        Definition::hash::<ArgumentKey, Evidence>(ARGUMENT_VALUES, options.argument_values),
        Definition::hash::<EvidenceKey, Evidence>(EVIDENCE, EVIDENCE_ENTRIES),
        Definition::hash::<u32, Member>(MEMBERS, members()),
        Definition::ring(CGROUP_EVENTS, CGROUP_EVENTS_SIZE),
        Definition::ring(MOVE_EVENTS, MOVE_EVENTS_SIZE),
        Definition::ring(CALL_EVENTS, CALL_EVENTS_SIZE),
        Definition::ring(PATH_EVENTS, PATH_EVENTS_SIZE),
        Definition::hash::<u64, u8>(TARGETS, TARGET_ENTRIES),
        Definition::hash::<u64, u8>(VISITED, VISITED_ENTRIES),
        Definition::hash::<u64, u64>(MOVES_LOST, MOVES_LOST_ENTRIES),
    ];
    if options.denied {
        definitions.push(Definition::hash::<u32, u32>(TASKS, TASK_ENTRIES));
    }
    definitions
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
