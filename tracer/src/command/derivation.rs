//! What recording and deriving again have in common: from the options to the files.

use std::path::Path;

use anyhow::{Context, Result};

use super::{owner, usage};
use crate::{
    cli,
    message::print,
    output::{Destination, FileKind, Installation, OutputError, Staged},
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

/// Opens the kubelet's folder; None when nothing is to be installed.
pub(super) fn prepare_installation(typed: &cli::Derivation) -> Result<Option<Installation>> {
    let Some(name) = &typed.install_localhost else { return Ok(None) };
    let profile = LocalhostProfile::new(name)
        .map_err(|error| usage(&format!("--install-localhost: {error}")))?;
    let root = typed.kubelet_root.as_deref().unwrap_or(Path::new(DEFAULT_KUBELET_ROOT));
    Ok(Some(Installation::prepare(root, profile)?))
}

/// Writes the profile and what belongs beside it, or prints it alone; installs it.
pub(super) fn write(
    destination: Option<&Destination>,
    installation: Option<&Installation>,
    recording: &Recording,
    derivation: &Derivation,
) -> Result<()> {
    let files = stage(destination, installation, recording, derivation)?;
    if destination.is_none() {
        print(&oci::write(&derivation.profile))
            .context("the standard output could not be written")?;
    }
    commit(files)
}

/// As [`write`], and prints nothing.
pub(super) fn write_files(
    destination: Option<&Destination>,
    installation: Option<&Installation>,
    recording: &Recording,
    derivation: &Derivation,
) -> Result<()> {
    commit(stage(destination, installation, recording, derivation)?)
}

/// Everything is on the disk before anything old is replaced, wherever it is.
fn stage(
    destination: Option<&Destination>,
    installation: Option<&Installation>,
    recording: &Recording,
    derivation: &Derivation,
) -> Result<Vec<Staged>> {
    let profile = oci::write(&derivation.profile);
    let mut staged = Vec::new();
    if let Some(destination) = destination {
        let path = destination.path(FileKind::Profile);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        staged.push(destination.stage(&[
            (FileKind::Recording, json::to_json(recording).as_bytes()),
            (FileKind::Kubernetes, fragment(&name, installation)?.as_bytes()),
            (FileKind::Profile, profile.as_bytes()),
        ])?);
    }
    if let Some(installation) = installation {
        staged.push(installation.stage(profile.as_bytes())?);
    }
    Ok(staged)
}

fn commit(files: Vec<Staged>) -> Result<()> {
    for staged in files {
        staged.commit()?;
    }
    Ok(())
}

/// How a pod uses the file: as it was installed, or as it might be.
fn fragment(name: &str, installation: Option<&Installation>) -> Result<String> {
    if let Some(installation) = installation {
        let root = installation.root().to_string_lossy();
        return Ok(kubernetes::fragment(installation.profile(), name, &root));
    }
    let place = LocalhostProfile::new(&format!("profiles/{name}"))?;
    Ok(kubernetes::fragment(&place, name, DEFAULT_KUBELET_ROOT))
}
