//! `tracer internal-cgroup-guard`: the process that makes and removes the cgroup of a traced
//! command.
//!
//! It outlives a tracer that is killed: it removes the cgroup at the end of its standard input.

use std::{
    io::{Write, copy, sink, stdin, stdout},
    path::Path,
};

use anyhow::{Context, Result};

use super::exit::Exit;
use crate::target::{cgroup::CgroupRoot, fresh::FreshCgroup};

/// Makes a cgroup below this process's own, prints its path, waits, and removes it.
///
/// # Errors
/// The cgroup could not be made or removed.
pub fn run() -> Result<Exit> {
    let root = CgroupRoot::find(Path::new("/proc"))?;
    let home = root.own()?;
    let cgroup = FreshCgroup::create_below(&root, &home)?;
    println!("{}", cgroup.path());
    stdout().flush().context("writing to a pipe")?;
    // Whatever ends the pipe, an error included, means that the cgroup is needed no more.
    let _ = copy(&mut stdin(), &mut sink());
    cgroup.remove()?;
    Ok(Exit::Complete)
}
