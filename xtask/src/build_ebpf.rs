//! `cargo xtask build-ebpf`

use anyhow::Result;

use crate::{ebpf, program, workspace::Workspace};

/// Builds the objects and says where they are.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let objects = ebpf::build(workspace)?;
    for object in [&objects.tracer, &objects.empty] {
        println!("{}  {}", object.display(), program::size(object)?);
    }
    Ok(())
}
