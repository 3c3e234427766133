//! Whether a command may gain privileges by what it executes: set-user-ID programs, file
//! capabilities.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use anyhow::{Result, bail};
use rustix::{
    fs::getxattr,
    thread::{CapabilitySet, capabilities},
};

use super::{lookup::look_up, profile_file::ProfileFile};
use crate::{cli::NewPrivileges, message::print_err, sys::Filter, text::escape_path};

/// Bits of a file's mode (`inode(7)`).
const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
/// Without it, the set-group-ID bit means something else.
const GROUP_EXECUTES: u32 = 0o010;

/// Where a command failed and nothing was denied.
pub(super) const HINT: &str = "hint: the command ran with no_new_privs, under which set-user-ID programs (sudo, su) and file capabilities (ping) have no effect; --allow-new-privs runs it without, as most containers do";

/// What was decided.
pub(super) struct Privileges {
    /// The filter is loaded with `no_new_privs`.
    pub(super) no_new_privs: bool,
    /// What a person should know about it.
    pub(super) message: Option<String>,
}

/// Decides as a container would: without `no_new_privs` where the program needs that and the kernel
/// allows it.
///
/// # Errors
/// What was typed is impossible here.
pub(super) fn decide(typed: NewPrivileges, program: &Path) -> Result<Privileges> {
    let may_do_without =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    if typed.allow_new_privs && !may_do_without {
        bail!(
            "--allow-new-privs: without CAP_SYS_ADMIN the kernel takes no filter from a process that may gain privileges\n\nhint: use sudo"
        );
    }
    let gain = gain(program);
    let no_new_privs =
        typed.no_new_privs || !typed.allow_new_privs && (gain.is_none() || !may_do_without);
    let path = escape_path(program);
    let message = gain.map(|gain| match (no_new_privs, typed.no_new_privs) {
        (false, _) => format!("note: {path} {gain}: no_new_privs is not set, as in a container; --no-new-privs sets it"),
        (true, true) => format!("warning: {path} {gain}, which has no effect under no_new_privs (--no-new-privs)"),
        (true, false) => format!(
            "warning: {path} {gain}, which has no effect under no_new_privs; without CAP_SYS_ADMIN tracer must set it, as root it does not"
        ),
    });
    Ok(Privileges { no_new_privs, message })
}

/// The filter of a command that was typed; None without one. Prints what a person should know about
/// it.
///
/// # Errors
/// There is no such command, or it cannot be started under the profile in this way.
pub(super) fn filter(
    typed: NewPrivileges,
    command: &[OsString],
    profile: &ProfileFile,
    quiet: bool,
) -> Result<Option<Filter>> {
    let Some(name) = command.first() else { return Ok(None) };
    let Privileges { no_new_privs, message } = decide(typed, &look_up(Path::new(name))?)?;
    if let Some(message) = message.filter(|_| !quiet) {
        print_err(&message);
    }
    profile.filter(no_new_privs).map(Some)
}

/// What gives whoever executes a file more privileges than they have.
fn gain(program: &Path) -> Option<&'static str> {
    let mode = fs::metadata(program).ok()?.permissions().mode();
    // The kernel heeds neither for a script (execve(2)).
    if is_script(program) {
        return None;
    }
    if mode & SET_USER_ID != 0 {
        return Some("has the set-user-ID bit");
    }
    if mode & SET_GROUP_ID != 0 && mode & GROUP_EXECUTES != 0 {
        return Some("has the set-group-ID bit");
    }
    let mut value = [0_u8; 64];
    let capabilities = getxattr(program, "security.capability", &mut value);
    capabilities.is_ok_and(|length| length > 0).then_some("has file capabilities")
}

fn is_script(program: &Path) -> bool {
    let mut begin = [0; 2];
    let read = File::open(program).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *b"#!"
}
