//! What was downloaded, with its checksums, and what was unpacked from it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{
    EMULATOR_PACKAGE,
    apt::{Apt, Package},
    command_in, series,
};
use crate::{command, workspace::Workspace};

/// Where a kernel's image is in its package: the second since 7.2.
const IMAGES: [&str; 2] = ["boot", "usr/lib/modules"];

/// Packages that are there together or not at all.
pub(super) enum Set {
    /// The emulator with everything that it needs.
    Emulator,
    /// The newest kernel of a series.
    Kernel(String),
}

/// The folder of all of it.
pub(super) struct Folder(PathBuf);

impl fmt::Display for Set {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emulator => formatter.write_str("the emulator QEMU"),
            Self::Kernel(series) => write!(formatter, "the kernel {series}"),
        }
    }
}

impl Set {
    fn name(&self) -> &str {
        match self {
            Self::Emulator => "qemu",
            Self::Kernel(series) => series,
        }
    }

    fn packages(&self, apt: &Apt<'_>) -> Result<Vec<Package>> {
        match self {
            Self::Emulator => apt.closure(EMULATOR_PACKAGE),
            Self::Kernel(series) => {
                let names = apt.names("linux-")?;
                let name = series::package(names.iter().map(String::as_str), series)
                    .with_context(|| format!("Debian's suites have no kernel {series}"))?;
                apt.packages(&[name.to_owned()])
            }
        }
    }
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the emulator was unpacked.
    pub(super) fn emulator(&self) -> PathBuf {
        self.0.join("qemu")
    }

    /// The image of the kernel.
    pub(super) fn kernel(&self, series: &str) -> PathBuf {
        self.0.join("kernels").join(series)
    }

    fn unpacked(&self, set: &Set) -> PathBuf {
        match set {
            Set::Emulator => self.emulator(),
            Set::Kernel(series) => self.kernel(series),
        }
    }

    fn packages(&self) -> PathBuf {
        self.0.join("packages")
    }

    /// The checksums of a set, as sha256sum reads them.
    fn checksums(&self, set: &Set) -> PathBuf {
        self.packages().join(format!("{}.sha256", set.name()))
    }

    /// Whether the set is there, unpacked, and its packages are what the index said when they were downloaded.
    pub(super) fn holds(&self, workspace: &Workspace, set: &Set) -> Result<bool> {
        if !self.checksums(set).is_file() || !self.unpacked(set).exists() {
            return Ok(false);
        }
        let verified = self.verify(workspace, set);
        if let Err(error) = &verified {
            eprintln!("{set} is damaged, and not used: {error:#}");
        }
        Ok(verified.is_ok())
    }

    fn verify(&self, workspace: &Workspace, set: &Set) -> Result<()> {
        let mut check = command_in(workspace, "sha256sum", &self.packages());
        check.args(["--check", "--strict", "--quiet"]).arg(self.checksums(set));
        command::output(&mut check).map(drop)
    }

    /// Downloads the set, checks it and unpacks it.
    pub(super) fn fetch(&self, workspace: &Workspace, apt: &Apt<'_>, set: &Set) -> Result<()> {
        let packages = set.packages(apt)?;
        let folder = self.packages();
        create(&folder)?;
        let bytes: u64 = packages.iter().map(|package| package.size).sum();
        let what = match &packages[..] {
            [one] => one.selector.clone(),
            several => format!("{} packages", several.len()),
        };
        let title = format!("{set}: {what}, {:.0} MB", bytes as f64 / 1e6);
        apt.download(&title, &packages, &folder)?;
        let lines: String = packages
            .iter()
            .map(|package| format!("{}  {}\n", package.sha256, package.file))
            .collect();
        let checksums = self.checksums(set);
        fs::write(&checksums, lines)
            .with_context(|| format!("failed to write {}", checksums.display()))?;
        self.verify(workspace, set)?;
        self.unpack(workspace, set, &packages)
    }

    /// Unpacks beside the place, and moves there what is wanted.
    fn unpack(&self, workspace: &Workspace, set: &Set, packages: &[Package]) -> Result<()> {
        let place = self.unpacked(set);
        let beside = self.0.join(format!("{}.partial", set.name()));
        remove(&beside)?;
        for package in packages {
            let mut unpack = command_in(workspace, "dpkg-deb", &self.packages());
            command::output(unpack.arg("--extract").arg(&package.file).arg(&beside))?;
        }
        let wanted = match set {
            Set::Emulator => beside.clone(),
            Set::Kernel(_) => image(&beside)?,
        };
        create(place.parent().context("it is in a folder")?)?;
        remove(&place)?;
        fs::rename(&wanted, &place).with_context(|| {
            format!("failed to move {} to {}", wanted.display(), place.display())
        })?;
        remove(&beside)
    }
}

/// The kernel's image in an unpacked package.
fn image(unpacked: &Path) -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> = IMAGES.map(|name| unpacked.join(name)).into();
    while let Some(folder) = folders.pop() {
        // The kernel's release is the last part of one path and a folder of the other.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("vmlinuz") {
                return Ok(entry.path());
            }
            if folder.ends_with(IMAGES[1]) {
                folders.push(entry.path());
            }
        }
    }
    anyhow::bail!("no kernel image in the package unpacked at {}", unpacked.display())
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))
}

/// Removes a file or a folder with everything in it, where there is one.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_context(|| format!("failed to remove {}", path.display()))
}
