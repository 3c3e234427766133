//! Where results go, and into how many profiles a recording is divided.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};

use super::{derivation, owner, subject, usage};
use crate::{
    cli,
    message::print,
    output::{Destination, FileKind, Folder, Installation, Staged},
    profile::{
        Derivation, DeriveError, Options, Profile,
        kubernetes::{self, DEFAULT_KUBELET_ROOT, Files, LocalhostProfile, Subject},
        oci,
    },
    recording::{
        ContainerIdentity, Recording, json,
        parts::{Part, by_container, by_target},
    },
};

/// The name of the files with what was recorded so far, in a folder for many.
const UNFINISHED: &str = "unfinished";

/// Where results go. Opened before tracing begins.
pub(super) struct Outputs {
    place: Place,
    /// Where the kubelet will find the profile.
    pub(super) installation: Option<Installation>,
    division: Division,
    options: Options,
    accept_late_start: bool,
    /// Every container is a target, and none was asked for by its name.
    pub(super) all_containers: bool,
    /// The files of each part, once it was written.
    parts: BTreeMap<String, Destination>,
}

enum Place {
    /// The standard output.
    Printed,
    /// One profile, and more beside it.
    Files { whole: Destination, beside: Folder },
    /// A profile each.
    Folder { folder: Folder, unfinished: Destination },
}

/// What gets a profile of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Division {
    Whole,
    WholeAndContainers,
    Targets,
    Containers,
}

/// A profile that was derived, and what of.
pub(super) struct Product {
    /// The target or container; None for everything together.
    pub(super) label: Option<String>,
    container: Option<ContainerIdentity>,
    /// What a pod that runs under it is made by.
    subject: Subject,
    /// The evidence.
    pub(super) recording: Recording,
    /// What came of it; nothing of a workload that was not seen to run.
    pub(super) derivation: Result<Derivation, DeriveError>,
}

impl Outputs {
    /// Opens what is written to. `all_containers`: every container is a target.
    pub(super) fn prepare(
        out: &Path,
        typed: &cli::Derivation,
        options: Options,
        all_containers: bool,
    ) -> Result<Self> {
        let is_folder = names_folder(out);
        let division = match (is_folder, all_containers || typed.per_container) {
            (false, false) => Division::Whole,
            (false, true) => Division::WholeAndContainers,
            (true, false) => Division::Targets,
            (true, true) => Division::Containers,
        };
        if !is_folder && all_containers {
            return Err(usage(
                &"--all-containers writes a profile for each container\n\nhint: name a folder for them: --out profiles/",
            ));
        }
        if is_printed(out) && division != Division::Whole {
            return Err(usage(
                &"`--out -` prints one profile, --per-container writes several\n\nhint: write to a file, for example --out profile.json",
            ));
        }
        if division != Division::Whole && typed.install_localhost.is_some() {
            return Err(usage(
                &"--install-localhost installs one profile\n\nhint: leave it out, and copy the profiles that are written to the kubelet's folder",
            ));
        }
        let installation = installation(typed)?;
        let place = if is_printed(out) {
            Place::Printed
        } else if is_folder {
            let folder = Folder::prepare(out, owner())?;
            let unfinished = folder.destination(UNFINISHED)?;
            Place::Folder { folder, unfinished }
        } else {
            let whole = derivation::prepare_file(out)?;
            let beside = Folder::beside(&whole);
            Place::Files { whole, beside }
        };
        let accept_late_start = typed.accept_late_start;
        let parts = BTreeMap::new();
        Ok(Self {
            place,
            installation,
            division,
            options,
            accept_late_start,
            all_containers,
            parts,
        })
    }

    /// The file of the profile of everything together.
    pub(super) fn whole(&self) -> Option<&Destination> {
        match &self.place {
            Place::Files { whole, .. } => Some(whole),
            Place::Printed | Place::Folder { .. } => None,
        }
    }

    /// The files of a product; None when it was printed, or is no profile.
    pub(super) fn files(&self, product: &Product) -> Option<&Destination> {
        match &product.label {
            None => self.whole(),
            Some(label) => self.parts.get(label),
        }
    }

    /// Where what was recorded so far is kept.
    pub(super) fn unfinished(&self) -> Option<&Destination> {
        match &self.place {
            Place::Printed => None,
            Place::Files { whole, .. } => Some(whole),
            Place::Folder { unfinished, .. } => Some(unfinished),
        }
    }

    /// Removes what was recorded so far.
    pub(super) fn discard_unfinished(&self) {
        if let Some(destination) = self.unfinished() {
            // What failed before is reported; a partial recording that stays behind is no second failure.
            let _ = destination.remove_partial();
        }
    }

    /// Derives every profile. `evidence` are the recordings that the whole one was made of.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn derive(
        &self,
        evidence: &[Recording],
        recording: &Recording,
    ) -> Result<Vec<Product>, DeriveError> {
        let parts = match self.division {
            Division::Whole => Vec::new(),
            Division::Targets => by_target(recording, self.accept_late_start),
            Division::WholeAndContainers | Division::Containers => {
                by_container(recording, self.accept_late_start)
            }
        };
        // What has nothing to show, and was not asked for: the whole tells of it, or the summary.
        let is_told = self.division == Division::Containers && !self.all_containers;
        let parts = parts.into_iter().filter(|part| {
            let has_calls = part.recording.cgroups.iter().any(|cgroup| !cgroup.calls.is_empty());
            has_calls || is_told || self.division == Division::Targets
        });
        let parts: Vec<Part> = parts.collect();
        let whole = Profile::derive(evidence, &self.options)?;
        let mut products = Vec::with_capacity(parts.len() + 1);
        if matches!(self.division, Division::Whole | Division::WholeAndContainers) {
            let subject = subject::of_targets(&recording.targets);
            products.push(Product::new(None, subject, recording.clone(), Ok(whole)));
        }
        products.extend(parts.into_iter().map(|part| {
            let subject = match &part.container {
                Some(container) => subject::of_container(&recording.targets, container),
                None => subject::of_targets(&part.recording.targets),
            };
            let derivation = Profile::derive(std::slice::from_ref(&part.recording), &self.options);
            let named = Some((part.label, part.container));
            Product::new(named, subject, part.recording, derivation)
        }));
        Ok(products)
    }

    /// Writes all files, or prints the profile; installs it. Everything is on the disk before anything old is replaced,
    /// wherever it is.
    pub(super) fn write(&mut self, products: &[Product]) -> Result<()> {
        let staged = self.stage(products)?;
        if let (Place::Printed, [Product { derivation: Ok(derivation), .. }]) =
            (&self.place, products)
        {
            print(&oci::write(&derivation.profile))
                .context("the standard output could not be written")?;
        }
        commit(staged)
    }

    /// As [`Self::write`], and prints nothing.
    pub(super) fn write_files(&mut self, products: &[Product]) -> Result<()> {
        commit(self.stage(products)?)
    }

    fn stage(&mut self, products: &[Product]) -> Result<Vec<Staged>> {
        let mut staged = Vec::new();
        for product in products {
            let Ok(derivation) = &product.derivation else { continue };
            let profile = oci::write(&derivation.profile);
            if let Some(destination) = self.destination(product)? {
                let [profile_file, patch_file] =
                    [FileKind::Profile, FileKind::Kubernetes].map(|kind| destination.path(kind));
                let patch = self.patch(&profile_file, &patch_file, &product.subject)?;
                let Some(destination) = self.files(product) else { continue };
                staged.push(destination.stage(&[
                    (FileKind::Recording, json::to_json(&product.recording).as_bytes()),
                    (FileKind::Kubernetes, patch.as_bytes()),
                    (FileKind::Profile, profile.as_bytes()),
                ])?);
            }
            if let Some(installation) = &self.installation {
                staged.push(installation.stage(profile.as_bytes())?);
            }
        }
        Ok(staged)
    }

    /// The files of a product, under the name that it had before.
    fn destination(&mut self, product: &Product) -> Result<Option<&Destination>> {
        let (Some(label), folder) = (
            &product.label,
            match &self.place {
                Place::Printed => return Ok(None),
                Place::Files { beside, .. } => beside,
                Place::Folder { folder, .. } => folder,
            },
        ) else {
            return Ok(self.whole());
        };
        if !self.parts.contains_key(label) {
            let name = match (&product.container, self.division) {
                (Some(container), Division::WholeAndContainers) => container_name(container),
                _ => file_name(label),
            };
            self.parts.insert(label.clone(), folder.destination(&name)?);
        }
        Ok(self.parts.get(label))
    }

    /// How a workload's pods get the profile: as it was installed, or as it might be.
    fn patch(&self, profile: &Path, patch: &Path, subject: &Subject) -> Result<String> {
        let [profile, patch] =
            [profile, patch].map(|path| path.file_name().unwrap_or_default().to_string_lossy());
        let root = self.installation.as_ref().map(Installation::root);
        let root = root.unwrap_or_else(|| DEFAULT_KUBELET_ROOT.into());
        let root = root.to_string_lossy();
        let files = Files { profile: &profile, patch: &patch, kubelet_root: &root };
        let place = match &self.installation {
            Some(installation) => installation.profile().clone(),
            None => LocalhostProfile::new(&format!("profiles/{profile}"))?,
        };
        Ok(kubernetes::patch(&place, &files, subject))
    }
}

impl Product {
    fn new(
        named: Option<(String, Option<ContainerIdentity>)>,
        subject: Subject,
        mut recording: Recording,
        derivation: Result<Derivation, DeriveError>,
    ) -> Self {
        recording.derived = derivation.as_ref().ok().map(Derivation::derived);
        let (label, container) = named.map_or((None, None), |(label, one)| (Some(label), one));
        Self { label, container, subject, recording, derivation }
    }
}

fn commit(files: Vec<Staged>) -> Result<()> {
    for staged in files {
        staged.commit()?;
    }
    Ok(())
}

/// The profile is printed, and no file is written.
pub(super) fn is_printed(out: &Path) -> bool {
    out == Path::new("-")
}

/// A folder is meant: the path ends in a slash, or is that of one. `NAME.json` is meant for a file, whatever is there.
fn names_folder(out: &Path) -> bool {
    let is_file_name = out.extension().is_some_and(|extension| extension == "json");
    out.as_os_str().as_encoded_bytes().ends_with(b"/") || out.is_dir() && !is_file_name
}

/// Opens the kubelet's folder; None when nothing is to be installed.
fn installation(typed: &cli::Derivation) -> Result<Option<Installation>> {
    let Some(name) = &typed.install_localhost else { return Ok(None) };
    let profile = LocalhostProfile::new(name)
        .map_err(|error| usage(&format!("--install-localhost: {error}")))?;
    let root = typed.kubelet_root.as_deref().unwrap_or(Path::new(DEFAULT_KUBELET_ROOT));
    Ok(Some(Installation::prepare(root, profile)?))
}

/// What a container is called where its pod is known anyway.
fn container_name(container: &ContainerIdentity) -> String {
    container.name.clone().unwrap_or_else(|| container.id.clone())
}

/// The name of a target, readable as a file's: what separates its parts becomes an underscore.
fn file_name(label: &str) -> String {
    label.trim_start_matches('/').replace(['/', ':'], "_")
}
