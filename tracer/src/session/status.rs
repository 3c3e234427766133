//! The status line of a recording.

use anyhow::Result;

use super::{Observers, Session};
use crate::text::escape;

impl Session<'_> {
    /// Brings the status line up to date. What other cgroups do that are watched beside the targets is nobody's business.
    pub(super) fn show_status(&mut self, observers: &mut Observers<'_>) -> Result<()> {
        if !observers.live.has_status_line() {
            return Ok(());
        }
        let snapshot = self.recorder.drain()?;
        let names = &self.sightings.names;
        let is_targets = |id: &u64| {
            names.paths.get(id).is_some_and(|path| self.sightings.selecting.is_selected(path))
        };
        let targets = || snapshot.cgroups.iter().filter(|cgroup| is_targets(&cgroup.id));
        let without_values = targets()
            .filter(|cgroup| cgroup.record.flags & tracer_ebpf::flags::VALUES_LOST != 0)
            .count();
        let counted = targets().filter_map(|cgroup| cgroup.counts.as_ref());
        let total = self.request.counts.then(|| counted.flat_map(|counts| counts.iter()).sum());
        let stats = &snapshot.stats;
        let lost = stats.calls_lost
            + stats.evidence_lost
            + without_values as u64
            + snapshot.recursion_misses;
        observers.live.status(self.awaited().as_deref(), total, lost);
        Ok(())
    }

    /// The targets, when none of them is there.
    fn awaited(&self) -> Option<String> {
        let selections = &self.sightings.selecting.selections;
        let mut paths = selections.iter().flat_map(|selection| &selection.paths);
        if paths.any(|path| self.request.root.id(path).is_ok()) {
            return None;
        }
        let names: Vec<String> = selections.iter().map(|one| escape(&one.name)).collect();
        Some(names.join(", "))
    }
}
