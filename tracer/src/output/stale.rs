//! Files under temporary names, and those that killed runs left.
//!
//! A file that is being written is locked (flock(2)) by who writes it, for as long as it is open.
//! One that is not locked, and was not touched for a while, is nobody's.

use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};

use super::Owner;

/// How long a file was not touched before it counts as left: far longer than it takes to lock it.
const AGE: Duration = Duration::from_secs(60);
/// The most entries of a directory that are looked at.
const ENTRIES: usize = 100_000;

/// A temporary name.
pub(super) fn name(number: u64) -> String {
    format!(".tracer-{number:016x}.tmp")
}

fn is_temporary(name: &[u8]) -> bool {
    let number = name.strip_prefix(b".tracer-").and_then(|name| name.strip_suffix(b".tmp"));
    number.is_some_and(|digits| {
        digits.len() == 16 && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Removes what was left in a directory: files of this process's user, and of `owner`. What cannot
/// be removed stays.
pub(super) fn remove(directory: &OwnedFd, owner: Option<Owner>) {
    let Ok(entries) = Dir::read_from(directory) else { return };
    for entry in entries.take(ENTRIES).flatten() {
        if is_temporary(entry.file_name().to_bytes())
            && is_left(directory, entry.file_name(), owner)
        {
            let _ = rustix::fs::unlinkat(directory, entry.file_name(), AtFlags::empty());
        }
    }
}

/// Nobody writes the file any more.
fn is_left(directory: &OwnedFd, name: &std::ffi::CStr, owner: Option<Owner>) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(directory, name, flags, Mode::empty()) else { return false };
    let Ok(status) = rustix::fs::fstat(&file) else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let touched = Duration::from_secs(u64::try_from(status.st_mtime).unwrap_or_default());
    let own = rustix::process::geteuid().as_raw();
    FileType::from_raw_mode(status.st_mode) == FileType::RegularFile
        && (status.st_uid == own || owner.is_some_and(|owner| owner.user == status.st_uid))
        && now.saturating_sub(touched) > AGE
        && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}
