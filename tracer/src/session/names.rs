//! The paths of cgroups by their ids, also of those that are gone.

use std::collections::{HashMap, HashSet};

use tracer_ebpf::CgroupEvent;

use crate::{
    recording::assembly::UNKNOWN_NAME,
    target::cgroup::{CgroupNode, CgroupRoot},
};

/// What is known of the hierarchy.
#[derive(Default)]
pub(super) struct Names {
    /// Path of each known cgroup.
    pub(super) paths: HashMap<u64, String>,
    /// New cgroups whose parent is not known yet.
    waiting: Vec<CgroupEvent>,
    /// Those among them that lie below a cgroup which is no target's, so that they are none either.
    lost: HashSet<u64>,
}

impl Names {
    /// Takes in what a walk of the file system found.
    pub(super) fn learn(&mut self, nodes: &[CgroupNode]) {
        self.paths.extend(nodes.iter().map(|node| (node.id, node.path.clone())));
    }

    /// Places new cgroups whose parents are known or can still be found, by one look at the file system for all of them.
    /// Returns the paths of those that were placed.
    pub(super) fn place(
        &mut self,
        events: Vec<CgroupEvent>,
        root: &CgroupRoot,
    ) -> Vec<(u64, String)> {
        let mut placed = Vec::new();
        let unplaced = self.place_known(events, &mut placed);
        if !unplaced.is_empty() {
            if let Ok(tree) = root.tree() {
                self.learn(&tree.nodes);
            }
            let unplaced = self.place_known(unplaced, &mut placed);
            self.waiting.extend(unplaced);
        }
        placed
    }

    /// Places the cgroups whose parents are known; returns the others.
    fn place_known(
        &mut self,
        events: Vec<CgroupEvent>,
        placed: &mut Vec<(u64, String)>,
    ) -> Vec<CgroupEvent> {
        let mut unplaced = Vec::new();
        for event in events {
            match self.place_below_parent(&event) {
                Some(path) => placed.push((event.cgroup, path)),
                None => unplaced.push(event),
            }
        }
        unplaced
    }

    fn place_below_parent(&mut self, event: &CgroupEvent) -> Option<String> {
        if let Some(path) = self.paths.get(&event.cgroup) {
            return Some(path.clone());
        }
        let name = name(event)?;
        let parent = self.paths.get(parent(event)?)?;
        let path = format!("{}/{name}", parent.trim_end_matches('/'));
        self.paths.insert(event.cgroup, path.clone());
        Some(path)
    }

    /// Forgets cgroups: those of `freed` that wait for a place, and of the others those that `is_gone` says.
    pub(super) fn forget(&mut self, freed: &HashSet<u64>, is_gone: impl Fn(u64, &str) -> bool) {
        self.waiting.retain(|event| !freed.contains(&event.cgroup));
        self.lost.retain(|cgroup| !freed.contains(cgroup));
        self.paths.retain(|id, path| !is_gone(*id, path));
    }

    /// The cgroup has no known place, and whatever its place is, it is no target's.
    pub(super) fn is_lost(&self, cgroup: u64) -> bool {
        self.lost.contains(&cgroup)
    }

    /// Notes which of the cgroups that wait for their place are no target's, by the path that `is_foreign` is given: that of the nearest
    /// known ancestor, with `?ID` for those that are not known.
    pub(super) fn give_up(&mut self, is_foreign: impl Fn(&str) -> bool) {
        for event in &self.waiting {
            if self.place_with_gaps(event).is_some_and(|path| is_foreign(&path)) {
                self.lost.insert(event.cgroup);
            }
        }
    }

    /// Places what is left, at the end: below the nearest ancestor that is known, with `?ID` for those that are not.
    pub(super) fn place_the_rest(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|event| self.place_below_parent(event).is_none());
        for event in waiting {
            let Some(path) = self.place_with_gaps(&event) else { continue };
            self.paths.insert(event.cgroup, path);
        }
    }

    fn place_with_gaps(&self, event: &CgroupEvent) -> Option<String> {
        let own = depth(event)?;
        let known =
            (0..own).rev().find(|level| self.paths.contains_key(&event.ancestors[*level]))?;
        let mut path = self.paths.get(&event.ancestors[known])?.trim_end_matches('/').to_owned();
        for ancestor in &event.ancestors[known + 1..own] {
            path.push_str(&format!("/{UNKNOWN_NAME}{ancestor}"));
        }
        path.push('/');
        path.push_str(&name(event).unwrap_or_else(|| format!("{UNKNOWN_NAME}{}", event.cgroup)));
        Some(path)
    }
}

/// Level of the cgroup itself among its ancestors. None when the task had been moved before they were read.
fn depth(event: &CgroupEvent) -> Option<usize> {
    event.ancestors.iter().position(|ancestor| *ancestor == event.cgroup)
}

fn parent(event: &CgroupEvent) -> Option<&u64> {
    event.ancestors.get(depth(event)?.checked_sub(1)?)
}

/// The cgroup's own name; None when the kernel side could not read it.
fn name(event: &CgroupEvent) -> Option<String> {
    let bytes = event.name.split(|byte| *byte == 0).next().unwrap_or_default();
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(ancestors: &[u64], name: &[u8]) -> CgroupEvent {
        let mut event = CgroupEvent { time: 0, cgroup: 0, ancestors: [0; 32], name: [0; 256] };
        event.ancestors[..ancestors.len()].copy_from_slice(ancestors);
        event.cgroup = ancestors.last().copied().unwrap_or_default();
        event.name[..name.len()].copy_from_slice(name);
        event
    }

    fn names() -> Names {
        let mut names = Names::default();
        names.learn(&[
            CgroupNode { path: "/".into(), id: 1, occupied: true },
            CgroupNode { path: "/docker".into(), id: 5, occupied: false },
        ]);
        names
    }

    #[test]
    fn a_cgroup_is_placed_below_its_parent() {
        let mut names = names();
        assert_eq!(
            names.place_below_parent(&event(&[1, 5, 9], b"ab12")),
            Some("/docker/ab12".into())
        );
        assert_eq!(names.place_below_parent(&event(&[1, 7], b"top")), Some("/top".into()));
    }

    #[test]
    fn order_does_not_matter() {
        let mut names = names();
        names.waiting.push(event(&[1, 5, 9, 11], b"inner"));
        names.place_below_parent(&event(&[1, 5, 9], b"outer"));
        names.place_the_rest();
        assert_eq!(names.paths[&11], "/docker/outer/inner");
    }

    #[test]
    fn an_ancestor_that_is_gone_leaves_a_gap() {
        let mut names = names();
        names.waiting.push(event(&[1, 5, 8, 9], b"leaf"));
        names.place_the_rest();
        assert_eq!(names.paths[&9], "/docker/?8/leaf");
    }

    #[test]
    fn ancestors_of_another_cgroup_place_nothing() {
        let mut names = names();
        let mut moved = event(&[1, 5, 9], b"x");
        moved.cgroup = 77;
        names.waiting.push(moved);
        names.place_the_rest();
        assert!(!names.paths.contains_key(&77));
    }
}
