//! The C libraries, each in a root file system of its release, and the functions compiled with
//! each.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::table::Named;
use crate::{
    command,
    releases::{Release, Releases, Tree},
    workspace::Workspace,
};

/// The source of the functions.
const SOURCE: &str = "xtask/alternatives/functions.c";
const RELEASES: [Release; 3] = [Release::Bookworm, Release::Trixie, Release::Sid];
const PACKAGES: [&str; 4] = ["libc6", "libc6-dev", "musl", "musl-dev"];

/// A library that programs are run with.
pub(crate) struct Library {
    pub(crate) named: Named,
    /// The program with the functions, compiled for it.
    pub(crate) program: PathBuf,
}

#[derive(Clone, Copy)]
enum Kind {
    Glibc,
    Musl,
}

/// Fetches and compiles what is not there yet.
pub(crate) fn prepare(workspace: &Workspace) -> Result<Vec<Library>> {
    let mut releases = Releases::new(workspace);
    let directory = workspace.target().join("alternatives");
    fs::create_dir_all(&directory)
        .with_context(|| format!("failed to create {}", directory.display()))?;
    let mut libraries = Vec::new();
    for release in RELEASES {
        let tree = Tree { release, name: "c-libraries", packages: PACKAGES.into() };
        let unpacked = releases.fetch(&tree)?;
        for (kind, package) in [(Kind::Glibc, "libc6"), (Kind::Musl, "musl")] {
            let version = unpacked
                .versions
                .get(package)
                .with_context(|| format!("{} has no {package}", release.name()))?;
            let named = Named {
                name: format!("{} {}", kind.name(), upstream(version)),
                package: format!("{package} {version}"),
                release: release.name().to_owned(),
            };
            let program = directory.join(format!("{}-{}", kind.name(), release.name()));
            compile(workspace, kind, &unpacked.root, &program)?;
            libraries.push(Library { named, program });
        }
    }
    Ok(libraries)
}

/// The upstream part of a package's version.
fn upstream(version: &str) -> &str {
    version.split(['-', '+', '~']).next().unwrap_or(version)
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        }
    }

    /// The directories of headers, in their order, and what stands around the source when it is
    /// linked. glibc's program is started by the loader of its release, musl's is static.
    fn parts(self, root: &Path) -> (Vec<PathBuf>, Vec<PathBuf>, Vec<PathBuf>) {
        match self {
            Self::Glibc => {
                let (static_part, shared) =
                    (root.join("usr/lib/x86_64-linux-gnu"), root.join("lib/x86_64-linux-gnu"));
                let loader = shared.join("ld-linux-x86-64.so.2");
                (
                    vec![root.join("usr/include"), root.join("usr/include/x86_64-linux-gnu")],
                    vec![
                        format!("-Wl,--dynamic-linker={}", loader.display()).into(),
                        format!("-Wl,-rpath={}", shared.display()).into(),
                        static_part.join("crt1.o"),
                        static_part.join("crti.o"),
                    ],
                    vec![
                        shared.join("libc.so.6"),
                        static_part.join("libc_nonshared.a"),
                        loader,
                        "-lgcc".into(),
                        static_part.join("crtn.o"),
                    ],
                )
            }
            Self::Musl => {
                let directory = root.join("usr/lib/x86_64-linux-musl");
                (
                    vec![root.join("usr/include/x86_64-linux-musl")],
                    vec!["-static".into(), directory.join("crt1.o"), directory.join("crti.o")],
                    vec![directory.join("libc.a"), "-lgcc".into(), directory.join("crtn.o")],
                )
            }
        }
    }
}

/// Nothing of this machine but the compiler takes part: its own library would be found first.
fn compile(workspace: &Workspace, kind: Kind, root: &Path, program: &Path) -> Result<()> {
    let mut ask = workspace.command("gcc");
    let own_headers = command::output(ask.arg("-print-file-name=include"))?;
    let (headers, before, after) = kind.parts(root);
    let mut compile: Command = workspace.command("gcc");
    compile.args(["-O1", "-w", "-fno-pie", "-no-pie", "-nostdlib", "-nostdinc", "-o"]);
    compile.arg(program);
    for directory in headers.iter().map(PathBuf::as_path).chain([Path::new(own_headers.trim())]) {
        compile.arg("-isystem").arg(directory);
    }
    compile.args(before).arg(workspace.root().join(SOURCE)).args(after);
    let title =
        format!("functions of {}", program.file_name().unwrap_or_default().to_string_lossy());
    command::quiet(&title, &mut compile)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_of_the_library_is_the_upstream_one() {
        for (package, upstream) in
            [("2.36-9+deb12u14", "2.36"), ("1.2.5-3.1~deb13u1", "1.2.5"), ("2.43", "2.43")]
        {
            assert_eq!(super::upstream(package), upstream);
        }
    }
}
