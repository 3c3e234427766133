//! Container engines of other releases of Debian, for the runtimes tier: each in a root file system
//! of its release.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::{
    command,
    releases::{Release, Releases, Tree, Unpacked},
    workspace::Workspace,
};

/// The variable that gives the tests their paths.
const VARIABLE: &str = "TRACER_TEST_ENGINES";
/// The variable that names the server in Go.
const GO_VARIABLE: &str = "TRACER_TEST_GO";

/// What every root file system with engines has: a shell, `mount`, and what takes limits out of a
/// bundle.
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
        needs: &["runc", "crun", "conmon", "catatonit"],
        extent: Extent::All,
    },
    Kit {
        name: "daemons",
        engines: &["docker", "containerd"],
        packages: &["docker.io", "containerd"],
        needs: &["docker-cli", "runc", "busybox-static"],
        extent: Extent::All,
    },
];

/// What the test program can use.
pub(crate) struct Engines {
    extent: Extent,
    roots: Vec<Root>,
    go: Option<PathBuf>,
}

/// A root file system with the engines that are tested in it.
struct Root {
    release: Release,
    unpacked: Unpacked,
    engines: Vec<&'static str>,
}

impl Engines {
    /// runc and crun, each with the root file system that it is in.
    pub(crate) fn low_level(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let names = |root: &Root| root.engines.clone().into_iter();
        let is_low = |name: &&str| ["runc", "crun"].contains(name);
        self.roots.iter().flat_map(move |root| {
            names(root).filter(is_low).map(|name| (name, root.unpacked.root.as_path()))
        })
    }

    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        let roots = self.roots.iter().map(|Root { release, unpacked, engines }| {
            json!({
                "release": release.name(),
                "root": unpacked.root,
                "engines": engines,
                "versions": unpacked.versions,
            })
        });
        let whole = self.extent == Extent::All;
        let value = json!({ "whole": whole, "roots": roots.collect::<Vec<_>>() });
        let go = self.go.iter().map(|path| (GO_VARIABLE, path.into()));
        [(VARIABLE, value.to_string().into())].into_iter().chain(go).collect()
    }
}

/// Finds them, and fetches what is missing when that is asked for: about 50 MB for runc and crun,
/// 600 MB for all.
pub(crate) fn set_up(workspace: &Workspace, extent: Extent, install: bool) -> Result<Engines> {
    let mut releases = Releases::new(workspace);
    let mut roots = Vec::new();
    for kit in KITS.iter().filter(|kit| kit.extent == Extent::LowLevel || kit.extent == extent) {
        // Those of the release before: experimental has of most what sid has.
        let mut known = BTreeMap::new();
        for release in [Release::Trixie, Release::Sid, Release::Experimental] {
            let Some(unpacked) = find(&mut releases, release, kit, install)? else { continue };
            let versions = kit.versions(&unpacked);
            let is_new = |engine: &&str| known.get(engine) != versions.get(engine);
            let engines: Vec<_> = kit.engines.iter().copied().filter(is_new).collect();
            if !engines.is_empty() {
                roots.push(Root { release, unpacked, engines });
            }
            known = versions;
        }
    }
    if roots.is_empty() {
        eprintln!(
            "container engines of other releases of Debian are not there: will skip them\n\
             hint: `cargo xtask test runtimes --install` fetches them below the target directory"
        );
    }
    let go = match extent {
        Extent::All => go_server(workspace, &mut releases, install)?,
        Extent::LowLevel => None,
    };
    Ok(Engines { extent, roots, go })
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

/// The server of `tests/fixtures/server.go`, built with the compiler of a release where it can be
/// fetched.
fn go_server(
    workspace: &Workspace,
    releases: &mut Releases<'_>,
    install: bool,
) -> Result<Option<PathBuf>> {
    let tree = Tree { release: Release::Trixie, name: "go", packages: vec!["golang-go"] };
    let compiler = match releases.find(&tree)? {
        Some(unpacked) => unpacked,
        None if install => releases.fetch(&tree)?,
        None => return Ok(None),
    };
    let directory = workspace.target().join("tests");
    fs::create_dir_all(&directory)
        .with_context(|| format!("failed to create {}", directory.display()))?;
    let server = directory.join("go-server");
    let mut build = workspace.command(compiler.root.join("usr/lib/go/bin/go"));
    build.args(["build", "-trimpath", "-o"]).arg(&server).arg("tests/fixtures/server.go");
    build.current_dir(workspace.root()).env("GOROOT", compiler.root.join("usr/lib/go"));
    build.env("GOCACHE", directory.join("go-cache")).env("CGO_ENABLED", "0");
    build.envs([("GOTOOLCHAIN", "local"), ("GO111MODULE", "off"), ("GOFLAGS", "")]);
    command::quiet("a server in Go", &mut build)?;
    Ok(Some(server))
}
