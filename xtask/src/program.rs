//! Building programs, and asking cargo where it put them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{command, elf, environment::Purpose, tools, workspace::Workspace};

/// Runs on any Linux of this architecture, whatever its C library.
const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

/// A program that cargo built.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BuiltProgram {
    /// The name of the cargo target.
    name: String,
    path: PathBuf,
}

/// Runs a cargo that builds, as a quiet step, and returns the programs that it built or found up to
/// date.
pub(crate) fn build(title: &str, cargo: &mut Command) -> Result<Vec<BuiltProgram>> {
    cargo.args(["--quiet", "--message-format=json-render-diagnostics"]);
    parse(&command::diagnosed(title, cargo)?)
}

/// The path of one program.
pub(crate) fn find<'program>(
    programs: &'program [BuiltProgram],
    name: &str,
) -> Result<&'program Path> {
    programs
        .iter()
        .find(|program| program.name == name)
        .map(|program| program.path.as_path())
        .with_context(|| format!("cargo built no program {name:?}, only {programs:?}"))
}

/// Builds tracer itself. The eBPF object must be there.
pub(crate) fn tracer(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    build_tracer(workspace, "tracer", release, &[])
}

/// The same as one file that needs no other: for images and for machines with another C library.
pub(crate) fn static_tracer(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    if !tools::are_present(tools::STATIC) {
        bail!("no C compiler for a static tracer is installed\nhint: apt-get install musl-tools");
    }
    let built = build_tracer(workspace, "tracer, static", release, &["--target", STATIC_TARGET])?;
    let content =
        fs::read(&built).with_context(|| format!("failed to read {}", built.display()))?;
    if !elf::is_static(&content).with_context(|| format!("failed to check {}", built.display()))? {
        bail!("{} needs a dynamic loader: it is not statically linked", built.display());
    }
    Ok(built)
}

/// Builds what runs inside of virtual machines: one file that needs no other.
pub(crate) fn guest(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo(Purpose::Host);
    cargo.args(["build", "--locked", "--package=tests", "--bin=guest", "--target", STATIC_TARGET]);
    let programs = build("vm tests, building the guest", &mut cargo)?;
    find(&programs, "guest").map(Path::to_path_buf)
}

fn build_tracer(
    workspace: &Workspace,
    title: &str,
    release: bool,
    options: &[&str],
) -> Result<PathBuf> {
    let mut cargo = workspace.cargo(Purpose::Host);
    cargo.args(["build", "--locked", "--package=tracer", "--bin=tracer"]).args(options);
    if release {
        cargo.arg("--release");
    }
    let programs = build(title, &mut cargo)?;
    find(&programs, "tracer").map(Path::to_path_buf)
}

/// The size of a file, for people.
pub(crate) fn size(path: &Path) -> Result<String> {
    let metadata = fs::metadata(path)
        .with_context(|| format!("failed to read the size of {}", path.display()))?;
    Ok(format!("{:.1} KiB", metadata.len() as f64 / 1024.0))
}

fn parse(messages: &str) -> Result<Vec<BuiltProgram>> {
    let mut programs = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value =
            serde_json::from_str(line).with_context(|| format!("cargo's message {line:?}"))?;
        if let (Some(name), Some(path)) =
            (message["target"]["name"].as_str(), message["executable"].as_str())
        {
            programs.push(BuiltProgram { name: name.to_owned(), path: path.into() });
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_among_cargos_messages() -> Result<()> {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"library"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"kernel"},"executable":"/t/kernel-1a"}
a line that a build script wrote
{"reason":"build-finished","success":true}"#;
        let programs = parse(messages)?;
        assert_eq!(programs, [BuiltProgram { name: "kernel".into(), path: "/t/kernel-1a".into() }]);
        assert_eq!(find(&programs, "kernel")?, Path::new("/t/kernel-1a"));
        assert!(find(&programs, "library").is_err());
        Ok(())
    }
}
