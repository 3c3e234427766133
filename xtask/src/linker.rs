//! The pinned linker for the bpf target.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{command, environment::Purpose, workspace::Workspace};

/// Links the LLVM bitcode of the pinned compiler, with that compiler's own LLVM: the two versions
/// belong together.
pub(crate) const VERSION: &str = "0.10.3";

/// The path of the linker, which is built the first time.
///
/// It lives below the target directory: no linker of the machine is used or replaced.
pub(crate) fn set_up(workspace: &Workspace) -> Result<PathBuf> {
    let tools = workspace.target().join("tools");
    let linker = tools.join("bin/bpf-linker");
    if is_current(&linker) {
        return Ok(linker);
    }
    fs::create_dir_all(&tools)
        .with_context(|| format!("failed to create the directory {}", tools.display()))?;
    // Two xtasks at once: the second waits, then finds the linker in its place.
    let _lock = lock(&tools.join("lock"))?;
    if !is_current(&linker) {
        install(workspace, &tools)?;
    }
    if !is_current(&linker) {
        bail!("{} is not bpf-linker {VERSION}, though it was just installed", linker.display());
    }
    Ok(linker)
}

fn is_current(linker: &Path) -> bool {
    command::output(Command::new(linker).arg("--version"))
        .is_ok_and(|version| version.trim() == format!("bpf-linker {VERSION}"))
}

fn install(workspace: &Workspace, tools: &Path) -> Result<()> {
    let mut install = workspace.cargo_elsewhere(Purpose::Host);
    install.args(["install", "--locked", "--force", "--version", VERSION, "--root"]);
    install.arg(tools).arg("bpf-linker");
    let title = format!("installing bpf-linker {VERSION} below the target directory, once");
    command::quiet(&title, &mut install)
}

/// Held until the file is dropped, or this process ends in any way.
fn lock(path: &Path) -> Result<File> {
    let file = File::create(path)
        .with_context(|| format!("failed to create the lock file {}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another xtask, which installs bpf-linker");
        file.lock().with_context(|| format!("failed to lock {}", path.display()))?;
    }
    Ok(file)
}
