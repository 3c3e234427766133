//! Lines on their way to the standard output.

use std::{
    future::pending,
    io::{self, stdout},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use rustix::io::Errno;
use tokio::{sync::oneshot, time::timeout};

use crate::{message::print, sys::AsyncFdWait};

/// How many lines may wait for the reader: about a megabyte.
const WAITING: usize = 8 << 10;

/// Prints lines in a thread of its own: a reader that reads no more stops that thread, and nothing
/// else.
pub(super) struct Printer {
    /// None once all is printed.
    lines: Option<SyncSender<String>>,
    ended: oneshot::Receiver<io::Error>,
    /// None where nothing can be waited for: a file has no reader that goes away.
    reader_gone: Option<AsyncFdWait>,
    printed: Arc<AtomicU64>,
    given: u64,
}

impl Printer {
    /// Starts the thread; on tokio's event loop.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start() -> io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let (end, ended) = oneshot::channel();
        let printed = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&printed);
        let print_all = move || {
            if let Err(error) = print_all(&waiting, &count) {
                // Nobody waits any more when the program ends.
                let _ = end.send(error);
            }
        };
        thread::Builder::new().name("printer".to_owned()).spawn(print_all)?;
        let reader_gone = AsyncFdWait::error(stdout().as_fd()).ok();
        Ok(Self { lines: Some(lines), ended, reader_gone, printed, given: 0 })
    }

    /// Hands a line over; false when so many wait already that it is dropped.
    pub(super) fn print(&mut self, line: String) -> bool {
        self.given += 1;
        self.lines.as_ref().is_some_and(|lines| lines.try_send(line).is_ok())
    }

    /// Waits until nothing can be printed any more, and says why.
    pub(super) async fn broken(&mut self) -> io::Error {
        let Self { ended, reader_gone, .. } = self;
        let gone = async {
            if let Some(reader) = reader_gone
                && reader.ready().await.is_ok()
            {
                return io::Error::from(Errno::PIPE);
            }
            pending().await
        };
        let failed = async {
            match ended.await {
                Ok(error) => error,
                Err(_) => pending().await,
            }
        };
        tokio::select! {
            error = failed => error,
            error = gone => error,
        }
    }

    /// Waits until all is printed, but not for ever. Returns how many lines are not.
    ///
    /// # Errors
    /// The error of `write(2)`.
    pub(super) async fn finish(&mut self, patience: Duration) -> io::Result<u64> {
        self.lines = None;
        match timeout(patience, &mut self.ended).await {
            Ok(Ok(error)) => Err(error),
            _ => Ok(self.given - self.printed.load(Ordering::Relaxed)),
        }
    }
}

/// Prints each line, up to the last one or the first that cannot be printed.
fn print_all(lines: &Receiver<String>, printed: &AtomicU64) -> io::Result<()> {
    for line in lines {
        print(&line)?;
        printed.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
