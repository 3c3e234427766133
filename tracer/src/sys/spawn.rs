//! Starts a process whose first system call in its cgroup is its own execve, so that no call of
//! tracer gets into the recording.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, Command},
};

use nix::{
    sys::signal::SigSet,
    unistd::{Gid, Uid, setgid, setgroups, setuid},
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities,
    set_no_new_privs,
};

use super::{
    program::{Pointers, Program, execute},
    seccomp::{Filter, load},
};

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

/// Keeps one capability of the user before: the load of a filter without `no_new_privs` needs it.
/// The execve takes it away, because it is neither inheritable nor ambient (`capabilities(7)`,
/// "Transformation of capabilities during `execve()`").
fn keep_one_for_the_load() -> io::Result<()> {
    let one = CapabilitySet::SYS_ADMIN;
    let inheritable = capabilities(None)?.inheritable & !one;
    set_capabilities(None, CapabilitySets { effective: one, permitted: one, inheritable })?;
    Ok(())
}

/// Starts a program in the cgroup whose open `cgroup.procs` file is given.
///
/// The child becomes `user`, then writes itself into the cgroup. The kernel enters that write in
/// the old cgroup. In the new one the child makes the calls that load the filter, if there is one,
/// and execve. A script without an interpreter line is an error of execve; no shell runs it.
///
/// # Errors
/// The error of fork, of the change of the user, of the write, of the load of the filter or of
/// execve.
pub fn start_in_cgroup(
    program: Program,
    mut procs: File,
    user: Option<User>,
    filter: Option<Filter>,
) -> io::Result<Child> {
    let arguments = Pointers::new(program.arguments);
    let environment = Pointers::new(program.environment);
    let path = program.path;
    let groups: Vec<Gid> =
        user.iter().flat_map(|user| &user.groups).copied().map(Gid::from_raw).collect();
    // The name only matters for messages: the closure below executes the program itself.
    let mut command = Command::new("/proc/self/exe");
    let execute = move || -> io::Result<()> {
        let keeps = filter.as_ref().is_some_and(|filter| !filter.no_new_privs);
        if let Some(user) = &user {
            set_keep_capabilities(keeps)?;
            setgroups(&groups)?;
            setgid(Gid::from_raw(user.group))?;
            setuid(Uid::from_raw(user.id))?;
            if keeps && user.id != 0 {
                keep_one_for_the_load()?;
            }
        }
        // tracer blocks signals for itself; its child gets them.
        SigSet::empty().thread_set_mask()?;
        procs.write_all(b"0")?;
        if let Some(filter) = &filter {
            if filter.no_new_privs {
                set_no_new_privs(true)?;
            }
            load(filter)?;
        }
        Err(execute(&path, &arguments, &environment))
    };
    // SAFETY: the closure runs in the forked child of a process that may have other threads. It makes
    // a few system calls, takes no lock and allocates nothing.
    unsafe { command.pre_exec(execute) };
    command.spawn()
}
