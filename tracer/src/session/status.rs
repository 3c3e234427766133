//! What the status line of a recording shows.

use std::time::Instant;

use anyhow::Result;

use super::{clock::boot_time, config::Observers, state::Session};
use crate::{live::StatusFigures, text::escape};

impl Session<'_> {
    /// Brings the status line up to date. It counts the targets' calls, not those of other cgroups
    /// that are watched beside them.
    pub(super) fn show_status(
        &mut self,
        now: Instant,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        if !observers.live.has_status_line() {
            return Ok(());
        }
        let events = &self.events;
        let is_targets = |id: u64| {
            let path = events.names.paths.get(&id);
            path.is_some_and(|path| events.tracker.is_selected(path))
        };
        let totals = self.recorder.totals(is_targets)?;
        let activity = &self.events.activity;
        observers.live.status(&StatusFigures {
            awaited: self.awaited().as_deref(),
            calls: activity.calls,
            set_up: activity.set_up,
            denied: activity.denied,
            last_denied: activity.last_denied.as_deref(),
            quiet_for: activity.quiet_for(now),
            calls_per_second: totals.calls.map(|calls| self.rate.at(now, calls)),
            losses: totals.losses,
        });
        Ok(())
    }

    /// Shows which containers ended since the last time.
    pub(super) fn show_ends(&mut self, observers: &Observers<'_>) -> Result<()> {
        let root = &self.config.root;
        let ended = self.events.lives.ended(|path| root.id(path).is_ok());
        if !ended.is_empty() {
            let seconds = self.events.seconds(boot_time()?);
            for (label, marks) in ended {
                marks.iter().for_each(|mark| observers.live.mark(seconds, mark, &label));
            }
        }
        Ok(())
    }

    /// The targets' names, when no cgroup of a target exists.
    fn awaited(&self) -> Option<String> {
        let selections = &self.events.tracker.selections;
        let mut paths = selections.iter().flat_map(|selection| &selection.paths);
        if paths.any(|path| self.config.root.id(path).is_ok()) {
            return None;
        }
        let names: Vec<_> = selections.iter().map(|one| escape(&one.name)).collect();
        Some(names.join(", "))
    }
}
