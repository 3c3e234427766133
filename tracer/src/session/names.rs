//! The paths of cgroups by their ids, also of those that are gone.

use std::collections::{HashMap, HashSet};

use tracer_ebpf::{CgroupEvent, PATH_SIZE};

use crate::{
    cgroup_path::{CgroupPath, UNKNOWN_NAME},
    target::cgroup::{CgroupNode, CgroupRoot},
    text::until_nul,
};

/// Id of the root of the hierarchy: inode number 1 (kernel `fs/kernfs/dir.c`,
/// `kernfs_create_root`).
const ROOT: u64 = 1;
/// Most cgroups without a call whose paths are kept.
const MAX_DESTINATIONS: usize = 1 << 14;

/// What is known of the hierarchy.
#[derive(Default)]
pub(super) struct CgroupNames {
    /// Path of each known cgroup.
    pub(super) paths: HashMap<u64, CgroupPath>,
    /// New cgroups whose parents were gone when they were announced. What the parents announced is
    /// taken next.
    waiting: Vec<CgroupEvent>,
    /// Cgroups with `?ID` in their paths for names that were never reported.
    gapped: HashSet<u64>,
    /// Paths of other cgroups that processes were moved to. Perhaps nobody makes a call there, so
    /// that no cgroup's own event reports them; and that event does not name the cgroups above.
    destinations: HashMap<u64, CgroupPath>,
}

impl CgroupNames {
    /// Takes in what a walk of the file system found.
    pub(super) fn learn(&mut self, nodes: &[CgroupNode]) {
        self.paths.extend(nodes.iter().map(|node| (node.id, node.path.clone())));
    }

    /// Adds the path of a cgroup that a process was moved to, as the kernel reports it: from the
    /// root of the hierarchy. A path that may be cut off, or that this process would spell
    /// otherwise, is of no use.
    pub(super) fn add_destination(&mut self, cgroup: u64, path: &[u8; PATH_SIZE]) {
        let path = until_nul(path);
        let is_whole = path.starts_with(b"/") && path.len() + 1 < PATH_SIZE;
        let sees_all = self.paths.get(&ROOT).is_some_and(|root| root == "/");
        let has_room = self.destinations.len() < MAX_DESTINATIONS;
        if is_whole && sees_all && has_room && !self.paths.contains_key(&cgroup) {
            let path = String::from_utf8_lossy(path).into_owned();
            self.destinations.entry(cgroup).or_insert_with(|| path.into());
        }
    }

    /// The path of a cgroup that made no call, when a move to it was reported.
    pub(super) fn destination(&self, cgroup: u64) -> Option<&CgroupPath> {
        self.destinations.get(&cgroup)
    }

    /// Places a cgroup that a process was moved to, whatever is known of those above it.
    pub(super) fn place_destination(&mut self, cgroup: u64) -> Option<CgroupPath> {
        let path = self.destinations.remove(&cgroup)?;
        self.paths.insert(cgroup, path.clone());
        Some(path)
    }

    /// Places new cgroups whose parents are known or can still be found, by one look at the file
    /// system for all of them. Those of the last time whose parents were not even announced since
    /// are placed by what is known. Returns the paths of all that were placed.
    pub(super) fn place(
        &mut self,
        events: Vec<CgroupEvent>,
        root: &CgroupRoot,
    ) -> Vec<(u64, CgroupPath)> {
        let mut placed = Vec::new();
        let mut unplaced = self.place_known(events, &mut placed);
        let mut waited = std::mem::take(&mut self.waiting);
        if !unplaced.is_empty() {
            if let Ok(tree) = root.tree() {
                self.learn(&tree.nodes);
            }
            unplaced = self.place_known(unplaced, &mut placed);
        }
        // A parent that was announced meanwhile, and whose own parent is gone.
        let above: HashSet<u64> = waited.iter().flat_map(|child| child.ancestors).collect();
        waited.extend(unplaced.extract_if(.., |event| above.contains(&event.cgroup)));
        self.place_by_what_is_known(waited, &mut placed);
        self.waiting = unplaced;
        placed
    }

    /// Places what is left, at the end.
    pub(super) fn place_the_rest(&mut self) -> Vec<(u64, CgroupPath)> {
        let mut placed = Vec::new();
        let waiting = std::mem::take(&mut self.waiting);
        self.place_by_what_is_known(waiting, &mut placed);
        placed
    }

    /// The cgroup's whole path is known.
    pub(super) fn is_placed(&self, id: u64) -> bool {
        self.paths.contains_key(&id) && !self.gapped.contains(&id)
    }

    /// Places the cgroups whose parents are known; returns the others.
    fn place_known(
        &mut self,
        mut events: Vec<CgroupEvent>,
        placed: &mut Vec<(u64, CgroupPath)>,
    ) -> Vec<CgroupEvent> {
        // Parents first.
        events.sort_by_key(depth);
        let mut unplaced = Vec::new();
        for event in events {
            match self.place_below_parent(&event) {
                Some(path) => placed.push((event.cgroup, path)),
                None => unplaced.push(event),
            }
        }
        unplaced
    }

    fn place_below_parent(&mut self, event: &CgroupEvent) -> Option<CgroupPath> {
        if let Some(path) = self.paths.get(&event.cgroup) {
            return Some(path.clone());
        }
        if let Some(path) = self.place_destination(event.cgroup) {
            return Some(path);
        }
        let (name, parent) = (name(event)?, parent(event)?);
        let path = self.paths.get(parent)?.join(&name);
        if self.gapped.contains(parent) {
            self.gapped.insert(event.cgroup);
        }
        self.paths.insert(event.cgroup, path.clone());
        Some(path)
    }

    /// Forgets cgroups: those of `freed` that wait for a place, and of the others those that
    /// `is_gone` says. Tells the ids of the latter.
    pub(super) fn forget(
        &mut self,
        freed: &HashSet<u64>,
        is_gone: impl Fn(u64, &str) -> bool,
    ) -> Vec<u64> {
        self.waiting.retain(|event| !freed.contains(&event.cgroup));
        let destinations = self.destinations.extract_if(|id, path| is_gone(*id, path));
        let paths = self.paths.extract_if(|id, path| is_gone(*id, path));
        let gone = paths.chain(destinations).map(|(id, _)| id).collect();
        self.gapped.retain(|id| self.paths.contains_key(id));
        gone
    }

    /// Places cgroups below the nearest ancestor that is known, with `?ID` for those that are not.
    fn place_by_what_is_known(
        &mut self,
        mut events: Vec<CgroupEvent>,
        placed: &mut Vec<(u64, CgroupPath)>,
    ) {
        events.sort_by_key(depth);
        for event in events {
            let path = self.place_below_parent(&event).or_else(|| {
                let path = self.place_with_gaps(&event)?;
                self.gapped.insert(event.cgroup);
                self.paths.insert(event.cgroup, path.clone());
                Some(path)
            });
            placed.extend(path.map(|path| (event.cgroup, path)));
        }
    }

    fn place_with_gaps(&self, event: &CgroupEvent) -> Option<CgroupPath> {
        // So deep that the ancestors above it were not reported: some name is missing then.
        let is_deep = event.ancestors.iter().all(|ancestor| *ancestor != 0);
        let deep = || is_deep.then_some(event.ancestors.len());
        let own = depth(event).or_else(deep)?;
        let known =
            (0..own).rev().find(|level| self.paths.contains_key(&event.ancestors[*level]))?;
        let mut path = self.paths.get(&event.ancestors[known])?.clone();
        for ancestor in &event.ancestors[known + 1..own] {
            path = path.join(&format!("{UNKNOWN_NAME}{ancestor}"));
        }
        if depth(event).is_none() {
            path = path.join(&format!("{UNKNOWN_NAME}0"));
        }
        let own = name(event).unwrap_or_else(|| format!("{UNKNOWN_NAME}{}", event.cgroup));
        Some(path.join(&own))
    }
}

/// Level of the cgroup itself among its ancestors. None when the task had been moved before they
/// were read.
fn depth(event: &CgroupEvent) -> Option<usize> {
    event.ancestors.iter().position(|ancestor| *ancestor == event.cgroup)
}

fn parent(event: &CgroupEvent) -> Option<&u64> {
    event.ancestors.get(depth(event)?.checked_sub(1)?)
}

/// The cgroup's own name; None when the kernel side could not read it.
fn name(event: &CgroupEvent) -> Option<String> {
    let bytes = until_nul(&event.name);
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

    fn names() -> CgroupNames {
        let mut names = CgroupNames::default();
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
    fn a_parent_that_was_announced_as_well_has_its_name() {
        let mut names = names();
        names.waiting.push(event(&[1, 8, 9, 10], b"leaf"));
        names.waiting.push(event(&[1, 8, 9], b"parent"));
        assert_eq!(
            names.place_the_rest(),
            [(9, "/?8/parent".into()), (10, "/?8/parent/leaf".into())]
        );
        assert!(!names.is_placed(9) && !names.is_placed(10) && names.is_placed(5));
        names.paths.insert(12, "/?12".into());
        assert!(names.is_placed(12), "a name of somebody's choice");
    }

    #[test]
    fn what_is_too_deep_is_placed_below_what_is_known() {
        let mut names = names();
        let ancestors: Vec<u64> = [1, 5].into_iter().chain(100..130).collect();
        let mut deep = event(&ancestors, b"leaf");
        deep.cgroup = 999;
        names.waiting.push(deep);
        names.place_the_rest();
        let path = &names.paths[&999];
        assert!(path.starts_with("/docker/?100/") && path.ends_with("/?129/?0/leaf"), "{path}");
    }

    fn path(text: &str) -> [u8; PATH_SIZE] {
        let mut path = [0; PATH_SIZE];
        path[..text.len()].copy_from_slice(text.as_bytes());
        path
    }

    #[test]
    fn where_processes_went_is_known_without_a_call() {
        let mut names = names();
        names.add_destination(7, &path("/elsewhere"));
        names.add_destination(7, &path("/another"));
        names.add_destination(5, &path("/another"));
        assert_eq!(names.destination(7).map(CgroupPath::as_str), Some("/elsewhere"));
        assert_eq!(names.destination(5), None, "it is placed");
        assert!(!names.is_placed(7), "it made no call");
        let gone = names.forget(&HashSet::new(), |_, path| path == "/elsewhere");
        assert_eq!((gone, names.destination(7)), (vec![7], None));
    }

    #[test]
    fn a_cgroup_below_others_that_are_gone_is_where_a_process_went() {
        let mut names = names();
        names.add_destination(9, &path("/gone/inner"));
        let placed = names.place_known(vec![event(&[1, 8, 9], b"inner")], &mut Vec::new());
        assert!(placed.is_empty(), "it waits for nothing");
        assert_eq!(names.paths[&9], "/gone/inner");
        assert!(names.is_placed(9));
        // One whose own event was lost.
        names.add_destination(11, &path("/gone/too"));
        assert_eq!(names.place_destination(11), Some("/gone/too".into()));
        assert!(names.is_placed(11) && names.place_destination(12).is_none());
    }

    #[test]
    fn a_path_that_may_be_wrong_is_not_kept() {
        let cut = format!("/{}", "x".repeat(PATH_SIZE - 2));
        let mut names = names();
        names.add_destination(7, &path(&cut));
        names.add_destination(8, &path(""));
        assert!(names.destinations.is_empty(), "cut off, or not reported");
        // A process in a cgroup namespace of its own has another root.
        names.paths.remove(&ROOT);
        names.add_destination(7, &path("/elsewhere"));
        assert!(names.destinations.is_empty());
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
