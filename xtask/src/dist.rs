//! `cargo xtask dist`

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{ebpf, elf, environment::Purpose, program, workspace::Workspace};

/// Runs on any Linux of this architecture, whatever its C library.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// Makes all that is handed out, in `dist` below the target folder.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = workspace.target().join("dist");
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to create the folder {}", folder.display()))?;
    let binary = static_binary(workspace, &folder)?;
    println!("{}  {}", binary.display(), program::size(&binary)?);
    Ok(())
}

fn static_binary(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    ebpf::build(workspace)?;
    let mut build = workspace.cargo(Purpose::Host);
    build.args(["build", "--locked", "--release", "--package=tracer", "--bin=tracer"]);
    build.args(["--target", TARGET]);
    let programs = program::build("tracer, static", &mut build)?;
    let built = program::find(&programs, "tracer")?;
    let content = fs::read(built).with_context(|| format!("failed to read {}", built.display()))?;
    if !elf::is_static(&content).with_context(|| format!("failed to check {}", built.display()))? {
        bail!("{} needs a dynamic loader: it is not statically linked", built.display());
    }
    let place = folder.join("tracer");
    // A binary that is running cannot be written to, but its name can be taken away.
    let temporary = folder.join("tracer.tmp");
    fs::copy(built, &temporary).with_context(|| {
        format!("failed to copy {} to {}", built.display(), temporary.display())
    })?;
    fs::rename(&temporary, &place).with_context(|| {
        format!("failed to rename {} to {}", temporary.display(), place.display())
    })?;
    Ok(place)
}
