//! Container engines of other releases of Debian, for the runtimes tier: each in a root file system of its release.

use std::{collections::BTreeMap, ffi::OsString};

use anyhow::Result;
use serde_json::json;

use crate::{
    releases::{Release, Releases, Tree, Unpacked},
    workspace::Workspace,
};

/// The variable that tells the tests where they are.
pub(crate) const VARIABLE: &str = "TRACER_TEST_ENGINES";

/// What every root file system with engines has: a shell, `mount`, and what takes limits out of a bundle.
const COMMON: [&str; 3] = ["dash", "mount", "jq"];

/// Which engines are tested.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// runc and crun.
    LowLevel,
    /// podman, Docker and containerd as well.
    All,
}

/// Engines that share a root file system.
struct Kit {
    name: &'static str,
    engines: &'static [&'static str],
    /// The packages that hold them, in the same order.
    packages: &'static [&'static str],
    /// What they need besides.
    needs: &'static [&'static str],
    extent: Extent,
}

const KITS: [Kit; 3] = [
    Kit {
        name: "runtimes",
        engines: &["runc", "crun"],
        packages: &["runc", "crun"],
        needs: &[],
        extent: Extent::LowLevel,
    },
    Kit {
        name: "podman",
        engines: &["podman"],
        packages: &["podman"],
        needs: &["runc", "crun", "conmon"],
        extent: Extent::All,
    },
    Kit {
        name: "daemons",
        engines: &["docker", "containerd"],
        packages: &["docker.io", "containerd"],
        needs: &["docker-cli", "runc"],
        extent: Extent::All,
    },
];

/// What the test program is told: for each root file system its path, and the versions of the engines in it.
pub(crate) struct Engines(Vec<(Release, Unpacked, BTreeMap<&'static str, String>)>);

impl Engines {
    pub(crate) fn variable(&self) -> (&'static str, OsString) {
        let entries = self.0.iter().map(|(release, unpacked, engines)| {
            json!({
                "release": release.name(),
                "root": unpacked.root,
                "engines": engines,
                "versions": unpacked.versions,
            })
        });
        (VARIABLE, json!(entries.collect::<Vec<_>>()).to_string().into())
    }
}

/// Finds them, and fetches what is missing when that is asked for: about 50 MB for runc and crun, 600 MB for all.
pub(crate) fn set_up(workspace: &Workspace, extent: Extent, install: bool) -> Result<Engines> {
    let mut releases = Releases::new(workspace);
    let mut found = Vec::new();
    for kit in KITS.iter().filter(|kit| kit.extent == Extent::LowLevel || kit.extent == extent) {
        // Those of the release before: experimental has of most what sid has.
        let mut known = BTreeMap::new();
        for release in [Release::Trixie, Release::Sid, Release::Experimental] {
            let Some(unpacked) = find(&mut releases, release, kit, install)? else { continue };
            let versions = kit.versions(&unpacked);
            let mut engines = versions.clone();
            engines.retain(|name, version| known.get(name) != Some(version));
            if !engines.is_empty() {
                found.push((release, unpacked, engines));
            }
            known = versions;
        }
    }
    if found.is_empty() {
        eprintln!(
            "container engines of other releases of Debian are not there: will skip them\n\
             hint: `cargo xtask test runtimes --install` fetches them below the target folder"
        );
    }
    Ok(Engines(found))
}

/// A kit's root file system. That of experimental is made when it has a newer engine than sid.
fn find(
    releases: &mut Releases<'_>,
    release: Release,
    kit: &Kit,
    install: bool,
) -> Result<Option<Unpacked>> {
    let packages = [&COMMON[..], kit.packages, kit.needs].concat();
    let tree = Tree { release, name: kit.name, packages };
    let found = releases.find(&tree)?;
    if found.is_some() || !install {
        return Ok(found);
    }
    let is_wanted = release != Release::Experimental
        || !releases.newer_in_experimental(kit.packages)?.is_empty();
    is_wanted.then(|| releases.fetch(&tree)).transpose()
}

impl Kit {
    fn versions(&self, unpacked: &Unpacked) -> BTreeMap<&'static str, String> {
        let pairs = self.engines.iter().zip(self.packages);
        let version = |(&engine, &package): (&&'static str, &&str)| {
            Some((engine, unpacked.versions.get(package)?.clone()))
        };
        pairs.filter_map(version).collect()
    }
}
