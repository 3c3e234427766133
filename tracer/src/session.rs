//! The recording pipeline: [`record`] makes a recording of what a [`SessionConfig`] describes.

mod activity;
mod audit;
mod autosave;
mod child;
mod clock;
mod config;
mod ending;
mod event_stream;
mod events;
mod following;
mod hierarchy;
mod identities;
mod late;
mod lives;
mod moves;
mod names;
mod new_cgroups;
mod pending;
mod pipeline;
mod removal;
mod roots;
mod setup;
mod signals;
mod state;
mod status;
mod tracker;

pub use self::{
    child::CommandRequest,
    config::{Observers, Purpose, SessionConfig, SessionOutcome, Stop, Targets},
    pipeline::record,
    setup::load,
    signals::{Signals, StopSignal},
};
