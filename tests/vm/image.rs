//! What a machine boots into: the guest program, the tracer, and programs of this machine with
//! their libraries.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tests::{temporary_directory, tool};

use crate::archive::Archive;

/// Programs of this machine that checks use when they are there.
const TOOLS: [&str; 4] = ["runc", "crun", "strace", "setpriv"];
/// Directories that programs expect.
const DIRECTORIES: [&str; 8] =
    ["/dev", "/proc", "/sys", "/tmp", "/run", "/etc", "/root", "/usr/bin"];
/// Where programs look for what is below `/usr`, as on a merged file system.
const MERGED: [(&str, &str); 4] =
    [("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/lib64", "usr/lib64")];

/// An initial file system.
#[derive(Debug)]
pub struct Image {
    directory: TempDir,
}

impl Image {
    /// Packs it, or says what is missing.
    pub fn new() -> Result<Self, String> {
        let image = Self { directory: temporary_directory() };
        let file = File::create(image.path()).map_err(|error| error.to_string())?;
        let mut archive = Archive::new(BufWriter::new(file));
        image.fill(&mut archive)?;
        archive.finish().map_err(|error| format!("{}: {error}", image.path().display()))?;
        Ok(image)
    }

    /// Its file.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("image.cpio")
    }

    fn fill(&self, archive: &mut Archive<BufWriter<File>>) -> Result<(), String> {
        let story = |error: std::io::Error| format!("{}: {error}", self.path().display());
        for directory in DIRECTORIES {
            archive.directory(directory).map_err(story)?;
        }
        for (path, target) in MERGED {
            archive.link(path, target).map_err(story)?;
        }
        let mut copy = |from: &Path, to: &str| {
            let content = fs::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
            archive.program(to, &content).map_err(story)
        };
        let guest = variable("TRACER_VM_GUEST")?;
        copy(Path::new(&guest), "/init")?;
        copy(Path::new(&variable("TRACER_STATIC_BIN")?), "/usr/bin/tracer")?;
        for path in lines(Command::new(&guest).arg("files"))? {
            copy(Path::new(&path), &path)?;
        }
        let mut libraries = BTreeSet::new();
        for (name, path) in TOOLS.iter().filter_map(|name| Some((name, tool(name).ok()?))) {
            copy(&path, &format!("/usr/bin/{name}"))?;
            // A static program has none, and ldd fails.
            libraries.extend(
                lines(Command::new("ldd").arg(&path))
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|line| library(line)),
            );
        }
        for library in &libraries {
            copy(Path::new(library), &merged(library))?;
        }
        Ok(())
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: run `cargo xtask test vm`"))
}

/// The lines that a command writes.
fn lines(command: &mut Command) -> Result<Vec<String>, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// The file of a line of ldd: `NAME => FILE (ADDRESS)`, or `FILE (ADDRESS)` of the loader.
fn library(line: &str) -> Option<String> {
    let file = line.split_once("=>").map_or(line, |(_, file)| file);
    let file = file.trim().split(' ').next()?;
    file.starts_with('/').then(|| file.to_owned())
}

/// The path on a merged file system.
fn merged(path: &str) -> String {
    if path.starts_with("/lib") { format!("/usr{path}") } else { path.to_owned() }
}
