//! seccomp(2): loads a filter on this thread, and becomes another program under it.

use std::{io, process};

use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::thread::set_no_new_privs;

use super::program::Program;
use crate::profile::{filter::Instruction, oci::Flag};

/// A compiled filter, and how to load it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The program.
    pub instructions: Vec<Instruction>,
    /// Flags of the load.
    pub flags: Vec<Flag>,
    /// Set `no_new_privs` before: executed programs then gain no privileges. Without it, the kernel
    /// loads a filter for `CAP_SYS_ADMIN` alone (`seccomp(2)`).
    pub no_new_privs: bool,
}

/// Why a program does not run under a filter.
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// The filter is not loaded.
    #[error("{call}")]
    NotLoaded {
        /// The call that failed.
        call: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The filter is loaded, and the program was not executed. The filter holds for this process
    /// now.
    #[error("execve")]
    LoadedButExecFailed(#[source] io::Error),
}

/// Sets `no_new_privs` when the filter asks for it, loads the filter and executes the program, in
/// this order, with no other system call in between. Returns only when that fails.
///
/// The filter is loaded on this thread; other threads do not survive the execve.
pub fn exec_under(program: &Program, filter: &Filter) -> EnforceError {
    let not_loaded = |call| move |source| EnforceError::NotLoaded { call, source };
    // Rust's runtime ignores SIGPIPE, and an ignored signal stays ignored over the execve.
    // SAFETY: the default action is no handler that could be unsafe.
    if let Err(error) = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) } {
        return not_loaded("sigaction")(error.into());
    }
    if filter.no_new_privs
        && let Err(error) = set_no_new_privs(true)
    {
        return not_loaded("prctl(PR_SET_NO_NEW_PRIVS)")(error.into());
    }
    match program.execute_after(|| load(filter)) {
        (true, error) => EnforceError::LoadedButExecFailed(error),
        (false, error) => not_loaded("seccomp(SECCOMP_SET_MODE_FILTER)")(error),
    }
}

/// Loads a filter on this thread (`seccomp(2)`).
pub(super) fn load(filter: &Filter) -> io::Result<()> {
    let flags = filter.flags.iter().fold(0, |all, flag| all | number(*flag));
    let instructions = &filter.instructions;
    let length = u16::try_from(instructions.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len: length, filter: instructions.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel copies `length` instructions, which have the layout of `struct
    // sock_filter`, and writes nothing.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn number(flag: Flag) -> libc::c_ulong {
    match flag {
        Flag::Log => libc::SECCOMP_FILTER_FLAG_LOG,
        Flag::SpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // One thread and no listener: nothing to do.
        Flag::Tsync | Flag::WaitKillable => 0,
    }
}

/// Ends the process under a filter that may refuse every call.
pub fn leave(status: u8) -> ! {
    // SAFETY: the call takes a number and does not return, unless it is refused.
    unsafe { libc::syscall(libc::SYS_exit_group, libc::c_long::from(status)) };
    // Ends in an instruction that the processor refuses, when every call is refused.
    process::abort()
}

/// A filter is loaded on this process (`proc_pid_status(5)`, `Seccomp`).
pub fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}
