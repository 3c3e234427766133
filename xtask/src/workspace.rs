//! Where the sources and the results are, and how a child that works on them is made.
//!
//! All results go below one *target directory*. Cargo itself is asked for it, so that a
//! `CARGO_TARGET_DIR` or a configuration file of the caller is respected, a relative path included.
//! When it is not the workspace's own `target`, children get it through an absolute
//! `CARGO_TARGET_DIR`, which `tracer/build.rs` reads as well; when it is, they see no such
//! variable, and neither does a `cargo build` by hand: both share one cache.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    command,
    environment::{self, Purpose},
    toolchain::Toolchain,
};

/// The workspace that xtask belongs to.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    toolchain: Toolchain,
}

impl Workspace {
    /// Finds the workspace and sets its toolchain up.
    pub(crate) fn open() -> Result<Self> {
        let root = root_directory()?;
        let target = target_directory(&root)?;
        let toolchain = Toolchain::set_up()?;
        Ok(Self { root, target, toolchain })
    }

    /// The directory of the workspace's manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The target directory.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A child that is no cargo. It works in the caller's directory.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        environment::clean_library_path(&mut command, &self.target);
        command
    }

    /// The pinned toolchain's cargo, in the root directory, with its results in the target
    /// directory.
    pub(crate) fn cargo(&self, purpose: Purpose) -> Command {
        let mut command = self.cargo_elsewhere(purpose);
        let usual = self.root.join("target").canonicalize();
        if usual.ok().as_ref() != Some(&self.target) {
            command.env("CARGO_TARGET_DIR", &self.target);
        }
        command
    }

    /// As [`Self::cargo`], for work whose results do not belong into the target directory.
    pub(crate) fn cargo_elsewhere(&self, purpose: Purpose) -> Command {
        let mut command = self.toolchain_command("cargo");
        environment::clean(&mut command, purpose);
        command.current_dir(&self.root);
        command
    }

    /// Where the pinned compiler is installed, with its libraries below `lib`.
    pub(crate) fn sysroot(&self) -> Result<PathBuf> {
        let sysroot =
            command::output(self.toolchain_command("rustc").args(["--print", "sysroot"]))?;
        Ok(PathBuf::from(sysroot.trim_end()))
    }

    fn toolchain_command(&self, name: &str) -> Command {
        let [program, arguments @ ..] = &self.toolchain.program(name)[..] else {
            unreachable!("a command line starts with a program")
        };
        let mut command = self.command(program);
        command.args(arguments);
        command
    }
}

fn root_directory() -> Result<PathBuf> {
    // Cargo says at run time where the manifest is; a checkout that was moved may still have its
    // old xtask.
    let manifest_directory =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&manifest_directory)
        .parent()
        .with_context(|| format!("no workspace above {}", manifest_directory.display()))?;
    Ok(root.to_path_buf())
}

fn target_directory(root: &Path) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(cargo);
    metadata
        .args(["metadata", "--no-deps", "--format-version=1", "--manifest-path"])
        .arg(root.join("Cargo.toml"));
    let output = command::output(&mut metadata)?;
    let metadata: Value =
        serde_json::from_str(&output).context("cargo metadata printed no valid JSON")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target_directory")?;
    // One spelling of the path, or cargo would take it for another directory and build anew.
    fs::create_dir_all(target)
        .and_then(|()| fs::canonicalize(target))
        .with_context(|| format!("failed to create the target directory {target}"))
}
