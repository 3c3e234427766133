//! What a pod needs to run under a profile: a `securityContext` of type Localhost, and the patch
//! that gives it to a workload.
//!
//! The kubelet looks the file up below `<root>/seccomp` of the node that runs the pod (Kubernetes
//! documentation, "Seccomp and Kubernetes"). The path in the pod is checked here as the API server
//! checks it, so that a patch that was written is accepted.

use std::fmt::Write as _;

/// The kubelet's root directory unless its `--root-dir` says otherwise.
pub const DEFAULT_KUBELET_ROOT: &str = "/var/lib/kubelet";

/// The value of `localhostProfile`: a path below the kubelet's seccomp directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalhostProfile(String);

/// Why a path cannot be a `localhostProfile`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalhostProfileError {
    /// There is none.
    #[error("the localhostProfile is empty: name the file below the kubelet's seccomp directory")]
    Empty,
    /// It begins at the root.
    #[error(
        "the localhostProfile {path:?} must be a relative path: it counts from the kubelet's seccomp directory"
    )]
    Absolute {
        /// The path.
        path: String,
    },
    /// It leaves the directory.
    #[error(
        "the localhostProfile {path:?} must not contain '..': the file lies below the kubelet's seccomp directory"
    )]
    Backstep {
        /// The path.
        path: String,
    },
    /// It names a directory, not a file.
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

/// What a patch is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchSubject {
    /// What makes the pods, as far as that is known.
    pub workloads: Vec<WorkloadReference>,
    /// The container that alone is meant.
    pub container: Option<String>,
}

/// What makes pods: a Deployment and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadReference {
    /// Its kind, as kubectl takes it.
    pub resource: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The names of files, as a patch tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchFiles<'a> {
    /// The profile, as it was written here.
    pub profile: &'a str,
    /// The patch.
    pub patch: &'a str,
    /// The kubelet's root directory on the nodes ([`DEFAULT_KUBELET_ROOT`]).
    pub kubelet_root: &'a str,
}

/// The strategic merge patch that `kubectl patch --patch-file` takes, with which the pods of a
/// workload run under the profile.
///
/// Its form is that of what has a pod template in `spec.template` (Deployment, `ReplicaSet`,
/// `StatefulSet`, `DaemonSet`, Job), and that of a `CronJob` when nothing else is meant. The list
/// of containers is merged by their names (Kubernetes API reference, `PodSpec`: patch merge key
/// `name`).
pub fn patch(
    localhost_profile: &LocalhostProfile,
    files: &PatchFiles<'_>,
    subject: &PatchSubject,
) -> String {
    let root = files.kubelet_root.trim_end_matches('/');
    let place = quoted(&format!("{root}/seccomp/{}", localhost_profile.as_str()));
    let file = quoted(files.profile);
    let (what, notes) = match &subject.container {
        None => (
            "pods".to_owned(),
            "# In the manifest of a pod, the lines from `securityContext` on belong below `spec`.
# A container's own seccompProfile overrides this one.",
        ),
        Some(container) => (
            format!("the container {} of pods", quoted(container)),
            "# In the manifest of a pod, the lines from `securityContext` on belong below the
# container's entry. They override the pod's own. For an init container,
# write `initContainers` in the place of `containers`.",
        ),
    };
    format!(
        "\
# A patch that runs {what} under a learned seccomp profile.
#
# 1. Copy the file {file} to every node where a pod may run, as
#   {place}
# The container runtime reads the file each time a container starts. Without the
# file a container is not created. A changed file takes effect at the next start.
#
{}#
{notes}
# A container with `privileged: true` runs without any profile.
{}",
        commands(&subject.workloads, files.patch),
        body(localhost_profile, subject)
    )
}

/// How the patch is applied, as comments.
fn commands(workloads: &[WorkloadReference], file: &str) -> String {
    let file = if is_plain(file) { file } else { "FILE" };
    let command = |namespace: &str, resource: &str, name: &str| {
        format!("#   kubectl --namespace {namespace} patch {resource} {name} --patch-file {file}\n")
    };
    let known = |one: &&WorkloadReference| is_plain(&one.namespace) && is_plain(&one.name);
    let (jobs, others): (Vec<&WorkloadReference>, Vec<&WorkloadReference>) =
        workloads.iter().filter(known).partition(|one| one.resource == "job");
    let mut text = String::new();
    for job in &jobs {
        text += &format!(
            "# The Job {} cannot be changed once it is made: make it again with these lines.\n",
            job.name
        );
    }
    if !others.is_empty() {
        text.push_str("# 2. In this directory:\n");
        text.extend(others.iter().map(|one| command(&one.namespace, one.resource, &one.name)));
    } else if jobs.is_empty() {
        text.push_str(
            "# 2. In this directory, patch what makes the pods (Deployment, StatefulSet, DaemonSet):\n",
        );
        text += &command("NAMESPACE", "KIND", "NAME");
        text.push_str("# A pod itself cannot be changed once it is made.\n");
    }
    text
}

/// The patch without a word.
fn body(localhost_profile: &LocalhostProfile, subject: &PatchSubject) -> String {
    let is_cron = |one: &WorkloadReference| one.resource == "cronjob";
    let mut keys = vec!["spec:"];
    if !subject.workloads.is_empty() && subject.workloads.iter().all(is_cron) {
        keys.extend(["jobTemplate:", "spec:"]);
    }
    keys.extend(["template:", "spec:"]);
    let name = subject.container.as_deref().map(|name| format!("- name: {}", quoted(name)));
    if let Some(name) = &name {
        keys.extend(["containers:", name]);
    }
    let mut text = String::new();
    for (level, key) in keys.iter().enumerate() {
        text += &format!("{}{key}\n", "  ".repeat(level));
    }
    let indent = "  ".repeat(keys.len());
    let context = security_context(localhost_profile);
    text.extend(context.lines().map(|line| format!("{indent}{line}\n")));
    text
}

/// A word that no shell and no comment takes for anything else.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.bytes().all(is_plain)
}

/// What a pod's or a container's specification says to run under the profile.
fn security_context(localhost_profile: &LocalhostProfile) -> String {
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
/// Everything but printable ASCII is escaped, so that no text ends the line, leaves a comment or
/// looks like other text.
pub fn quoted(text: &str) -> String {
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

    fn patch_of(file: &str, subject: &PatchSubject) -> String {
        let localhost = LocalhostProfile::new("web.json").expect("a path");
        let files =
            PatchFiles { profile: "web.json", patch: file, kubelet_root: DEFAULT_KUBELET_ROOT };
        patch(&localhost, &files, subject)
    }

    fn workload(resource: &'static str, name: &str) -> WorkloadReference {
        WorkloadReference { resource, namespace: "shop".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn hostile_names_do_not_leave_a_comment() {
        let localhost = LocalhostProfile::new("a\nprivileged: true").expect("a path");
        let files = PatchFiles {
            profile: "b\r\nspec: {}",
            patch: "b\r\nspec: {}",
            kubelet_root: "/root\n/",
        };
        let container = Some("c\nhostPID: true".to_owned());
        let workloads = vec![workload("deployment", "web\nspec: {}"), workload("job", "-o\n")];
        let text = patch(&localhost, &files, &PatchSubject { workloads, container });
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "spec:",
            "  template:",
            "    spec:",
            "      containers:",
            r#"        - name: "c\x0ahostPID: true""#,
            "          securityContext:",
            "            seccompProfile:",
            "              type: Localhost",
            r#"              localhostProfile: "a\x0aprivileged: true""#,
        ];
        assert_eq!(lines, expected);
        assert!(!text.contains('\r'));
        assert!(text.contains("patch KIND NAME --patch-file FILE\n"), "{text}");
    }

    #[test]
    fn what_makes_the_pods_is_named_in_the_command() {
        let workloads = vec![workload("deployment", "web"), workload("statefulset", "db")];
        let text = patch_of("web.kubernetes.yaml", &PatchSubject { workloads, container: None });
        for command in [
            "#   kubectl --namespace shop patch deployment web --patch-file web.kubernetes.yaml\n",
            "#   kubectl --namespace shop patch statefulset db --patch-file web.kubernetes.yaml\n",
        ] {
            assert!(text.contains(command), "{text}");
        }
        assert!(!text.contains("KIND"), "{text}");
    }

    #[test]
    fn a_job_is_made_again_and_a_cron_job_has_a_template_of_its_own() {
        let of =
            |workloads| patch_of("x.kubernetes.yaml", &PatchSubject { workloads, container: None });
        let text = of(vec![workload("job", "load")]);
        assert!(
            text.contains("The Job load cannot be changed") && !text.contains("kubectl"),
            "{text}"
        );
        let nested = "spec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          securityContext:\n";
        assert!(of(vec![workload("cronjob", "backup")]).contains(nested));
        let mixed = of(vec![workload("cronjob", "backup"), workload("deployment", "web")]);
        assert!(
            mixed.contains("\nspec:\n  template:\n    spec:\n      securityContext:\n"),
            "{mixed}"
        );
    }
}
