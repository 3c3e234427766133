//! Compiles the fixture program that makes known system calls.

use std::env;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "fixtures/ground_truth.rs";

fn main() {
    println!("cargo:rerun-if-changed=fixtures");
    let compiler = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let program = Path::new(&folder).join("ground_truth");
    let status = Command::new(&compiler)
        .args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "ground_truth"])
        .args(["--target", "x86_64-unknown-linux-gnu", "-C", "panic=abort", "-C", "opt-level=2"])
        .args(["-C", "relocation-model=static", "-C", "target-feature=+crt-static"])
        .args(["-C", "link-arg=-nostartfiles", "-C", "link-arg=-nostdlib"])
        .args(["-C", "link-arg=-static", "-C", "strip=symbols", SOURCE, "-o"])
        .arg(&program)
        .status()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", compiler.display()));
    assert!(status.success(), "{SOURCE} does not compile: {status}");
    println!("cargo:rustc-env=GROUND_TRUTH={}", program.display());
}
