//! Starts a process whose first call in a cgroup is its own execve, so that nothing of tracer gets into the recording.

use std::{
    ffi::{CStr, CString, OsString, c_char},
    fs::File,
    io::{self, Write},
    os::unix::{ffi::OsStringExt, process::CommandExt},
    process::{Child, Command},
    ptr,
};

use nix::{
    sys::signal::SigSet,
    unistd::{Gid, Uid, setgid, setgroups, setuid},
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities,
    set_no_new_privs,
};

use super::enforce::{Filter, load};

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

/// A program to execute, as `execve(2)` takes it.
#[derive(Clone, Debug)]
pub struct Program {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

/// A null-terminated array of pointers to strings, with the strings.
struct Pointers {
    pointers: Vec<*const c_char>,
    _strings: Vec<CString>,
}

// SAFETY: the pointers lead into the strings beside them, which nobody changes.
unsafe impl Send for Pointers {}
// SAFETY: see above.
unsafe impl Sync for Pointers {}

impl Pointers {
    fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _strings: strings }
    }
}

impl Program {
    /// A program by its path, with its arguments (its name first) and its environment.
    ///
    /// # Errors
    /// A text has a NUL byte in it.
    pub fn new(
        path: OsString,
        arguments: Vec<OsString>,
        environment: Vec<(OsString, OsString)>,
    ) -> io::Result<Self> {
        let text = |text: OsString| CString::new(text.into_vec()).map_err(io::Error::other);
        let variable = |(mut name, value): (OsString, OsString)| {
            name.push("=");
            name.push(value);
            text(name)
        };
        Ok(Self {
            path: text(path)?,
            arguments: arguments.into_iter().map(text).collect::<io::Result<_>>()?,
            environment: environment.into_iter().map(variable).collect::<io::Result<_>>()?,
        })
    }
}

impl Program {
    /// Makes the last preparation, then executes the program in place of this one. Returns only when one of the two
    /// failed: whether the preparation was made, and the error.
    pub(super) fn execute_after(
        &self,
        prepare: impl FnOnce() -> io::Result<()>,
    ) -> (bool, io::Error) {
        let arguments = Pointers::new(self.arguments.clone());
        let environment = Pointers::new(self.environment.clone());
        match prepare() {
            Ok(()) => (true, execute(&self.path, &arguments, &environment)),
            Err(error) => (false, error),
        }
    }
}

/// Executes a program in place of this one: one call, and no allocation. Returns only when it failed.
fn execute(path: &CStr, arguments: &Pointers, environment: &Pointers) -> io::Error {
    // SAFETY: the path and both arrays end in a null, and outlive the call.
    unsafe {
        libc::execve(path.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    }
    io::Error::last_os_error()
}

/// Keeps, of the capabilities that the user before had, the one that the load of a filter without `no_new_privs` needs. The
/// execve takes it away: it is neither inheritable nor ambient (`capabilities(7)`, "Transformation of capabilities
/// during `execve()`").
fn keep_one_for_the_load() -> io::Result<()> {
    let one = CapabilitySet::SYS_ADMIN;
    let inheritable = capabilities(None)?.inheritable & !one;
    set_capabilities(None, CapabilitySets { effective: one, permitted: one, inheritable })?;
    Ok(())
}

/// Starts a program in the cgroup whose open `cgroup.procs` file is given.
///
/// The child becomes `user`, then writes itself into the cgroup: that write is entered in the old cgroup, and the
/// one call it makes after that is execve, in the new one; with a filter, also those that load it before. A script without an interpreter line is an error, as
/// execve says it, and not handed to a shell.
///
/// # Errors
/// What fork, the change of the user, the write, the load of the filter or execve said.
pub fn start_in_cgroup(
    program: Program,
    mut procs: File,
    user: Option<User>,
    filter: Option<Filter>,
) -> io::Result<Child> {
    let arguments = Pointers::new(program.arguments);
    let environment = Pointers::new(program.environment);
    let path = program.path;
    // The name only matters for messages: the closure below executes the program itself.
    let mut command = Command::new("/proc/self/exe");
    let execute = move || -> io::Result<()> {
        let keeps = filter.as_ref().is_some_and(|filter| !filter.no_new_privs);
        if let Some(user) = &user {
            set_keep_capabilities(keeps)?;
            let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
            setgroups(&groups)?;
            setgid(Gid::from_raw(user.group))?;
            setuid(Uid::from_raw(user.id))?;
            if keeps && user.id != 0 {
                keep_one_for_the_load()?;
            }
        }
        // tracer holds signals back for itself; its child gets them.
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
    // SAFETY: the closure runs in the forked child of a process with one thread, makes a few system calls and
    // allocates only what its own copy of the heap gives.
    unsafe { command.pre_exec(execute) };
    command.spawn()
}
