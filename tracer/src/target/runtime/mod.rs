//! The container runtimes of this host: asks them what they run, and watches what they create.
//!
//! Their answers are data: only ids of the right form are taken, and nothing but the id ties a
//! container to a cgroup. Each runtime is an implementation of one interface (`interface`) and a
//! line in one table (`table`).

mod addresses;
mod ask;
mod bounded;
mod cri;
mod docker_api;
mod interface;
mod logs;
mod storage;
mod table;
mod watch;

pub use self::addresses::{Addresses, UserEngines};
pub use self::ask::ask;
pub use self::interface::UserDirectories;
pub use self::watch::{Poller, RuntimeUpdate, Updates, watch};

#[cfg(test)]
mod tests;
