//! The interface that every container runtime has for tracer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::target::report::{Container, RuntimeName, RuntimeReport};
use crate::target::territory::Home;

/// The longest that one runtime may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Takes a container that a runtime created, and where that runtime lives. Returns false when
/// nobody listens any more.
pub(super) type CreatedContainer = Box<dyn Fn(Container, Option<Home>) -> bool + Send + Sync>;

/// Where a runtime is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint<'a> {
    /// Its socket or directory.
    pub(super) address: &'a Path,
    /// The user who runs it without root. Then only that user's own socket and files are read: what
    /// is in their place may lead elsewhere.
    pub(super) user: Option<u32>,
}

/// Why a runtime listed no containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListError {
    /// There is no such socket or directory.
    Absent,
    /// What went wrong, escaped.
    Failed(String),
}

/// Where a user's programs keep sockets and files (`file-hierarchy(7)`).
#[derive(Clone, Copy, Debug)]
pub struct UserDirectories<'a> {
    /// The directory for sockets, `/run/user/UID`.
    pub runtime: &'a Path,
    /// The home directory, when the user has one.
    pub home: Option<&'a Path>,
}

/// A container runtime, or files that stand in for one.
///
/// A new runtime is a file with an implementation, its [`RuntimeName`], and a line in the table
/// [`super::table`].
pub(super) trait Runtime: Send + Sync {
    /// Its name.
    fn name(&self) -> RuntimeName;

    /// Where it is asked when the user names no other place.
    fn usual_addresses(&self) -> &'static [&'static str];

    /// Where it is asked when a user runs it without root; None when users do not run it so.
    fn address_of_user(&self, _directories: UserDirectories<'_>) -> Option<PathBuf> {
        None
    }

    /// The runtime that it stands in for: it is asked only when that one does not answer.
    fn stands_in_for(&self) -> Option<RuntimeName> {
        None
    }

    /// Lists all containers, those that do not run among them. Only ids of the right form are
    /// taken.
    fn list_containers<'a>(
        &'a self,
        endpoint: Endpoint<'a>,
    ) -> BoxFuture<'a, Result<RuntimeReport, ListError>>;

    /// Reports each container that it creates since a moment (seconds since 1970), until its socket
    /// is closed; None for a runtime that reports nothing by itself.
    fn watch(
        &self,
        _address: PathBuf,
        _since: u64,
        _created: CreatedContainer,
    ) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Opens a connection that is asked again and again, for a runtime whose answer must not wait
    /// for those of others: its containers may be gone, and forgotten, by then. None for all
    /// others.
    fn connect<'a>(&'a self, _address: &'a Path) -> Option<BoxFuture<'a, Option<OpenConnection>>> {
        None
    }
}

/// A connection to a runtime.
pub(super) type OpenConnection = Box<dyn Connection>;

/// A runtime that is asked more than once on one connection.
pub(super) trait Connection: Send {
    /// Lists all containers, those that do not run among them.
    fn list_containers(&mut self) -> BoxFuture<'_, Result<RuntimeReport, String>>;
}
