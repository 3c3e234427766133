//! The files that are handed out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{VERSION, debian, files};
use crate::{command, program, workspace::Workspace};

/// What is handed out beside the binary: a file of this package, and its place.
const DEPLOYMENT: [(&str, &str); 3] = [
    ("Containerfile", "Containerfile"),
    ("daemonset.yaml", "deploy/daemonset.yaml"),
    ("profiles.yaml", "deploy/profiles.yaml"),
];
/// What the archive holds besides, as it is in the repository.
const DOCUMENTS: [&str; 7] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "docs",
    "profiles",
];

/// The completions of shells, and their places.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/tracer"),
    ("fish", "share/fish/vendor_completions.d/tracer.fish"),
    ("zsh", "share/zsh/site-functions/_tracer"),
];
/// Where the manual is.
const MANUAL: &str = "share/man/man8";

/// Writes the binary and the deployment files to `dist` below the target directory, an archive and
/// a Debian package with them and the documents, and the checksums.
pub(super) fn write(workspace: &Workspace, built: &Path) -> Result<()> {
    let directory = workspace.target().join("dist");
    let binary = directory.join("tracer");
    files::copy(built, &binary)?;
    println!("{}  {}", binary.display(), program::size(&binary)?);
    for (name, below) in DEPLOYMENT {
        let file = directory.join(below);
        files::copy(&deployment(workspace, name), &file)?;
        println!("{}", file.display());
    }
    let time = time_of_commit(workspace)?;
    let staged = stage(workspace, built, &directory)?;
    archive(workspace, &staged, &directory, &time)?;
    let debian = debian::package(workspace, &staged, VERSION, &time)?;
    for made in [directory.join(archive_name()), debian] {
        println!("{}  {}", made.display(), program::size(&made)?);
    }
    let sums = directory.join("SHA256SUMS");
    let mut sum = workspace.command("sha256sum");
    sum.args(["tracer", &archive_name(), &debian::file_name(VERSION)]).current_dir(&directory);
    let lines = command::output(&mut sum)?;
    fs::write(&sums, lines).with_context(|| format!("failed to write {}", sums.display()))?;
    println!("{}", sums.display());
    Ok(())
}

/// Collects what is packed in one directory, named after the version.
fn stage(workspace: &Workspace, built: &Path, directory: &Path) -> Result<PathBuf> {
    let staged = directory.join(format!("tracer-{VERSION}"));
    files::remove(&staged)?;
    files::copy(built, &staged.join("tracer"))?;
    for (file, below) in DEPLOYMENT {
        files::copy(&deployment(workspace, file), &staged.join(below))?;
    }
    let mut list = workspace.command("git");
    list.args(["ls-files", "--"]).args(DOCUMENTS).current_dir(workspace.root());
    for file in command::output(&mut list)?.lines() {
        files::copy(&workspace.root().join(file), &staged.join(file))?;
    }
    write_shares(workspace, built, &staged)?;
    Ok(staged)
}

/// Packs that directory. Whoever packs the same commit gets the same bytes.
fn archive(workspace: &Workspace, staged: &Path, directory: &Path, time: &str) -> Result<()> {
    let name = staged.file_name().context("the directory has no name")?;
    let mut tar = workspace.command("tar");
    tar.args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u=rwX,go=rX", &format!("--mtime=@{time}")])
        .arg("--file")
        .arg(directory.join(archive_name()))
        .arg("--directory")
        .arg(directory)
        .arg(name);
    command::quiet("archive", &mut tar)
}

/// When the commit was made, in seconds since 1970.
fn time_of_commit(workspace: &Workspace) -> Result<String> {
    let mut time = workspace.command("git");
    time.args(["log", "-1", "--format=%ct"]).current_dir(workspace.root());
    Ok(command::output(&mut time)?.trim().to_owned())
}

/// Lets the program write its manual and the completions.
fn write_shares(workspace: &Workspace, built: &Path, staged: &Path) -> Result<()> {
    let mut manual = workspace.command(built);
    command::output(manual.arg("man-pages").arg(staged.join(MANUAL)))?;
    for (shell, below) in COMPLETIONS {
        let script = command::output(workspace.command(built).args(["completions", shell]))?;
        files::write(&staged.join(below), &script)?;
    }
    Ok(())
}

fn archive_name() -> String {
    format!("tracer-{VERSION}-x86_64-linux.tar.gz")
}

fn deployment(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root().join("xtask/deploy").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_out_is_there() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, _) in DEPLOYMENT {
            assert!(package.join("deploy").join(name).is_file(), "{name}");
        }
        for name in DOCUMENTS {
            assert!(package.join("..").join(name).exists(), "{name}");
        }
    }
}
