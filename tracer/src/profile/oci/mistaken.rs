//! Other files that people name in the place of a profile: what they are, and where the profile is.

use std::fmt;

use super::json_value::JsonValue;
use crate::text::escape;

/// A file of another kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistaken {
    /// The evidence that tracer writes beside a profile.
    Recording,
    /// A resource of the Security Profiles Operator.
    SeccompProfile {
        /// Written as YAML.
        yaml: bool,
    },
    /// Another object of Kubernetes.
    Manifest {
        /// Its kind, if it has one. tracer's own fragment has none.
        kind: Option<String>,
    },
    /// The configuration of a container, as a runtime takes it.
    OciConfiguration {
        /// It has a profile.
        has_profile: bool,
    },
    /// What `docker inspect` or `podman inspect` print of a container.
    Inspection,
    /// What `crictl inspect` prints of a container.
    CriInspection,
    /// YAML of an unknown kind.
    Yaml,
}

impl fmt::Display for Mistaken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what();
        match self {
            Self::SeccompProfile { .. } => write!(formatter, "{what}, not the profile itself"),
            Self::Yaml => write!(formatter, "{what}, not JSON"),
            _ => write!(formatter, "{what}, not a profile"),
        }
    }
}

impl Mistaken {
    /// What the file is.
    pub fn what(&self) -> String {
        let what = match self {
            Self::Recording => "a recording of tracer",
            Self::SeccompProfile { .. } => "a SeccompProfile of the Security Profiles Operator",
            Self::Manifest { kind: Some(kind) } => {
                return format!("a Kubernetes object (kind {})", escape(kind));
            }
            Self::Manifest { kind: None } => "a part of a Kubernetes object",
            Self::OciConfiguration { .. } => "the configuration of an OCI container",
            Self::Inspection => "what `docker inspect` or `podman inspect` prints",
            Self::CriInspection => "what `crictl inspect` prints",
            Self::Yaml => "YAML",
        };
        what.to_owned()
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Recording => {
                "its profile is NAME.json beside NAME.recording.json, or derive it again: tracer profile NAME.recording.json -o NAME.json"
            }
            Self::SeccompProfile { yaml: false } => "take its .spec: jq .spec FILE > profile.json",
            Self::SeccompProfile { yaml: true } => {
                "take its .spec, as JSON: yq -o json .spec FILE > profile.json"
            }
            Self::Manifest { .. } => {
                "its localhostProfile names the file, below /var/lib/kubelet/seccomp on the node; tracer writes the profile as NAME.json beside NAME.kubernetes.yaml"
            }
            Self::OciConfiguration { has_profile: true } => {
                "take its .linux.seccomp: jq .linux.seccomp FILE > profile.json"
            }
            Self::OciConfiguration { has_profile: false } => {
                "it has no .linux.seccomp: its container runs without a profile"
            }
            Self::Inspection => {
                "its HostConfig.SecurityOpt holds the profile, or the file's name: jq -r '.[0].HostConfig.SecurityOpt[] | select(startswith(\"seccomp=\"))[8:]' FILE > profile.json"
            }
            Self::CriInspection => {
                "take its .info.runtimeSpec.linux.seccomp: jq .info.runtimeSpec.linux.seccomp FILE > profile.json"
            }
            Self::Yaml => {
                "no consumer reads YAML: write the profile as JSON: yq -o json . FILE > profile.json"
            }
        }
    }

    /// What JSON is, when it is no profile and something that is known.
    pub(super) fn json(value: &JsonValue) -> Option<Self> {
        if let JsonValue::List(items) = value {
            let first = items.first()?;
            return (has(first, "Id") && (has(first, "HostConfig") || has(first, "State")))
                .then_some(Self::Inspection);
        }
        if has(value, "defaultAction") {
            return None;
        }
        let text = |key| match at(value, key) {
            Some(JsonValue::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let profile = at(value, "linux").and_then(|linux| at(linux, "seccomp"));
        if has(value, "ociVersion") || profile.is_some() {
            return Some(Self::OciConfiguration { has_profile: profile.is_some() });
        }
        if has(value, "apiVersion") {
            return Some(match text("kind") {
                Some(kind) if kind == "SeccompProfile" => Self::SeccompProfile { yaml: false },
                kind => Self::Manifest { kind },
            });
        }
        if has(value, "version") && has(value, "cgroups") && has(value, "losses") {
            return Some(Self::Recording);
        }
        let of_cri = at(value, "info").is_some_and(|info| has(info, "runtimeSpec"));
        of_cri.then_some(Self::CriInspection)
    }

    /// What text that is not JSON is, when it is YAML: its first line of content begins with a key
    /// or an item.
    pub(super) fn yaml(text: &str) -> Option<Self> {
        let is_content = |line: &&str| {
            !line.trim().is_empty() && !line.starts_with(['#', '%']) && !line.starts_with("---")
        };
        let first = text.lines().find(is_content)?;
        if !first.starts_with("- ") && key(first).is_none() {
            return None;
        }
        let top = |wanted: &str| {
            let found = text.lines().filter_map(key).find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
        };
        let names_a_profile = text.lines().any(|line| {
            let line = line.trim_start();
            line.starts_with("securityContext:") || line.starts_with("seccompProfile:")
        });
        Some(match (top("apiVersion"), top("kind")) {
            (Some(_), Some(kind)) if kind == "SeccompProfile" => {
                Self::SeccompProfile { yaml: true }
            }
            (Some(_), kind) => Self::Manifest { kind },
            (None, _) if names_a_profile => Self::Manifest { kind: None },
            (None, _) => Self::Yaml,
        })
    }
}

/// A field of an object.
pub(super) fn at<'a>(value: &'a JsonValue, key: &str) -> Option<&'a JsonValue> {
    let JsonValue::Object(entries) = value else { return None };
    entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn has(value: &JsonValue, key: &str) -> bool {
    at(value, key).is_some()
}

/// The key and the value of a line of YAML that is not indented.
fn key(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "_-./".contains(char);
    let plain = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && name.chars().all(is_plain);
    (plain && (value.is_empty() || value.starts_with([' ', '\t', '\r'])))
        .then_some((name, value.trim()))
}
