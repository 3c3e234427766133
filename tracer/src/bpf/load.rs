//! What the kernel side is loaded with: the object, its configuration and the sizes of its maps.

use std::path::PathBuf;

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{HashMap, MapError},
    util::KernelVersion,
};
use tracer_ebpf::{
    ARGUMENT_VALUES, CALL_EVENTS, CALLS_LOST, CGROUP_EVENTS, COUNTS, Config, Counts, DENIAL_EVENTS,
    DENIALS, ENDS, EVIDENCE, FREE_COUNTS, MEMBERS, MOVE_EVENTS, MOVES_LOST, PATH_EVENTS, PROCESSES,
    RECORDS, ROOTS, TARGETS, TASKS, TOLD_APART, VISITED,
};

use super::{
    error::{KernelError, load_error},
    hook::Hook,
    maps::{Maps, map_error},
    patch_config::patch_config,
    sizes::{
        CALL_EVENTS_SIZE, CALLS_LOST_ENTRIES, CGROUP_EVENTS_SIZE, COUNT_SLOTS_PER_CGROUP,
        COUNTS_BUDGET, DENIAL_ENTRIES, DENIAL_EVENTS_SIZE, END_ENTRIES, EVIDENCE_ENTRIES,
        MAX_COUNT_SLOTS, MAX_VERDICTS, MIN_COUNT_SLOTS, MIN_VERDICTS, MOVE_EVENTS_SIZE,
        MOVES_LOST_ENTRIES, PATH_EVENTS_SIZE, PROCESS_ENTRIES, TARGET_ENTRIES, TASK_ENTRIES,
        TOLD_APART_ENTRIES, VERDICTS_PER_CGROUP, VISITED_ENTRIES, members,
    },
};

/// The kernel object, embedded by the build script. Empty when it was not built.
pub(super) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tracer.bpf.o"));

/// The first kernel with the helper `bpf_loop` (`kernel/bpf/bpf_iter.c`).
const BPF_LOOP: KernelVersion = KernelVersion::new(5, 17, 0);

/// Levels of the kernel side's log.
static LOG: u8 = ::log::Level::Info as u8;
static NO_LOG: u8 = 0;

/// How the kernel side is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Count calls.
    pub counts: bool,
    /// Watch the calls that filters deny. It costs as much again as everything else.
    pub denied: bool,
    /// Where the programs on system calls are attached.
    pub hook: Hook,
    /// The raw tracepoint takes the place of a classic one that the kernel refuses;
    /// [`super::Recorder::attached`] shows which it is.
    pub fall_back: bool,
    /// How many cgroups this host is expected to have: the size of the table depends on it.
    pub cgroups_expected: usize,
    /// How many values of arguments there is room for: [`super::ARGUMENT_VALUE_ENTRIES`], except in
    /// tests.
    pub argument_values: u32,
    /// Let the kernel side log.
    pub log: bool,
}

/// The configuration, with what the options say beside what is known of the kernel.
pub(super) fn configure(options: &LoadOptions, kernel: &Config) -> Config {
    let verdicts = options.cgroups_expected.saturating_mul(VERDICTS_PER_CGROUP);
    let verdicts = verdicts.clamp(MIN_VERDICTS, MAX_VERDICTS).next_power_of_two();
    let cpus = aya::util::nr_cpus().map_or(1, |cpus| cpus.get() as usize);
    let affordable = (COUNTS_BUDGET / (size_of::<Counts>() * cpus)).clamp(16, MAX_COUNT_SLOTS);
    let slots = options.cgroups_expected.saturating_mul(COUNT_SLOTS_PER_CGROUP);
    let slots = slots.max(MIN_COUNT_SLOTS).min(affordable);
    Config {
        verdicts_log2: verdicts.trailing_zeros(),
        count_slots: if options.counts { slots as u32 } else { 0 },
        bpf_loop: KernelVersion::current().is_ok_and(|kernel| kernel >= BPF_LOOP) as u32,
        ..*kernel
    }
}

/// Loads the object. Of its maps, those that are pinned are taken, unless that fails.
pub(super) fn load(
    options: &LoadOptions,
    config: &Config,
    pinned: Vec<(&'static str, PathBuf)>,
) -> Result<Ebpf, KernelError> {
    let object = patch_config(OBJECT, config)?;
    let loaded = match loader(options, config, pinned).load(&object) {
        Err(EbpfError::MapError(
            MapError::PinError { .. } | MapError::IncompatiblePinnedMap { .. },
        )) => loader(options, config, Vec::new()).load(&object),
        loaded => loaded,
    };
    loaded.map_err(load_error)
}

fn loader(
    options: &LoadOptions,
    config: &Config,
    pinned: Vec<(&'static str, PathBuf)>,
) -> EbpfLoader<'static> {
    let entries = 1 << config.verdicts_log2;
    let log_level = if options.log { &LOG } else { &NO_LOG };
    let denied = |entries, least| if options.denied { entries } else { least };
    let mut loader = EbpfLoader::new();
    for (name, path) in pinned {
        loader.map_pin_path(name, path);
    }
    loader
        .override_global(aya_log::LEVEL, log_level, true)
        .map_max_entries(RECORDS, entries)
        .map_max_entries(COUNTS, config.count_slots + 1)
        .map_max_entries(EVIDENCE, EVIDENCE_ENTRIES)
        .map_max_entries(ARGUMENT_VALUES, options.argument_values)
        .map_max_entries(CGROUP_EVENTS, CGROUP_EVENTS_SIZE)
        .map_max_entries(CALL_EVENTS, CALL_EVENTS_SIZE)
        .map_max_entries(FREE_COUNTS, config.count_slots + 1)
        .map_max_entries(TARGETS, TARGET_ENTRIES)
        .map_max_entries(MEMBERS, members())
        .map_max_entries(VISITED, VISITED_ENTRIES)
        .map_max_entries(MOVE_EVENTS, MOVE_EVENTS_SIZE)
        .map_max_entries(MOVES_LOST, MOVES_LOST_ENTRIES)
        .map_max_entries(PATH_EVENTS, PATH_EVENTS_SIZE)
        .map_max_entries(CALLS_LOST, CALLS_LOST_ENTRIES)
        .map_max_entries(TASKS, denied(TASK_ENTRIES, 1))
        .map_max_entries(PROCESSES, denied(PROCESS_ENTRIES, 1))
        .map_max_entries(DENIALS, denied(DENIAL_ENTRIES, 1))
        .map_max_entries(TOLD_APART, denied(TOLD_APART_ENTRIES, 1))
        .map_max_entries(ENDS, denied(END_ENTRIES, 1))
        .map_max_entries(DENIAL_EVENTS, denied(DENIAL_EVENTS_SIZE, 4096));
    loader
}

pub(super) fn insert_roots(maps: &mut Maps, roots: &[u64]) -> Result<(), KernelError> {
    let mut map: HashMap<_, u64, u8> =
        HashMap::try_from(maps.get(ROOTS)?).map_err(map_error(ROOTS, "opening"))?;
    for root in roots {
        map.insert(root, &1, 0).map_err(map_error(ROOTS, "inserting a root"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::OBJECT;

    /// The verifier's log shows these lines when a kernel refuses a program.
    #[test]
    fn the_object_names_its_sources_and_not_where_they_were_built() {
        let holds = |text: &str| OBJECT.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(OBJECT.is_empty() || holds("tracer-ebpf/src/main.rs"), "the lines of the sources");
        let manifest = env!("CARGO_MANIFEST_DIR");
        let workspace = manifest.strip_suffix("/tracer").expect("a member of the workspace");
        for directory in [workspace, "/registry/src/", "/toolchains/", "/home/", "/root/"] {
            assert!(!holds(directory), "{directory}");
        }
    }
}
