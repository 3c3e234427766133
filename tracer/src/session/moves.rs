//! Processes that come into the watched cgroups and leave them.

use std::collections::HashMap;

use tracer_ebpf::MoveEvent;

use crate::{
    cgroup_path::CgroupPath,
    recording::facts::Move,
    text::{escape_c_string, until_nul},
};

/// Most different moves that are kept. A move beyond, of a process that is not followed, counts as
/// lost.
const MAX_MOVES: usize = 1 << 14;
/// From so many visited cgroups on, those that are gone are forgotten.
const MANY_VISITED: usize = 1 << 10;

/// What was seen of processes that were moved.
#[derive(Default)]
pub(super) struct Moves {
    /// In the order in which they were first seen.
    seen: Vec<Move>,
    /// Index in `seen` by the two cgroups and whether it was followed.
    places: HashMap<(u64, u64, bool), usize>,
    /// Paths of the cgroups that followed processes went to, by id.
    visited: HashMap<u64, CgroupPath>,
    /// Moves that were not kept.
    pub(super) lost: u64,
}

impl Moves {
    /// Adds a move. A process that came from no tracked cgroup left none.
    pub(super) fn add(&mut self, event: &MoveEvent) {
        if event.from == 0 {
            return;
        }
        let followed = event.home != 0 && event.thread == 0;
        let key = (event.from, event.to, followed);
        if let Some(known) = self.places.get(&key).and_then(|index| self.seen.get_mut(*index)) {
            known.processes += 1;
            return;
        }
        let path = until_nul(&event.path);
        if followed && event.home != event.to {
            self.visited.insert(event.to, String::from_utf8_lossy(path).into_owned().into());
        }
        if self.seen.len() == MAX_MOVES {
            self.lost += u64::from(!followed);
            return;
        }
        self.places.insert(key, self.seen.len());
        self.seen.push(Move {
            from: event.from,
            to: event.to,
            path: (!path.is_empty()).then(|| String::from_utf8_lossy(path).into_owned().into()),
            followed,
            processes: 1,
            command: escape_c_string(&event.command),
        });
    }

    /// All that were kept.
    pub(super) fn all(&self) -> &[Move] {
        &self.seen
    }

    /// Removes the visited cgroups that are gone, when many were visited, and returns their ids.
    pub(super) fn drain_gone(&mut self, is_gone: impl Fn(u64, &str) -> bool) -> Vec<u64> {
        if self.visited.len() < MANY_VISITED {
            return Vec::new();
        }
        self.visited
            .extract_if(|cgroup, path| is_gone(*cgroup, path))
            .map(|(cgroup, _)| cgroup)
            .collect()
    }

    /// Forgets the moves that concern none of the targets any more.
    pub(super) fn forget(&mut self, is_foreign: impl Fn(u64) -> bool) {
        self.seen.retain(|one| !is_foreign(one.from));
        let places = self.seen.iter().enumerate();
        self.places =
            places.map(|(index, one)| ((one.from, one.to, one.followed), index)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(from: u64, to: u64, home: u64) -> MoveEvent {
        let mut path = [0; 256];
        path[..2].copy_from_slice(b"/x");
        let (command, time) = (*b"a\x1bb\0............", 9);
        MoveEvent { time, started: time, from, to, home, pid: 1, thread: 0, command, path }
    }

    #[test]
    fn moves_of_one_kind_are_counted_together() {
        let mut moves = Moves::default();
        for event in [event(1, 2, 1), event(1, 2, 1), event(1, 2, 0), event(0, 1, 1)] {
            moves.add(&event);
        }
        let counted: Vec<_> = moves.all().iter().map(|one| (one.followed, one.processes)).collect();
        assert_eq!(counted, [(true, 2), (false, 1)]);
        assert_eq!(moves.all()[0].command, r"a\x1bb");
        assert_eq!(moves.all()[0].path.as_deref(), Some("/x"));
        moves.forget(|cgroup| cgroup == 1);
        assert!(moves.all().is_empty());
    }
}
