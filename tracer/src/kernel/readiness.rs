//! Waits until a file descriptor is ready.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Waits for a file descriptor's readiness, on a duplicate of it that it owns.
#[derive(Debug)]
pub struct Readiness {
    descriptor: AsyncFd<OwnedFd>,
    interest: Interest,
}

impl Readiness {
    /// Waits for something to read.
    ///
    /// # Errors
    /// What `dup(2)` or `epoll_ctl(2)` said.
    pub fn to_read(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(descriptor, Interest::READABLE)
    }

    /// Waits for an exceptional condition: `POLLPRI`.
    ///
    /// # Errors
    /// What `dup(2)` or `epoll_ctl(2)` said.
    pub fn of_priority(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(descriptor, Interest::PRIORITY)
    }

    fn new(descriptor: BorrowedFd<'_>, interest: Interest) -> io::Result<Self> {
        let owned = descriptor.try_clone_to_owned()?;
        // SAFETY: the descriptor is owned, so it is open, stays open as long as the AsyncFd, and is always the same.
        let descriptor = unsafe { AsyncFd::register_with_interest(owned, interest) }?;
        Ok(Self { descriptor, interest })
    }

    /// Waits until it is ready since the last time. Whatever is there must then be taken as a whole.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn ready(&self) -> io::Result<()> {
        self.descriptor.ready(self.interest).await?.clear_ready();
        Ok(())
    }
}
