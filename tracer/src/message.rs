//! Messages on the standard error, and data on the standard output.
//!
//! A reader that went away, or that reads no more, must not keep a recording from being written: no
//! message is a reason to stop, or to wait for ever.

use std::{
    borrow::Cow,
    io::{self, Write, stderr, stdout},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::color::paint;

/// How long a message waits for a slow reader, once.
const PATIENCE: Duration = Duration::from_secs(1);

/// A message waited for the reader in vain.
static STUCK: AtomicBool = AtomicBool::new(false);

/// Messages are coloured.
static COLORED: AtomicBool = AtomicBool::new(false);

/// Says whether messages are coloured from now on. Nobody said so: they are not.
pub fn set_colored(colored: bool) {
    COLORED.store(colored, Ordering::Relaxed);
}

/// Messages are coloured.
pub fn is_colored() -> bool {
    COLORED.load(Ordering::Relaxed)
}

/// Prints a text on the standard error, line by line. Lines that nobody reads are dropped.
pub fn print_err(text: &str) {
    for line in text.lines() {
        if !is_writable() {
            return;
        }
        let line = if is_colored() { paint(line) } else { Cow::Borrowed(line) };
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
