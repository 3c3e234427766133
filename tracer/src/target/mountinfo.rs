//! The cgroup mounts in `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`). Pure.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

/// A mounted cgroup hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupMount {
    /// Which cgroup file system.
    pub version: CgroupVersion,
    /// The cgroup that the mount shows at its mount point, as the reader's cgroup namespace names
    /// it; `/` is all.
    pub root: PathBuf,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// The mount options of the file system: for v1 they name the controllers.
    pub options: String,
}

/// The two cgroup file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupVersion {
    /// A v1 hierarchy, one for each set of controllers.
    V1,
    /// The v2 hierarchy: there is one.
    V2,
}

impl CgroupMount {
    /// The path below the mount point as a path in the hierarchy.
    pub fn hierarchy_path(&self, below: &Path) -> PathBuf {
        if below.as_os_str().is_empty() { self.root.clone() } else { self.root.join(below) }
    }

    /// The root, when it lies above the reader's cgroup namespace (`cgroup_namespaces(7)`): only
    /// `..` components.
    pub fn above_namespace(&self) -> Option<PathBuf> {
        let mut components = self.root.components().skip(1).peekable();
        components.peek()?;
        components.all(|component| component == Component::ParentDir).then(|| self.root.clone())
    }

    /// The mount with its root as seen from a root above the reader's namespace; none for a v2
    /// mount whose place below that is not known.
    pub fn seen_from(self, above: &Path) -> Option<Self> {
        if self.version == CgroupVersion::V1 {
            return Some(self);
        }
        let root = Path::new("/").join(self.root.strip_prefix(above).ok()?);
        Some(Self { root, ..self })
    }

    /// The controllers of a v1 hierarchy: `memory`, `name=systemd`.
    pub fn controllers(&self) -> String {
        let named = |option: &&str| !matches!(*option, "rw" | "ro" | "xattr" | "clone_children");
        self.options.split(',').filter(named).collect::<Vec<_>>().join(",")
    }
}

/// The cgroup mounts that a path can reach: those that no other mount covers.
pub fn cgroup_mounts(mountinfo: &[u8]) -> Vec<CgroupMount> {
    let entries: Vec<Entry> =
        mountinfo.split(|byte| *byte == b'\n').filter_map(Entry::parse).collect();
    let visible = Visible::new(&entries);
    entries
        .iter()
        .filter(|entry| visible.at(&entry.mount_point) == Some(entry.id))
        .filter_map(Entry::cgroup_mount)
        .collect()
}

/// The v2 mount to work with: one that shows all of the hierarchy before one that shows a part, the
/// usual places before others.
pub fn choose_v2(mounts: &[CgroupMount]) -> Option<&CgroupMount> {
    mounts.iter().filter(|mount| mount.version == CgroupVersion::V2).min_by_key(|mount| {
        // What lies above the reader's cgroup namespace shows more than the namespace's root does.
        let above = mount.above_namespace().map_or(0, |above| above.components().count());
        let shown = (std::cmp::Reverse(above), mount.root != Path::new("/"));
        let place = match mount.mount_point.to_str() {
            Some("/sys/fs/cgroup") => 0,
            Some("/sys/fs/cgroup/unified") => 1,
            _ => 2,
        };
        (shown, place, mount.mount_point.as_os_str().len())
    })
}

/// One line.
struct Entry {
    id: u32,
    parent: u32,
    root: PathBuf,
    mount_point: PathBuf,
    file_system: Vec<u8>,
    options: Vec<u8>,
}

impl Entry {
    /// `36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let id = number(fields.next()?)?;
        let parent = number(fields.next()?)?;
        let _device = fields.next()?;
        let root = path(fields.next()?);
        let mount_point = path(fields.next()?);
        fields.find(|field| *field == b"-")?;
        let file_system = fields.next()?.to_vec();
        let _source = fields.next()?;
        let options = fields.next().unwrap_or_default().to_vec();
        Some(Self { id, parent, root, mount_point, file_system, options })
    }

    fn cgroup_mount(&self) -> Option<CgroupMount> {
        let version = match self.file_system.as_slice() {
            b"cgroup" => CgroupVersion::V1,
            b"cgroup2" => CgroupVersion::V2,
            _ => return None,
        };
        Some(CgroupMount {
            version,
            root: self.root.clone(),
            mount_point: self.mount_point.clone(),
            options: String::from_utf8_lossy(&self.options).into_owned(),
        })
    }
}

/// What a path leads to: on each mount point the mount that lies there, and what was mounted on
/// that.
struct Visible<'a> {
    /// By the mount below (none for those that the reader's root is on) and the mount point.
    mounted: HashMap<(Option<u32>, &'a Path), u32>,
    count: usize,
}

impl<'a> Visible<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let listed: HashSet<u32> = entries.iter().map(|entry| entry.id).collect();
        let below = |entry: &Entry| {
            Some(entry.parent).filter(|parent| *parent != entry.id && listed.contains(parent))
        };
        let mounted = entries
            .iter()
            .map(|entry| ((below(entry), entry.mount_point.as_path()), entry.id))
            .collect();
        Self { mounted, count: entries.len() }
    }

    /// Follows a path from the root, as the kernel does.
    fn at(&self, path: &Path) -> Option<u32> {
        let mut prefixes: Vec<&Path> = path.ancestors().collect();
        prefixes.reverse();
        let mut current = None;
        for prefix in prefixes {
            for _ in 0..self.count {
                match self.mounted.get(&(current, prefix)) {
                    Some(upper) => current = Some(*upper),
                    None => break,
                }
            }
        }
        current
    }
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// The kernel writes space, tab, newline and backslash in paths as `\040`, `\011`, `\012`, `\134`
/// (`mangle_path`).
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        match (first, octal(tail)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

fn octal(text: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(text.get(..3)?).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Option<(String, String)> {
        let mounts = cgroup_mounts(text.as_bytes());
        choose_v2(&mounts).map(|mount| {
            (mount.root.display().to_string(), mount.mount_point.display().to_string())
        })
    }

    fn pair(root: &str, mount_point: &str) -> Option<(String, String)> {
        Some((root.to_owned(), mount_point.to_owned()))
    }

    const HYBRID: &str = "\
23 1 0:20 / / rw - rootfs rootfs rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw
";

    #[test]
    fn hybrid_and_pure_hosts() {
        assert_eq!(chosen(HYBRID), pair("/", "/sys/fs/cgroup/unified"));
        let controllers: Vec<String> = cgroup_mounts(HYBRID.as_bytes())
            .iter()
            .filter(|mount| mount.version == CgroupVersion::V1)
            .map(CgroupMount::controllers)
            .collect();
        assert_eq!(controllers, ["memory", "name=systemd"]);
        let pure = "\
23 1 0:20 / / rw - ext4 /dev/sda rw
31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";
        assert_eq!(chosen(pure), pair("/", "/sys/fs/cgroup"));
        assert_eq!(chosen("23 1 0:20 / / rw - ext4 /dev/sda rw\n"), None);
    }

    #[test]
    fn a_mount_that_shows_everything_comes_first() {
        let text = "\
23 1 0:20 / / rw - ext4 /dev/sda rw
50 23 0:38 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw
51 23 0:38 / /mnt/with\\040space\\134 rw - cgroup2 cgroup rw
52 23 0:38 /../x /a rw - cgroup2 cgroup rw
";
        assert_eq!(chosen(text), pair("/", "/mnt/with space\\"));
        let above = format!("{text}53 23 0:38 /../.. /host rw - cgroup2 cgroup rw\n");
        assert_eq!(chosen(&above), pair("/../..", "/host"));
    }

    #[test]
    fn covered_mounts_are_out_of_reach() {
        let on_top = format!("{HYBRID}60 41 0:50 / /sys/fs/cgroup/unified rw - tmpfs tmpfs rw\n");
        assert_eq!(chosen(&on_top), None);
        let above = format!("{HYBRID}60 31 0:50 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n");
        assert_eq!(chosen(&above), None);
        let again = format!("{above}61 60 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
        assert_eq!(chosen(&again), pair("/", "/sys/fs/cgroup/unified"));
    }

    #[test]
    fn broken_lines_are_passed_over() {
        for text in ["", "\n\n", "a b c", "1 2 0:1 / /x rw", "1 1 0:1 / /x rw - cgroup2", "1 1 0:1"]
        {
            assert!(cgroup_mounts(text.as_bytes()).is_empty(), "{text}");
        }
        let odd = b"7 7 0:1 / /\xff\\04 rw - cgroup2 cgroup2 rw";
        assert_eq!(cgroup_mounts(odd).len(), 1);
    }
}
