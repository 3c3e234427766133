//! `cargo xtask dist`

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{ebpf, program, workspace::Workspace};

/// What is handed out beside the binary: a file of this package, and its place.
const DEPLOYMENT: [(&str, &str); 3] = [
    ("Containerfile", "Containerfile"),
    ("daemonset.yaml", "deploy/daemonset.yaml"),
    ("profiles.yaml", "deploy/profiles.yaml"),
];

/// Makes all that is handed out, in `dist` below the target folder.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    ebpf::build(workspace)?;
    let built = program::static_tracer(workspace, true)?;
    let folder = workspace.target().join("dist");
    let binary = folder.join("tracer");
    place(&built, &binary)?;
    println!("{}  {}", binary.display(), program::size(&binary)?);
    for (name, below) in DEPLOYMENT {
        let file = folder.join(below);
        place(&workspace.root().join("xtask/deploy").join(name), &file)?;
        println!("{}", file.display());
    }
    Ok(())
}

/// Copies a file into its place, whose folder is made.
fn place(source: &Path, place: &Path) -> Result<()> {
    let folder = place.parent().with_context(|| format!("{} has no folder", place.display()))?;
    fs::create_dir_all(folder)
        .with_context(|| format!("failed to create the folder {}", folder.display()))?;
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
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
        for (name, _) in DEPLOYMENT {
            assert!(folder.join(name).is_file(), "{name}");
        }
    }
}
