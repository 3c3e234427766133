//! Messages on the standard error, and data on the standard output.
//!
//! A reader that went away, or that reads no more, must not keep a recording from being written: no
//! message is a reason to stop, or to wait for ever.

use std::{
    io::{self, Write, stderr, stdout},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a message waits for a slow reader, once.
const PATIENCE: Duration = Duration::from_secs(1);

/// A message waited for the reader in vain.
static STUCK: AtomicBool = AtomicBool::new(false);

/// Prints a text on the standard error, line by line. Lines that nobody reads are dropped.
pub fn print_err(text: &str) {
    for line in text.lines() {
        if !is_writable() {
            return;
        }
        // There is no other place to report an error to.
        let _ = writeln!(stderr(), "{line}");
    }
}

/// Prints data on the standard output.
///
/// # Errors
/// It could not be written: nobody has the data.
pub fn print(data: &str) -> io::Result<()> {
    stdout().write_all(data.as_bytes())?;
    stdout().flush()
}

/// The standard error takes a line without blocking, perhaps after a moment.
pub fn is_writable() -> bool {
    let patience = if STUCK.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
    let timeout = Timespec::try_from(patience).ok();
    let errors = stderr();
    let writable = poll(&mut [PollFd::new(&errors, PollFlags::OUT)], timeout.as_ref());
    // A file that cannot be polled can be written to.
    let writable = writable.map_or(true, |ready| ready > 0);
    STUCK.store(!writable, Ordering::Relaxed);
    writable
}
