//! The Debian system in which the large workloads of the runtimes tier run: one archive below the
//! target directory, made once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{command, root, workspace::Workspace};

/// What the archive holds besides the essential packages.
const PACKAGES: &str =
    "busybox-static,memcached,nginx-light,postgresql,python3-minimal,redis-server,redis-tools";
/// Files that nobody needs there; the compiler that `PostgreSQL` may use for long queries is the
/// largest of them.
const LEFT_OUT: [&str; 4] =
    ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/lib/*/libLLVM*"];
/// Where Debian keeps its list of mirrors.
const SOURCES: [&str; 2] = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
const DEFAULT_SUITE: &str = "bookworm";

/// The variable that gives the tests the path of the archive.
pub(crate) const VARIABLE: &str = "TRACER_TEST_ROOT";

/// Where the archive is, or will be.
pub(crate) fn archive(workspace: &Workspace) -> PathBuf {
    workspace.target().join("tests").join("system.tar")
}

/// Makes the archive unless it is there, or says what its absence costs. About 130 MB are
/// downloaded; nothing is installed on this machine.
pub(crate) fn set_up(workspace: &Workspace, install: bool) -> Result<()> {
    let archive = archive(workspace);
    // Beside it, so that an archive with other packages is made again.
    let list = archive.with_extension("packages");
    if archive.is_file() && fs::read_to_string(&list).is_ok_and(|packages| packages == PACKAGES) {
        return Ok(());
    }
    if !install {
        eprintln!(
            "the Debian system for tests is not there: will skip what runs in it (nginx, redis, ...)\n\
             hint: `cargo xtask test --install` makes it below the target directory"
        );
        return Ok(());
    }
    let directory = archive.parent().context("the archive is in a directory")?;
    fs::create_dir_all(directory)
        .with_context(|| format!("failed to create {}", directory.display()))?;
    let partial = archive.with_extension("partial.tar");
    let mut make = make(workspace, &partial)?;
    command::quiet("a Debian system for tests", &mut make)?;
    fs::rename(&partial, &archive).with_context(|| {
        format!("failed to move {} to {}", partial.display(), archive.display())
    })?;
    fs::write(&list, PACKAGES).with_context(|| format!("failed to write {}", list.display()))
}

/// The command that makes the archive, from this machine's mirror when it is a Debian.
fn make(workspace: &Workspace, archive: &Path) -> Result<Command> {
    let mut command = root::command(workspace, "mmdebstrap", [])?;
    command.args(["--quiet", "--variant=minbase", "--mode=root"]);
    command.arg(format!("--include={PACKAGES}"));
    command.args(LEFT_OUT.map(|pattern| format!("--dpkgopt=path-exclude={pattern}")));
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    match (suite_of_debian(&release), SOURCES.iter().find(|path| Path::new(path).is_file())) {
        (Some(suite), Some(sources)) => command.arg(suite).arg(archive).arg(sources),
        _ => command.arg(DEFAULT_SUITE).arg(archive),
    };
    Ok(command)
}

/// The code name of the Debian that this machine runs.
fn suite_of_debian(release: &str) -> Option<&str> {
    let value = |name: &str| {
        release.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_matches('"')))
    };
    if value("ID=")? == "debian" { value("VERSION_CODENAME=") } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debian_is_taken_from_this_machine() {
        let debian = "ID=debian\nVERSION_CODENAME=bookworm\n";
        assert_eq!(suite_of_debian(debian), Some("bookworm"));
        assert_eq!(suite_of_debian("ID=ubuntu\nVERSION_CODENAME=noble\nID_LIKE=debian\n"), None);
        assert_eq!(suite_of_debian(""), None);
    }
}
