//! Who is in a tracked cgroup: the programs that see processes come and go, and the maps of who belongs to a target.

use aya::{
    Ebpf,
    maps::{HashMap, MapData},
};
use tracer_ebpf::{MEMBERS, MOVES_LOST, Member, TARGETS, VISITED};

use super::{
    KernelError,
    maps::{MemberPod, map_error, take, typed},
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
    /// Opens the maps, and fills in the targets.
    pub(super) fn new(ebpf: &mut Ebpf, targets: &[u64]) -> Result<Self, KernelError> {
        let mut membership = Self {
            targets: typed(take(ebpf, TARGETS)?, TARGETS)?,
            members: typed(take(ebpf, MEMBERS)?, MEMBERS)?,
            visited: typed(take(ebpf, VISITED)?, VISITED)?,
            moves_lost: typed(take(ebpf, MOVES_LOST)?, MOVES_LOST)?,
        };
        for target in targets {
            membership.follow(*target)?;
        }
        Ok(membership)
    }

    /// What leaves that cgroup, and those below it, is followed from now on.
    pub(super) fn follow(&mut self, cgroup: u64) -> Result<(), KernelError> {
        self.targets.insert(cgroup, 1, 0).map_err(map_error(TARGETS, "inserting a target"))
    }

    /// A process was in a target's cgroup before the kernel side could see it come, or knew that it is a target's. One that ended
    /// meanwhile does no harm; about one that was moved meanwhile the kernel side knows better.
    pub(super) fn add(&mut self, process: u32, cgroup: u64) -> Result<(), KernelError> {
        let condition = match self.members.get(&process, 0) {
            Ok(MemberPod(Member { cgroup: known, home: 0 })) if known == cgroup => PRESENT,
            Ok(_) => return Ok(()),
            Err(_) => ABSENT,
        };
        let member = MemberPod(Member { cgroup, home: cgroup });
        match self.members.insert(process, member, condition) {
            Ok(()) | Err(aya::maps::MapError::SyscallError(_)) => Ok(()),
            Err(error) => Err(map_error(MEMBERS, "inserting a process")(error)),
        }
    }

    /// A process has ended, and the kernel side may not have seen it.
    pub(super) fn remove(&mut self, process: u32) {
        // One that is not there is as good.
        let _ = self.members.remove(&process);
    }

    /// The processes that live outside the target that they belong to: their homes.
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

    /// Moves that user space was not told of, by cgroup.
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
        // One that is not there is as good.
        let _ = self.visited.remove(&cgroup);
    }
}
