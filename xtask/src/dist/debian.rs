//! The Debian package: the files of the archive at the places that Debian has for them.
//!
//! `dpkg-deb`, which every Debian has, packs it. cargo-deb would be a tool to build first, and it
//! would take the list of files a second time.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::files;
use crate::{command, workspace::Workspace};

/// What is in the archive, and its place in the package. A directory goes with all that it holds.
const PLACES: [(&str, &str); 13] = [
    ("tracer", "usr/bin/tracer"),
    ("share/man", "usr/share/man"),
    ("share/bash-completion", "usr/share/bash-completion"),
    ("share/fish", "usr/share/fish"),
    ("share/zsh/site-functions", "usr/share/zsh/vendor-completions"),
    ("profiles", "usr/share/tracer/profiles"),
    ("Containerfile", "usr/share/doc/tracer/examples/Containerfile"),
    ("deploy", "usr/share/doc/tracer/examples/deploy"),
    ("docs", "usr/share/doc/tracer/docs"),
    ("README.md", "usr/share/doc/tracer/README.md"),
    ("SECURITY.md", "usr/share/doc/tracer/SECURITY.md"),
    ("LICENSE-APACHE", "usr/share/doc/tracer/LICENSE-APACHE"),
    ("LICENSE-MIT", "usr/share/doc/tracer/LICENSE-MIT"),
];
const CHANGELOG: (&str, &str) = ("CHANGELOG.md", "usr/share/doc/tracer/changelog");
const MANUAL: &str = "usr/share/man/man8";
/// What the README links to, and the directory that is meant, as a path from the link.
const LINK: (&str, &str) = ("usr/share/doc/tracer/profiles", "../../tracer/profiles");
const COPYRIGHT: &str = "usr/share/doc/tracer/copyright";
/// Who packs it: the authors, as Cargo.toml names them. Cargo puts `:` between them.
const AUTHORS: &str = env!("CARGO_PKG_AUTHORS");
/// Directories hold this much besides what is in them, as Debian counts (`Installed-Size`), in KiB.
const SIZE_OF_DIRECTORY: u64 = 1;

/// Packs what lies in the directory `staged`, and returns the package. `time` is that of the
/// commit: whoever packs the same commit gets the same bytes.
pub(super) fn package(
    workspace: &Workspace,
    staged: &Path,
    version: &str,
    time: &str,
) -> Result<PathBuf> {
    let name = file_name(version);
    let package = staged.with_file_name(&name);
    let root = staged.with_file_name(name.trim_end_matches(".deb"));
    files::remove(&root)?;
    for (source, place) in PLACES.into_iter().chain([CHANGELOG]) {
        files::copy(&staged.join(source), &root.join(place))?;
    }
    let link = root.join(LINK.0);
    symlink(LINK.1, &link).with_context(|| format!("failed to create {}", link.display()))?;
    compress(workspace, &root)?;
    let license = staged.join("LICENSE-MIT");
    let license = fs::read_to_string(&license)
        .with_context(|| format!("failed to read {}", license.display()))?;
    files::write(&root.join(COPYRIGHT), &copyright(&license))?;
    let kibibytes = prepare(&root)?;
    write_control(workspace, &root, &control(version, kibibytes))?;
    let mut pack = workspace.command("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"]).arg(&root).arg(&package);
    command::quiet("Debian package", pack.env("SOURCE_DATE_EPOCH", time))?;
    files::remove(&root)?;
    Ok(package)
}

/// The name of the package's file. Debian orders `~` before nothing: `1.0.0~rc1` before `1.0.0`.
pub(super) fn file_name(version: &str) -> String {
    format!("tracer_{}_amd64.deb", debian_version(version))
}

fn debian_version(version: &str) -> String {
    version.replace('-', "~")
}

fn control(version: &str, kibibytes: u64) -> String {
    format!(
        "Package: tracer\n\
         Version: {}\n\
         Architecture: amd64\n\
         Maintainer: {}\n\
         Installed-Size: {kibibytes}\n\
         Section: admin\n\
         Priority: optional\n\
         Description: learns the seccomp profile under which a workload starts and runs\n \
         tracer watches a workload from the kernel, and writes the smallest seccomp\n \
         profile under which the workload starts and runs. Docker, Podman, containerd,\n \
         CRI-O, runc and crun accept the profile.\n",
        debian_version(version),
        maintainer(AUTHORS)
    )
}

/// The first of the authors: a package has one maintainer.
fn maintainer(authors: &str) -> &str {
    authors.split(':').next().unwrap_or_default()
}

/// Debian's form of `copyright`. Its base system has the text of the Apache License.
fn copyright(license: &str) -> String {
    let holder = license.lines().find(|line| line.starts_with("Copyright")).unwrap_or_default();
    let holder = holder.trim_start_matches("Copyright (c) ");
    let (_, text) = license.split_once("\n\n").unwrap_or_default();
    let text = text.lines().filter(|line| !line.starts_with("Copyright"));
    let lines = text.skip_while(|line| line.is_empty());
    let text: Vec<&str> = lines.map(|line| if line.is_empty() { "." } else { line }).collect();
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: tracer\n\n\
         Files: *\nCopyright: {holder}\nLicense: Expat or Apache-2.0\n\n\
         License: Expat\n {}\n\n\
         License: Apache-2.0\n \
         /usr/share/common-licenses/Apache-2.0 has the text of the license.\n",
        text.join("\n ")
    )
}

/// The manual and the changelog are compressed, as in every package of Debian.
fn compress(workspace: &Workspace, root: &Path) -> Result<()> {
    let mut gzip = workspace.command("gzip");
    gzip.args(["--best", "--no-name"]).arg(root.join(CHANGELOG.1));
    gzip.args(files::below(&root.join(MANUAL))?);
    command::output(&mut gzip).map(drop)
}

/// Gives everything its mode, and returns what it takes on the disk, in KiB.
fn prepare(root: &Path) -> Result<u64> {
    let mut kibibytes = 0;
    let all = files::all(root)?;
    for path in all.into_iter().chain([root.to_owned()]) {
        let metadata = fs::symlink_metadata(&path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        kibibytes +=
            if metadata.is_file() { metadata.len().div_ceil(1024) } else { SIZE_OF_DIRECTORY };
        if metadata.is_symlink() {
            continue;
        }
        let is_program = path.parent().and_then(Path::file_name) == Some(OsStr::new("bin"));
        let mode = if metadata.is_dir() || is_program { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("failed to set the mode of {}", path.display()))?;
    }
    Ok(kibibytes)
}

/// Writes what dpkg reads: the description of the package, and the sums of its files.
fn write_control(workspace: &Workspace, root: &Path, control: &str) -> Result<()> {
    let mut sum = workspace.command("md5sum");
    for path in files::below(root)? {
        let path = path.strip_prefix(root).context("a file of the package is outside of it")?;
        sum.arg(path);
    }
    let sums = command::output(sum.current_dir(root))?;
    files::write(&root.join("DEBIAN/md5sums"), &sums)?;
    files::write(&root.join("DEBIAN/control"), control)?;
    for (name, mode) in [("", 0o755), ("md5sums", 0o644), ("control", 0o644)] {
        let path = root.join("DEBIAN").join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("failed to set the mode of {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use super::*;

    /// What is packed is at its place, with its mode, and dpkg reads the description.
    #[test]
    fn dpkg_reads_the_package() -> Result<()> {
        let directory = env::temp_dir().join(format!("tracer-dist-{}", process::id()));
        let staged = directory.join("tracer-1.0.0-rc.1");
        let license = "MIT License\n\nCopyright (c) 2026 Somebody\n\nPermission\n\nAS IS\n";
        for (name, _) in PLACES.into_iter().chain([CHANGELOG]) {
            let is_directory = !name.contains('.') && name.chars().all(|of| !of.is_uppercase());
            let inner = match name {
                "tracer" => staged.join(name),
                "share/man" => staged.join("share/man/man8/tracer.8"),
                _ if is_directory => staged.join(name).join("file"),
                _ => staged.join(name),
            };
            files::write(&inner, license)?;
        }
        let workspace = Workspace::open()?;
        let package = package(&workspace, &staged, "1.0.0-rc.1", "1700000000")?;
        let mut ask = workspace.command("dpkg-deb");
        let listed = command::output(ask.arg("--contents").arg(&package))?;
        let mut ask = workspace.command("dpkg-deb");
        let control = command::output(ask.arg("--field").arg(&package))?;
        files::remove(&directory)?;
        for (start, end) in [
            ("-rwxr-xr-x root/root", " ./usr/bin/tracer"),
            ("-rw-r--r-- root/root", " ./usr/share/man/man8/tracer.8.gz"),
            ("-rw-r--r-- root/root", " ./usr/share/zsh/vendor-completions/file"),
            ("-rw-r--r-- root/root", " ./usr/share/doc/tracer/changelog.gz"),
            ("-rw-r--r-- root/root", " ./usr/share/doc/tracer/copyright"),
            ("lrwxrwxrwx root/root", " ./usr/share/doc/tracer/profiles -> ../../tracer/profiles"),
            ("drwxr-xr-x root/root", " ./usr/share/tracer/profiles/"),
        ] {
            let is_there = |line: &str| line.starts_with(start) && line.ends_with(end);
            assert!(listed.lines().any(is_there), "{start} {end}\n{listed}");
        }
        assert!(
            listed.lines().all(|line| line.contains(" 2023-11-")),
            "the time is given: {listed}"
        );
        assert!(control.contains("Version: 1.0.0~rc.1\n"), "{control}");
        let manifest = workspace.root().join("Cargo.toml");
        let manifest = fs::read_to_string(manifest)?;
        let maintainer = control.lines().find_map(|line| line.strip_prefix("Maintainer: "));
        let maintainer = maintainer.expect("it has a maintainer");
        let authors = format!("\nauthors = [\"{maintainer}\"");
        assert!(manifest.contains(&authors), "{maintainer:?} is the manifest's first author");
        let has_no_such_address =
            !maintainer.contains("invalid") && !maintainer.contains("example");
        assert!(has_no_such_address, "{maintainer:?} is no placeholder");
        Ok(())
    }

    #[test]
    fn a_package_has_one_maintainer() {
        assert_eq!(maintainer("One <one@host>:Two <two@host>"), "One <one@host>");
        assert_eq!(maintainer("One"), "One");
    }

    #[test]
    fn the_licences_have_debians_form() {
        let text = copyright("MIT License\n\nCopyright (c) 2026 Somebody\n\nFree.\n\nAS IS\n");
        assert!(
            text.contains("\nCopyright: 2026 Somebody\nLicense: Expat or Apache-2.0\n"),
            "{text}"
        );
        assert!(text.contains("\nLicense: Expat\n Free.\n .\n AS IS\n"), "{text}");
    }
}
