//! Late starts: cgroups that held processes when tracing began, and whether they were started again since.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::AsFd,
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, timeout_at},
};

use crate::{
    kernel::Readiness,
    target::{
        cgroup::CgroupRoot,
        watch::{CgroupEvents, CgroupState},
    },
};

/// Most cgroups that are watched for a restart in place.
const MAX_WATCHED: usize = 256;

/// The kernel tells of changes of a cgroup every 10 ms at most (`kernel/cgroup/cgroup.c`,
/// `CGROUP_FILE_NOTIFY_MIN_INTV`), so that the last one may come a little later.
const SETTLE: Duration = Duration::from_millis(50);

/// The late cgroups of a session.
pub(super) struct Late {
    /// Their paths, by id.
    paths: BTreeMap<u64, String>,
    /// Paths of which a whole start was recorded since.
    pub(super) restarted: BTreeSet<String>,
    restarts: UnboundedReceiver<String>,
    /// Keeps the channel open when nothing is watched.
    _sender: UnboundedSender<String>,
}

impl Late {
    /// Takes the populated cgroups, and watches each for the moment at which it is empty and started again.
    pub(super) fn watch(root: &CgroupRoot, paths: BTreeMap<u64, String>) -> Result<Self> {
        let (sender, restarts) = unbounded_channel();
        for path in paths.values().take(MAX_WATCHED) {
            let Ok(Some(events)) = CgroupEvents::open(root, path) else { continue };
            let changes = Readiness::of_priority(events.as_fd()).context("epoll")?;
            tokio::spawn(watch(events, changes, sender.clone()));
        }
        Ok(Self { paths, restarted: BTreeSet::new(), restarts, _sender: sender })
    }

    /// Ids of the late cgroups.
    pub(super) fn ids(&self) -> BTreeSet<u64> {
        self.paths.keys().copied().collect()
    }

    /// A late cgroup was not started again yet.
    pub(super) fn is_pending(&self) -> bool {
        self.paths.values().any(|path| !self.restarted.contains(path))
    }

    /// A cgroup made its first call: if it has the path of a late one and is another, that was started anew.
    pub(super) fn announced(&mut self, id: u64, path: &str) {
        if !self.paths.contains_key(&id) && self.paths.values().any(|late| late == path) {
            self.restarted.insert(path.to_owned());
        }
    }

    /// Takes the changes that are still on their way.
    pub(super) async fn settle(&mut self) {
        let deadline = Instant::now() + SETTLE;
        while self.is_pending() {
            if timeout_at(deadline, self.next_restart()).await.is_err() {
                return;
            }
        }
    }

    /// Waits for a restart in place, and notes it.
    pub(super) async fn next_restart(&mut self) {
        match self.restarts.recv().await {
            Some(path) => {
                self.restarted.insert(path);
            }
            None => std::future::pending().await,
        }
    }
}

/// Reports the path when the cgroup was empty and holds processes again.
async fn watch(events: CgroupEvents, changes: Readiness, sender: UnboundedSender<String>) {
    let Ok(mut known) = events.read() else { return };
    loop {
        let Ok(()) = changes.ready().await else { return };
        let Ok(now) = events.read() else { return };
        if started_again(known, now) {
            let _ = sender.send(events.path().to_owned());
            return;
        }
        if now == CgroupState::Gone {
            return;
        }
        known = now;
    }
}

/// The kernel tells of changes only: a state that is told but unchanged was another one in between.
fn started_again(before: CgroupState, now: CgroupState) -> bool {
    match (before, now) {
        (
            CgroupState::Present { populated: false, .. },
            CgroupState::Present { populated: true, .. },
        ) => true,
        (
            CgroupState::Present { populated: true, frozen: was },
            CgroupState::Present { populated: true, frozen },
        ) => was == frozen,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_told_from_a_freeze() {
        let alive = |populated, frozen| CgroupState::Present { populated, frozen };
        assert!(started_again(alive(false, false), alive(true, false)));
        assert!(started_again(alive(true, false), alive(true, false)), "empty in between");
        assert!(!started_again(alive(true, false), alive(true, true)), "frozen");
        assert!(!started_again(alive(true, false), alive(false, false)), "only ended");
        assert!(!started_again(alive(true, false), CgroupState::Gone));
    }
}
