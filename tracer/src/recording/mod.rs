//! Evidence: what was seen, in which cgroup, through which ABI, and what may be missing.
//!
//! Plain data, no I/O. [`phases`] turns the kernel's facts into phases, [`merge`] makes one
//! recording of several, [`json`] reads and writes the file.

pub mod again;
pub mod argument;
pub mod arguments;
pub mod assembly;
pub mod circumstances;
mod completeness;
pub mod contribution;
mod decided;
pub mod denied;
pub mod departures;
pub mod earlier;
pub mod event;
pub mod facts;
pub mod filters;
pub mod from_log;
pub mod generated_names;
mod identity;
pub mod input;
pub mod json;
pub mod labels;
mod limits;
pub mod made;
pub mod merge;
mod model;
mod origin;
mod parser_message;
pub mod parts;
mod phase;
pub mod phases;
pub mod pods;
mod recording_error;
pub mod selection;
pub mod starts;
#[cfg(test)]
pub mod testing;

pub use self::{
    argument::{Argument, ArgumentValue},
    circumstances::{Circumstances, Ending, Next, OtherValues},
    decided::{Choice, Decided},
    identity::{ContainerIdentity, MembershipSource, Workload},
    model::{
        Added, AllowedValue, Answered, Attach, Call, Cgroup, CommandOutcome, Departure, Derived,
        Host, Losses, Recording, Target, TargetKind, VERSION,
    },
    phase::{DenyOutcome, Phase},
};
