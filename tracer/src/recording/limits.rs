//! The limits of what a recording's file may hold.

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 256 << 20;
/// The longest time, in seconds: a thousand years, more than any number of merged recordings takes.
pub(super) const MAX_SECONDS: f64 = 3.2e10;
/// The longest text of a recording, in bytes: names, paths, sentences. A path has at most 4096
/// bytes (`PATH_MAX`), and several times as many when it is escaped.
pub const MAX_TEXT: usize = 64 << 10;
