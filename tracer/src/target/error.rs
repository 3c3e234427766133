//! Errors of the cgroup file system, each with its remedy.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::text::{escape, escape_path};

/// What was being done to a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reading a file.
    Read,
    /// Writing a file.
    Write,
    /// Opening a file.
    Open,
    /// stat(2).
    Examine,
    /// Listing a directory.
    List,
    /// mkdir(2).
    Create,
    /// rmdir(2).
    Remove,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Read => "read",
            Self::Write => "write to",
            Self::Open => "open",
            Self::Examine => "examine",
            Self::List => "list",
            Self::Create => "create",
            Self::Remove => "remove",
        })
    }
}

/// An operation on the cgroup file system failed, or what it was asked for does not exist.
#[derive(Debug, Error)]
pub enum CgroupError {
    /// No cgroup v2 file system can be reached.
    #[error(
        "no cgroup v2 file system is mounted{}\n\nhint: {}",
        if *.v1 { ", only cgroup v1" } else { "" },
        NOT_MOUNTED_REMEDY
    )]
    NotMounted {
        /// There are v1 hierarchies.
        v1: bool,
    },
    /// A system call failed.
    #[error("cannot {operation} {}", escape_path(.path))]
    Io {
        /// What was being done.
        operation: Operation,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The cgroup is not below the cgroup that the mount shows.
    #[error(
        "the cgroup {} cannot be reached: {} shows only {} and what is below it\n\nhint: run tracer on the host, outside containers",
        escape(.path),
        escape_path(.mount_point),
        escape_path(.shown)
    )]
    OutsideMount {
        /// The cgroup.
        path: String,
        /// What the mount shows.
        shown: PathBuf,
        /// The mount.
        mount_point: PathBuf,
    },
    /// The cgroup is in the cgroup namespace of this process, whose place in the mounted hierarchy
    /// is not shown.
    #[error(
        "the place of the cgroup {} is not visible from inside a cgroup namespace\n\nhint: run tracer on the host, or give its \
         container the host's cgroup namespace (docker run --cgroupns=host)",
        escape(.path)
    )]
    InsideNamespace {
        /// The cgroup, as the namespace names it.
        path: String,
    },
    /// A path of cgroup v1 was typed.
    #[error(
        "{} is a cgroup v1 directory (hierarchy {controllers}), which cannot be traced\n\nhint: name a cgroup below {}; the line that begins with 0:: in /proc/PID/cgroup shows a process's",
        escape(.path),
        escape_path(.unified)
    )]
    V1Path {
        /// As typed.
        path: String,
        /// The hierarchy's controllers.
        controllers: String,
        /// Where cgroup v2 is mounted.
        unified: PathBuf,
    },
    /// There is no such cgroup.
    #[error("there is no cgroup {}: below {} {}", escape(.path), escape(.ancestor), shown_children(.children, *.more))]
    Missing {
        /// As typed.
        path: String,
        /// The nearest cgroup above that exists.
        ancestor: String,
        /// What is below that one, not all of it.
        children: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// The path exists, but not in a cgroup file system.
    #[error(
        "{} is not a cgroup\n\nhint: cgroups are the directories below {}",
        escape(.path),
        escape_path(.unified)
    )]
    NotACgroup {
        /// As typed.
        path: String,
        /// Where cgroup v2 is mounted.
        unified: PathBuf,
    },
    /// The path has a component that is not allowed.
    #[error("the cgroup path {} has `..` or a NUL in it\n\nhint: write the path without it", escape(.path))]
    ParentComponent {
        /// As typed.
        path: String,
    },
    /// No such process.
    #[error("there is no process {process}")]
    NoProcess {
        /// Its id.
        process: u32,
    },
    /// The kernel shows no v2 membership.
    #[error("process {process} has no cgroup of version 2\n\nhint: {NOT_MOUNTED_REMEDY}")]
    NoUnifiedLine {
        /// Its id.
        process: u32,
    },
    /// The process outlived its cgroup.
    #[error("the cgroup {} of process {process} was removed", escape(.path))]
    Removed {
        /// Its id.
        process: u32,
        /// The cgroup's path when it existed.
        path: String,
    },
    /// Processes kept coming while the cgroup was being emptied.
    #[error("the cgroup {} could not be emptied: processes keep appearing in it", escape(.path))]
    NotEmptied {
        /// The cgroup.
        path: String,
    },
}

impl CgroupError {
    /// A system call that failed.
    pub(crate) fn io(operation: Operation, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { operation, path: path.to_owned(), source: source.into() }
    }
}

/// How a host gets a v2 hierarchy.
const NOT_MOUNTED_REMEDY: &str = "boot with systemd.unified_cgroup_hierarchy=1, or mount it: \
     `mount -t cgroup2 none /mnt` (the workload must be in a cgroup there)";

fn shown_children(children: &[String], more: usize) -> String {
    if children.is_empty() {
        return "there are none".to_owned();
    }
    let names: Vec<_> = children.iter().map(|name| escape(name)).collect();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("there are {}{rest}", names.join(", "))
}
