//! What the status line of a recording shows.

use std::time::Instant;

use anyhow::Result;

use super::{config::Observers, state::Session};
use crate::{live::Status, text::escape};

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
        observers.live.status(&Status {
            awaited: self.awaited().as_deref(),
            calls: activity.calls,
            denied: activity.denied,
            last_denied: activity.last_denied.as_deref(),
            quiet_for: activity.quiet_for(now),
            calls_per_second: totals.calls.map(|calls| self.rate.at(now, calls)),
            losses: totals.losses,
        });
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
