//! Root file systems with programs of other releases of Debian: packages with everything that they
//! depend on, unpacked below `releases` in the target directory. Nothing is installed on this
//! machine, and no script of a package is run.
//!
//! [`apt`] asks the archive, with a state of its own; [`store`] keeps what was downloaded, with its
//! checksums. What is there is not downloaded again; removing the directory is the way to newer
//! versions.

pub(crate) mod apt;
pub(crate) mod store;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use apt::{Apt, Lists};
use store::{Set, Store};

/// Where Debian keeps the users that every system has; a script of the package copies them.
const USERS: [(&str, &str); 2] = [
    ("usr/share/base-passwd/passwd.master", "etc/passwd"),
    ("usr/share/base-passwd/group.master", "etc/group"),
];
/// Makes a root file system of what is unpacked: the directories, `/bin` and `/lib`, and users.
const BASE: [&str; 2] = ["base-files", "base-passwd"];

/// A release of Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Release {
    Bookworm,
    Trixie,
    Sid,
    /// Of what experimental lacks, sid's.
    Experimental,
}

/// A root file system to be had.
pub(crate) struct Tree {
    pub(crate) release: Release,
    /// What it is for; with the release, the name of its directory.
    pub(crate) name: &'static str,
    /// The packages, without those that they depend on.
    pub(crate) packages: Vec<&'static str>,
}

/// A root file system that is there.
pub(crate) struct Unpacked {
    pub(crate) root: PathBuf,
    /// The versions of all its packages by their names.
    pub(crate) versions: BTreeMap<String, String>,
}

/// All of them. The package lists of a release are read when something of it is fetched.
pub(crate) struct Releases<'workspace> {
    workspace: &'workspace Workspace,
    store: Store<'workspace>,
    lists: BTreeMap<Release, Apt<'workspace>>,
}

impl Release {
    /// Its name in the archive.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
            Self::Experimental => "experimental",
        }
    }

    fn suites(self) -> &'static [&'static str] {
        match self {
            Self::Bookworm => &["bookworm"],
            Self::Trixie => &["trixie"],
            Self::Sid => &["sid"],
            Self::Experimental => &["sid", "experimental"],
        }
    }
}

impl Tree {
    fn set(&self) -> Set {
        let name = format!("{}-{}", self.release.name(), self.name);
        Set {
            title: format!("{} of {}", self.name, self.release.name()),
            place: name.clone().into(),
            name,
            wish: self.packages.join(" "),
        }
    }
}

impl<'workspace> Releases<'workspace> {
    pub(crate) fn new(workspace: &'workspace Workspace) -> Self {
        let store = Store::new(workspace, workspace.target().join("releases"));
        Self { workspace, store, lists: BTreeMap::new() }
    }

    /// The root file system, if it was fetched before.
    pub(crate) fn find(&self, tree: &Tree) -> Result<Option<Unpacked>> {
        let set = tree.set();
        if !self.store.holds(&set) {
            return Ok(None);
        }
        let versions = self.store.versions(&set)?;
        Ok(Some(Unpacked { root: self.store.place(&set), versions }))
    }

    /// The root file system, fetched if it is not there.
    pub(crate) fn fetch(&mut self, tree: &Tree) -> Result<Unpacked> {
        if let Some(unpacked) = self.find(tree)? {
            return Ok(unpacked);
        }
        let packages = [&BASE, &tree.packages[..]].concat();
        self.open(tree.release)?;
        let apt = self.lists.get(&tree.release).context("the lists were read")?;
        let preferred = (tree.release == Release::Experimental).then(|| tree.release.name());
        let packages = apt.closure(&packages, preferred)?;
        self.store.fetch(apt, &tree.set(), &packages, |unpacked| {
            add_users(unpacked)?;
            Ok(unpacked.to_owned())
        })?;
        self.find(tree)?.context("it was fetched")
    }

    /// Removes a root file system that is not needed any more.
    pub(crate) fn discard(&self, tree: &Tree) -> Result<()> {
        self.store.discard(&tree.set())
    }

    /// The packages among these of which experimental has newer ones than sid.
    pub(crate) fn newer_in_experimental(
        &mut self,
        packages: &[&'static str],
    ) -> Result<Vec<&'static str>> {
        self.open(Release::Experimental)?;
        let apt = self.lists.get(&Release::Experimental).context("the lists were read")?;
        let mut newer = Vec::new();
        for &package in packages {
            let [sid, experimental] =
                [Release::Sid, Release::Experimental].map(|of| apt.version(package, of.name()));
            if let (Some(sid), Some(experimental)) = (sid?, experimental?)
                && apt.is_newer(&experimental, &sid)?
            {
                newer.push(package);
            }
        }
        Ok(newer)
    }

    fn open(&mut self, release: Release) -> Result<()> {
        if !self.lists.contains_key(&release) {
            let directory = self.store.path().join("apt").join(release.name());
            let suites = [("debian", release.suites())];
            let apt = Apt::open(self.workspace, &directory, &suites, Lists::Binary)?;
            self.lists.insert(release, apt);
        }
        Ok(())
    }
}

fn add_users(root: &Path) -> Result<()> {
    for (from, to) in USERS {
        let [from, to] = [from, to].map(|path| root.join(path));
        fs::copy(&from, &to)
            .with_context(|| format!("failed to copy {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}
