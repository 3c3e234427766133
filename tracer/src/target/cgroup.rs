//! The cgroup v2 file system: where it is mounted, what is in it, where a process or a typed path
//! is.
//!
//! Paths are those of `/proc/PID/cgroup`, which are those below the mount point unless the mount
//! shows only a part of the hierarchy. The id of a cgroup is the inode number of its directory:
//! what `bpf_get_current_cgroup_id()` gives (cgroups(7), kernel `kernel/cgroup/cgroup.c`,
//! `cgroup_id`).

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::error::{CgroupError, Operation};
use super::mountinfo::{self, CgroupMount, CgroupVersion};
use crate::cgroup_path::{self, CgroupPath};

/// How many children the message about a missing path names.
const CHILDREN_SHOWN: usize = 12;

/// The cgroup v2 mount.
#[derive(Clone, Debug)]
pub struct CgroupRoot {
    proc: PathBuf,
    /// How this process's cgroup namespace spells the root of the hierarchy, when that lies above
    /// it: `/../..`.
    above: Option<PathBuf>,
    mount: CgroupMount,
    mounts: Vec<CgroupMount>,
}

/// A cgroup at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupNode {
    /// Path in the hierarchy, `/` for the root. A label where the name is not UTF-8.
    pub path: CgroupPath,
    /// Inode number of the directory: the kernel's id of the cgroup.
    pub id: u64,
    /// Processes or threads were in it, not counting those below it.
    pub occupied: bool,
}

/// All cgroups at some moment.
#[derive(Clone, Debug)]
pub struct CgroupTree {
    /// Where they were read.
    pub root: CgroupRoot,
    /// Sorted by path.
    pub nodes: Vec<CgroupNode>,
}

impl CgroupRoot {
    /// Finds the mount in `self/mountinfo` below `proc`, which is `/proc` outside tests.
    pub fn find(proc: &Path) -> Result<Self, CgroupError> {
        let table = proc.join("self/mountinfo");
        let text =
            fs::read(&table).map_err(|source| CgroupError::io(Operation::Read, &table, source))?;
        let mut mounts = mountinfo::cgroup_mounts(&text);
        let chosen = |mounts: &[CgroupMount]| mountinfo::choose_v2(mounts).cloned();
        let Some(mut mount) = chosen(&mounts) else {
            return Err(CgroupError::NotMounted { v1: !mounts.is_empty() });
        };
        let above = mount.above_namespace();
        if let Some(above) = &above {
            mount.root = PathBuf::from("/");
            mounts = mounts.into_iter().filter_map(|mount| mount.seen_from(above)).collect();
        }
        Ok(Self { proc: proc.to_owned(), above, mount, mounts })
    }

    /// Where the hierarchy is mounted.
    pub fn mount_point(&self) -> &Path {
        &self.mount.mount_point
    }

    /// Are there cgroup v1 hierarchies as well? Then processes may all be in the root of v2.
    pub fn has_v1(&self) -> bool {
        self.v1_mounts().next().is_some()
    }

    /// Where processes are looked up.
    pub fn proc(&self) -> &Path {
        &self.proc
    }

    /// The directory of a cgroup; it need not exist.
    pub fn directory(&self, path: &str) -> Result<PathBuf, CgroupError> {
        let outside = || CgroupError::OutsideMount {
            path: path.to_owned(),
            shown: self.mount.root.clone(),
            mount_point: self.mount.mount_point.clone(),
        };
        let below = Path::new(path).strip_prefix(&self.mount.root).map_err(|_| outside())?;
        if below.components().any(|component| component == Component::ParentDir) {
            return Err(outside());
        }
        Ok(self.mount.mount_point.join(below))
    }

    /// The id of a cgroup.
    pub fn id(&self, path: &str) -> Result<u64, CgroupError> {
        let directory = self.directory(path)?;
        fs::metadata(&directory)
            .map(|metadata| metadata.ino())
            .map_err(|source| CgroupError::io(Operation::Examine, &directory, source))
    }

    /// The cgroup of a process or thread.
    pub fn of_process(&self, process: u32) -> Result<CgroupPath, CgroupError> {
        self.membership(&process.to_string(), process)
    }

    /// The cgroup of this program.
    pub fn own(&self) -> Result<CgroupPath, CgroupError> {
        self.membership("self", std::process::id())
    }

    /// The cgroup that a typed path means: a path in the hierarchy, or the file-system path of a
    /// directory in it.
    pub fn locate(&self, typed: &str) -> Result<CgroupPath, CgroupError> {
        let path = self.place(typed)?;
        if self.directory(&path)?.is_dir() {
            Ok(path)
        } else {
            Err(self.not_found(typed, path.as_ref()))
        }
    }

    /// The same whether or not there is such a cgroup.
    pub fn place(&self, typed: &str) -> Result<CgroupPath, CgroupError> {
        let path = normalised(typed)?;
        let mount = self
            .mounts
            .iter()
            .filter(|mount| path.starts_with(&mount.mount_point))
            .max_by_key(|mount| mount.mount_point.as_os_str().len());
        let path = match mount {
            Some(v1) if v1.version == CgroupVersion::V1 => return Err(self.v1_path(typed, v1)),
            Some(v2) => v2.hierarchy_path(path.strip_prefix(&v2.mount_point).unwrap_or(&path)),
            None => path,
        };
        // A mount that shows only a part: what is typed may be the path below it.
        let path = match path.strip_prefix(&self.mount.root) {
            Ok(_) => path,
            Err(_) => self.mount.hierarchy_path(path.strip_prefix("/").unwrap_or(&path)),
        };
        Ok(path.to_string_lossy().into_owned().into())
    }

    /// The nearest cgroup at or above a path that exists.
    pub fn nearest(&self, path: &str) -> CgroupPath {
        let exists = |path: &&str| self.directory(path).is_ok_and(|directory| directory.is_dir());
        cgroup_path::ancestors(path).find(exists).map_or_else(CgroupPath::root, CgroupPath::from)
    }

    /// How many cgroups there are (`Documentation/admin-guide/cgroup-v2.rst`, `cgroup.stat`); None
    /// when the kernel does not tell.
    pub fn count(&self) -> Option<usize> {
        let stat = fs::read_to_string(self.mount.mount_point.join("cgroup.stat")).ok()?;
        let below = stat.lines().find_map(|line| line.strip_prefix("nr_descendants "))?;
        below.parse::<usize>().ok()?.checked_add(1)
    }

    /// All cgroups.
    pub fn tree(&self) -> Result<CgroupTree, CgroupError> {
        let nodes = populated(self, &self.mount.root.to_string_lossy())?;
        Ok(CgroupTree { root: self.clone(), nodes })
    }

    fn v1_mounts(&self) -> impl Iterator<Item = &CgroupMount> {
        self.mounts.iter().filter(|mount| mount.version == CgroupVersion::V1)
    }

    fn membership(&self, entry: &str, process: u32) -> Result<CgroupPath, CgroupError> {
        let file = self.proc.join(entry).join("cgroup");
        let text = fs::read(&file).map_err(|source| match Errno::from_io_error(&source) {
            Some(Errno::NOENT | Errno::SRCH) => CgroupError::NoProcess { process },
            _ => CgroupError::io(Operation::Read, &file, source),
        })?;
        let path = unified_line(&text).ok_or(CgroupError::NoUnifiedLine { process })?;
        let path = self.translated(path)?;
        let gone = |path: &str| !self.directory(path).is_ok_and(|directory| directory.is_dir());
        match path.strip_suffix(" (deleted)") {
            Some(removed) if gone(&path) => {
                Err(CgroupError::Removed { process, path: removed.to_owned() })
            }
            _ => Ok(path),
        }
    }

    /// A path as this process's cgroup namespace shows it, as a path in the mounted hierarchy.
    fn translated(&self, path: String) -> Result<CgroupPath, CgroupError> {
        let Some(above) = &self.above else { return Ok(path.into()) };
        match Path::new(&path).strip_prefix(above) {
            Ok(below) => Ok(Path::new("/").join(below).to_string_lossy().into_owned().into()),
            // Inside the namespace: where its root lies in the hierarchy is not known.
            Err(_) => Err(CgroupError::InsideNamespace { path }),
        }
    }

    fn v1_path(&self, typed: &str, v1: &CgroupMount) -> CgroupError {
        CgroupError::V1Path {
            path: typed.to_owned(),
            controllers: v1.controllers(),
            unified: self.mount.mount_point.clone(),
        }
    }

    /// Why there is no such cgroup.
    fn not_found(&self, typed: &str, path: &Path) -> CgroupError {
        let shown = &self.mount.root;
        let top = path.strip_prefix(shown).ok().and_then(|below| below.components().next());
        let known = top.is_some_and(|top| self.mount.mount_point.join(top).is_dir());
        if !known {
            let below = path.strip_prefix("/").unwrap_or(path);
            if let Some(v1) = self.v1_mounts().find(|v1| v1.mount_point.join(below).is_dir()) {
                return self.v1_path(typed, v1);
            }
            if Path::new(typed).exists() {
                let unified = self.mount.mount_point.clone();
                return CgroupError::NotACgroup { path: typed.to_owned(), unified };
            }
        }
        let ancestor = self.nearest(&path.to_string_lossy());
        let mut children = self.directory(&ancestor).map(|at| children(&at)).unwrap_or_default();
        let more = children.len().saturating_sub(CHILDREN_SHOWN);
        children.truncate(CHILDREN_SHOWN);
        CgroupError::Missing { path: typed.to_owned(), ancestor: ancestor.into(), children, more }
    }
}

impl CgroupTree {
    /// The cgroup with this path.
    pub fn node(&self, path: &str) -> Option<&CgroupNode> {
        self.nodes
            .binary_search_by(|node| node.path.as_str().cmp(path))
            .ok()
            .and_then(|index| self.nodes.get(index))
    }
}

/// Every cgroup at or below a path with its id and whether processes are in it now; sorted by path.
///
/// What is removed meanwhile is left out; what is made meanwhile may be missing.
pub fn populated(root: &CgroupRoot, path: &str) -> Result<Vec<CgroupNode>, CgroupError> {
    let top = root.directory(path)?;
    let device = fs::metadata(&top)
        .map_err(|source| CgroupError::io(Operation::Examine, &top, source))?
        .dev();
    let mut nodes = Vec::new();
    let mut pending = vec![(top, CgroupPath::from(path))];
    while let Some((directory, path)) = pending.pop() {
        let Ok(metadata) = fs::metadata(&directory) else { continue };
        if metadata.dev() != device {
            continue;
        }
        let Some(occupied) = vanished(occupied(&directory))
            .map_err(|source| CgroupError::io(Operation::Read, &directory, source))?
        else {
            continue;
        };
        for name in subdirectories(&directory)
            .map_err(|source| CgroupError::io(Operation::List, &directory, source))?
        {
            let child = path.join(&name.to_string_lossy());
            pending.push((directory.join(name), child));
        }
        nodes.push(CgroupNode { path, id: metadata.ino(), occupied });
    }
    nodes.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(nodes)
}

/// The path in the `0::` line of a `/proc/PID/cgroup`. Lines of cgroup v1 stand beside it on hybrid
/// hosts.
fn unified_line(text: &[u8]) -> Option<String> {
    text.split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"0::"))
        .map(|path| String::from_utf8_lossy(path).into_owned())
}

/// An absolute path without empty and `.` components; `..` is refused, for it would not mean what
/// it seems to.
fn normalised(typed: &str) -> Result<PathBuf, CgroupError> {
    let mut path = PathBuf::from("/");
    for component in Path::new(typed).components() {
        match component {
            Component::Normal(name) if !typed.contains('\0') => path.push(name),
            Component::RootDir | Component::CurDir => {}
            _ => return Err(CgroupError::ParentComponent { path: typed.to_owned() }),
        }
    }
    Ok(path)
}

/// Is a process or thread in the cgroup itself? `cgroup.procs` of a threaded cgroup cannot be read:
/// `cgroup.threads` can (Documentation/admin-guide/cgroup-v2.rst, "Threads").
fn occupied(directory: &Path) -> io::Result<bool> {
    let holds_any = |name: &str| {
        let mut byte = [0];
        File::open(directory.join(name))?.read(&mut byte).map(|length| length > 0)
    };
    match holds_any("cgroup.procs") {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => {
            holds_any("cgroup.threads")
        }
        result => result,
    }
}

/// A cgroup that is removed while it is read: ENOENT when its files are opened, ENODEV when they
/// are read.
fn vanished<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NODEV) => Ok(None),
            _ => Err(error),
        },
    }
}

fn subdirectories(directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let Some(entries) = vanished(fs::read_dir(directory))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        let Some(entry) = vanished(entry)? else { break };
        if vanished(entry.file_type())?.is_some_and(|kind| kind.is_dir()) {
            names.push(entry.file_name());
        }
    }
    Ok(names)
}

fn children(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = subdirectories(directory)
        .unwrap_or_default()
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;
