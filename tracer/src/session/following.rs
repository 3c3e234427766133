//! Follows the targets' processes wherever they go, and lets go of cgroups that are no target's.

use std::{path::Path, time::Instant};

use anyhow::Result;

use super::{config::Observers, setup::processes_below, state::Session};
use crate::cgroup_path::CgroupPath;

impl Session<'_> {
    /// Handles everything that happened since the last time.
    pub(super) fn poll(&mut self, observers: &mut Observers<'_>) -> Result<()> {
        self.poll_events(observers);
        self.follow_targets()?;
        match &mut self.audit {
            Some(audit) => audit.poll(&mut self.events, &self.config.root, observers),
            None => Ok(()),
        }
    }

    /// Handles the events of the kernel side.
    pub(super) fn poll_events(&mut self, observers: &mut Observers<'_>) {
        if let Some(line) = self.stream.problem() {
            observers.live.line(&line);
        }
        let batch = self.stream.drain();
        self.events.handle(batch, Instant::now(), &self.config.root, &mut self.late, observers);
    }

    /// Follows what leaves a target, also a target that came a moment ago. The kernel side knows
    /// the targets that existed when tracing began, but not the processes in them.
    pub(super) fn follow_targets(&mut self) -> Result<()> {
        for (cgroup, path) in std::mem::take(&mut self.events.new_targets) {
            self.recorder.follow(cgroup)?;
            self.add_members(&path)?;
        }
        let selections = &self.events.tracker.selections;
        let paths = selections.iter().flat_map(|selection| &selection.paths);
        let new: Vec<CgroupPath> =
            paths.filter(|path| !self.followed.contains(*path)).cloned().collect();
        for path in new {
            if let Ok(cgroup) = self.config.root.id(&path) {
                self.recorder.follow(cgroup)?;
                self.add_members(&path)?;
            }
            self.followed.insert(path);
        }
        Ok(())
    }

    /// Adds the processes that are in a target's cgroup, or below it, by now.
    fn add_members(&mut self, path: &str) -> Result<()> {
        for (process, cgroup) in processes_below(&self.config.root, path) {
            self.recorder.add_member(process, cgroup)?;
            // Another process may have its id soon.
            if !Path::new("/proc").join(process.to_string()).exists() {
                self.recorder.remove_member(process);
            }
        }
        Ok(())
    }

    /// Lets go of cgroups that are no target's, when there are so many that the kernel side's table
    /// fills.
    pub(super) fn dismiss_foreign(&mut self) -> Result<()> {
        let root = &self.config.root;
        let is_gone = |cgroup, path: &str| root.id(path).ok() != Some(cgroup);
        let gone = self.events.moves.drain_gone(is_gone);
        self.recorder.forget_visited(&gone);
        if !self.recorder.is_crowded() {
            return Ok(());
        }
        let events = &self.events;
        let freed = self.recorder.dismiss(|cgroup| events.is_foreign(cgroup))?;
        if !freed.is_empty() {
            // No process leaves a cgroup that is gone.
            let gone = self.events.forget(&freed, root);
            self.recorder.forget_lost_moves(&gone);
        }
        Ok(())
    }

    /// Processes of the command that left its cgroup, and still run.
    pub(super) fn command_visitors(&self) -> Result<u64> {
        let Some(group) = &self.group else { return Ok(0) };
        let is_commands = |home: &u64| {
            let path = self.events.names.paths.get(home);
            path.is_some_and(|path| path.is_at_or_below(&group.path))
        };
        Ok(self.recorder.visitors()?.iter().filter(|home| is_commands(home)).count() as u64)
    }
}
