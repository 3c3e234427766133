//! What is told on the standard error: never a reason to stop, or to wait for ever.
//!
//! A reader that went away, or that reads no more, must not keep a recording from being written.

use std::{
    io::{self, Write, stderr, stdout},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a reader that is slow is waited for, once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The reader was waited for in vain.
static STUCK: AtomicBool = AtomicBool::new(false);

/// Tells a text, line by line. Lines that nobody takes are dropped.
pub fn tell(text: &str) {
    for line in text.lines() {
        if !is_writable() {
            return;
        }
        // Nobody is left to tell that nobody listens.
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
    // What cannot be polled can be written to.
    let writable = writable.map_or(true, |ready| ready > 0);
    STUCK.store(!writable, Ordering::Relaxed);
    writable
}
