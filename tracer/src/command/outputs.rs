//! The results of a recording: derived profiles and evidence, on their way into files.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    slice,
};

use anyhow::{Context, Result};

use super::{
    earlier::{Earlier, keep_the_better},
    layout::Layout,
    subject,
    usage::usage,
};
use crate::{
    cli,
    message::print,
    output::{
        Destination, Export, Format, Installation, Staged,
        formats::{FORMATS, PROFILE, RECORDING},
    },
    profile::{
        Derivation, DeriveError, Profile, ProfileOptions,
        kubernetes::{DEFAULT_KUBELET_ROOT, LocalhostProfile, PatchSubject},
        oci,
    },
    recording::{ContainerIdentity, Recording, json, parts::Part},
};

/// Where results go. Opened before tracing begins.
pub(super) struct Outputs {
    layout: Layout,
    /// Where the kubelet will find the profile.
    pub(super) installation: Option<Installation>,
    options: ProfileOptions,
    accept_late_start: bool,
    /// Every container is a target, and none was asked for by its name.
    pub(super) all_containers: bool,
    /// What earlier runs left, when it is to be merged.
    earlier: Option<Earlier>,
    /// Lines for the summary about files that are replaced.
    replaced: Vec<String>,
}

/// A profile, and what it was derived from.
pub(super) struct DerivedProfile {
    /// The target or container; None for everything together.
    pub(super) label: Option<String>,
    container: Option<ContainerIdentity>,
    /// The workloads whose pods run under it.
    subject: PatchSubject,
    /// The evidence.
    pub(super) recording: Recording,
    /// The derivation, or the reason that there is none: no call of a workload was recorded.
    pub(super) derivation: Result<Derivation, DeriveError>,
}

impl Outputs {
    /// Opens the directories that are written to. `all_containers`: every container is a target.
    ///
    /// # Errors
    /// The arguments contradict each other, or a directory cannot be used.
    pub(super) fn prepare(
        out: &Path,
        typed: &cli::DerivationOptions,
        options: ProfileOptions,
        all_containers: bool,
    ) -> Result<Self> {
        let layout = Layout::prepare(out, typed, all_containers)?;
        Ok(Self {
            layout,
            installation: installation(typed)?,
            options,
            accept_late_start: typed.accept_late_start,
            all_containers,
            earlier: None,
            replaced: Vec::new(),
        })
    }

    /// Merges, from now on, what is there already with what is recorded. Returns a line for the
    /// user when a run that was killed left a partial recording.
    ///
    /// # Errors
    /// The profile is printed: there is no recording to merge with.
    pub(super) fn merge_earlier(&mut self) -> Result<Option<String>> {
        let mut earlier = Earlier::new(self.accept_late_start);
        let Some(autosave) = self.layout.autosave_mut() else {
            return Err(usage(
                &"`--out -` writes no recording that others could be merged with\n\nhint: write to a file, for example --out profile.json",
            ));
        };
        let line = earlier.find_partial(autosave);
        self.earlier = Some(earlier);
        Ok(line)
    }

    /// The files of the profile of everything together.
    pub(super) fn whole(&self) -> Option<&Destination> {
        self.layout.whole()
    }

    /// The files of a profile; None when it was printed, or could not be derived.
    pub(super) fn files(&self, derived: &DerivedProfile) -> Option<&Destination> {
        self.layout.files(derived.label.as_deref())
    }

    /// Where what was recorded so far is saved.
    pub(super) fn autosave(&self) -> Option<&Destination> {
        self.layout.autosave()
    }

    /// Something is written to a file.
    pub(super) fn writes_files(&self) -> bool {
        self.autosave().is_some() || self.installation.is_some()
    }

    /// Removes what was saved while recording: it is in the files that were written, or of no use.
    pub(super) fn discard_autosave(&self) {
        if let Some(destination) = self.autosave() {
            // What failed before is reported; a partial recording that stays behind is no second
            // failure.
            let _ = match self.earlier.as_ref().is_some_and(Earlier::has_taken_partial) {
                true => destination.discard_partial(),
                false => destination.remove_partial(),
            };
        }
    }

    /// What was recorded so far, with what a killed run had saved, when that is to be merged.
    pub(super) fn so_far<'a>(&mut self, recording: &'a Recording) -> Cow<'a, Recording> {
        match (&mut self.earlier, self.layout.autosave_mut()) {
            (Some(earlier), Some(autosave)) => earlier.with_partial(recording, autosave),
            _ => Cow::Borrowed(recording),
        }
    }

    /// What was recorded so far of everything together, with what its file holds, when that is to
    /// be merged.
    fn whole_of<'a>(&mut self, so_far: &'a Recording) -> Cow<'a, Recording> {
        let merged = match (&mut self.earlier, self.layout.whole_mut()) {
            (Some(earlier), Some(whole)) => earlier.merged(None, so_far, whole),
            _ => None,
        };
        merged.map_or(Cow::Borrowed(so_far), Cow::Owned)
    }

    /// Writes the evidence alone, of which no profile can be derived. Returns its path; None when
    /// the profile was to be printed.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) fn write_evidence(&mut self, recording: &Recording) -> Result<Option<PathBuf>> {
        let so_far = self.so_far(recording);
        let whole = self.whole_of(&so_far);
        let Some(destination) = self.layout.autosave_mut() else { return Ok(None) };
        self.replaced.extend(keep_the_better(destination));
        destination.write(&[(RECORDING, json::to_json(&whole).as_bytes())])?;
        Ok(Some(destination.path(RECORDING)))
    }

    /// Lines for the summary about what earlier runs left.
    pub(super) fn earlier_lines(&self) -> impl Iterator<Item = &str> {
        let merged = self.earlier.iter().flat_map(Earlier::lines);
        merged.chain(&self.replaced).map(String::as_str)
    }

    /// Derives every profile. `evidence` are the recordings that the whole one was made of. What is
    /// there already is merged first, when that was asked for.
    ///
    /// # Errors
    /// No call of a workload was recorded.
    pub(super) fn derive(
        &mut self,
        evidence: &[Recording],
        recording: &Recording,
    ) -> Result<Vec<DerivedProfile>, DeriveError> {
        if self.earlier.is_none() {
            let parts = self.split(recording);
            return self.derive_all(evidence, recording, parts);
        }
        let so_far = self.so_far(recording);
        let whole = self.whole_of(&so_far);
        let mut parts = self.split(&so_far);
        for part in &mut parts {
            // A file that cannot be used is reported when it is written to.
            if let (Some(earlier), Ok(Some(destination))) = (
                &mut self.earlier,
                self.layout.destination(Some(&part.label), part.container.as_ref()),
            ) && let Some(merged) =
                earlier.merged(Some(&part.label), &part.recording, destination)
            {
                part.recording = merged;
            }
        }
        self.derive_all(slice::from_ref(&*whole), &whole, parts)
    }

    fn split(&self, recording: &Recording) -> Vec<Part> {
        self.layout.split(recording, self.accept_late_start, self.all_containers)
    }

    fn derive_all(
        &self,
        evidence: &[Recording],
        recording: &Recording,
        parts: Vec<Part>,
    ) -> Result<Vec<DerivedProfile>, DeriveError> {
        let whole = Profile::derive(evidence, &self.options)?;
        let mut profiles = Vec::with_capacity(parts.len() + 1);
        if self.layout.has_whole() {
            let subject = subject::of_targets(&recording.targets);
            profiles.push(DerivedProfile::new(None, subject, recording.clone(), Ok(whole)));
        }
        profiles.extend(parts.into_iter().map(|part| {
            let subject = match &part.container {
                Some(container) => subject::of_container(&recording.targets, container),
                None => subject::of_targets(&part.recording.targets),
            };
            let derivation = Profile::derive(slice::from_ref(&part.recording), &self.options);
            let named = Some((part.label, part.container));
            DerivedProfile::new(named, subject, part.recording, derivation)
        }));
        Ok(profiles)
    }

    /// Writes all files, or prints the profile; installs it. Everything is on the disk before
    /// anything old is replaced, wherever it is.
    ///
    /// # Errors
    /// Something could not be written.
    pub(super) fn write(&mut self, profiles: &[DerivedProfile]) -> Result<()> {
        let staged = self.stage(profiles)?;
        if let [DerivedProfile { derivation: Ok(derivation), .. }] = profiles
            && self.layout.prints()
        {
            print(&oci::write(&derivation.profile))
                .context("the standard output could not be written")?;
        }
        commit(staged)
    }

    /// As [`Self::write`], and prints nothing.
    ///
    /// # Errors
    /// Something could not be written.
    pub(super) fn write_files(&mut self, profiles: &[DerivedProfile]) -> Result<()> {
        commit(self.stage(profiles)?)
    }

    fn stage(&mut self, profiles: &[DerivedProfile]) -> Result<Vec<Staged>> {
        let mut staged = Vec::new();
        for derived in profiles {
            let Ok(derivation) = &derived.derivation else { continue };
            let (label, container) = (derived.label.as_deref(), derived.container.as_ref());
            if let Some(destination) = self.layout.destination(label, container)? {
                self.replaced.extend(keep_the_better(destination));
                let pods = Pods::of(self.installation.as_ref(), destination)?;
                let export = pods.export(destination.stem(), derived, &derivation.profile);
                staged.push(stage_all(destination, &export)?);
            }
            if let Some(installation) = &self.installation {
                staged.push(installation.stage(oci::write(&derivation.profile).as_bytes())?);
            }
        }
        Ok(staged)
    }
}

impl DerivedProfile {
    fn new(
        named: Option<(String, Option<ContainerIdentity>)>,
        subject: PatchSubject,
        mut recording: Recording,
        derivation: Result<Derivation, DeriveError>,
    ) -> Self {
        recording.derived = derivation.as_ref().ok().map(Derivation::derived);
        let (label, container) = named.map_or((None, None), |(label, one)| (Some(label), one));
        Self { label, container, subject, recording, derivation }
    }
}

/// How pods get the profile: as it was installed, or as it might be.
struct Pods {
    localhost: LocalhostProfile,
    kubelet_root: String,
}

impl Pods {
    fn of(installation: Option<&Installation>, destination: &Destination) -> Result<Self> {
        let root = installation.map(Installation::root);
        let root = root.unwrap_or_else(|| DEFAULT_KUBELET_ROOT.into());
        let localhost = match installation {
            Some(installation) => installation.profile().clone(),
            None => {
                LocalhostProfile::new(&format!("profiles/{}", PROFILE.name(destination.stem())))?
            }
        };
        Ok(Self { localhost, kubelet_root: root.to_string_lossy().into_owned() })
    }

    fn export<'a>(
        &'a self,
        stem: &'a str,
        derived: &'a DerivedProfile,
        profile: &'a Profile,
    ) -> Export<'a> {
        let (recording, subject) = (&derived.recording, &derived.subject);
        let (localhost, kubelet_root) = (&self.localhost, self.kubelet_root.as_str());
        Export { stem, profile, recording, subject, localhost, kubelet_root }
    }
}

/// Writes the files of every format under temporary names.
fn stage_all(destination: &Destination, export: &Export<'_>) -> Result<Staged> {
    let rendered: Vec<(&Format, String)> =
        FORMATS.iter().map(|format| (*format, format.render(export))).collect();
    let files: Vec<(&Format, &[u8])> =
        rendered.iter().map(|(format, text)| (*format, text.as_bytes())).collect();
    Ok(destination.stage(&files)?)
}

fn commit(files: Vec<Staged>) -> Result<()> {
    for staged in files {
        staged.commit()?;
    }
    Ok(())
}

/// Opens the kubelet's directory; None when nothing is to be installed.
fn installation(typed: &cli::DerivationOptions) -> Result<Option<Installation>> {
    let Some(name) = &typed.install_localhost else { return Ok(None) };
    let profile = LocalhostProfile::new(name)
        .map_err(|error| usage(&format!("--install-localhost: {error}")))?;
    let root = typed.kubelet_root.as_deref().unwrap_or(Path::new(DEFAULT_KUBELET_ROOT));
    Ok(Some(Installation::prepare(root, profile)?))
}

#[cfg(test)]
#[path = "outputs_tests.rs"]
mod tests;
