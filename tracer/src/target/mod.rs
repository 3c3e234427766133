//! What the user named, and the cgroups that it means.
//!
//! [`grammar`] reads the text, [`names`] knows how container runtimes, Kubernetes and systemd name cgroups, [`cgroup`]
//! reads the cgroup v2 file system, [`claims`] tells whose cgroup it is, and [`resolve`](mod@resolve) brings them together. [`fresh`] makes a cgroup for a command,
//! [`watch`] tells when a cgroup ends.

pub mod cgroup;
pub mod claims;
pub mod cluster;
pub mod error;
pub mod fresh;
pub mod grammar;
pub mod held;
pub mod inventory;
pub mod listing;
pub mod membership;
pub mod mountinfo;
pub mod named;
pub mod names;
pub mod owner;
pub mod pod;
pub mod resolve;
pub mod runtime;
pub mod sandboxes;
pub mod selector;
pub mod territory;
pub mod unplaced;
pub mod wanted;
pub mod watch;
pub mod workload;

pub use cgroup::{CgroupNode, CgroupRoot, CgroupTree, populated};
pub use error::CgroupError;
pub use fresh::FreshCgroup;
pub use grammar::{GrammarError, TargetSpec};
pub use resolve::{ResolveError, ResolvedTarget, resolve};
pub use watch::{CgroupEvents, CgroupState};

#[cfg(test)]
mod testing;
