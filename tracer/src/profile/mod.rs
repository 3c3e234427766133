//! Policy: the profile that is derived from recordings, and the forms it is written in.
//!
//! Everything here is pure: no files, no clock. [`mod@derive`] decides what is allowed and
//! remembers why, [`oci`] writes the file that container runtimes read, [`kubernetes`] the patch
//! that names it to pods, [`summary`] the numbers for people.

pub mod advice;
pub mod alternatives;
pub mod always_allowed;
pub mod answers;
pub mod arguments;
pub mod base;
pub mod beyond;
pub mod capability;
pub mod conditions;
pub mod counting;
mod deciding_argument;
pub mod defaults;
pub mod derive;
mod errno;
pub mod exclusion;
pub mod filter;
pub mod inferred;
pub mod kubernetes;
pub mod lacking;
mod model;
pub mod multiplexed;
pub mod oci;
pub mod options;
pub mod policy;
mod reason;
pub mod summary;
pub mod widening;

pub use self::{
    arguments::{ArgumentNotes, Limit},
    base::OciRuntime,
    derive::{Derivation, DeriveError, UnnamedSyscall},
    errno::Errno,
    exclusion::Exclusion,
    model::{DefaultAction, ErrnoAnswer, Profile},
    options::{ArgumentChoice, OptionsError, ProfileOptions, RuntimeChoice},
    reason::Reason,
};
