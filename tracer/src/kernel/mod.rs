//! The kernel side as user space sees it: load and attach, typed maps, offsets from BTF, aya-log.
//!
//! The only module that knows aya.

#![expect(
    unsafe_code,
    reason = "maps are memory-mapped, their values reinterpreted, and one bpf(2) call is made by hand, and a child acts between fork and execve"
)]

mod allocator;
mod audit_log;
mod btf;
mod denied;
mod enforce;
mod error;
mod log;
mod mapped;
mod maps;
mod membership;
mod namespace;
mod perf_event;
mod probe;
mod program;
mod program_info;
mod readiness;
mod refusal;
mod sizes;
mod specialise;
mod start;
mod table;
mod tracefs;
mod undisturbed;

use std::collections::HashSet;

use aya::{
    Ebpf, EbpfLoader,
    maps::{HashMap, MapData},
};
use aya_log::EbpfLogger;
use tracer_ebpf::{
    ARGUMENT_VALUES, CALL_EVENTS, CALLS_LOST, CGROUP_EVENTS, COUNTS, CallEvent, CgroupEvent,
    Config, Counts, DENIAL_EVENTS, DENIALS, DenialEvent, ENDS, EVIDENCE, FREE_COUNTS, MEMBERS,
    MOVE_EVENTS, MOVES_LOST, MoveEvent, PROCESSES, RECORDS, ROOTS, STATS, Stats, TARGETS, TASKS,
    TOLD_APART, VISITED,
};

pub use self::audit_log::{AuditLog, AuditLogError, AuditMessage};
pub use self::btf::BtfError;
use self::denied::Denials;
pub use self::denied::Processes;
pub use self::enforce::{Enforced, Filter, exec_under, leave};
pub use self::error::KernelError;
use self::error::load_error;
pub use self::log::forward_kernel_log;
use self::mapped::MappedArray;
pub use self::maps::EventBuffer;
use self::maps::{ArgumentKeyPod, EvidenceKeyPod, EvidencePod, map_error, take, typed};
use self::membership::Membership;
pub use self::program::Hook;
use self::program::Programs;
pub use self::readiness::Readiness;
pub use self::refusal::Refusal;
pub use self::sizes::ARGUMENT_VALUE_ENTRIES;
use self::sizes::{
    CALL_EVENTS_SIZE, CALLS_LOST_ENTRIES, CGROUP_EVENTS_SIZE, COUNTS_BUDGET, DENIAL_ENTRIES,
    DENIAL_EVENTS_SIZE, END_ENTRIES, EVIDENCE_ENTRIES, MAX_COUNT_SLOTS, MAX_VERDICTS,
    MEMBER_ENTRIES, MIN_VERDICTS, MOVE_EVENTS_SIZE, MOVES_LOST_ENTRIES, PROCESS_ENTRIES,
    TARGET_ENTRIES, TASK_ENTRIES, TOLD_APART_ENTRIES, VERDICTS_PER_CGROUP, VISITED_ENTRIES,
};
use self::specialise::specialised;
pub use self::start::{Program, User, start_in_cgroup};
use self::table::Table;
pub use self::tracefs::{TracefsError, TracepointIds, syscall_tracepoints};
use self::undisturbed::Undisturbed;
use crate::recording::{Attach, facts::Snapshot};

/// The kernel object, embedded by the build script. Empty when it was not built.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tracer.bpf.o"));

/// What the kernel side is asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Ids of the cgroups below which everything is tracked. At most 64.
    pub roots: Vec<u64>,
    /// Ids of the uppermost cgroups of the targets that are there: what leaves them is followed.
    pub targets: Vec<u64>,
    /// Use the kernel's BTF when it is there.
    pub btf: bool,
    /// Count calls.
    pub counts: bool,
    /// Watch the calls that filters refuse. It costs as much again as everything else.
    pub denied: bool,
    /// Where the programs on system calls are attached.
    pub hook: Hook,
    /// When the classic tracepoint is refused, the raw one takes its place, and the recorder tells it.
    pub fall_back: bool,
    /// Cgroups that are to be expected on this host, for the size of the table.
    pub cgroups_expected: usize,
    /// How many values of arguments there is room for: [`ARGUMENT_VALUE_ENTRIES`], but in tests.
    pub argument_values: u32,
    /// Let the kernel side log.
    pub log: bool,
}

/// The attached program and its maps. Dropping it detaches the program and frees everything.
pub struct Recorder {
    ebpf: Ebpf,
    programs: Programs,
    denials: Option<Denials>,
    table: Table,
    membership: Membership,
    stats: MappedArray<Stats>,
    evidence: HashMap<MapData, EvidenceKeyPod, EvidencePod>,
    values: HashMap<MapData, ArgumentKeyPod, EvidencePod>,
    btf: Result<(), BtfError>,
}

/// The ring buffers, each to be polled by its file descriptor.
pub struct Events {
    /// One event for each new cgroup.
    pub cgroups: EventBuffer<CgroupEvent>,
    /// One event for each call that was seen for the first time.
    pub calls: EventBuffer<CallEvent>,
    /// One event for each process that was moved into a tracked cgroup or out of one.
    pub moves: EventBuffer<MoveEvent>,
    /// One event for each call that was denied for the first time, when they are watched.
    pub denials: Option<EventBuffer<DenialEvent>>,
    /// The kernel side's log, when it was asked for.
    pub log: Option<KernelLog>,
}

/// What the kernel side logs; `flush` hands it to the sink of [`forward_kernel_log`].
pub type KernelLog = EbpfLogger<&'static dyn ::log::Log>;

impl Recorder {
    /// Loads the program, fills in the roots and attaches it. From its return on, no call below a root is missed.
    ///
    /// # Errors
    /// [`KernelError`]: whatever the kernel refused.
    pub fn attach(options: &Options) -> Result<(Self, Events), KernelError> {
        if OBJECT.is_empty() {
            return Err(KernelError::NoObject);
        }
        let (mut config, btf) = configure(options);
        if btf.is_ok() {
            config.host_mount_namespace = namespace::of_host(&config)?;
        }
        let mut ebpf = load(options, &config)?;
        // What the kernel's types took, which were read here and by aya for each load.
        allocator::give_back();
        let log = options
            .log
            .then(|| EbpfLogger::init(&mut ebpf).map_err(|error| KernelError::Log(Box::new(error))))
            .transpose()?;
        insert_roots(&mut ebpf, &options.roots)?;
        let table = Table::new(&mut ebpf, config.count_slots > 0, options.argument_values)?;
        let membership = Membership::new(&mut ebpf, &options.targets)?;
        let stats = MappedArray::new(take(&mut ebpf, STATS)?, STATS)?;
        let evidence = typed(take(&mut ebpf, EVIDENCE)?, EVIDENCE)?;
        let values = typed(take(&mut ebpf, ARGUMENT_VALUES)?, ARGUMENT_VALUES)?;
        let events = Events {
            cgroups: EventBuffer::new(&mut ebpf, CGROUP_EVENTS)?,
            calls: EventBuffer::new(&mut ebpf, CALL_EVENTS)?,
            moves: EventBuffer::new(&mut ebpf, MOVE_EVENTS)?,
            denials: match options.denied {
                true => Some(EventBuffer::new(&mut ebpf, DENIAL_EVENTS)?),
                false => None,
            },
            log,
        };
        let denials = options.denied.then(|| Denials::new(&mut ebpf)).transpose()?;
        let programs = Programs::attach(&mut ebpf, options, btf.is_ok())?;
        let recorder =
            Self { ebpf, programs, denials, table, membership, stats, evidence, values, btf };
        Ok((recorder, events))
    }

    /// Ok when the facts come from the kernel's BTF; why not otherwise.
    ///
    /// # Errors
    /// [`BtfError`]: what the kernel's BTF lacks.
    pub fn btf(&self) -> Result<(), &BtfError> {
        self.btf.as_ref().copied()
    }

    /// Where the programs on system calls are attached.
    pub fn attached(&self) -> Attach {
        self.programs.attached()
    }

    fn undisturbed(&self) -> Undisturbed {
        Undisturbed::begin(self.attached() == Attach::Classic)
    }

    /// Programs that the kernel refused and that recording goes on without, each with the reason and what follows.
    pub fn refusals(&self) -> &[String] {
        self.programs.refusals()
    }

    /// Reads everything that was recorded so far. Cgroups and sets are read from shared memory, counts and evidence
    /// by one system call for each entry.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be read.
    pub fn drain(&mut self) -> Result<Snapshot, KernelError> {
        let _undisturbed = self.undisturbed();
        let (cgroups, table_fill) = self.table.read()?;
        let evidence = self
            .evidence
            .iter()
            .map(|entry| entry.map(|(key, value)| (key.0, value.0)))
            .collect::<Result<_, _>>()
            .map_err(map_error(EVIDENCE, "reading"))?;
        // After the calls: whoever finds a call finds what it passed.
        let values = self
            .values
            .iter()
            .map(|entry| entry.map(|(key, value)| (key.0, value.0)))
            .collect::<Result<_, _>>()
            .map_err(map_error(ARGUMENT_VALUES, "reading"))?;
        let denials = self.denials.as_ref().map(Denials::read).transpose()?.unwrap_or_default();
        let (entry_misses, recursion_misses) = (self.entry_misses()?, self.recursion_misses()?);
        let (stats, lost) = (self.stats.read(0), self.table.lost()?);
        let moves_lost = self.membership.moves_lost()?;
        Ok(Snapshot {
            cgroups,
            evidence,
            values,
            denials,
            stats,
            recursion_misses,
            entry_misses,
            lost,
            moves_lost,
            table_fill,
        })
    }

    /// What leaves that cgroup of a target, and those below it, is followed from now on.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be written.
    pub fn follow(&mut self, cgroup: u64) -> Result<(), KernelError> {
        let _undisturbed = self.undisturbed();
        self.membership.follow(cgroup)
    }

    /// A process was in a target's cgroup before the kernel side could see it come: it will be followed as well. `process` is an
    /// id of the initial pid namespace.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be written.
    pub fn add_member(&mut self, process: u32, cgroup: u64) -> Result<(), KernelError> {
        let _undisturbed = self.undisturbed();
        self.membership.add(process, cgroup)
    }

    /// A process that was added has ended, perhaps before that.
    pub fn remove_member(&mut self, process: u32) {
        let _undisturbed = self.undisturbed();
        self.membership.remove(process);
    }

    /// The processes that live outside the target that they left: the ids of the cgroups that they left.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be read.
    pub fn visitors(&self) -> Result<Vec<u64>, KernelError> {
        let _undisturbed = self.undisturbed();
        self.membership.visitors()
    }

    /// So many cgroups or values of arguments are new that it is worth looking for those that are no target's.
    pub fn is_crowded(&self) -> bool {
        self.table.is_crowded(&self.stats.read(0))
    }

    /// Stops to record the cgroups that `is_foreign` says are no target's, and gives back the places of those that it said so of
    /// before. A cgroup must be that for good. Tells the ids of those that are forgotten now.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be read or written.
    pub fn dismiss(
        &mut self,
        is_foreign: impl Fn(u64) -> bool,
    ) -> Result<HashSet<u64>, KernelError> {
        let _undisturbed = self.undisturbed();
        let freed = self.table.dismiss(&self.stats.read(0), is_foreign)?;
        if freed.is_empty() {
            return Ok(freed);
        }
        let keys = self.evidence.keys().filter_map(Result::ok);
        let gone: Vec<_> = keys.filter(|key| freed.contains(&key.0.cgroup)).collect();
        for key in gone {
            // One that is not there any more is as good.
            let _ = self.evidence.remove(&key);
        }
        let keys = self.values.keys().filter_map(Result::ok);
        let gone: Vec<_> = keys.filter(|key| freed.contains(&key.0.cgroup)).collect();
        for key in gone {
            let _ = self.values.remove(&key);
        }
        if let Some(denials) = &mut self.denials {
            denials.forget(&freed);
        }
        Ok(freed)
    }

    /// Forgets cgroups that processes went to which left a target: they are gone.
    pub fn forget_visited(&mut self, cgroups: &[u64]) {
        let _undisturbed = self.undisturbed();
        cgroups.iter().for_each(|cgroup| self.membership.forget_visited(*cgroup));
    }

    /// Forgets the moves that were lost of cgroups that are no target's, and gone.
    pub fn forget_lost_moves(&mut self, cgroups: &[u64]) {
        let _undisturbed = self.undisturbed();
        self.membership.forget_lost_moves(cgroups);
    }

    /// Calls that were seen so far but found no place anywhere, and those the kernel skipped.
    ///
    /// # Errors
    /// [`KernelError::ProgramInfo`]
    pub fn stats(&mut self) -> Result<(Stats, u64), KernelError> {
        Ok((self.stats.read(0), self.recursion_misses()?))
    }

    fn recursion_misses(&mut self) -> Result<u64, KernelError> {
        self.programs.recursion_misses(&self.ebpf)
    }

    fn entry_misses(&mut self) -> Result<u64, KernelError> {
        self.programs.entry_misses(&self.ebpf)
    }

    /// Denied calls are watched, and none can escape.
    pub fn sees_every_denial(&self) -> bool {
        self.sees_killed_threads()
    }

    /// Threads that a filter kills alone are seen.
    pub fn sees_killed_threads(&self) -> bool {
        self.btf.is_ok() && self.programs.see_killed_threads()
    }

    /// Takes out the view of which cgroup each process is or was in. Once, and only when denied calls are watched.
    ///
    /// # Errors
    /// [`KernelError`]: the map could not be opened.
    pub fn processes(&mut self) -> Result<Processes, KernelError> {
        Processes::new(&mut self.ebpf)
    }

    /// Detaches the programs: nothing is recorded from here on, and what was recorded can still be read.
    ///
    /// # Errors
    /// [`KernelError`]: a program could not be detached.
    pub fn detach(&mut self) -> Result<(), KernelError> {
        self.programs.detach(&mut self.ebpf)
    }
}

/// The configuration for this kernel; without BTF, the reason as well.
fn configure(options: &Options) -> (Config, Result<(), BtfError>) {
    let verdicts = options.cgroups_expected.saturating_mul(VERDICTS_PER_CGROUP);
    let verdicts = verdicts.clamp(MIN_VERDICTS, MAX_VERDICTS).next_power_of_two();
    let cpus = aya::util::nr_cpus().unwrap_or(1).max(1);
    let slots = (COUNTS_BUDGET / (size_of::<Counts>() * cpus)).clamp(16, MAX_COUNT_SLOTS);
    let base = Config {
        verdicts_log2: verdicts.trailing_zeros(),
        count_slots: if options.counts { slots as u32 } else { 0 },
        ..Config::default()
    };
    let offsets = if options.btf { btf::offsets() } else { Err(BtfError::NotWanted) };
    match offsets {
        Ok(offsets) => (
            Config {
                btf: 1,
                verdicts_log2: base.verdicts_log2,
                count_slots: base.count_slots,
                ..offsets
            },
            Ok(()),
        ),
        Err(error) => (base, Err(error)),
    }
}

fn load(options: &Options, config: &Config) -> Result<Ebpf, KernelError> {
    let entries = 1 << config.verdicts_log2;
    let log_level: u8 = if options.log { ::log::Level::Info as u8 } else { 0 };
    let denied = |entries, least| if options.denied { entries } else { least };
    EbpfLoader::new()
        .btf(None)
        .override_global(aya_log::LEVEL, &log_level, true)
        .map_max_entries(RECORDS, entries)
        .map_max_entries(COUNTS, config.count_slots + 1)
        .map_max_entries(EVIDENCE, EVIDENCE_ENTRIES)
        .map_max_entries(ARGUMENT_VALUES, options.argument_values)
        .map_max_entries(CGROUP_EVENTS, CGROUP_EVENTS_SIZE)
        .map_max_entries(CALL_EVENTS, CALL_EVENTS_SIZE)
        .map_max_entries(FREE_COUNTS, config.count_slots + 1)
        .map_max_entries(TARGETS, TARGET_ENTRIES)
        .map_max_entries(MEMBERS, MEMBER_ENTRIES)
        .map_max_entries(VISITED, VISITED_ENTRIES)
        .map_max_entries(MOVE_EVENTS, MOVE_EVENTS_SIZE)
        .map_max_entries(MOVES_LOST, MOVES_LOST_ENTRIES)
        .map_max_entries(CALLS_LOST, CALLS_LOST_ENTRIES)
        .map_max_entries(TASKS, denied(TASK_ENTRIES, 1))
        .map_max_entries(PROCESSES, denied(PROCESS_ENTRIES, 1))
        .map_max_entries(DENIALS, denied(DENIAL_ENTRIES, 1))
        .map_max_entries(TOLD_APART, denied(TOLD_APART_ENTRIES, 1))
        .map_max_entries(ENDS, denied(END_ENTRIES, 1))
        .map_max_entries(DENIAL_EVENTS, denied(DENIAL_EVENTS_SIZE, 4096))
        .load(&specialised(OBJECT, config)?)
        .map_err(load_error)
}

fn insert_roots(ebpf: &mut Ebpf, roots: &[u64]) -> Result<(), KernelError> {
    let map = ebpf.map_mut(ROOTS).ok_or(KernelError::Missing(ROOTS))?;
    let mut map: HashMap<_, u64, u8> =
        HashMap::try_from(map).map_err(map_error(ROOTS, "opening"))?;
    for root in roots {
        map.insert(root, 1, 0).map_err(map_error(ROOTS, "inserting a root"))?;
    }
    Ok(())
}
