//! The path of a cgroup, and how paths relate to each other. Pure.
//!
//! The functions take borrowed text, because most judgements look at a part of a path.
//! [`CgroupPath`] is the type in which paths travel.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::path::Path;

use serde::Serialize;

/// Stands in a path for the name of a cgroup whose name is not known; the id of that cgroup follows
/// it.
pub const UNKNOWN_NAME: &str = "?";

/// The path of a cgroup below the cgroup v2 mount: `/` for the root of the hierarchy, else
/// `/NAME/NAME`, without a slash at the end.
///
/// Whoever makes a cgroup chooses its name, so that a path is raw data: `Display` escapes nothing,
/// and whoever shows a path to a person escapes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CgroupPath(String);

impl CgroupPath {
    /// The root of the hierarchy.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The cgroup of that name right below this one.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        join(self, name)
    }

    /// This cgroup and all above it, from itself up to the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        ancestors(self)
    }

    /// Whether it is `root`, or lies below `root`.
    pub fn is_at_or_below(&self, root: &str) -> bool {
        is_at_or_below(self, root)
    }

    /// The cgroup's own name; empty for the root.
    pub fn leaf(&self) -> &str {
        leaf(self)
    }
}

/// The cgroup of that name right below `parent`.
pub fn join(parent: &str, name: &str) -> CgroupPath {
    CgroupPath(format!("{}/{name}", parent.strip_suffix('/').unwrap_or(parent)))
}

/// The cgroup right above another; None for the root.
pub fn parent(path: &str) -> Option<&str> {
    let (above, name) = path.rsplit_once('/')?;
    match above {
        _ if name.is_empty() => None,
        "" => Some("/"),
        _ => Some(above),
    }
}

/// A cgroup and all above it, from itself up to the root.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| parent(path))
}

/// The cgroups that a path leads through, from the one below the root down to the last: `/a`,
/// `/a/b`.
pub fn levels(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    ends.filter_map(|end| path.get(..end)).filter(|path| *path != "/")
}

/// The names that a path consists of.
pub fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

/// The name of the last cgroup of a path; empty for the root.
pub fn leaf(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether `path` is `root`, or lies below `root`.
pub fn is_at_or_below(path: &str, root: &str) -> bool {
    root == "/"
        || path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl fmt::Display for CgroupPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Deref for CgroupPath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for CgroupPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for CgroupPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// As the file system takes it.
impl AsRef<Path> for CgroupPath {
    fn as_ref(&self) -> &Path {
        self.0.as_ref()
    }
}

impl From<&str> for CgroupPath {
    fn from(path: &str) -> Self {
        Self(path.to_owned())
    }
}

impl From<String> for CgroupPath {
    fn from(path: String) -> Self {
        Self(path)
    }
}

impl From<CgroupPath> for String {
    fn from(path: CgroupPath) -> Self {
        path.0
    }
}

impl PartialEq<str> for CgroupPath {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for CgroupPath {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<String> for CgroupPath {
    fn eq(&self, other: &String) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_joined_below_its_parent() {
        assert_eq!(CgroupPath::root().join("a"), "/a");
        assert_eq!(CgroupPath::from("/a").join("b.slice"), "/a/b.slice");
    }

    #[test]
    fn a_path_knows_what_is_above_it() {
        let path = CgroupPath::from("/a/b/c");
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["/a/b/c", "/a/b", "/a", "/"]);
        assert_eq!(levels(&path).collect::<Vec<_>>(), ["/a", "/a/b", "/a/b/c"]);
        assert_eq!(path.leaf(), "c");
        assert_eq!(ancestors("/").collect::<Vec<_>>(), ["/"]);
        assert_eq!(levels("/").count(), 0);
        assert_eq!((leaf("/"), parent("/"), parent("/a")), ("", None, Some("/")));
        assert_eq!(components("/a//b/").collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn below_is_told_from_beside() {
        for (path, root, is_below) in [
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/", "/a", false),
            ("/a", "/", true),
            ("/", "/", true),
        ] {
            assert_eq!(CgroupPath::from(path).is_at_or_below(root), is_below, "{path} {root}");
        }
    }
}
