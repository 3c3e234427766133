//! A wait for a file descriptor, on tokio's event loop.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Waits until a file descriptor is ready. It owns a duplicate of the descriptor.
#[derive(Debug)]
pub struct AsyncFdWait {
    descriptor: AsyncFd<OwnedFd>,
    interest: Interest,
}

impl AsyncFdWait {
    /// Waits for something to read.
    ///
    /// # Errors
    /// The error of `dup(2)` or `epoll_ctl(2)`.
    pub fn readable(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(descriptor, Interest::READABLE)
    }

    /// Waits for an exceptional condition: `POLLPRI`.
    ///
    /// # Errors
    /// The error of `dup(2)` or `epoll_ctl(2)`.
    pub fn priority(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(descriptor, Interest::PRIORITY)
    }

    /// Waits for an error, such as that the reader of a pipe went away.
    ///
    /// # Errors
    /// The error of `dup(2)` or `epoll_ctl(2)`: a file cannot be waited for.
    pub fn error(descriptor: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(descriptor, Interest::ERROR)
    }

    fn new(descriptor: BorrowedFd<'_>, interest: Interest) -> io::Result<Self> {
        let owned = descriptor.try_clone_to_owned()?;
        // SAFETY: the descriptor is owned, so it is open, stays open as long as the AsyncFd, and is
        // always the same.
        let descriptor = unsafe { AsyncFd::register_with_interest(owned, interest) }?;
        Ok(Self { descriptor, interest })
    }

    /// Waits until the descriptor became ready since the last call. The caller must then read all
    /// that is there: more of the same makes it ready only once.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn ready(&self) -> io::Result<()> {
        self.descriptor.ready(self.interest).await?.clear_ready();
        Ok(())
    }
}
