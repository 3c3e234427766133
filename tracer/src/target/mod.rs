//! Finds the cgroups of what the user named.
//!
//! [`grammar`] reads the typed text. [`names`] knows how container runtimes, Kubernetes and systemd
//! name cgroups, [`cgroup`] reads the cgroup v2 file system, [`runtime`] asks the runtimes and
//! [`inventory`] holds their reports. [`matcher`] decides whether a cgroup belongs to a target;
//! [`claims`] decides which of several cgroups with one name has it rightfully.
//! [`resolve`](mod@resolve) applies both to the cgroups that exist. [`fresh`] makes a cgroup for a
//! command, and [`watch`] reports when a cgroup ends.

pub mod cgroup;
pub mod claims;
pub mod cluster;
pub mod error;
pub mod fresh;
pub mod grammar;
pub mod held;
pub mod inventory;
pub mod known;
pub mod listing;
pub mod matcher;
pub mod membership;
pub mod mountinfo;
pub mod not_found;
pub mod owner;
pub mod pod;
pub mod report;
pub mod resolve;
pub mod runtime;
pub mod sandboxes;
pub mod scope;
pub mod selector;
pub mod territory;
pub mod unplaced;
pub mod watch;
pub mod workload;

pub use crate::cgroup_name as names;
pub use cgroup::{CgroupNode, CgroupRoot, CgroupTree, populated};
pub use error::CgroupError;
pub use fresh::FreshCgroup;
pub use grammar::{GrammarError, TargetSpec};
pub use resolve::{ResolveError, resolve};
pub use watch::{CgroupEvents, CgroupState};

#[cfg(test)]
pub(crate) mod testing;
