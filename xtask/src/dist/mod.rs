//! `cargo xtask dist`: everything that is handed out, and the release checklist.
//!
//! [`checklist`] judges whether the workspace is fit for a release; [`package`] makes the files, of
//! which [`debian`] is one.

mod checklist;
mod debian;
mod files;
mod package;

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{ebpf, program, workspace::Workspace};

/// The version of every member of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `cargo xtask dist` is given.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Refuse what does not fit a release: changed files, or no section of this version in
    /// CHANGELOG.md
    #[arg(long)]
    release: bool,
}

/// Makes all that is handed out, in `dist` below the target directory.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let changelog = workspace.root().join("CHANGELOG.md");
    let changelog = fs::read_to_string(&changelog)
        .with_context(|| format!("failed to read {}", changelog.display()))?;
    let objections = checklist::objections(workspace, &changelog)?;
    if options.release && !objections.is_empty() {
        bail!("this is no release of {VERSION}:\n  {}", objections.join("\n  "));
    }
    ebpf::build(workspace)?;
    let binary = program::static_tracer(workspace, true)?;
    package::write(workspace, &binary)?;
    for objection in &objections {
        eprintln!("not for release: {objection}");
    }
    if let Some(section) = checklist::section(&changelog, VERSION) {
        println!("\nRelease notes of {VERSION}:\n\n{}", section.text);
    }
    Ok(())
}
