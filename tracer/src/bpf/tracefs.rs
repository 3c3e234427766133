//! The numbers of the classic tracepoints on system calls and on the ends of tasks, which only
//! tracefs shows.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, Mode, OFlags, openat};
use thiserror::Error;
use tracer_ebpf::{ENTER, EXIT, KernelProgram, TASK_EXIT};

use super::private_mount::mount_privately;

/// Where tracefs is mounted below `/sys`; the second is its place of old, in debugfs.
const PLACES: [&str; 2] = ["kernel/tracing", "kernel/debug/tracing"];
/// The longest number in a file.
const LENGTH_MAX: u64 = 32;

/// The numbers of the classic tracepoints: those of this boot of this kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracepointIds {
    /// That of `raw_syscalls/sys_enter`.
    pub enter: u64,
    /// That of `raw_syscalls/sys_exit`.
    pub exit: u64,
    /// That of `sched/sched_process_exit`.
    pub task_exit: u64,
}

/// Why the numbers are not known.
#[derive(Debug, Error)]
pub enum TracefsError {
    /// tracefs is in neither of its places, and cannot be mounted either.
    #[error("tracefs is not mounted, and cannot be mounted: {0}")]
    NotMounted(io::Error),
    /// tracefs is mounted, and a file in it cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
}

/// Reads the numbers where tracefs is mounted below `sys`. Where it is not, and `mount` allows it,
/// it is mounted where no other process sees it, and is gone when this returns.
///
/// # Errors
/// [`TracefsError`]: the numbers cannot be read.
pub fn syscall_tracepoints(sys: &Path, mount: bool) -> Result<TracepointIds, TracefsError> {
    let mut refused = None;
    for place in PLACES.map(|place| sys.join(place)) {
        match read_ids(CWD, &place) {
            Ok(ids) => return Ok(ids),
            // Without a mount the directory is empty or missing.
            Err(TracefsError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    if !mount {
        return Err(TracefsError::NotMounted(io::ErrorKind::NotFound.into()));
    }
    let mounted =
        mount_privately("tracefs", true).map_err(|error| TracefsError::NotMounted(error.into()))?;
    read_ids(mounted, Path::new(""))
}

fn read_ids(directory: impl AsFd, tracefs: &Path) -> Result<TracepointIds, TracefsError> {
    let id = |program: KernelProgram| {
        let category = program.classic.map_or("", |classic| classic.category);
        let path = tracefs.join("events").join(category).join(program.tracepoint).join("id");
        read_id(&directory, &path).map_err(|source| TracefsError::Read { path, source })
    };
    Ok(TracepointIds { enter: id(ENTER)?, exit: id(EXIT)?, task_exit: id(TASK_EXIT)? })
}

fn read_id(directory: impl AsFd, path: &Path) -> io::Result<u64> {
    let file = openat(directory, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(file).take(LENGTH_MAX).read_to_string(&mut text)?;
    text.trim().parse().map_err(|_| io::Error::other("it holds no number"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tracefs(sys: &Path, place: &str, enter: &str) {
        for (name, id) in [
            ("raw_syscalls/sys_enter", enter),
            ("raw_syscalls/sys_exit", "363\n"),
            ("sched/sched_process_exit", "281\n"),
        ] {
            let directory = sys.join(place).join("events").join(name);
            fs::create_dir_all(&directory).expect("directories");
            fs::write(directory.join("id"), id).expect("a file");
        }
    }

    #[test]
    fn the_numbers_are_found_in_either_place() {
        for place in PLACES {
            let sys = tempfile::tempdir().expect("a directory");
            tracefs(sys.path(), place, "364\n");
            let ids = syscall_tracepoints(sys.path(), false).expect("both numbers");
            assert_eq!(ids, TracepointIds { enter: 364, exit: 363, task_exit: 281 }, "{place}");
        }
    }

    #[test]
    fn the_error_names_a_file_without_a_number() {
        let sys = tempfile::tempdir().expect("a directory");
        tracefs(sys.path(), PLACES[0], "none\n");
        let error = syscall_tracepoints(sys.path(), false).expect_err("no number").to_string();
        assert!(
            error.contains("raw_syscalls/sys_enter/id cannot be read: it holds no number"),
            "{error}"
        );
    }

    #[test]
    fn without_tracefs_there_are_none() {
        let sys = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(sys.path().join(PLACES[0])).expect("directories");
        let error = syscall_tracepoints(sys.path(), false).expect_err("no number");
        assert!(matches!(error, TracefsError::NotMounted(_)), "{error}");
    }
}
