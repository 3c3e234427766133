//! Compiles the fixture programs: the one that makes known system calls, and one with the standard library.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=fixtures");
    let bare = [
        "-C",
        "relocation-model=static",
        "-C",
        "target-feature=+crt-static",
        "-C",
        "link-arg=-nostartfiles",
        "-C",
        "link-arg=-nostdlib",
        "-C",
        "link-arg=-static",
    ];
    compile("ground_truth", "x86_64-unknown-linux-gnu", &bare);
    compile("worker", "x86_64-unknown-linux-musl", &[]);
}

/// Compiles `fixtures/NAME.rs`, and tells the tests where the program is by the variable of its name.
fn compile(name: &str, target: &str, options: &[&str]) {
    let source = format!("fixtures/{name}.rs");
    let compiler = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let folder = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let program = Path::new(&folder).join(name);
    let status = Command::new(&compiler)
        .args(["--edition", "2024", "--crate-type", "bin", "--crate-name", name])
        .args(["--target", target, "-C", "panic=abort", "-C", "opt-level=2", "-C", "strip=symbols"])
        .args(options)
        .args([&source, "-o"])
        .arg(&program)
        .status()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", compiler.display()));
    assert!(status.success(), "{source} does not compile: {status}");
    println!("cargo:rustc-env={}={}", name.to_uppercase(), program.display());
}
