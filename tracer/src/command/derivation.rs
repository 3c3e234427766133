//! What recording and deriving again have in common: from the options to the files.

use std::path::Path;

use anyhow::{Context, Result};

use super::{owner, usage};
use crate::{
    cli,
    message::print,
    output::{Destination, FileKind, OutputError},
    profile::{
        DefaultAction, Derivation, Errno, Options, RuntimeChoice,
        kubernetes::{self, DEFAULT_KUBELET_ROOT, LocalhostProfile},
        oci,
    },
    recording::{Recording, json},
};

/// What was typed, as choices for the derivation.
pub(super) fn options(typed: &cli::Derivation) -> Result<Options> {
    let mut options = Options::default();
    options.default_action = match (typed.default_action, typed.errno) {
        (cli::DefaultAction::Errno, cli::Errno::Enosys) => DefaultAction::Errno(Errno::ENOSYS),
        (cli::DefaultAction::Errno, cli::Errno::Eperm) => DefaultAction::Errno(Errno::EPERM),
        (cli::DefaultAction::Log, _) => DefaultAction::Log,
        (cli::DefaultAction::KillProcess, _) => DefaultAction::KillProcess,
        (cli::DefaultAction::KillThread, _) => DefaultAction::KillThread,
        (cli::DefaultAction::Trap, _) => DefaultAction::Trap,
    };
    options.runtime = match typed.runtime {
        cli::Runtime::Any => RuntimeChoice::Any,
        cli::Runtime::Runc => RuntimeChoice::Runc,
        cli::Runtime::Crun => RuntimeChoice::Crun,
        cli::Runtime::None => RuntimeChoice::None,
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

/// The profile is printed, and no file is written.
pub(super) fn is_printed(out: &Path) -> bool {
    out == Path::new("-")
}

/// Opens the folder of the files; None when the profile is printed.
pub(super) fn prepare(out: &Path) -> Result<Option<Destination>> {
    if is_printed(out) {
        return Ok(None);
    }
    prepare_file(out).map(Some)
}

/// Opens the folder of the files.
pub(super) fn prepare_file(out: &Path) -> Result<Destination> {
    Destination::prepare(out, owner()).map_err(|error| match error {
        OutputError::NotAJsonName { .. } => usage(&error),
        other => other.into(),
    })
}

/// Writes the profile and what belongs beside it, or prints it alone.
pub(super) fn write(
    destination: Option<&Destination>,
    recording: &Recording,
    derivation: &Derivation,
) -> Result<()> {
    let Some(destination) = destination else {
        print(&oci::write(&derivation.profile))
            .context("the standard output could not be written")?;
        return Ok(());
    };
    let profile = destination.path(FileKind::Profile);
    let name = profile.file_name().unwrap_or_default().to_string_lossy();
    let place = LocalhostProfile::new(&format!("profiles/{name}"))?;
    let fragment = kubernetes::fragment(&place, &name, DEFAULT_KUBELET_ROOT);
    destination.write(&[
        (FileKind::Recording, json::to_json(recording).as_bytes()),
        (FileKind::Kubernetes, fragment.as_bytes()),
        (FileKind::Profile, oci::write(&derivation.profile).as_bytes()),
    ])?;
    Ok(())
}
