//! Late starts: cgroups that held processes when tracing began, and whether they were started again
//! since.

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
    cgroup_path::CgroupPath,
    sys::AsyncFdWait,
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
    paths: BTreeMap<u64, CgroupPath>,
    /// Paths of which a whole start was recorded since.
    restarted: BTreeSet<CgroupPath>,
    /// Ids of those that took in a process which had been started before tracing began: that is no
    /// start.
    impure: BTreeSet<u64>,
    restarts: UnboundedReceiver<CgroupPath>,
    /// Keeps the channel open when nothing is watched.
    _sender: UnboundedSender<CgroupPath>,
}

impl Late {
    /// Takes the populated cgroups, and watches each for the moment at which it is empty and
    /// started again. `began`: when tracing did, in nanoseconds since boot.
    pub(super) fn watch(
        root: &CgroupRoot,
        paths: BTreeMap<u64, CgroupPath>,
        began: u64,
    ) -> Result<Self> {
        let (sender, restarts) = unbounded_channel();
        for path in paths.values().take(MAX_WATCHED) {
            let Some(watched) = Watched::new(root, path, began)? else { continue };
            let sender = sender.clone();
            tokio::spawn(async move {
                if watched.restart().await {
                    // Nobody listens any more when the recording has ended.
                    let _ = sender.send(watched.events.path().into());
                }
            });
        }
        let (restarted, impure) = (BTreeSet::new(), BTreeSet::new());
        Ok(Self { paths, restarted, impure, restarts, _sender: sender })
    }

    /// Ids of the late cgroups.
    pub(super) fn ids(&self) -> BTreeSet<u64> {
        self.paths.keys().copied().collect()
    }

    /// A late cgroup was not started again yet.
    pub(super) fn is_pending(&self) -> bool {
        let restarted = self.restarted();
        self.paths.values().any(|path| !restarted.contains(path))
    }

    /// Paths of which a whole start was recorded since: every process that came was started after
    /// tracing began.
    pub(super) fn restarted(&self) -> BTreeSet<CgroupPath> {
        let impure = |path: &CgroupPath| {
            self.paths.iter().any(|(id, late)| late == path && self.impure.contains(id))
        };
        self.restarted.iter().filter(|path| !impure(path)).cloned().collect()
    }

    /// A process came into a cgroup. `is_old`: it had been started before tracing began.
    pub(super) fn process_entered(&mut self, id: u64, is_old: bool) {
        if is_old && self.paths.contains_key(&id) {
            self.impure.insert(id);
        }
    }

    /// A cgroup made its first call: if it has the path of a late one and is another, that was
    /// started anew.
    pub(super) fn announced(&mut self, id: u64, path: &str) {
        if !self.paths.contains_key(&id) && self.paths.values().any(|late| late == path) {
            self.restarted.insert(path.into());
            let before: Vec<u64> =
                self.paths.iter().filter(|(_, late)| *late == path).map(|(id, _)| *id).collect();
            before.iter().for_each(|id| {
                self.impure.remove(id);
            });
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
    changes: AsyncFdWait,
    directory: PathBuf,
    /// When tracing began, in nanoseconds since boot.
    began: u64,
}

impl Watched {
    fn new(root: &CgroupRoot, path: &str, began: u64) -> Result<Option<Self>> {
        let (Ok(Some(events)), Ok(directory)) =
            (CgroupEvents::open(root, path), root.directory(path))
        else {
            return Ok(None);
        };
        // Reading arms the descriptor: without it the kernel reports a change at once.
        let Ok(state) = events.read() else { return Ok(None) };
        let changes = AsyncFdWait::priority(events.as_fd()).context("epoll")?;
        Ok(Some(Self { events, state, changes, directory, began }))
    }

    /// Waits until the cgroup was empty and holds processes again; false when that cannot happen
    /// any more.
    async fn restart(&self) -> bool {
        let mut known = self.state;
        loop {
            let Ok(()) = self.changes.ready().await else { return false };
            let Ok(now) = self.events.read() else { return false };
            let all_new = || all_new(&self.directory, self.began);
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

/// Every process in a cgroup itself was started after tracing began. One whose start is not known
/// was not: those of another pid namespace are all 0. One that ended meanwhile is none.
fn all_new(directory: &Path, began: u64) -> bool {
    let Ok(processes) = fs::read_to_string(directory.join("cgroup.procs")) else { return false };
    processes.lines().all(|process| match started(process) {
        Some(time) => time >= began,
        None => process != "0" && !Path::new("/proc").join(process).exists(),
    })
}

/// When a process was started, in nanoseconds since boot, rounded down to clock ticks
/// (`proc_pid_stat(5)`, field 22).
fn started(process: &str) -> Option<u64> {
    const FIELDS_BEHIND_THE_NAME: usize = 19;
    let text = fs::read_to_string(Path::new("/proc").join(process).join("stat")).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    let ticks: u64 = behind.split_whitespace().nth(FIELDS_BEHIND_THE_NAME)?.parse().ok()?;
    ticks.checked_mul(1_000_000_000 / rustix::param::clock_ticks_per_second())
}

/// The kernel reports changes only: a reported state that is unchanged was another one in between,
/// either empty or frozen. An empty moment alone is no start: processes may leave and come back.
fn started_again(before: CgroupState, now: CgroupState, all_new: impl FnOnce() -> bool) -> bool {
    use CgroupState::Present;
    match (before, now) {
        (Present { populated: false, .. }, Present { populated: true, .. }) => all_new(),
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
        assert!(started_again(empty, running, || true));
        assert!(!started_again(empty, running, || false), "they came back");
        assert!(started_again(running, running, || true), "empty in between");
        assert!(started_again(empty, empty, || false), "started and ended in between");
        assert!(!started_again(running, running, || false), "frozen in between");
        assert!(!started_again(running, present(true, true), || true), "frozen");
        assert!(!started_again(running, empty, || true), "only ended");
        assert!(!started_again(running, CgroupState::Gone, || true));
    }
}
