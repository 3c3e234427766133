//! The phases of a container's life, and what a filter did with a call that it denied.

use serde::{Deserialize, Serialize};

use crate::syscalls::errno;

/// When in a container's life a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// By the runtime, before the filter is loaded: not in the profile.
    Setup,
    /// By the runtime, after the filter is loaded and before the workload's execve: in the profile.
    ContainerInit,
    /// By the workload: in the profile.
    Workload,
    /// Refused by a filter: reported, added on request.
    Denied,
}

impl Phase {
    /// The phase as recordings spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::ContainerInit => "container-init",
            Self::Workload => "workload",
            Self::Denied => "denied",
        }
    }
}

/// What a filter did with a call that it does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenyOutcome {
    /// The caller got this error number.
    Errno(u16),
    /// The caller got an error number that is not known: the kernel's log does not hold it.
    UnknownErrno,
    /// The caller got SIGSYS: its process was killed, or its handler was run.
    Signal,
    /// The thread was killed; the rest of its process goes on.
    ThreadKilled,
    /// The call was made, and logged.
    Logged,
}

impl DenyOutcome {
    /// The error number that the caller got.
    pub fn errno(self) -> Option<u16> {
        match self {
            Self::Errno(number) => Some(number),
            Self::UnknownErrno | Self::Signal | Self::ThreadKilled | Self::Logged => None,
        }
    }

    /// For people: the name of the error number, or what happened.
    pub fn display(self) -> String {
        match self {
            Self::Errno(number) => {
                errno::name(number).map_or_else(|| format!("errno {number}"), str::to_owned)
            }
            Self::UnknownErrno => "unknown error number".to_owned(),
            Self::Signal => "SIGSYS".to_owned(),
            Self::ThreadKilled => "thread killed".to_owned(),
            Self::Logged => "logged".to_owned(),
        }
    }
}
