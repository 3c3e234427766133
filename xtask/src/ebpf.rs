//! The kernel side: building and linting it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context as _, Result};
use object::{
    build::{
        self,
        elf::{Builder, SectionData},
    },
    elf,
};

use crate::{
    command, environment::Purpose, linker, program, program::BuiltProgram, workspace::Workspace,
};

const TARGET: &str = "bpfel-unknown-none";
/// Turns the kernel side on, which is empty for the host.
const FEATURE: &str = "bpf";
/// The target has no compiled core library.
const BUILD_CORE: &str = "-Zbuild-std=core";

/// The verifier's log names the lines of the sources. The object does not say in which directory
/// they were built: the same sources give the same object everywhere.
const TRIM_PATHS: &str = "-Ztrim-paths";

/// The compiled kernel side.
pub(crate) struct Objects {
    /// The program that tracer loads.
    pub(crate) tracer: PathBuf,
    /// An empty program on the same tracepoint: the yardstick of the benchmark.
    pub(crate) empty: PathBuf,
}

/// Builds both objects. There is one form of them, always optimised: what is tested is what is
/// shipped.
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

/// A cargo for the bpf target. Its target directory is its own: the host's builds neither wait for
/// it nor rebuild after it.
///
/// All subcommands get the same variables, or each would compile the core library anew after the
/// other.
fn cargo(workspace: &Workspace, subcommand: &str) -> Result<Command> {
    // The version of the linker is there so that another one links anew.
    let flags = [
        architecture_flag(),
        format!("--cfg=bpf_linker=\"{}\"", linker::VERSION),
        // The linker makes BTF of the debug information. The kernel asks it which functions
        // `bpf_loop` may call.
        "-Cdebuginfo=2".into(),
        "-Clink-arg=--btf".into(),
    ];
    let mut command = workspace.cargo(Purpose::Bpf);
    command
        .arg(subcommand)
        .args(["--locked", "--package=tracer-ebpf", "--profile=bpf"])
        .args(["--features", FEATURE, BUILD_CORE, TRIM_PATHS, "--target", TARGET])
        // The target has no compiled core library, and building one is not stable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_PROFILE_BPF_TRIM_PATHS", "all")
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker::set_up(workspace)?)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("CARGO_TARGET_DIR", workspace.target().join("bpf"));
    Ok(command)
}

/// Which registers the kernel side finds arguments in.
fn architecture_flag() -> String {
    format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH)
}

/// Puts an object into its place, `bpf/NAME.bpf.o` in the target directory, where `tracer/build.rs`
/// looks for it.
///
/// A reader finds the old object or the new one, never a half; an unchanged object stays untouched,
/// so that tracer is not built again.
fn publish(workspace: &Workspace, programs: &[BuiltProgram], name: &str) -> Result<PathBuf> {
    let built = program::find(programs, name)?;
    let place = workspace.target().join("bpf").join(format!("{name}.bpf.o"));
    let object = fs::read(built).with_context(|| format!("failed to read {}", built.display()))?;
    let object = without_debug_sections(&object)
        .with_context(|| format!("failed to shorten {}", built.display()))?;
    if fs::read(&place).is_ok_and(|existing| existing == object) {
        return Ok(place);
    }
    replace(&place, &object)?;
    Ok(place)
}

/// The object without the debug information that its BTF was made from: only debuggers read it, and
/// it is ten times as large as the rest.
fn without_debug_sections(object: &[u8]) -> Result<Vec<u8>, build::Error> {
    let mut builder = Builder::read(object)?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        let relocated = name.strip_prefix(b".rel");
        // No loader of BTF reads its relocations.
        section.delete = relocated.unwrap_or(name).starts_with(b".debug_")
            || relocated.is_some_and(|relocated| relocated.starts_with(b".BTF"));
    }
    // The linker has one section for the names of sections and of symbols.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = elf::SHT_STRTAB;
    names.data = SectionData::SectionString;
    let mut shortened = Vec::new();
    builder.write(&mut shortened)?;
    Ok(shortened)
}

fn replace(place: &Path, content: &[u8]) -> Result<()> {
    let temporary = place.with_extension(format!("{}.tmp", process::id()));
    fs::write(&temporary, content)
        .with_context(|| format!("failed to write {}", temporary.display()))?;
    fs::rename(&temporary, place)
        .with_context(|| format!("failed to rename {} to {}", temporary.display(), place.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_editor_sees_the_kernel_side_as_it_is_built() -> Result<()> {
        let text = include_str!("../../tracer-ebpf/.vscode/settings.json");
        let settings: Value = serde_json::from_str(text)?;
        let of = |name: &str| &settings[format!("rust-analyzer.cargo.{name}")];
        assert_eq!(*of("target"), TARGET);
        assert_eq!(*of("features"), json!([FEATURE]));
        assert_eq!(*of("extraArgs"), json!([BUILD_CORE]));
        assert_eq!(of("extraEnv")["RUSTC_BOOTSTRAP"], "1");
        assert_eq!(of("extraEnv")["CARGO_ENCODED_RUSTFLAGS"], architecture_flag());
        Ok(())
    }
}
