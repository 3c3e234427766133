//! `cargo xtask build-ebpf`

use anyhow::Result;
use clap::Args;

use crate::{ebpf, program, workspace::Workspace};

/// What may be typed behind it.
#[derive(Args)]
pub(crate) struct Options {
    /// For a release: the same objects, for there is one form of them, always optimised
    #[arg(long)]
    release: bool,
}

/// Builds the objects and says where they are.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let objects = ebpf::build(workspace)?;
    for object in [&objects.tracer, &objects.empty] {
        println!("{}  {}", object.display(), program::size(object)?);
    }
    Ok(())
}
