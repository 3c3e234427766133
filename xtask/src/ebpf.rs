//! The kernel side: building and linting it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context as _, Result};

use crate::{
    command, environment::Purpose, linker, program, program::Program, workspace::Workspace,
};

const TARGET: &str = "bpfel-unknown-none";

/// The compiled kernel side.
pub(crate) struct Objects {
    /// The program that tracer loads.
    pub(crate) tracer: PathBuf,
    /// An empty program on the same tracepoint: the yardstick of the benchmark.
    pub(crate) empty: PathBuf,
}

/// Builds both objects. There is one form of them, always optimised: what is tested is what is shipped.
pub(crate) fn build(workspace: &Workspace) -> Result<Objects> {
    let mut build = cargo(workspace, "build")?;
    build.arg("--bins");
    let programs = program::build("eBPF objects", &mut build)?;
    Ok(Objects {
        tracer: publish(workspace, &programs, "tracer")?,
        empty: publish(workspace, &programs, "empty")?,
    })
}

/// Lints the kernel side as it is built.
pub(crate) fn clippy(workspace: &Workspace) -> Result<()> {
    let mut clippy = cargo(workspace, "clippy")?;
    clippy.args(["--quiet", "--lib", "--bins", "--", "-D", "warnings"]);
    command::quiet("clippy, kernel side", &mut clippy)
}

/// A cargo for the bpf target. Its target folder is its own: the host's builds neither wait for it nor rebuild after it.
///
/// All subcommands get the same variables, or each would compile the core library anew after the other.
fn cargo(workspace: &Workspace, subcommand: &str) -> Result<Command> {
    // The version of the linker is there so that another one links anew.
    let flags = [
        format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH),
        format!("--cfg=bpf_linker=\"{}\"", linker::VERSION),
    ];
    let mut command = workspace.cargo(Purpose::Bpf);
    command
        .arg(subcommand)
        .args(["--locked", "--package=tracer-ebpf", "--features=bpf", "--profile=bpf"])
        .args(["-Zbuild-std=core", "--target", TARGET])
        // The target has no compiled core library, and building one is not stable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker::set_up(workspace)?)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_TARGET_DIR", workspace.target().join("bpf"));
    Ok(command)
}

/// Puts an object into its place, `bpf/NAME.bpf.o` in the target folder, where `tracer/build.rs` looks for it.
///
/// A reader finds the old object or the new one, never a half; an unchanged object stays untouched, so that tracer is not
/// built again.
fn publish(workspace: &Workspace, programs: &[Program], name: &str) -> Result<PathBuf> {
    let built = program::find(programs, name)?;
    let place = workspace.target().join("bpf").join(format!("{name}.bpf.o"));
    let object = fs::read(built).with_context(|| format!("failed to read {}", built.display()))?;
    if fs::read(&place).is_ok_and(|existing| existing == object) {
        return Ok(place);
    }
    replace(&place, &object)?;
    Ok(place)
}

fn replace(place: &Path, content: &[u8]) -> Result<()> {
    let temporary = place.with_extension(format!("{}.tmp", process::id()));
    fs::write(&temporary, content)
        .with_context(|| format!("failed to write {}", temporary.display()))?;
    fs::rename(&temporary, place)
        .with_context(|| format!("failed to rename {} to {}", temporary.display(), place.display()))
}
