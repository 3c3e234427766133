//! What recording and deriving again have in common: how a profile is derived.

use std::path::Path;

use anyhow::Result;

use super::{environment::owner, usage::usage};
use crate::{
    cli,
    output::{Destination, OutputError},
    profile::{ArgumentChoice, DefaultAction, Errno, ProfileOptions, RuntimeChoice},
};

/// What was typed, as choices for the derivation.
pub(super) fn options(typed: &cli::DerivationOptions) -> Result<ProfileOptions> {
    let mut options = ProfileOptions::default();
    options.default_action = match (typed.default_action, typed.errno) {
        (cli::DefaultActionValue::Errno, cli::ErrnoValue::Enosys) => {
            DefaultAction::Errno(Errno::ENOSYS)
        }
        (cli::DefaultActionValue::Errno, cli::ErrnoValue::Eperm) => {
            DefaultAction::Errno(Errno::EPERM)
        }
        (cli::DefaultActionValue::Log, _) => DefaultAction::Log,
        (cli::DefaultActionValue::KillProcess, _) => DefaultAction::KillProcess,
        (cli::DefaultActionValue::KillThread, _) => DefaultAction::KillThread,
        (cli::DefaultActionValue::Trap, _) => DefaultAction::Trap,
    };
    options.runtime = match typed.runtime {
        cli::RuntimeValue::Any => RuntimeChoice::Any,
        cli::RuntimeValue::Runc => RuntimeChoice::Runc,
        cli::RuntimeValue::Crun => RuntimeChoice::Crun,
        cli::RuntimeValue::Youki => RuntimeChoice::Youki,
        cli::RuntimeValue::None => RuntimeChoice::None,
    };
    options.arguments = match typed.arguments {
        cli::Arguments::Default => ArgumentChoice::Default,
        cli::Arguments::Observed => ArgumentChoice::Observed,
        cli::Arguments::Off => ArgumentChoice::Off,
    };
    options.all_architectures = typed.all_arches;
    options.alternatives = typed.alternatives;
    options.error_paths = typed.error_paths;
    options.denied = typed.include_denied;
    options
        .with_include(typed.include.iter().cloned())
        .and_then(|options| options.with_exclude(typed.exclude.iter().cloned()))
        .map_err(|error| usage(&error))
}

/// Opens the directory of the files.
pub(super) fn prepare_file(out: &Path) -> Result<Destination> {
    Destination::prepare(out, owner()).map_err(|error| match error {
        OutputError::NotAJsonName { .. } | OutputError::IsARecording { .. } => usage(&error),
        other => other.into(),
    })
}
