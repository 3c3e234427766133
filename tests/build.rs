//! Compiles the fixture programs: the one that makes known system calls, and one with the standard
//! library.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../tracer/src/syscalls/x86/table.rs"]
#[expect(dead_code, reason = "the program's other modules use the rest")]
mod table;
#[path = "../tracer/src/syscalls/x86/x32.rs"]
mod x32;

fn main() {
    println!("cargo:rerun-if-changed=fixtures");
    println!("cargo:rerun-if-changed=../tracer/src/syscalls");
    write_tables(&directory().join("tables.rs"));
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

/// Writes the three tables of names and numbers as the fixture includes them. It has no library
/// that could look them up.
fn write_tables(path: &Path) {
    type Name = fn(usize) -> Option<&'static str>;
    let tables: [(&str, Name); 3] =
        [("X86_64", table::x86_64), ("I386", table::i386), ("X32", x32::name)];
    let mut text = String::new();
    for (table, name) in tables {
        let _ = writeln!(text, "pub static {table}: Table = Table(&[");
        for number in 0..x32::END.cast_unsigned() as usize {
            if let Some(name) = name(number) {
                let _ = writeln!(text, "    (b{name:?}, {number}),");
            }
        }
        text.push_str("]);\n");
    }
    fs::write(path, text).expect("cargo's directory can be written to");
}

/// Where cargo wants what a build script writes.
fn directory() -> PathBuf {
    env::var_os("OUT_DIR").expect("cargo sets OUT_DIR").into()
}

/// Compiles `fixtures/NAME.rs`, and passes its path to the tests in the variable of its name.
fn compile(name: &str, target: &str, options: &[&str]) {
    let source = format!("fixtures/{name}.rs");
    let compiler = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let program = directory().join(name);
    let status = Command::new(&compiler)
        .env("SYSCALL_TABLES", directory().join("tables.rs"))
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
