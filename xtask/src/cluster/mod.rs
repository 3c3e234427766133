//! What the Kubernetes of the tests is made of: a root file system for its one node, from Debian's
//! packages, and the programs of Kubernetes itself, which Debian has as sources only.
//!
//! The root file system is one of [`releases`]; the programs are in `cluster` in the target
//! directory. Nothing is installed on this machine. What is there is not downloaded or built again,
//! unless the recipe changed; removing the directory is the way to newer versions.
//!
//! [`releases`]: crate::releases

mod kubernetes;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::{
    releases::{Release, Releases, Tree, Unpacked},
    workspace::Workspace,
};
use kubernetes::Kubernetes;

/// The variable that gives the tests its path.
const VARIABLE: &str = "TRACER_TEST_CLUSTER";

/// What the node runs, and what sets it up: a shell, mounts, addresses, keys.
const NODE: [&str; 12] = [
    "containerd",
    "containernetworking-plugins",
    "coreutils",
    "crun",
    "dash",
    "etcd-server",
    "iproute2",
    "kubernetes-client",
    "mount",
    "openssl",
    "runc",
    "util-linux",
];

/// What the test program can use.
pub(crate) struct Cluster {
    root: PathBuf,
    programs: PathBuf,
    versions: BTreeMap<String, String>,
}

impl Cluster {
    pub(crate) fn variable(&self) -> (&'static str, OsString) {
        let Self { root, programs, versions } = self;
        let value = json!({ "root": root, "programs": programs, "versions": versions });
        (VARIABLE, value.to_string().into())
    }
}

/// Finds it, and downloads and builds what is missing when that is asked for. `None` when something
/// is missing and is not asked for.
pub(crate) fn set_up(workspace: &Workspace, install: bool) -> Result<Option<Cluster>> {
    let mut releases = Releases::new(workspace);
    let kubernetes = Kubernetes::new(workspace);
    let node = Tree { release: Release::Bookworm, name: "node", packages: NODE.into() };
    let found = releases.find(&node)?;
    let unpacked = match found {
        Some(unpacked) if kubernetes.is_built() => unpacked,
        _ if !install => {
            eprintln!(
                "the Kubernetes for tests is not there: will skip pods of a real node\n\
                 hint: `cargo xtask test cluster --install` downloads about 200 MB and builds it, once, in about six minutes on two processors"
            );
            return Ok(None);
        }
        _ => {
            let unpacked = releases.fetch(&node)?;
            if !kubernetes.is_built() {
                kubernetes.build(&mut releases)?;
            }
            unpacked
        }
    };
    let Unpacked { root, versions } = unpacked;
    Ok(Some(Cluster { root, programs: kubernetes.programs(), versions }))
}
