//! Debian's archive, asked by this machine's apt with a state of its own: what is installed here
//! plays no part.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{command, workspace::Workspace};

/// Where Debian keeps its list of mirrors.
const SOURCES: [&str; 2] = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The name of an archive, such as `debian`, and the suites that are wanted of it.
pub(crate) type Suites<'name> = (&'name str, &'name [&'name str]);

/// The archive's packages.
pub(crate) struct Apt<'workspace> {
    workspace: &'workspace Workspace,
    directory: PathBuf,
}

/// Which lists of the archive are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// Those of packages that can be unpacked.
    Binary,
    /// Those of sources.
    Source,
}

/// The newest source package of a name.
pub(crate) struct Source {
    /// Its name with its version, as apt takes it.
    pub(crate) selector: String,
    /// The files' names and their checksums in the signed index, in hexadecimal digits.
    pub(crate) files: Vec<(String, String)>,
    /// The size of all files in bytes.
    pub(crate) size: u64,
}

/// A package in the archive.
pub(crate) struct Package {
    /// Its name with its version, as apt takes it.
    pub(super) selector: String,
    /// The file that a download leaves.
    pub(super) file: String,
    /// The file's checksum in the signed index, in hexadecimal digits.
    pub(super) sha256: String,
    /// The file's size in bytes.
    pub(super) size: u64,
}

impl<'workspace> Apt<'workspace> {
    /// Reads the package lists of the suites, from the mirror that this machine uses.
    pub(crate) fn open(
        workspace: &'workspace Workspace,
        directory: &Path,
        suites: &[Suites<'_>],
        lists: Lists,
    ) -> Result<Self> {
        let texts = SOURCES.map(|path| fs::read_to_string(path).unwrap_or_default());
        let sources = sources(&texts.concat(), suites, lists)?;
        for name in ["lists/partial", "cache/archives/partial"] {
            let directory = directory.join(name);
            fs::create_dir_all(&directory)
                .with_context(|| format!("failed to create {}", directory.display()))?;
        }
        for (name, text) in [("sources.list", sources.as_str()), ("status", "")] {
            let path = directory.join(name);
            fs::write(&path, text)
                .with_context(|| format!("failed to write {}", path.display()))?;
        }
        let apt = Self { workspace, directory: directory.to_owned() };
        let names: Vec<&str> = suites.iter().flat_map(|(_, suites)| *suites).copied().collect();
        let title = format!("{} of Debian: {}", lists.title(), names.join(", "));
        command::quiet(&title, apt.command("apt-get").arg("update"))?;
        Ok(apt)
    }

    /// An apt program with the private state.
    fn command(&self, program: &str) -> Command {
        let mut command = self.workspace.command(program);
        let path = |name: &str| self.directory.join(name).display().to_string();
        for (option, value) in [
            ("Dir::State", path("")),
            ("Dir::State::lists", path("lists")),
            ("Dir::State::status", path("status")),
            ("Dir::Cache", path("cache")),
            ("Dir::Etc::sourcelist", path("sources.list")),
            ("Dir::Etc::sourceparts", "-".into()),
            ("Dir::Etc::preferences", "-".into()),
            ("Dir::Etc::preferencesparts", "-".into()),
            ("APT::Architecture", "amd64".into()),
            ("APT::Architectures", "amd64".into()),
            // A machine's clock may be behind or ahead of the archive's.
            ("Acquire::Check-Valid-Until", "false".into()),
            ("Acquire::Languages", "none".into()),
            ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".into()),
            // The user of apt's own downloads may have no access to this directory.
            ("APT::Sandbox::User", "root".into()),
        ] {
            command.arg("-o").arg(format!("{option}={value}"));
        }
        command
    }

    /// The names of all packages that begin so.
    pub(crate) fn names(&self, start: &str) -> Result<Vec<String>> {
        let names = command::output(self.command("apt-cache").args(["pkgnames", start]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// The packages with everything that they depend on, down to the C library. Those of the
    /// preferred suite come first, where one is named; else the newest.
    pub(crate) fn closure(&self, names: &[&str], preferred: Option<&str>) -> Result<Vec<Package>> {
        let mut simulate = self.command("apt-get");
        simulate.args(["install", "--simulate", "--quiet=2", "--no-install-recommends"]);
        simulate.args(preferred.map(|suite| format!("--target-release={suite}")));
        let story = command::output(simulate.args(names))?;
        let selectors: Vec<String> = story.lines().filter_map(selector).collect();
        self.packages(&selectors)
    }

    /// The version of a package in a suite, where it has one.
    pub(crate) fn version(&self, name: &str, suite: &str) -> Result<Option<String>> {
        let table = command::output(self.command("apt-cache").args(["madison", name]))?;
        Ok(table.lines().find_map(|line| version(line, suite)).map(str::to_owned))
    }

    /// Whether the first version is higher than the second.
    pub(crate) fn is_newer(&self, first: &str, second: &str) -> Result<bool> {
        let mut compare = self.workspace.command("dpkg");
        compare.args(["--compare-versions", first, "gt", second]);
        let status = compare.status().context("failed to start dpkg")?;
        Ok(status.success())
    }

    /// The packages, by name or by name and version.
    pub(crate) fn packages(&self, selectors: &[String]) -> Result<Vec<Package>> {
        let mut show = self.command("apt-cache");
        let index = command::output(show.args(["show", "--no-all-versions"]).args(selectors))?;
        let packages: Vec<Package> = index.split("\n\n").filter_map(package).collect();
        if packages.len() != selectors.len() {
            bail!("the index has {} packages of these: {selectors:?}", packages.len());
        }
        Ok(packages)
    }

    /// Downloads the packages into the directory; apt verifies them.
    pub(crate) fn download(
        &self,
        title: &str,
        packages: &[Package],
        directory: &Path,
    ) -> Result<()> {
        let mut download = self.command("apt-get");
        download.arg("download").args(packages.iter().map(|package| &package.selector));
        command::quiet(title, download.current_dir(directory))
    }

    /// The newest source package of that name.
    pub(crate) fn source(&self, name: &str) -> Result<Source> {
        let index = command::output(self.command("apt-cache").args(["showsrc", name]))?;
        let sources: Vec<Source> = index.split("\n\n").filter_map(source).collect();
        let mut newest: Option<Source> = None;
        for source in sources {
            let is_newer = match &newest {
                None => true,
                Some(newest) => self.is_newer(source.version(), newest.version())?,
            };
            if is_newer {
                newest = Some(source);
            }
        }
        newest.with_context(|| format!("the index has no source package {name}"))
    }

    /// Downloads the files of a source package into the directory; apt verifies them.
    pub(crate) fn download_source(
        &self,
        title: &str,
        source: &Source,
        directory: &Path,
    ) -> Result<()> {
        let mut download = self.command("apt-get");
        download.args(["source", "--download-only", &source.selector]);
        command::quiet(title, download.current_dir(directory))
    }
}

impl Lists {
    fn title(self) -> &'static str {
        match self {
            Self::Binary => "package lists",
            Self::Source => "lists of sources",
        }
    }

    /// The word that a line of apt's list of sources begins with.
    fn word(self) -> &'static str {
        match self {
            Self::Binary => "deb",
            Self::Source => "deb-src",
        }
    }
}

impl Source {
    /// Its version.
    fn version(&self) -> &str {
        self.selector.split_once('=').map_or("", |(_, version)| version)
    }
}

/// The lines of a list of sources, from the mirrors that this machine's lists name.
fn sources(lists: &str, suites: &[Suites<'_>], kind: Lists) -> Result<String> {
    let mut lines = String::new();
    for (archive, suites) in suites {
        let base = lists
            .split_whitespace()
            .filter(|word| word.contains("://"))
            .map(|word| word.trim_end_matches('/'))
            .find(|word| word.rsplit('/').next() == Some(*archive))
            .with_context(|| {
                format!(
                    "apt of this machine has no mirror of Debian's archive {archive}: {}\n\n\
                     hint: kernels and container engines for tests come from Debian's archive: run this on Debian",
                    SOURCES.join(", ")
                )
            })?;
        for suite in *suites {
            let word = kind.word();
            lines.push_str(&format!("{word} [signed-by={KEYRING}] {base} {suite} main\n"));
        }
    }
    Ok(lines)
}

/// `Inst NAME (VERSION ORIGIN [ARCHITECTURE])`, as a simulated installation says it, as
/// `NAME=VERSION`.
fn selector(line: &str) -> Option<String> {
    let mut words = line.strip_prefix("Inst ")?.split(' ');
    let name = words.next()?;
    let version = words.next()?.strip_prefix('(')?;
    Some(format!("{name}={version}"))
}

/// `NAME | VERSION | BASE SUITE/COMPONENT ARCHITECTURE Packages`: the version, when the suite is
/// the wanted one.
fn version<'line>(line: &'line str, suite: &str) -> Option<&'line str> {
    let mut columns = line.split('|').map(str::trim);
    let (_name, version, place) = (columns.next()?, columns.next()?, columns.next()?);
    let of = place.split(' ').nth(1)?.split('/').next()?;
    (of == suite).then_some(version)
}

/// One entry of the index.
fn package(entry: &str) -> Option<Package> {
    let fields: BTreeMap<&str, &str> =
        entry.lines().filter_map(|line| line.split_once(": ")).collect();
    let field = |name: &str| fields.get(name).copied();
    let (name, version) = (field("Package")?, field("Version")?);
    let escaped = version.replace(':', "%3a");
    Some(Package {
        selector: format!("{name}={version}"),
        file: format!("{name}_{escaped}_{}.deb", field("Architecture")?),
        sha256: field("SHA256")?.to_owned(),
        size: field("Size")?.parse().ok()?,
    })
}

/// One entry of the index of sources.
fn source(entry: &str) -> Option<Source> {
    let field = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name));
    let (name, version) = (field("Package: ")?, field("Version: ")?);
    let (_, list) = entry.split_once("\nChecksums-Sha256:")?;
    let lines = list.lines().skip(1).map_while(|line| line.strip_prefix(' '));
    let (mut files, mut size) = (Vec::new(), 0);
    for line in lines {
        let mut words = line.split(' ');
        let (checksum, bytes, file) = (words.next()?, words.next()?, words.next()?);
        size += bytes.parse::<u64>().ok()?;
        files.push((file.to_owned(), checksum.to_owned()));
    }
    Some(Source { selector: format!("{name}={version}"), files, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_those_of_this_machine() -> Result<()> {
        let lists = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n\
                     deb http://mirror.example/debian-security/ bookworm-security main\n";
        let suites: [Suites<'_>; 2] =
            [("debian", &["trixie", "sid"]), ("debian-security", &["bullseye-security"])];
        let lines = sources(lists, &suites, Lists::Binary)?;
        let first = lines.lines().next().context("a line")?;
        assert!(first.ends_with(" http://mirror.example/debian trixie main"), "{first}");
        let last = lines.lines().last().context("a line")?;
        assert!(
            last.ends_with(" http://mirror.example/debian-security bullseye-security main"),
            "{last}"
        );
        assert_eq!(lines.lines().count(), 3);
        let of_sources = sources(lists, &suites, Lists::Source)?;
        assert!(of_sources.starts_with("deb-src [signed-by="), "{of_sources}");
        let foreign = "deb http://mirror.example/ubuntu noble main";
        assert!(sources(foreign, &suites, Lists::Binary).is_err());
        Ok(())
    }

    #[test]
    fn an_entry_of_the_index_names_the_file_and_its_checksum() -> Result<()> {
        let entry =
            "Package: qemu\nArchitecture: amd64\nVersion: 1:10.0+ds-1\nSize: 12\nSHA256: 0a";
        let package = package(entry).context("an entry")?;
        assert_eq!(package.selector, "qemu=1:10.0+ds-1");
        assert_eq!(package.file, "qemu_1%3a10.0+ds-1_amd64.deb");
        assert_eq!((package.sha256.as_str(), package.size), ("0a", 12));
        Ok(())
    }

    #[test]
    fn an_entry_of_the_index_of_sources_names_all_files() -> Result<()> {
        let entry = "Package: kubernetes\nVersion: 1.20.2-1\nFiles:\n 0f 3 a.dsc\nChecksums-Sha256:\n \
                     1a 3 a.dsc\n 2b 40 a.orig.tar.gz\nHomepage: http://kubernetes.example/\n";
        let source = source(entry).context("an entry")?;
        assert_eq!(source.selector, "kubernetes=1.20.2-1");
        assert_eq!(source.version(), "1.20.2-1");
        let files = [("a.dsc", "1a"), ("a.orig.tar.gz", "2b")];
        assert_eq!(source.files, files.map(|(file, sum)| (file.to_owned(), sum.to_owned())));
        assert_eq!(source.size, 43);
        Ok(())
    }

    #[test]
    fn a_version_is_that_of_the_suite() {
        let line =
            "  runc | 1.4.3+ds1-1 | http://mirror.example/debian experimental/main amd64 Packages";
        assert_eq!(version(line, "experimental"), Some("1.4.3+ds1-1"));
        assert_eq!(version(line, "sid"), None);
        assert_eq!(version("runc", "sid"), None);
    }

    #[test]
    fn a_simulated_installation_names_packages() {
        let line = "Inst libc6 (2.41-12 Debian:13/stable [amd64]) []";
        assert_eq!(selector(line).as_deref(), Some("libc6=2.41-12"));
        assert_eq!(selector("Conf libc6 (2.41-12 Debian:13/stable [amd64])"), None);
    }
}
