//! What is fetched: the emulator, and one kernel of a series.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{EMULATOR_PACKAGE, series};
use crate::releases::{
    apt::{Apt, Package},
    store::{Set, Store},
};

/// Where a kernel's image is in its package: the second since 7.2.
const IMAGES: [&str; 2] = ["boot", "usr/lib/modules"];

/// A part of a machine.
pub(super) enum Part {
    /// The emulator with everything that it needs.
    Emulator,
    /// The newest kernel of a series.
    Kernel(String),
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emulator => formatter.write_str("the emulator QEMU"),
            Self::Kernel(series) => write!(formatter, "the kernel {series}"),
        }
    }
}

impl Part {
    pub(super) fn set(&self) -> Set {
        let (name, place) = match self {
            Self::Emulator => ("qemu", PathBuf::from("qemu")),
            Self::Kernel(series) => (series.as_str(), Path::new("kernels").join(series)),
        };
        Set { title: self.to_string(), name: name.to_owned(), wish: name.to_owned(), place }
    }

    fn packages(&self, apt: &Apt<'_>) -> Result<Vec<Package>> {
        match self {
            Self::Emulator => apt.closure(&[EMULATOR_PACKAGE], None),
            Self::Kernel(series) => {
                let names = apt.names("linux-")?;
                let name = series::package(names.iter().map(String::as_str), series)
                    .with_context(|| format!("Debian's suites have no kernel {series}"))?;
                apt.packages(&[name.to_owned()])
            }
        }
    }

    /// Downloads it and unpacks it.
    pub(super) fn fetch(&self, store: &Store<'_>, apt: &Apt<'_>) -> Result<()> {
        store.fetch(apt, &self.set(), &self.packages(apt)?, |unpacked| match self {
            Self::Emulator => Ok(unpacked.to_owned()),
            Self::Kernel(_) => image(unpacked),
        })
    }
}

/// The kernel's image in an unpacked package.
fn image(unpacked: &Path) -> Result<PathBuf> {
    let mut directories: Vec<PathBuf> = IMAGES.map(|name| unpacked.join(name)).into();
    while let Some(directory) = directories.pop() {
        // The kernel's release is the last part of one path and a directory of the other.
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("vmlinuz") {
                return Ok(entry.path());
            }
            if directory.ends_with(IMAGES[1]) {
                directories.push(entry.path());
            }
        }
    }
    anyhow::bail!("no kernel image in the package unpacked at {}", unpacked.display())
}
