//! Starts a process whose first system call in its cgroup is its own execve, after the load of a
//! filter if there is one: no other call of tracer gets into the recording.

use std::{
    fs::File,
    io::{self, PipeReader, Read as _, Write as _, pipe},
    mem::zeroed,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Command, ExitStatus},
};

use linux_raw_sys::general::{CLONE_INTO_CGROUP, CLONE_PARENT, clone_args};
use nix::{
    sys::signal::SigSet,
    unistd::{Gid, Uid, setgid, setgroups, setuid},
};
use rustix::{
    io::Errno,
    process::{Pid, WaitOptions, waitpid},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities,
        set_no_new_privs,
    },
};

use super::{
    program::{Pointers, Program, execute},
    seccomp::{Filter, is_filtered, load},
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

/// A started process. Its parent, this process, has to wait for its end.
#[derive(Debug)]
pub struct ChildProcess(Pid);

impl ChildProcess {
    /// Its id.
    pub fn id(&self) -> Pid {
        self.0
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            match waitpid(Some(self.0), WaitOptions::empty()) {
                Ok(Some((_, status))) => return Ok(ExitStatus::from_raw(status.as_raw())),
                Ok(None) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// A cgroup to start a process in.
pub struct CgroupEntry {
    /// Its directory.
    pub directory: OwnedFd,
    /// Its `cgroup.procs`, open for writing.
    pub procs: File,
}

/// Starts a program in a cgroup.
///
/// A forked child becomes `user`, and makes a second process, which is born in the cgroup as a
/// child of this process. So the kernel need not move a process: it waits for a grace period of RCU
/// then (some 10 milliseconds), and moves no other process of the machine meanwhile. Where that
/// birth is refused, the first child writes itself into the cgroup instead; the kernel enters that
/// write in the old cgroup. In the new one the process makes the calls that load the filter, if
/// there is one, and execve. A script without an interpreter line is an error of execve; no shell
/// runs it.
///
/// # Errors
/// The error of fork, of the change of the user, of the write, of the load of the filter or of
/// execve.
pub fn start_in_cgroup(
    program: Program,
    mut cgroup: CgroupEntry,
    user: Option<User>,
    filter: Option<Filter>,
) -> io::Result<ChildProcess> {
    let arguments = Pointers::new(program.arguments);
    let environment = Pointers::new(program.environment);
    let path = program.path;
    let groups: Vec<Gid> =
        user.iter().flat_map(|user| &user.groups).copied().map(Gid::from_raw).collect();
    // The name only matters for messages: the closure below executes the program itself.
    let mut command = Command::new("/proc/self/exe");
    let (id, mut id_of_born) = pipe()?;
    // A filter on this process may end it for the call that it takes.
    let is_born = !is_filtered();
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
        match is_born.then(|| give_birth_in(cgroup.directory.as_fd())) {
            Some(Ok(Birth::Child)) => {}
            Some(Ok(Birth::Parent { child })) => {
                let written = id_of_born.write_all(&child.to_ne_bytes());
                // SAFETY: nothing of this process is needed any more, and no destructor is to run.
                unsafe { libc::_exit(i32::from(written.is_err())) }
            }
            Some(Err(_)) | None => cgroup.procs.write_all(b"0")?,
        }
        if let Some(filter) = &filter {
            if filter.no_new_privs {
                set_no_new_privs(true)?;
            }
            load(filter)?;
        }
        Err(execute(&path, &arguments, &environment))
    };
    // SAFETY: the closure runs in the forked child of a process that may have other threads, and in
    // that child's own. It makes a few system calls, takes no lock and allocates nothing.
    unsafe { command.pre_exec(execute) };
    let started = command.spawn();
    // The other end of the pipe, which is in it.
    drop(command);
    let born = read_id(id)?;
    match (started, born) {
        (Ok(first), None) => Ok(ChildProcess(Pid::from_child(&first))),
        (Ok(mut first), Some(born)) => {
            first.wait()?;
            Ok(ChildProcess(born))
        }
        (Err(error), born) => {
            if let Some(born) = born {
                ChildProcess(born).wait()?;
            }
            Err(error)
        }
    }
}

/// Which of two processes this one is.
enum Birth {
    /// The new one.
    Child,
    /// The one that goes on, with the id of the new one.
    Parent {
        /// Process id.
        child: i32,
    },
}

/// Makes a copy of this process in a cgroup, which is a child of this process's parent
/// (`CLONE_INTO_CGROUP` and `CLONE_PARENT`, `clone(2)`).
///
/// The id is that of this process's pid namespace, which is tracer's as well: a process whose
/// children get another one can start no thread (`unshare(2)`), and tracer has threads by then.
fn give_birth_in(cgroup: BorrowedFd<'_>) -> io::Result<Birth> {
    // SAFETY: a structure of integers, all of which may be 0.
    let mut arguments: clone_args = unsafe { zeroed() };
    arguments.flags = CLONE_INTO_CGROUP | u64::from(CLONE_PARENT);
    arguments.cgroup = cgroup.as_raw_fd() as u64;
    // SAFETY: the kernel reads the arguments, whose length is given. Without `CLONE_VM` the new
    // process has memory of its own, as that of fork.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<clone_args>()) };
    match result {
        0 => Ok(Birth::Child),
        child if child > 0 => Ok(Birth::Parent { child: child as i32 }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The id that was written into a pipe; None when none was.
fn read_id(mut pipe: PipeReader) -> io::Result<Option<Pid>> {
    let mut bytes = [0; size_of::<i32>()];
    match pipe.read_exact(&mut bytes) {
        Ok(()) => Ok(Pid::from_raw(i32::from_ne_bytes(bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
