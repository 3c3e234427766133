//! Files that are written as root in folders that others own.
//!
//! The folder is opened once, and everything happens on that descriptor: whoever owns the folder, or one above it, can
//! swap names but never redirect a write. Each file is written under a random name that must not exist, synced, and
//! renamed; the last name is never opened, so that a link or a device put there is neither followed nor written to.
//! Symbolic links in the *folder's* path are followed when it is opened: that path is the word of the person who runs
//! the program, as with any tool.
//!
//! - [`Destination`]: the files of one profile, by the name that a person gave it;
//! - [`Folder`]: many of these, by names from outside;
//! - [`Installation`]: a profile below the kubelet's root;
//! - [`Stream`]: a file that grows;
//! - [`keep`]: what could not be written where it should, somewhere else.
//!
//! A folder that is removed meanwhile is made again, in the folder that it was in; one that is renamed is followed.

mod again;
mod destination;
mod error;
mod folder;
mod installation;
mod name;
mod place;
mod spare;
mod staged;
mod stale;
mod stream;

pub use destination::{Destination, FileKind, Keeping};
pub use error::{FileKindFound, OutputError, Step};
pub use folder::Folder;
pub use installation::Installation;
pub use spare::keep;
pub use staged::Staged;
pub use stream::Stream;

/// The longest file name that Linux file systems take (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// Whom the files shall belong to when the folder is theirs: the person behind `sudo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
}

#[cfg(test)]
mod tests;
