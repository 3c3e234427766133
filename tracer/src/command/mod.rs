//! One file for each thing tracer does: short functions that call the modules below.

mod account;
mod arguments;
mod brought;
mod capabilities;
pub mod cgroup_guard;
pub mod check;
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
mod usage;
pub mod verify;
mod verify_report;
pub mod workbench;

use anyhow::Result;

pub use self::{exit::Exit, usage::UsageError};
use crate::cli::{Action, Cli};

/// Does what was typed.
///
/// # Errors
/// Whatever stopped it; [`UsageError`] somewhere in the chain when it was the typing.
pub fn run(cli: &Cli) -> Result<Exit> {
    color::choose(cli.color);
    match &cli.action {
        None => record::run(&cli.record),
        Some(Action::Check(options)) => check::run(options),
        Some(Action::List(options)) => list::run(options),
        Some(Action::Enforce(options)) => Ok(enforce::run(options)),
        Some(Action::Verify(options)) => verify::run(options),
        Some(Action::Profile(options)) => profile::run(options),
        Some(Action::Lint(options)) => lint::run(options),
        Some(Action::Diff(options)) => workbench::diff::run(options),
        Some(Action::Review(options)) => workbench::review::run(options),
        Some(Action::Convert(options)) => workbench::convert::run(options),
        Some(Action::Explain(options)) => workbench::explain::run(options),
        Some(Action::Report(options)) => workbench::report::run(options),
        Some(Action::Decode(options)) => workbench::decode::run(options),
        Some(Action::Completions(options)) => completions::run(options),
        Some(Action::ManPages(options)) => man_pages::run(options),
        Some(Action::CgroupGuard) => cgroup_guard::run(),
    }
}
