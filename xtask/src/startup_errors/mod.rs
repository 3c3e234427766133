//! Collects what container runtimes write when one call is missing in the profile: real containers,
//! one call taken out of the base set at a time.
//!
//! [`attempts`] says what is tried and what came of it, [`container`] runs the runtimes, [`table`]
//! writes the table.

mod attempts;
mod container;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    command,
    engines::{self, Extent},
    root,
    workspace::Workspace,
};
use attempts::{Attempt, Base, Seen};
use container::Installed;

/// The table, which is part of tracer.
const TABLE: &str = "profiles/runtime-errors.tsv";
/// What containers run.
const PROGRAM: &str = "xtask/startup_errors/program.c";

/// Options of the subcommand.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fail when an attempt ends otherwise than the table says, and leave the table as it is
    #[arg(long)]
    check: bool,
    /// Make every Nth attempt only, to check a sample
    #[arg(long, value_name = "N", default_value_t = 1, requires = "check")]
    every: usize,
    /// Fetch the runtimes of other releases of Debian that are not there
    #[arg(long)]
    install: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ensure!(root::is_root()?, "containers are made by root only\n\nhint: run this command as root");
    let runtimes = runtimes(workspace, options)?;
    let directory = prepare(workspace)?;
    let mut seen = Vec::new();
    for (name, system) in &runtimes {
        let installed = Installed::open(name, system.as_deref(), &directory)?;
        let base = Base::read(workspace, name)?;
        let plan: Vec<Attempt> = base.plan();
        let plan: Vec<_> = plan.into_iter().step_by(options.every.max(1)).collect();
        eprintln!("{name} {}: {} attempts", installed.version, plan.len());
        for attempt in &plan {
            seen.extend(attempt.perform(&base, &installed)?);
        }
    }
    let failed = seen.iter().filter(|one| !one.is_started).count();
    println!("{} outcomes, of which {failed} are messages of failures", seen.len());
    let path = workspace.root().join(TABLE);
    let table =
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    if options.check { check(&table, &seen) } else { write(&path, &table, &seen) }
}

/// Writes what was seen, and keeps what the table says of versions that were not run.
fn write(path: &Path, table: &str, seen: &[Seen]) -> Result<()> {
    let text = table::text(table, seen);
    fs::write(path, &text).with_context(|| format!("failed to write {}", path.display()))?;
    println!("{TABLE}: {} rows", text.lines().filter(|line| !line.starts_with('#')).count());
    Ok(())
}

/// Fails when something that was seen is not what the table says.
fn check(table: &str, seen: &[Seen]) -> Result<()> {
    let different = table::different(table, seen);
    ensure!(
        different.is_empty(),
        "{} of {} ended otherwise than {TABLE} says:\n{}\n\n\
         hint: cargo xtask startup-errors writes it again",
        different.len(),
        seen.len(),
        different.join("\n")
    );
    println!("all as {TABLE} says");
    Ok(())
}

/// The runtimes of this machine and of other releases, each with the root file system of its
/// release.
fn runtimes(
    workspace: &Workspace,
    options: &Options,
) -> Result<Vec<(&'static str, Option<PathBuf>)>> {
    let here = ["crun", "runc"].into_iter().filter(|name| which::which(name).is_ok());
    let mut all: Vec<_> = here.map(|name| (name, None)).collect();
    let engines = engines::set_up(workspace, Extent::LowLevel, options.install)?;
    all.extend(engines.low_level().map(|(name, root)| (name, Some(root.to_owned()))));
    all.sort();
    ensure!(!all.is_empty(), "there is neither runc nor crun on this machine");
    Ok(all)
}

/// Makes the directory with the root file system of the containers; returns its path.
fn prepare(workspace: &Workspace) -> Result<PathBuf> {
    let directory = workspace.target().join("startup-errors");
    for name in ["proc", "dev", "sys", "tmp", "etc"] {
        let path = directory.join("rootfs").join(name);
        fs::create_dir_all(&path)
            .with_context(|| format!("failed to create {}", path.display()))?;
    }
    let passwd = directory.join("rootfs/etc/passwd");
    fs::write(&passwd, "root:x:0:0:root:/:/program\n")
        .with_context(|| format!("failed to write {}", passwd.display()))?;
    let mut compile = workspace.command("cc");
    compile.args(["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-O1", "-o"]);
    compile.arg(directory.join("rootfs/program")).arg(workspace.root().join(PROGRAM));
    command::output(&mut compile)?;
    Ok(directory)
}
