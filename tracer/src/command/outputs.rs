//! Where results go, and into how many profiles a recording is divided.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    path::{Path, PathBuf},
    slice,
};

use anyhow::{Context, Result};

use super::{
    derivation,
    earlier::{Earlier, keep_the_better},
    owner, subject, usage,
};
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
    /// The files of each part, once it was derived.
    parts: BTreeMap<String, Destination>,
    /// What earlier runs left, when it is to be merged.
    earlier: Option<Earlier>,
    /// What is to be said of files that are replaced.
    replaced: Vec<String>,
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
            earlier: None,
            replaced: Vec::new(),
        })
    }

    /// From now on what is there already is merged with what is recorded; a line when a run that was killed left something.
    pub(super) fn merge_earlier(&mut self) -> Result<Option<String>> {
        let mut earlier = Earlier::new(self.accept_late_start);
        let Some(unfinished) = self.unfinished_mut() else {
            return Err(usage(
                &"`--out -` writes no recording that others could be merged with\n\nhint: write to a file, for example --out profile.json",
            ));
        };
        let line = earlier.find_partial(unfinished);
        self.earlier = Some(earlier);
        Ok(line)
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

    /// Something is written to a file.
    pub(super) fn writes_files(&self) -> bool {
        self.unfinished().is_some() || self.installation.is_some()
    }

    fn unfinished_mut(&mut self) -> Option<&mut Destination> {
        match &mut self.place {
            Place::Printed => None,
            Place::Files { whole, .. } => Some(whole),
            Place::Folder { unfinished, .. } => Some(unfinished),
        }
    }

    /// Removes what was recorded so far, once it was written, or is of no use.
    pub(super) fn discard_unfinished(&self) {
        if let Some(destination) = self.unfinished() {
            // What failed before is reported; a partial recording that stays behind is no second failure.
            let _ = match self.earlier.as_ref().is_some_and(Earlier::has_taken_partial) {
                true => destination.discard_partial(),
                false => destination.remove_partial(),
            };
        }
    }

    /// What was recorded so far, with what a run that was killed had saved, when that is to be merged.
    pub(super) fn so_far<'a>(&mut self, recording: &'a Recording) -> Cow<'a, Recording> {
        let mut earlier = self.earlier.take();
        let joined = match (&mut earlier, self.unfinished_mut()) {
            (Some(earlier), Some(unfinished)) => earlier.with_partial(recording, unfinished),
            _ => Cow::Borrowed(recording),
        };
        self.earlier = earlier;
        joined
    }

    /// Everything that is known of everything together: what was recorded so far, and what its file holds, when that is to be merged.
    fn whole_of<'a>(&mut self, so_far: &'a Recording) -> Cow<'a, Recording> {
        let merged = match (&mut self.earlier, &mut self.place) {
            (Some(earlier), Place::Files { whole, .. }) => earlier.merged(None, so_far, whole),
            _ => None,
        };
        merged.map_or(Cow::Borrowed(so_far), Cow::Owned)
    }

    /// Writes the evidence alone, of which no profile can be derived; where it is. None when the profile was to be printed.
    pub(super) fn write_evidence(&mut self, recording: &Recording) -> Result<Option<PathBuf>> {
        let so_far = self.so_far(recording);
        let whole = self.whole_of(&so_far);
        let Some(destination) = self.unfinished_mut() else { return Ok(None) };
        let line = keep_the_better(destination);
        destination.write(&[(FileKind::Recording, json::to_json(&whole).as_bytes())])?;
        let path = destination.path(FileKind::Recording);
        self.replaced.extend(line);
        Ok(Some(path))
    }

    /// What is to be said of what earlier runs left.
    pub(super) fn earlier_lines(&self) -> impl Iterator<Item = &str> {
        let merged = self.earlier.iter().flat_map(Earlier::lines);
        merged.chain(&self.replaced).map(String::as_str)
    }

    /// Derives every profile. `evidence` are the recordings that the whole one was made of. What is there already is merged first,
    /// when that was asked for.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn derive(
        &mut self,
        evidence: &[Recording],
        recording: &Recording,
    ) -> Result<Vec<Product>, DeriveError> {
        if self.earlier.is_none() {
            let parts = self.parts(recording);
            return self.products(evidence, recording, parts);
        }
        let so_far = self.so_far(recording);
        let whole = self.whole_of(&so_far);
        let mut parts = self.parts(&so_far);
        for part in &mut parts {
            let mut earlier = self.earlier.take();
            // A place that cannot be used is told when it is written to.
            if let (Some(earlier), Ok(Some(destination))) =
                (&mut earlier, self.destination(Some(&part.label), part.container.as_ref()))
                && let Some(merged) =
                    earlier.merged(Some(&part.label), &part.recording, destination)
            {
                part.recording = merged;
            }
            self.earlier = earlier;
        }
        self.products(slice::from_ref(&*whole), &whole, parts)
    }

    /// A recording, divided.
    fn parts(&self, recording: &Recording) -> Vec<Part> {
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
        parts.collect()
    }

    fn products(
        &self,
        evidence: &[Recording],
        recording: &Recording,
        parts: Vec<Part>,
    ) -> Result<Vec<Product>, DeriveError> {
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
            let derivation = Profile::derive(slice::from_ref(&part.recording), &self.options);
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
            let named = (product.label.as_deref(), product.container.as_ref());
            if let Some(destination) = self.destination(named.0, named.1)? {
                let line = keep_the_better(destination);
                let [profile_file, patch_file] =
                    [FileKind::Profile, FileKind::Kubernetes].map(|kind| destination.path(kind));
                self.replaced.extend(line);
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
    fn destination(
        &mut self,
        label: Option<&str>,
        container: Option<&ContainerIdentity>,
    ) -> Result<Option<&mut Destination>> {
        let folder = match (&mut self.place, label) {
            (Place::Printed, _) | (Place::Folder { .. }, None) => return Ok(None),
            (Place::Files { whole, .. }, None) => return Ok(Some(whole)),
            (Place::Files { beside, .. }, Some(_)) => beside,
            (Place::Folder { folder, .. }, Some(_)) => folder,
        };
        let label = label.unwrap_or_default();
        if !self.parts.contains_key(label) {
            let name = match (container, self.division) {
                (Some(container), Division::WholeAndContainers) => container_name(container),
                _ => file_name(label),
            };
            self.parts.insert(label.to_owned(), folder.destination(&name)?);
        }
        Ok(self.parts.get_mut(label))
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
