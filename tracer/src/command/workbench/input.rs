//! Whatever a person names: a file of tracer's or of another tool, or a default profile by its
//! name.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{
    command::{
        capabilities::CapabilityBasis,
        input::{self, ExpectedFile},
        recordings::RecordingFileError,
        refused_profile::RefusedProfile,
    },
    encoding::{self, EncodingError},
    message::print_err,
    profile::{
        defaults::DefaultsEngine,
        oci::{self, OciProfile},
        policy::{Policy, RuleContext},
    },
    recording::Recording,
    text::escape,
    workbench::document::{Document, DocumentError},
};

/// The default profiles that have a name.
pub(super) const BUILT_IN: [(&str, DefaultsEngine); 2] = [
    ("docker-default", DefaultsEngine::Docker),
    ("containerd-default", DefaultsEngine::Containerd),
];
/// Podman's, which the host has where Podman is installed (`containers/common`, `pkg/seccomp`).
const PODMAN: &str = "podman-default";
const PODMAN_FILE: &str = "/usr/share/containers/seccomp.json";

/// What was named.
pub(super) enum Input {
    /// A profile.
    Profile {
        /// What it is called in messages.
        name: String,
        /// What it means.
        policy: Policy,
    },
    /// A recording.
    Recording {
        /// What it is called in messages.
        name: String,
        /// The recording.
        recording: Box<Recording>,
    },
}

impl Input {
    /// Reads what was named. The conditions of a profile on capabilities are judged by those of the
    /// basis.
    pub(super) fn read(path: &Path, basis: &CapabilityBasis) -> Result<Self> {
        if let Some((name, engine)) = BUILT_IN.iter().find(|(name, _)| path == Path::new(name)) {
            let default = engine.default_profile();
            let policy = default.policy_with(&basis.set).context(*name)?;
            return Ok(Self::Profile { name: format!("{name} ({})", default.version()), policy });
        }
        let (name, document) = document(path)?;
        Ok(match document {
            Document::Recording(recording) => Self::Recording { name, recording },
            Document::Profile { profile, .. } => {
                let policy = meaning(&name, &profile, basis)?;
                Self::Profile { name, policy }
            }
        })
    }
}

/// Reads what was named, and what it is called in messages.
pub(super) fn document(path: &Path) -> Result<(String, Document)> {
    if let Some((name, engine)) = BUILT_IN.iter().find(|(name, _)| path == Path::new(name)) {
        let default = engine.default_profile();
        let (profile, notes) = (default.profile().into(), Vec::new());
        let document = Document::Profile { profile, field: None, base: None, notes };
        return Ok((format!("{name} ({})", default.version()), document));
    }
    let file = if path == Path::new(PODMAN) { podmans()? } else { path.to_owned() };
    let name = input::name(&file).to_string();
    let bytes = input::read(ExpectedFile::Either, &file)?;
    let text = encoding::without_mark(&bytes);
    let document = Document::read(text).map_err(|error| refused(&file, text, error))?;
    let Document::Profile { field, base, notes, .. } = &document else {
        return Ok((name, document));
    };
    if encoding::has_mark(&bytes) {
        print_err(&format!(
            "warning: {name}: it begins with a byte order mark, which no container runtime accepts; {}",
            EncodingError::ByteOrderMark.remedy()
        ));
    }
    let name = match field {
        None => name,
        Some(field) => format!("{name} ({field})"),
    };
    if let Some(base) = base {
        print_err(&format!(
            "warning: {name}: the operator adds it to the profile {}, which is not in the file: what that allows is missing here",
            escape(base)
        ));
    }
    for note in notes {
        print_err(&format!("warning: {name}: {note}"));
    }
    Ok((name, document))
}

/// Why a file is refused, with what to do about it.
fn refused(path: &Path, bytes: &[u8], error: DocumentError) -> anyhow::Error {
    match error {
        DocumentError::Profile(problem) => {
            RefusedProfile::new(input::name(path).to_string(), bytes, problem).into()
        }
        DocumentError::Recording(problem) => {
            RecordingFileError::Faulty { path: path.to_owned(), problem }.into()
        }
        DocumentError::Unit(problem) => {
            anyhow::Error::new(problem).context(input::name(path).to_string())
        }
    }
}

fn podmans() -> Result<PathBuf> {
    let file = PathBuf::from(PODMAN_FILE);
    if !file.exists() {
        bail!(
            "{PODMAN}: {PODMAN_FILE} is not here, and tracer has no copy of it\n\nhint: copy that file from a host with Podman and name the copy; it allows about 314 syscalls of x86_64, nearly those of docker-default, limits personality and socket, and answers most others with ENOSYS"
        );
    }
    Ok(file)
}

/// The facts by which conditions are judged: of a container with these capabilities, on any kernel
/// that runs today.
pub(super) fn facts(basis: &CapabilityBasis) -> RuleContext {
    RuleContext { capabilities: basis.set.clone(), kernel: (u32::MAX, 0) }
}

/// What a profile means by the capabilities of the basis.
pub(super) fn meaning(name: &str, profile: &OciProfile, basis: &CapabilityBasis) -> Result<Policy> {
    let policy = Policy::new(profile, &facts(basis)).with_context(|| name.to_owned())?;
    remark(name, profile, basis);
    Ok(policy)
}

/// Says what is odd in a profile, and by which capabilities it is judged.
pub(super) fn remark(name: &str, profile: &OciProfile, basis: &CapabilityBasis) {
    for sentence in oci::sentences(&profile.remarks) {
        print_err(&format!("warning: {name}: {sentence}"));
    }
    let asked = profile.capabilities();
    if !asked.is_empty() {
        print_err(&format!("note: {name}: {}", basis.describe(&asked)));
    }
}
