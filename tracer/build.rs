//! Embeds the eBPF object.
//!
//! One rule says which: the file that `TRACER_EBPF_OBJECT` names; without that variable
//! `bpf/tracer.bpf.o` in the target directory, where `cargo xtask build-ebpf` puts it. The target
//! directory is `CARGO_TARGET_DIR`, or `target` in the workspace.
//!
//! Without an object a debug build embeds an empty one, so that checking and linting need no bpf
//! toolchain; loading it fails with the same remedy. A release build fails at once.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

const OBJECT: &str = "TRACER_EBPF_OBJECT";
const TARGET_FOLDER: &str = "CARGO_TARGET_DIR";
const REMEDY: &str = "run `cargo xtask build-ebpf` first";

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={OBJECT}");
    println!("cargo::rerun-if-env-changed={TARGET_FOLDER}");
    let source = match env::var_os(OBJECT) {
        Some(path) => PathBuf::from(path),
        None => default_object()?,
    };
    // A file that is missing counts as changed: it is embedded as soon as it is there.
    println!("cargo::rerun-if-changed={}", source.display());
    let object = if source.exists() { read(&source)? } else { stub(&source)? };
    let place = Path::new(&variable("OUT_DIR")?).join("tracer.bpf.o");
    fs::write(&place, object)
        .map_err(|error| format!("failed to write {}: {error}", place.display()))
}

fn default_object() -> Result<PathBuf, String> {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = package.parent().unwrap_or(&package);
    // A relative directory is relative to where cargo was started, which only cargo knows: the
    // usual place is assumed.
    let target = workspace.join(env::var_os(TARGET_FOLDER).unwrap_or_else(|| "target".into()));
    Ok(target.join("bpf/tracer.bpf.o"))
}

fn read(source: &Path) -> Result<Vec<u8>, String> {
    let object = fs::read(source)
        .map_err(|error| format!("failed to read {}: {error}", source.display()))?;
    if object.starts_with(b"\x7fELF") {
        Ok(object)
    } else {
        Err(format!("{} is no eBPF object: {REMEDY}", source.display()))
    }
}

/// The empty object, where one may stand in.
fn stub(source: &Path) -> Result<Vec<u8>, String> {
    if env::var_os(OBJECT).is_some() {
        return Err(format!("{OBJECT} names {}, which does not exist", source.display()));
    }
    let message = format!("no eBPF object at {}", source.display());
    if variable("PROFILE")? == "release" {
        return Err(format!("{message}: {REMEDY}"));
    }
    println!("cargo::warning={message}: this build cannot trace; {REMEDY}");
    Ok(Vec::new())
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}"))
}
