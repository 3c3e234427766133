//! Which processes belong to a target, and where they are: the maps that the programs on forks,
//! moves and ends keep.

use aya::maps::{HashMap, MapData};
use tracer_ebpf::{MEMBERS, MOVES_LOST, Member, TARGETS, VISITED};

use super::{
    error::KernelError,
    maps::{Maps, MemberPod, map_error, typed},
};

/// `BPF_NOEXIST` and `BPF_EXIST` (`include/uapi/linux/bpf.h`).
const ABSENT: u64 = 1;
const PRESENT: u64 = 2;

/// The targets' cgroups, and the processes that belong to them.
pub(super) struct Membership {
    targets: HashMap<MapData, u64, u8>,
    members: HashMap<MapData, u32, MemberPod>,
    visited: HashMap<MapData, u64, u8>,
    moves_lost: HashMap<MapData, u64, u64>,
}

impl Membership {
    /// Opens the maps.
    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        Ok(Self {
            targets: typed(maps.take(TARGETS)?, TARGETS)?,
            members: typed(maps.take(MEMBERS)?, MEMBERS)?,
            visited: typed(maps.take(VISITED)?, VISITED)?,
            moves_lost: typed(maps.take(MOVES_LOST)?, MOVES_LOST)?,
        })
    }

    /// Follows what leaves that cgroup, and those below it, from now on.
    pub(super) fn follow(&mut self, cgroup: u64) -> Result<(), KernelError> {
        self.targets.insert(&cgroup, &1, 0).map_err(map_error(TARGETS, "inserting a target"))
    }

    /// Adds a process that was in a target's cgroup before the kernel side could see it come, or
    /// before it was known that the cgroup is a target's. A process that ended meanwhile does no
    /// harm. One that moved meanwhile is left as the kernel side has it.
    pub(super) fn add(&mut self, process: u32, cgroup: u64) -> Result<(), KernelError> {
        let condition = match self.members.get(&process, 0) {
            Ok(MemberPod(Member { cgroup: known, home: 0 })) if known == cgroup => PRESENT,
            Ok(_) => return Ok(()),
            Err(_) => ABSENT,
        };
        let member = MemberPod(Member { cgroup, home: cgroup });
        match self.members.insert(&process, &member, condition) {
            Ok(()) | Err(aya::maps::MapError::SyscallError(_)) => Ok(()),
            Err(error) => Err(map_error(MEMBERS, "inserting a process")(error)),
        }
    }

    /// Removes a process that has ended, perhaps before the kernel side knew it.
    pub(super) fn remove(&mut self, process: u32) {
        // A missing entry is as good.
        let _ = self.members.remove(&process);
    }

    /// The homes of the processes that live outside the target that they belong to.
    pub(super) fn visitors(&self) -> Result<Vec<u64>, KernelError> {
        let mut homes = Vec::new();
        for entry in &self.members {
            let (_, MemberPod(Member { cgroup, home })) =
                entry.map_err(map_error(MEMBERS, "reading"))?;
            if home != 0 && home != cgroup {
                homes.push(home);
            }
        }
        Ok(homes)
    }

    /// Moves whose events were lost, by cgroup.
    pub(super) fn moves_lost(&self) -> Result<Vec<(u64, u64)>, KernelError> {
        self.moves_lost.iter().collect::<Result<_, _>>().map_err(map_error(MOVES_LOST, "reading"))
    }

    /// Forgets the moves that were lost of some cgroups.
    pub(super) fn forget_lost_moves(&mut self, cgroups: &[u64]) {
        if self.moves_lost.keys().next().is_none() {
            return;
        }
        for cgroup in cgroups {
            // Most have none.
            let _ = self.moves_lost.remove(cgroup);
        }
    }

    /// Forgets a visited cgroup, which is gone.
    pub(super) fn forget_visited(&mut self, cgroup: u64) {
        // A missing entry is as good.
        let _ = self.visited.remove(&cgroup);
    }
}
