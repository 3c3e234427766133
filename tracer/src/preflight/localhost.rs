//! Whether the kubelet of this node finds a profile that pods name: one that is not there keeps
//! their containers from being made.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::check::{CheckStatus, PreflightCheck};
use crate::profile::{kubernetes::LocalhostProfile, oci};

/// What keeps a profile from being used.
enum Unusable {
    /// There is no such file.
    Missing,
    /// There is one that cannot be read, or is no profile.
    Invalid(String),
}

/// Looks for a profile of the type Localhost below the kubelet's root.
///
/// The kubelet hands on the path; the runtime reads the file when it makes a container, and answers
/// an error when it cannot, which the pod's status shows as `CreateContainerError` (containerd:
/// `cannot load seccomp profile`).
pub fn localhost(kubelet_root: &Path, profile: &LocalhostProfile) -> PreflightCheck {
    let path = kubelet_root.join("seccomp").join(profile.as_str());
    let place = path.display();
    let (status, detail, remedy) = match inspect(&path) {
        Ok(()) => (CheckStatus::Ok, format!("{place} is there"), None),
        Err(Unusable::Missing) => (
            CheckStatus::Missing,
            missing(&path),
            Some(format!("copy the profile there: install -D -m 644 PROFILE {place}")),
        ),
        Err(Unusable::Invalid(why)) => (
            CheckStatus::Missing,
            format!("{place} cannot be used: {why}"),
            Some("put a profile there that `tracer enforce --check` accepts".to_owned()),
        ),
    };
    let consequence = match status {
        CheckStatus::Ok => "",
        _ => "a container whose pod names it is not created on this node (CreateContainerError)",
    };
    PreflightCheck {
        name: "localhost profile",
        status,
        detail,
        consequence,
        remedy,
        required: false,
    }
}

fn inspect(path: &Path) -> Result<(), Unusable> {
    let unusable = |error: &dyn std::fmt::Display| Unusable::Invalid(error.to_string());
    // The runtime follows links as well. Only a regular file is opened: a pipe would be waited for.
    let status = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Unusable::Missing);
        }
        other => other.map_err(|error| unusable(&error))?,
    };
    if !status.is_file() {
        return Err(unusable(&"it is no regular file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unusable(&error))?;
    let read = file.take(oci::MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| unusable(&error))?;
    let one_line = |error: oci::ReadError| {
        let text = error.to_string();
        Unusable::Invalid(text.lines().next().unwrap_or_default().to_owned())
    };
    oci::read(&bytes).map(drop).map_err(one_line)
}

/// The directory that is missing, or the file in it.
fn missing(path: &Path) -> String {
    let is_there = |directory: &&Path| directory.is_dir();
    let nearest: PathBuf = path.ancestors().skip(1).find(is_there).unwrap_or(path).into();
    match path.parent() == Some(&nearest) {
        true => format!("{} is not there", path.display()),
        false => format!(
            "{} is not there, nor is its directory below {}",
            path.display(),
            nearest.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_there_or_missing_or_none() {
        let root = tempfile::tempdir().expect("a directory");
        let profile = LocalhostProfile::new("profiles/web.json").expect("a path");
        let check = || localhost(root.path(), &profile);
        let found = check();
        assert_eq!(found.status, CheckStatus::Missing);
        assert!(found.detail.contains("nor is its directory below"), "{}", found.detail);
        assert!(found.consequence.contains("CreateContainerError"));
        let directory = root.path().join("seccomp/profiles");
        fs::create_dir_all(&directory).expect("made");
        assert!(check().detail.ends_with("profiles/web.json is not there"));
        assert!(check().remedy.expect("a remedy").contains("install -D"));
        fs::write(directory.join("web.json"), "{}").expect("written");
        let found = check();
        assert_eq!(found.status, CheckStatus::Missing);
        assert!(found.detail.contains("cannot be used: "), "{}", found.detail);
        fs::write(directory.join("web.json"), r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#)
            .expect("written");
        let found = check();
        assert_eq!((found.status, found.consequence), (CheckStatus::Ok, ""));
        fs::remove_file(directory.join("web.json")).expect("removed");
        fs::create_dir(directory.join("web.json")).expect("made");
        assert!(check().detail.contains("no regular file"));
    }
}
