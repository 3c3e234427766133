//! Starts a process whose first call in a cgroup is its own execve, so that nothing of tracer gets into the recording.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, Command},
};

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

/// The user that a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub id: u32,
    /// Primary group id.
    pub group: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
}

/// Starts `command` in the cgroup whose open `cgroup.procs` file is given.
///
/// The child becomes `user`, then writes itself into the cgroup: that write is entered in the old cgroup, and the
/// next call it makes is execve, in the new one.
///
/// # Errors
/// What fork, the change of the user, the write or execve said.
pub fn start_in_cgroup(
    mut command: Command,
    mut procs: File,
    user: Option<User>,
) -> io::Result<Child> {
    let enter = move || -> io::Result<()> {
        if let Some(user) = &user {
            let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
            setgroups(&groups)?;
            setgid(Gid::from_raw(user.group))?;
            setuid(Uid::from_raw(user.id))?;
        }
        procs.write_all(b"0")
    };
    // SAFETY: the closure runs in the forked child of a process with one thread, makes a few system calls and
    // allocates only what its own copy of the heap gives.
    unsafe { command.pre_exec(enter) };
    command.spawn()
}
