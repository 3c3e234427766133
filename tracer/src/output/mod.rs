//! Files that are written as root in directories that others own.
//!
//! The directory is opened once, and everything happens on that descriptor: whoever owns the
//! directory, or one above it, can swap names but never redirect a write. Each file is written
//! under a random name that must not exist, synced, and renamed; the last name is never opened, so
//! that a link or a device put there is neither followed nor written to. Symbolic links in the
//! *directory's* path are followed when it is opened: that path is the word of the person who runs
//! the program, as with any tool.
//!
//! - [`Destination`]: the files of one profile, by the name that a person gave it;
//! - [`formats`]: the files of a profile, in one table;
//! - [`Directory`]: the files of many profiles, by names from outside;
//! - [`Installation`]: a profile below the kubelet's root;
//! - [`Stream`]: a file that grows;
//! - [`SingleFile`]: a file of its own, written at once;
//! - [`keep`]: what could not be written where it should, somewhere else.
//!
//! A directory that is removed meanwhile is made again, in the directory that it was in; one that
//! is renamed is followed.

mod destination;
mod directory;
mod error;
mod format;
pub mod formats;
mod installation;
mod name;
mod output_dir;
mod recreated;
mod single;
mod spare;
mod staged;
mod stale;
mod stream;

pub use destination::{Destination, Keeping};
pub use directory::Directory;
pub use error::{FileTypeFound, OutputError, OutputStep};
pub use format::{Export, Format};
pub use installation::Installation;
pub use single::SingleFile;
pub use spare::keep;
pub use staged::Staged;
pub use stream::Stream;

/// The longest file name that Linux file systems take (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// Whom the files shall belong to when the directory is theirs: the person behind `sudo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
}

#[cfg(test)]
mod tests;
