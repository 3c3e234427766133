//! The files that are handed out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::VERSION;
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

/// Writes the binary and the deployment files to `dist` below the target directory, an archive with
/// them and the documents, and the checksums of the binary and the archive.
pub(super) fn write(workspace: &Workspace, built: &Path) -> Result<()> {
    let directory = workspace.target().join("dist");
    let binary = directory.join("tracer");
    place(built, &binary)?;
    println!("{}  {}", binary.display(), program::size(&binary)?);
    for (name, below) in DEPLOYMENT {
        let file = directory.join(below);
        place(&deployment(workspace, name), &file)?;
        println!("{}", file.display());
    }
    let archive = archive(workspace, built, &directory)?;
    println!("{}  {}", archive.display(), program::size(&archive)?);
    let sums = directory.join("SHA256SUMS");
    let mut sum = workspace.command("sha256sum");
    sum.args(["tracer", &archive_name()]).current_dir(&directory);
    let lines = command::output(&mut sum)?;
    fs::write(&sums, lines).with_context(|| format!("failed to write {}", sums.display()))?;
    println!("{}", sums.display());
    Ok(())
}

/// Packs one directory, named after the version. Whoever packs the same commit gets the same bytes.
fn archive(workspace: &Workspace, built: &Path, directory: &Path) -> Result<PathBuf> {
    let name = format!("tracer-{VERSION}");
    let staged = directory.join(&name);
    if staged.exists() {
        fs::remove_dir_all(&staged)
            .with_context(|| format!("failed to remove {}", staged.display()))?;
    }
    place(built, &staged.join("tracer"))?;
    for (file, below) in DEPLOYMENT {
        place(&deployment(workspace, file), &staged.join(below))?;
    }
    let mut list = workspace.command("git");
    list.args(["ls-files", "--"]).args(DOCUMENTS).current_dir(workspace.root());
    for file in command::output(&mut list)?.lines() {
        place(&workspace.root().join(file), &staged.join(file))?;
    }
    write_shares(workspace, built, &staged)?;
    let mut time = workspace.command("git");
    time.args(["log", "-1", "--format=%ct"]).current_dir(workspace.root());
    let time = command::output(&mut time)?;
    let archive = directory.join(archive_name());
    let mut tar = workspace.command("tar");
    tar.args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u=rwX,go=rX", &format!("--mtime=@{}", time.trim())])
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(directory)
        .arg(&name);
    command::quiet("archive", &mut tar)?;
    Ok(archive)
}

/// Lets the program write its manual and the completions.
fn write_shares(workspace: &Workspace, built: &Path, staged: &Path) -> Result<()> {
    let mut manual = workspace.command(built);
    command::output(manual.arg("man-pages").arg(staged.join(MANUAL)))?;
    for (shell, below) in COMPLETIONS {
        let script = command::output(workspace.command(built).args(["completions", shell]))?;
        let path = staged.join(below);
        let directory =
            path.parent().with_context(|| format!("{} has no directory", path.display()))?;
        fs::create_dir_all(directory)
            .with_context(|| format!("failed to create the directory {}", directory.display()))?;
        fs::write(&path, script).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

fn archive_name() -> String {
    format!("tracer-{VERSION}-x86_64-linux.tar.gz")
}

fn deployment(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root().join("xtask/deploy").join(name)
}

/// Copies a file into its place, whose directory is made.
fn place(source: &Path, place: &Path) -> Result<()> {
    let directory =
        place.parent().with_context(|| format!("{} has no directory", place.display()))?;
    fs::create_dir_all(directory)
        .with_context(|| format!("failed to create the directory {}", directory.display()))?;
    // A binary that is running cannot be written to, but its name can be taken away.
    let temporary = place.with_extension("tmp");
    fs::copy(source, &temporary).with_context(|| {
        format!("failed to copy {} to {}", source.display(), temporary.display())
    })?;
    fs::rename(&temporary, place)
        .with_context(|| format!("failed to rename {} to {}", temporary.display(), place.display()))
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
