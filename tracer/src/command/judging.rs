//! Who judges a profile while its target is watched: by what its processes may have.

use std::fs;

use anyhow::Result;

use super::{
    capabilities::{Judge, mask},
    profile_file::ProfileFile,
};
use crate::{
    recording::assembly::Selection,
    target::{cgroup::CgroupRoot, held::HeldCgroup},
};

/// The bounding sets of the target's processes, as far as they were seen.
///
/// A container's first process counts before others. A set only ever shrinks, and the runtime cuts it before it
/// executes the workload: what was seen is therefore intersected.
#[derive(Debug, Default)]
struct Seen {
    first: Option<(u64, u32)>,
    other: Option<(u64, u32)>,
}

impl Seen {
    /// Looks at a process, if it is still there.
    fn look_at(&mut self, pid: u32) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let Some(mask) = mask(&status) else { return };
        let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        // Its number here, and in the container (proc(5)); a container within the container has one more.
        let is_first = pids.split_whitespace().skip(1).eq(["1"]);
        let place = if is_first { &mut self.first } else { &mut self.other };
        *place = Some(place.map_or((mask, pid), |(known, pid)| (known & mask, pid)));
    }

    /// Who judges by what was seen, if anything was.
    fn judge(&self) -> Option<Judge> {
        let (mask, pid) = self.first.or(self.other)?;
        Some(Judge::of_target(mask, pid))
    }
}

/// Who judges the profile of a session: what was typed, this process for a command, else the target as it is seen.
#[derive(Debug)]
pub(super) struct Judging {
    decided: bool,
    seen: Seen,
}

impl Judging {
    /// Who judges to begin with.
    ///
    /// # Errors
    /// What was typed are no capabilities.
    pub(super) fn begin(typed: Option<&str>, of_command: bool) -> Result<(Self, Judge)> {
        let decided = typed.is_some() || of_command;
        let judge = match typed {
            Some(typed) => Judge::typed(typed)?,
            None if of_command => Judge::own()?,
            None => Judge::assumed(),
        };
        Ok((Self { decided, seen: Seen::default() }, judge))
    }

    /// Looks at the processes that are there.
    pub(super) fn look_at_running(&mut self, root: &CgroupRoot, selections: &[Selection]) {
        for selection in selections {
            for pid in selection.paths.iter().flat_map(|path| processes(root, path)) {
                let within = |path: String| {
                    selection.without.iter().any(|left_out| path.starts_with(left_out.as_str()))
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
    pub(super) fn judge(&self, profile: &mut ProfileFile) -> Result<()> {
        match self.seen.judge() {
            Some(judge) if !self.decided => profile.judge(judge),
            _ => Ok(()),
        }
    }
}

fn processes(root: &CgroupRoot, path: &str) -> Vec<u32> {
    let held = root.directory(path).ok().and_then(|directory| HeldCgroup::open(&directory).ok());
    held.and_then(|cgroup| cgroup.processes().ok()).unwrap_or_default()
}
