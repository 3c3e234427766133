//! What a pod needs to run under a profile: the `securityContext` fragment of type Localhost.
//!
//! The kubelet looks the file up below `<root>/seccomp` of the node that runs the pod (Kubernetes documentation,
//! "Seccomp and Kubernetes"). The path in the pod is checked here as the API server checks it, so that a fragment that was
//! written is accepted.

use std::fmt::Write as _;

/// The kubelet's root folder unless its `--root-dir` says otherwise.
pub const DEFAULT_KUBELET_ROOT: &str = "/var/lib/kubelet";

/// The value of `localhostProfile`: a path below the kubelet's seccomp folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalhostProfile(String);

/// Why a path cannot be a `localhostProfile`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalhostProfileError {
    /// There is none.
    #[error("the localhostProfile is empty: name the file below the kubelet's seccomp folder")]
    Empty,
    /// It begins at the root.
    #[error(
        "the localhostProfile {path:?} must be a relative path: it counts from the kubelet's seccomp folder"
    )]
    Absolute {
        /// The path.
        path: String,
    },
    /// It leaves the folder.
    #[error(
        "the localhostProfile {path:?} must not contain '..': the file lies below the kubelet's seccomp folder"
    )]
    Backstep {
        /// The path.
        path: String,
    },
    /// It names a folder, not a file.
    #[error("the localhostProfile {path:?} names no file: end it with the file's name")]
    NoFile {
        /// The path.
        path: String,
    },
    /// No file can have the name.
    #[error("the localhostProfile {path:?} contains a NUL byte, which no file name can")]
    Nul {
        /// The path.
        path: String,
    },
}

impl LocalhostProfile {
    /// Checks a path: relative and without `..`, as Kubernetes wants it, and the name of a file.
    pub fn new(path: &str) -> Result<Self, LocalhostProfileError> {
        let owned = || path.to_owned();
        if path.is_empty() {
            return Err(LocalhostProfileError::Empty);
        }
        if path.starts_with('/') {
            return Err(LocalhostProfileError::Absolute { path: owned() });
        }
        if path.split('/').any(|component| component == "..") {
            return Err(LocalhostProfileError::Backstep { path: owned() });
        }
        if path.contains('\0') {
            return Err(LocalhostProfileError::Nul { path: owned() });
        }
        if matches!(path.rsplit('/').next(), Some("" | ".") | None) {
            return Err(LocalhostProfileError::NoFile { path: owned() });
        }
        Ok(Self(owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The YAML that goes into a pod's or a container's specification.
///
/// `file_name` is the profile's file as it was written here, `kubelet_root` the kubelet's root folder on the nodes
/// ([`DEFAULT_KUBELET_ROOT`]). `container` is the name of the container that it is for, when it is for one only.
pub fn fragment(
    localhost_profile: &LocalhostProfile,
    file_name: &str,
    kubelet_root: &str,
    container: Option<&str>,
) -> String {
    let root = kubelet_root.trim_end_matches('/');
    let place = quoted(&format!("{root}/seccomp/{}", localhost_profile.as_str()));
    let file = quoted(file_name);
    let context = security_context(localhost_profile);
    let (what, where_to) = match container {
        None => (
            "a pod, or one of its containers,".to_owned(),
            "# In a pod: below `spec`. In a container: below `spec.containers[*]`; it is stronger
# than the pod's."
                .to_owned(),
        ),
        Some(container) => {
            let container = quoted(container);
            (
                format!("the container {container}"),
                format!(
                    "# Below the entry of the container {container} in `spec.containers`, or in
# `initContainers` or `ephemeralContainers`; it is stronger than the pod's."
                ),
            )
        }
    };
    format!(
        "\
# Runs {what} under a learned seccomp profile.
#
# The file {file} goes on every node where the pod may run, as
#   {place}
# The container runtime reads it each time a container starts: a container whose
# file is missing is not created, a changed file counts from the next start on.
#
{where_to} A container with `privileged: true` runs without any profile.
{context}"
    )
}

/// The fragment without a word.
pub fn security_context(localhost_profile: &LocalhostProfile) -> String {
    let path = quoted(localhost_profile.as_str());
    format!(
        "\
securityContext:
  seccompProfile:
    type: Localhost
    localhostProfile: {path}
"
    )
}

/// Text as a double-quoted YAML scalar on one line (YAML 1.2, section 7.3.1).
///
/// Everything but printable ASCII is escaped, so that no text ends the line, leaves a comment or looks like other text.
fn quoted(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 2);
    safe.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => safe.extend(['\\', character]),
            ' '..='~' => safe.push(character),
            _ => escape(&mut safe, u32::from(character)),
        }
    }
    safe.push('"');
    safe
}

fn escape(safe: &mut String, code: u32) {
    let written = match code {
        0..=0xff => write!(safe, "\\x{code:02x}"),
        0x100..=0xffff => write!(safe, "\\u{code:04x}"),
        _ => write!(safe, "\\U{code:08x}"),
    };
    written.expect("text can always grow");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_checked_as_kubernetes_does() {
        use LocalhostProfileError as Error;
        let path = || "x".to_owned();
        let cases = [
            ("", Error::Empty),
            ("/profiles/web.json", Error::Absolute { path: path() }),
            ("../web.json", Error::Backstep { path: path() }),
            ("profiles/../../web.json", Error::Backstep { path: path() }),
            ("profiles/..", Error::Backstep { path: path() }),
            ("profiles/", Error::NoFile { path: path() }),
            ("profiles/.", Error::NoFile { path: path() }),
            ("a\0b", Error::Nul { path: path() }),
        ];
        for (path, expected) in cases {
            let error = LocalhostProfile::new(path).expect_err(path);
            assert_eq!(
                std::mem::discriminant(&error),
                std::mem::discriminant(&expected),
                "{path:?}"
            );
        }
        for path in
            ["web.json", "profiles/web.json", "a/b/c", "..web", "a..b/web.json", "./web.json"]
        {
            assert!(LocalhostProfile::new(path).is_ok(), "{path:?}");
        }
    }

    #[test]
    fn hostile_names_stay_one_scalar() {
        assert_eq!(quoted("profiles/web.json"), r#""profiles/web.json""#);
        assert_eq!(quoted("a\"\nprivileged: true"), r#""a\"\x0aprivileged: true""#);
        assert_eq!(quoted(r"a\n: #"), r#""a\\n: #""#);
        assert_eq!(quoted("\u{85}\u{2028}\u{202e}\u{1f600}"), r#""\x85\u2028\u202e\U0001f600""#);
    }

    #[test]
    fn hostile_names_do_not_leave_a_comment() {
        let localhost = LocalhostProfile::new("a\nprivileged: true").expect("a path");
        let text = fragment(&localhost, "b\r\nspec: {}", "/root\n/", None);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "securityContext:",
            "  seccompProfile:",
            "    type: Localhost",
            r#"    localhostProfile: "a\x0aprivileged: true""#,
        ];
        assert_eq!(lines, expected);
        assert!(!text.contains('\r'));
    }
}
