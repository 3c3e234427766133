//! Late starts: cgroups that held processes when tracing began, and whether they were started again since.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
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
            let Some(watched) = Watched::new(root, path)? else { continue };
            let sender = sender.clone();
            tokio::spawn(async move {
                if watched.restart().await {
                    // Nobody listens any more when the recording has ended.
                    let _ = sender.send(watched.events.path().to_owned());
                }
            });
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

/// A late cgroup that is watched.
struct Watched {
    events: CgroupEvents,
    /// The state when the watching began.
    state: CgroupState,
    changes: Readiness,
    directory: PathBuf,
    /// The processes that were there when tracing began.
    late: BTreeSet<String>,
}

impl Watched {
    fn new(root: &CgroupRoot, path: &str) -> Result<Option<Self>> {
        let (Ok(Some(events)), Ok(directory)) =
            (CgroupEvents::open(root, path), root.directory(path))
        else {
            return Ok(None);
        };
        // Reading arms the descriptor: without it the kernel reports a change at once.
        let Ok(state) = events.read() else { return Ok(None) };
        let changes = Readiness::of_priority(events.as_fd()).context("epoll")?;
        let late = processes(&directory);
        Ok(Some(Self { events, state, changes, directory, late }))
    }

    /// Waits until the cgroup was empty and holds processes again; false when that cannot happen any more.
    async fn restart(&self) -> bool {
        let mut known = self.state;
        loop {
            let Ok(()) = self.changes.ready().await else { return false };
            let Ok(now) = self.events.read() else { return false };
            let all_new = || self.late.is_disjoint(&processes(&self.directory));
            if started_again(known, now, all_new) {
                return true;
            }
            if now == CgroupState::Gone {
                return false;
            }
            known = now;
        }
    }
}

/// The process ids in a cgroup itself; those of another pid namespace are all 0.
fn processes(directory: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The kernel tells of changes only: a state that is told but unchanged was another one in between. That was either
/// empty, or frozen: then the processes are the same.
fn started_again(before: CgroupState, now: CgroupState, all_new: impl FnOnce() -> bool) -> bool {
    use CgroupState::Present;
    match (before, now) {
        (Present { populated: false, .. }, Present { populated: true, .. }) => true,
        // It started and ended in between.
        (Present { populated: false, frozen: was }, Present { populated: false, frozen }) => {
            was == frozen
        }
        (Present { populated: true, frozen: was }, Present { populated: true, frozen }) => {
            was == frozen && all_new()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_told_from_a_freeze() {
        let present = |populated, frozen| CgroupState::Present { populated, frozen };
        let (empty, running) = (present(false, false), present(true, false));
        assert!(started_again(empty, running, || false));
        assert!(started_again(running, running, || true), "empty in between");
        assert!(started_again(empty, empty, || false), "started and ended in between");
        assert!(!started_again(running, running, || false), "frozen in between");
        assert!(!started_again(running, present(true, true), || true), "frozen");
        assert!(!started_again(running, empty, || true), "only ended");
        assert!(!started_again(running, CgroupState::Gone, || true));
    }
}
