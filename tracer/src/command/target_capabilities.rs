//! The capabilities that the processes of a watched target have: the conditions of its profile depend
//! on them.

use std::fs;

use anyhow::Result;

use super::{
    capabilities::{CapabilityBasis, mask},
    profile_file::ProfileFile,
};
use crate::{
    cgroup_path::CgroupPath,
    recording::selection::Selection,
    target::{cgroup::CgroupRoot, held::HeldCgroup},
};

/// The bounding sets of the target's processes, as far as they were seen.
///
/// A container's first process counts before others. A set only ever shrinks, and the runtime cuts
/// it before it executes the workload: what was seen is therefore intersected.
#[derive(Debug, Default)]
struct BoundingSets {
    first: Option<(u64, u32)>,
    other: Option<(u64, u32)>,
}

impl BoundingSets {
    /// Looks at a process, if it is still there.
    fn look_at(&mut self, pid: u32) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let Some(mask) = mask(&status) else { return };
        let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        // Its number here, and in the container (proc(5)); a container within the container has one
        // more.
        let is_first = pids.split_whitespace().skip(1).eq(["1"]);
        let place = if is_first { &mut self.first } else { &mut self.other };
        *place = Some(place.map_or((mask, pid), |(known, pid)| (known & mask, pid)));
    }

    /// The capabilities that were seen, if any process was.
    fn basis(&self) -> Option<CapabilityBasis> {
        let (mask, pid) = self.first.or(self.other)?;
        Some(CapabilityBasis::of_target(mask, pid))
    }
}

/// The capabilities that a session's profile is judged by: those that were typed, those of this
/// process for a command, else those of the target as far as they were seen.
#[derive(Debug)]
pub(super) struct TargetCapabilities {
    decided: bool,
    seen: BoundingSets,
}

impl TargetCapabilities {
    /// The capabilities to begin with.
    ///
    /// # Errors
    /// What was typed are no capabilities.
    pub(super) fn begin(typed: Option<&str>, of_command: bool) -> Result<(Self, CapabilityBasis)> {
        let decided = typed.is_some() || of_command;
        let basis = match typed {
            Some(typed) => CapabilityBasis::typed(typed)?,
            None if of_command => CapabilityBasis::own()?,
            None => CapabilityBasis::assumed(),
        };
        Ok((Self { decided, seen: BoundingSets::default() }, basis))
    }

    /// Looks at the processes that are there.
    pub(super) fn look_at_running(&mut self, root: &CgroupRoot, selections: &[Selection]) {
        for selection in selections {
            for pid in selection.paths.iter().flat_map(|path| processes(root, path)) {
                let within = |path: CgroupPath| {
                    selection.without.iter().any(|left_out| path.is_at_or_below(left_out))
                };
                if !root.of_process(pid).is_ok_and(within) {
                    self.seen.look_at(pid);
                }
            }
        }
    }

    /// Looks at a process of the target, if it is still there.
    pub(super) fn look_at(&mut self, pid: u32) {
        self.seen.look_at(pid);
    }

    /// Judges a profile anew, by what was seen since.
    ///
    /// # Errors
    /// By these capabilities it has no meaning.
    pub(super) fn evaluate(&self, profile: &mut ProfileFile) -> Result<()> {
        match self.seen.basis() {
            Some(basis) if !self.decided => profile.evaluate(basis),
            _ => Ok(()),
        }
    }
}

fn processes(root: &CgroupRoot, path: &str) -> Vec<u32> {
    let held = root.directory(path).ok().and_then(|directory| HeldCgroup::open(&directory).ok());
    held.and_then(|cgroup| cgroup.processes().ok()).unwrap_or_default()
}
