//! Follows the targets' processes wherever they go, and lets go of cgroups that are no target's.

use std::path::Path;

use anyhow::Result;

use super::{Session, setup::processes_below};
use crate::recording::assembly::is_at_or_below;

impl Session<'_> {
    /// What leaves a target is followed, also a target that came a moment ago. The kernel side knows those that were there when
    /// tracing began, but not the processes in them.
    pub(super) fn follow_targets(&mut self) -> Result<()> {
        for (cgroup, path) in std::mem::take(&mut self.sightings.new_targets) {
            self.recorder.follow(cgroup)?;
            self.add_members(&path)?;
        }
        let selections = &self.sightings.selecting.selections;
        let paths = selections.iter().flat_map(|selection| &selection.paths);
        let new: Vec<String> =
            paths.filter(|path| !self.followed.contains(*path)).cloned().collect();
        for path in new {
            if let Ok(cgroup) = self.request.root.id(&path) {
                self.recorder.follow(cgroup)?;
                self.add_members(&path)?;
            }
            self.followed.insert(path);
        }
        Ok(())
    }

    /// Tells the kernel side of the processes that are in a target's cgroup, or below it, by now.
    fn add_members(&mut self, path: &str) -> Result<()> {
        for (process, cgroup) in processes_below(&self.request.root, path) {
            self.recorder.add_member(process, cgroup)?;
            // Its id may be another's soon.
            if !Path::new("/proc").join(process.to_string()).exists() {
                self.recorder.remove_member(process);
            }
        }
        Ok(())
    }

    /// Lets go of cgroups that are no target's, when so many are watched that the kernel side's table fills.
    pub(super) fn dismiss_foreign(&mut self) -> Result<()> {
        let root = &self.request.root;
        let is_gone = |cgroup, path: &str| root.id(path).ok() != Some(cgroup);
        let gone = self.sightings.moves.take_gone(is_gone);
        self.recorder.forget_visited(&gone);
        if !self.recorder.is_crowded() {
            return Ok(());
        }
        let sightings = &self.sightings;
        let freed = self.recorder.dismiss(|cgroup| sightings.is_foreign(cgroup))?;
        if !freed.is_empty() {
            // Whatever left them had left before they were found to be gone.
            let gone = self.sightings.forget(&freed, root);
            self.recorder.forget_lost_moves(&gone);
        }
        Ok(())
    }

    /// Processes of the command that left its cgroup, and still run.
    pub(super) fn command_visitors(&self) -> Result<u64> {
        let Some(group) = &self.group else { return Ok(0) };
        let is_commands = |home: &u64| {
            let path = self.sightings.names.paths.get(home);
            path.is_some_and(|path| is_at_or_below(path, &group.path))
        };
        Ok(self.recorder.visitors()?.iter().filter(|home| is_commands(home)).count() as u64)
    }
}
