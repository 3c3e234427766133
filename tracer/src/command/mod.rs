//! One file for each thing tracer does: short functions that call the modules below.

mod account;
mod arguments;
mod brought;
mod capabilities;
pub mod cgroup_guard;
pub mod check;
mod closing;
mod cluster;
mod color;
pub mod completions;
mod decisions;
mod denied;
mod derivation;
mod derived;
mod doubt;
mod earlier;
pub mod enforce;
mod environment;
mod events;
mod excluded;
mod exit;
mod filtered;
mod findings;
mod input;
mod late;
mod layout;
mod lint;
mod list;
mod lookup;
pub mod man_pages;
mod meaning;
mod next;
mod outputs;
mod privileges;
pub mod profile;
mod profile_file;
pub mod record;
mod recordings;
mod refused;
mod refused_profile;
mod rescue;
mod session_config;
mod sockets;
mod subject;
mod summary;
mod target_capabilities;
mod targets;
#[cfg(test)]
mod testing;
mod usage;
pub mod verify;
mod verify_report;
pub mod workbench;
mod written;

use anyhow::Result;

pub use self::{exit::Exit, usage::UsageError};
use crate::cli::{Cli, Subcommand};

/// Does what was typed.
///
/// # Errors
/// Whatever stopped it; [`UsageError`] somewhere in the chain when it was the typing.
pub fn run(cli: &Cli) -> Result<Exit> {
    color::choose(cli.color);
    match &cli.subcommand {
        None => record::run(&cli.record),
        Some(Subcommand::Check(options)) => check::run(options),
        Some(Subcommand::List(options)) => list::run(options),
        Some(Subcommand::Enforce(options)) => Ok(enforce::run(options)),
        Some(Subcommand::Verify(options)) => verify::run(options),
        Some(Subcommand::Profile(options)) => profile::run(options),
        Some(Subcommand::Lint(options)) => lint::run(options),
        Some(Subcommand::Diff(options)) => workbench::diff::run(options),
        Some(Subcommand::Review(options)) => workbench::review::run(options),
        Some(Subcommand::Convert(options)) => workbench::convert::run(options),
        Some(Subcommand::Explain(options)) => workbench::explain::run(options),
        Some(Subcommand::Report(options)) => workbench::report::run(options),
        Some(Subcommand::Decode(options)) => workbench::decode::run(options),
        Some(Subcommand::Completions(options)) => completions::run(options),
        Some(Subcommand::ManPages(options)) => man_pages::run(options),
        Some(Subcommand::CgroupGuard) => cgroup_guard::run(),
    }
}
