//! The roots: the few cgroups that the kernel side watches, with everything below them.

use anyhow::{Result, bail};
use tracer_ebpf::MAX_ROOT_LEVEL;

use crate::{
    cgroup_path::{CgroupPath, components, is_at_or_below, parent},
    recording::{TargetKind, selection::Selection},
    target::cgroup::CgroupRoot,
    text::escape,
};

/// Most roots that the kernel side takes.
const MAX_ROOTS: usize = 64;

/// The cgroups that are watched, with everything below them.
pub(super) struct Roots(Vec<Root>);

struct Root {
    path: CgroupPath,
    id: u64,
    /// Another cgroup has its path now, and is not watched.
    replaced: bool,
}

impl Roots {
    /// The roots for some targets; the root of the hierarchy, when it is to be watched as a whole.
    pub(super) fn of(
        root: &CgroupRoot,
        selections: &[Selection],
        watch_whole_hierarchy: bool,
    ) -> Result<Self> {
        let mut paths: Vec<CgroupPath> = Vec::new();
        for selection in selections {
            let wanted = selection.paths.iter().map(|path| root_of(path, selection.kind));
            paths.extend(wanted.map(|path| root.nearest(path)));
        }
        if watch_whole_hierarchy {
            paths.push(CgroupPath::root());
        }
        paths.sort();
        paths.dedup_by(|path, before| is_at_or_below(path, before));
        if paths.len() > MAX_ROOTS {
            bail!(
                "{} separate cgroups were named; at most {MAX_ROOTS} can be watched at once\nhint: name a cgroup above them",
                paths.len()
            );
        }
        if let Some(deep) = paths.iter().find(|path| level(path) > MAX_ROOT_LEVEL) {
            bail!(
                "the cgroup {} is at level {} of the hierarchy; at most {MAX_ROOT_LEVEL} can be watched\nhint: name a cgroup above it",
                escape(deep),
                level(deep)
            );
        }
        let roots = paths.into_iter().map(|path| {
            let id = root.id(&path)?;
            Ok(Root { path, id, replaced: false })
        });
        Ok(Self(roots.collect::<Result<_>>()?))
    }

    /// Their ids.
    pub(super) fn ids(&self) -> Vec<u64> {
        self.0.iter().map(|root| root.id).collect()
    }

    /// Looks whether one was removed and made again.
    pub(super) fn look(&mut self, root: &CgroupRoot) {
        for watched in &mut self.0 {
            watched.replaced |= root.id(&watched.path).is_ok_and(|id| id != watched.id);
        }
    }

    /// How many were.
    pub(super) fn replaced(&self) -> u64 {
        self.0.iter().filter(|root| root.replaced).count() as u64
    }
}

/// How deep a cgroup lies in the hierarchy; its root has level 0.
fn level(path: &str) -> u32 {
    components(path).count() as u32
}

/// The cgroup to watch for a target: its parent, so that a target that is removed and made again is
/// seen as well. The root of the hierarchy is too much for that, and a command's own cgroup is made
/// only once.
fn root_of(path: &str, kind: TargetKind) -> &str {
    match (kind, parent(path)) {
        (TargetKind::Command, _) | (_, None | Some("/")) => path,
        (_, Some(parent)) => parent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_watched_from_its_parent_unless_that_is_everything() {
        assert_eq!(root_of("/system.slice/nginx.service", TargetKind::Unit), "/system.slice");
        assert_eq!(root_of("/top", TargetKind::Path), "/top");
        assert_eq!(root_of("/", TargetKind::Path), "/");
        assert_eq!(root_of("/a/tracer-1", TargetKind::Command), "/a/tracer-1");
    }
}
