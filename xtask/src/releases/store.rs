//! What was downloaded, with its checksums, and what was unpacked from it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::apt::{Apt, Package};
use crate::{command, workspace::Workspace};

/// Packages that are there together or not at all.
pub(crate) struct Set {
    /// What people call it.
    pub(crate) title: String,
    /// The name of the file with its checksums.
    pub(crate) name: String,
    /// What was asked for. A set that was fetched for another wish is fetched again.
    pub(crate) wish: String,
    /// Where it is unpacked, below the store's directory.
    pub(crate) place: PathBuf,
}

/// The directory of all of it: `packages` holds what was downloaded, with the checksums of the
/// signed index.
pub(crate) struct Store<'workspace> {
    workspace: &'workspace Workspace,
    directory: PathBuf,
}

impl<'workspace> Store<'workspace> {
    pub(crate) fn new(workspace: &'workspace Workspace, directory: PathBuf) -> Self {
        Self { workspace, directory }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// Where the set is, once it was fetched.
    pub(crate) fn place(&self, set: &Set) -> PathBuf {
        self.directory.join(&set.place)
    }

    fn packages(&self) -> PathBuf {
        self.directory.join("packages")
    }

    /// The checksums of a set, as sha256sum reads them, below a comment with the wish.
    fn checksums(&self, set: &Set) -> PathBuf {
        self.packages().join(format!("{}.sha256", set.name))
    }

    /// Whether the set is there, unpacked, and its packages are what the index said when they were
    /// downloaded.
    pub(crate) fn holds(&self, set: &Set) -> bool {
        let checksums = fs::read_to_string(self.checksums(set)).unwrap_or_default();
        if checksums.lines().next() != Some(&comment(set)) || !self.place(set).exists() {
            return false;
        }
        let verified = self.verify(set);
        if let Err(error) = &verified {
            eprintln!("{} is damaged, and not used: {error:#}", set.title);
        }
        verified.is_ok()
    }

    fn verify(&self, set: &Set) -> Result<()> {
        let mut check = self.workspace.command("sha256sum");
        check.args(["--check", "--strict", "--quiet"]).arg(self.checksums(set));
        command::output(check.current_dir(self.packages())).map(drop)
    }

    /// Removes what was unpacked; the packages stay.
    pub(crate) fn discard(&self, set: &Set) -> Result<()> {
        remove(&self.place(set))
    }

    /// The versions of a set's packages by their names, once it was fetched.
    pub(crate) fn versions(&self, set: &Set) -> Result<BTreeMap<String, String>> {
        let path = self.checksums(set);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        Ok(text.lines().filter_map(version).collect())
    }

    /// Downloads the set's packages, checks them and unpacks them; what is wanted of the directory
    /// where they are unpacked comes to the set's place.
    pub(crate) fn fetch(
        &self,
        apt: &Apt<'_>,
        set: &Set,
        packages: &[Package],
        wanted: impl FnOnce(&Path) -> Result<PathBuf>,
    ) -> Result<()> {
        let directory = self.packages();
        create(&directory)?;
        let bytes: u64 = packages.iter().map(|package| package.size).sum();
        let what = match packages {
            [one] => one.selector.clone(),
            several => format!("{} packages", several.len()),
        };
        let title = format!("{}: {what}, {:.0} MB", set.title, bytes as f64 / 1e6);
        apt.download(&title, packages, &directory)?;
        let lines =
            packages.iter().map(|package| format!("{}  {}\n", package.sha256, package.file));
        let text = format!("{}\n{}", comment(set), lines.collect::<String>());
        let checksums = self.checksums(set);
        fs::write(&checksums, text)
            .with_context(|| format!("failed to write {}", checksums.display()))?;
        self.verify(set)?;
        self.unpack(set, packages, wanted)
    }

    /// Unpacks beside the place, and moves there what is wanted.
    fn unpack(
        &self,
        set: &Set,
        packages: &[Package],
        wanted: impl FnOnce(&Path) -> Result<PathBuf>,
    ) -> Result<()> {
        let place = self.place(set);
        let beside = self.directory.join(format!("{}.partial", set.name));
        remove(&beside)?;
        for package in packages {
            let mut unpack = self.workspace.command("dpkg-deb");
            unpack.arg("--extract").arg(&package.file).arg(&beside);
            command::output(unpack.current_dir(self.packages()))?;
        }
        let wanted = wanted(&beside)?;
        create(place.parent().context("it is in a directory")?)?;
        remove(&place)?;
        fs::rename(&wanted, &place).with_context(|| {
            format!("failed to move {} to {}", wanted.display(), place.display())
        })?;
        remove(&beside)
    }
}

fn comment(set: &Set) -> String {
    format!("# {}", set.wish)
}

/// `CHECKSUM  NAME_VERSION_ARCHITECTURE.deb`, as apt names a file of the archive.
fn version(line: &str) -> Option<(String, String)> {
    let mut words = line.split_once("  ")?.1.split('_');
    let (name, version) = (words.next()?, words.next()?);
    Some((name.to_owned(), version.replace("%3a", ":")))
}

fn create(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("failed to create {}", directory.display()))
}

/// Removes a file or a directory with everything in it, where there is one.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_context(|| format!("failed to remove {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_part_of_a_files_name() {
        let expected = ("docker.io".to_owned(), "5:28.5+dfsg4-5".to_owned());
        assert_eq!(version("0a  docker.io_5%3a28.5+dfsg4-5_amd64.deb"), Some(expected));
        assert_eq!(version("# runc crun"), None);
    }
}
