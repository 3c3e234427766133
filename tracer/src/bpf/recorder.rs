//! The attached programs and their maps, behind one type.

use std::collections::HashSet;

use aya::{
    Ebpf,
    maps::{HashMap, MapData},
};
use aya_log::EbpfLogger;
use tracer_ebpf::{ARGUMENT_VALUES, EVIDENCE, Stats};

use super::{
    btf::BtfError,
    cgroup_table::{CgroupTable, CgroupTotals},
    denials::{Denials, Processes},
    error::KernelError,
    load::insert_roots,
    maps::{ArgumentKeyPod, EvidenceKeyPod, EvidencePod, Maps, map_error},
    membership::Membership,
    mmap_array::MmapArray,
    preparation::{Loaded, Loading},
    programs::Programs,
    tables::{Events, Tables},
};
use crate::{
    recording::{Attach, facts::Snapshot},
    sys::RealTime,
};

/// The attached program and its maps. Dropping it detaches the program and frees everything.
pub struct Recorder {
    ebpf: Ebpf,
    maps: Maps,
    programs: Programs,
    denials: Option<Denials>,
    table: CgroupTable,
    membership: Membership,
    stats: MmapArray<Stats>,
    evidence: HashMap<MapData, EvidenceKeyPod, EvidencePod>,
    values: HashMap<MapData, ArgumentKeyPod, EvidencePod>,
    btf: Result<(), BtfError>,
}

/// What a status line shows of everything that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Calls of the targets; None when calls are not counted.
    pub calls: Option<u64>,
    /// Calls, facts and values that were lost.
    pub losses: u64,
}

/// Which cgroups are watched.
#[derive(Clone, Debug)]
pub struct WatchedCgroups {
    /// Ids of the cgroups below which everything is tracked. At most 64.
    pub roots: Vec<u64>,
    /// Ids of the uppermost cgroups of the targets that exist: processes that leave them are
    /// followed.
    pub targets: Vec<u64>,
}

impl Recorder {
    /// Waits for the load of the programs, fills in the roots and attaches the programs. When it
    /// returns, no call below a root is missed any more.
    ///
    /// # Errors
    /// [`KernelError`]: what the kernel refused.
    pub fn attach(
        watched: &WatchedCgroups,
        loading: Loading,
    ) -> Result<(Self, Events), KernelError> {
        let Loaded { options, mut ebpf, mut maps, tables, verification, btf } = loading.finish()?;
        let Tables { cgroups, mut membership, stats, evidence, values, denials, mut events } =
            tables;
        events.log = options
            .log
            .then(|| EbpfLogger::init(&mut ebpf).map_err(|error| KernelError::Log(Box::new(error))))
            .transpose()?;
        insert_roots(&mut maps, &watched.roots)?;
        for target in &watched.targets {
            membership.follow(*target)?;
        }
        let programs = Programs::attach(&mut ebpf, &options, verification, btf.is_ok())?;
        let table = cgroups;
        let recorder =
            Self { ebpf, maps, programs, denials, table, membership, stats, evidence, values, btf };
        Ok((recorder, events))
    }

    /// Ok when the facts come from the kernel's BTF; the reason otherwise.
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

    fn real_time(&self) -> RealTime {
        RealTime::begin(self.attached() == Attach::Classic)
    }

    /// Programs that the kernel refused and that recording goes on without, each with the reason
    /// and the consequence.
    pub fn refusals(&self) -> &[String] {
        self.programs.refusals()
    }

    /// Reads everything that was recorded so far. Cgroups and sets come from shared memory, counts
    /// and evidence by one system call for each entry.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be read.
    pub fn drain(&mut self) -> Result<Snapshot, KernelError> {
        let _real_time = self.real_time();
        let (cgroups, table_fill) = self.table.read()?;
        let evidence = self
            .evidence
            .iter()
            .map(|entry| entry.map(|(key, value)| (key.0, value.0)))
            .collect::<Result<_, _>>()
            .map_err(map_error(EVIDENCE, "reading"))?;
        // After the calls: the values of each call that was read are there by now.
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

    /// Follows what leaves that cgroup of a target, and those below it, from now on.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be written.
    pub fn follow(&mut self, cgroup: u64) -> Result<(), KernelError> {
        let _real_time = self.real_time();
        self.membership.follow(cgroup)
    }

    /// Follows a process that was in a target's cgroup before the kernel side could see it come.
    /// `process` is an id of the initial pid namespace.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be written.
    pub fn add_member(&mut self, process: u32, cgroup: u64) -> Result<(), KernelError> {
        let _real_time = self.real_time();
        self.membership.add(process, cgroup)
    }

    /// Removes a process that has ended, perhaps before it was added.
    pub fn remove_member(&mut self, process: u32) {
        let _real_time = self.real_time();
        self.membership.remove(process);
    }

    /// The ids of the cgroups that processes left which now live outside their target, one for each
    /// such process.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be read.
    pub fn visitors(&self) -> Result<Vec<u64>, KernelError> {
        let _real_time = self.real_time();
        self.membership.visitors()
    }

    /// There are so many new cgroups or values of arguments that it is worth looking for those that
    /// are no target's.
    pub fn is_crowded(&self) -> bool {
        self.table.is_crowded(&self.stats.read(0))
    }

    /// Stops recording the cgroups that `is_foreign` says are no target's, which must be so for
    /// good. Gives back the places of those that it named before, and returns their ids.
    ///
    /// # Errors
    /// [`KernelError`]: a map could not be read or written.
    pub fn dismiss(
        &mut self,
        is_foreign: impl Fn(u64) -> bool,
    ) -> Result<HashSet<u64>, KernelError> {
        let _real_time = self.real_time();
        let freed = self.table.dismiss(&self.stats.read(0), is_foreign)?;
        if freed.is_empty() {
            return Ok(freed);
        }
        let keys = self.evidence.keys().filter_map(Result::ok);
        let gone: Vec<_> = keys.filter(|key| freed.contains(&key.0.cgroup)).collect();
        for key in gone {
            // A missing entry is as good.
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

    /// Forgets cgroups that are gone and that processes went to which left a target.
    pub fn forget_visited(&mut self, cgroups: &[u64]) {
        let _real_time = self.real_time();
        cgroups.iter().for_each(|cgroup| self.membership.forget_visited(*cgroup));
    }

    /// Forgets the lost moves of cgroups that are gone and no target's.
    pub fn forget_lost_moves(&mut self, cgroups: &[u64]) {
        let _real_time = self.real_time();
        self.membership.forget_lost_moves(cgroups);
    }

    /// The totals that a status line shows, over the cgroups that `is_target` names. It makes one
    /// bpf(2) call for each such cgroup whose calls are counted and one for each program, and reads
    /// the rest from shared memory.
    ///
    /// # Errors
    /// [`KernelError`]: a counter could not be read.
    pub fn totals(&self, is_target: impl Fn(u64) -> bool) -> Result<Totals, KernelError> {
        let _real_time = self.real_time();
        let CgroupTotals { calls, without_values } = self.table.totals(is_target)?;
        let stats = self.stats.read(0);
        let losses = stats.calls_lost + stats.evidence_lost + without_values;
        Ok(Totals { calls, losses: losses + self.recursion_misses()? })
    }

    fn recursion_misses(&self) -> Result<u64, KernelError> {
        self.programs.recursion_misses(&self.ebpf)
    }

    fn entry_misses(&self) -> Result<u64, KernelError> {
        self.programs.entry_misses(&self.ebpf)
    }

    /// The kernel side sees a thread that a filter kills while its process lives on.
    pub fn sees_killed_threads(&self) -> bool {
        self.btf.is_ok() && self.programs.see_killed_threads()
    }

    /// The map of which cgroup each process is or was in. It can be had once, and only when denied
    /// calls are watched.
    ///
    /// # Errors
    /// [`KernelError`]: the map could not be opened.
    pub fn processes(&mut self) -> Result<Processes, KernelError> {
        Processes::new(&mut self.maps)
    }

    /// Detaches the programs: nothing is recorded from here on. The maps can still be read.
    ///
    /// # Errors
    /// [`KernelError`]: a program could not be detached.
    pub fn detach(&mut self) -> Result<(), KernelError> {
        self.programs.detach(&mut self.ebpf)
    }
}
