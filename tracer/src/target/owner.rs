//! Finds out who may make cgroups where, by the owners of directories.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tokio::net::UnixStream;

use super::cgroup::CgroupRoot;
use super::territory::{ANYBODY, Home, Territory, user_of_manager};
use crate::cgroup_path::{CgroupPath, levels};

/// Writable by the group; by all.
const GROUP_WRITABLE: u32 = 0o020;
const WRITABLE: u32 = 0o002;

/// In whose territory a cgroup is. It may be gone: who may remove a cgroup may make it, so that the
/// first directory on the way down that is not root's is still there, unless root removed it.
pub fn territory(root: &CgroupRoot, path: &str) -> Territory {
    let above = levels(path).filter(|top| top.len() < path.len());
    let user = above.map_while(|top| owner(root, top).ok()).find(|user| *user != 0);
    Territory::new(path, user.or_else(|| user_of_manager(path)))
}

/// Who may make cgroups below one.
fn owner(root: &CgroupRoot, path: &str) -> io::Result<u32> {
    let directory = root.directory(path).map_err(io::Error::other)?;
    let found = fs::metadata(directory)?;
    let mode = found.mode();
    let is_shared = mode & WRITABLE != 0 || (mode & GROUP_WRITABLE != 0 && found.gid() != 0);
    Ok(if is_shared { ANYBODY } else { found.uid() })
}

/// Where the owner of a directory of this host lives.
pub fn home_of_directory(directory: &Path) -> Option<Home> {
    let user = fs::metadata(directory).ok()?.uid();
    Some(Home { user, path: Some(CgroupPath::root()) })
}

/// Where the server of a socket lives, by the process that began to listen on it (unix(7),
/// `SO_PEERCRED`); None when nothing accepts a connection.
pub async fn home(root: Option<&CgroupRoot>, socket: &Path) -> Option<Home> {
    let peer = UnixStream::connect(socket).await.ok()?.peer_cred().ok()?;
    // 0 for a process of another pid namespace.
    let process = peer.pid().and_then(|id| u32::try_from(id).ok()).filter(|id| *id > 0);
    let path = process.zip(root).and_then(|(id, root)| root.of_process(id).ok());
    Some(Home { user: peer.uid(), path })
}
