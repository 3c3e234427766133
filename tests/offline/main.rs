//! Tests that need neither root nor a kernel.

mod deployment;
mod filter;
mod help;
mod profile;
mod profile_reading;
mod recording_schema;
mod recordings;
mod rederive;
mod tidy;
