//! Profiles within files of other tools.

use super::{
    OciProfile, ReadError,
    json_value::JsonValue,
    mistaken::{Mistaken, at},
    read::{self, read},
    yaml,
};

/// Keys of a `SeccompProfile`'s `spec` that are the operator's, and no part of the profile.
const OF_THE_OPERATOR: [&str; 2] = ["baseProfileName", "disabled"];

/// A profile, and where it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// The profile.
    pub profile: OciProfile,
    /// The field of the file that holds it; None when it is the file.
    pub field: Option<&'static str>,
    /// The other profile that this one is added to (`baseProfileName`), which is not in the file.
    pub base: Option<String>,
}

/// Reads a profile, or the one within a file of another kind: an OCI `config.json`, a
/// `SeccompProfile` of the Security Profiles Operator, what `docker inspect`, `podman inspect` or
/// `crictl inspect` print.
///
/// # Errors
/// As [`read()`]; [`ReadError::Mistaken`] when the file holds no profile.
pub fn read_embedded(bytes: &[u8]) -> Result<Embedded, ReadError> {
    let file = match read::value(bytes) {
        Err(ReadError::Mistaken(Mistaken::SeccompProfile { yaml: true })) => resource(bytes)?,
        other => other?,
    };
    let Some(mistaken) = Mistaken::json(&file) else {
        return Ok(Embedded { profile: read::profile(&file, "")?, field: None, base: None });
    };
    let (field, path): (&str, &[&str]) = match &mistaken {
        Mistaken::OciConfiguration { .. } => (".linux.seccomp", &["linux", "seccomp"]),
        Mistaken::SeccompProfile { .. } => (".spec", &["spec"]),
        Mistaken::CriInspection => {
            (".info.runtimeSpec.linux.seccomp", &["info", "runtimeSpec", "linux", "seccomp"])
        }
        Mistaken::Inspection => {
            let text = inspected(&file).ok_or(ReadError::Mistaken(mistaken))?;
            let field = Some(".[0].HostConfig.SecurityOpt");
            return Ok(Embedded { profile: read(text.as_bytes())?, field, base: None });
        }
        _ => return Err(ReadError::Mistaken(mistaken)),
    };
    let found = path.iter().try_fold(&file, |value, key| at(value, key));
    let Some(found) = found.filter(|found| **found != JsonValue::Null) else {
        return Err(ReadError::Mistaken(mistaken));
    };
    let base = match at(found, "baseProfileName") {
        Some(JsonValue::Text(name)) if !name.is_empty() => Some(name.clone()),
        _ => None,
    };
    let found = without(found, &OF_THE_OPERATOR);
    let profile = read::profile(&found, field.trim_start_matches('.'))?;
    Ok(Embedded { profile, field: Some(field), base })
}

/// The first `SeccompProfile` among the documents of a YAML text.
fn resource(bytes: &[u8]) -> Result<JsonValue, ReadError> {
    let text = str::from_utf8(bytes).unwrap_or_default();
    let documents = yaml::documents(text).map_err(ReadError::Yaml)?;
    let is_one = |value: &JsonValue| {
        at(value, "kind") == Some(&JsonValue::Text("SeccompProfile".to_owned()))
    };
    let yaml = Mistaken::SeccompProfile { yaml: true };
    documents.into_iter().find(is_one).ok_or(ReadError::Mistaken(yaml))
}

/// The text of the profile among the security options of a container.
fn inspected(value: &JsonValue) -> Option<&str> {
    let JsonValue::List(items) = value else { return None };
    let options = at(at(items.first()?, "HostConfig")?, "SecurityOpt")?;
    let JsonValue::List(options) = options else { return None };
    options.iter().find_map(security_option).filter(|text| text.trim_start().starts_with('{'))
}

/// The part of a security option behind `seccomp=`.
fn security_option(option: &JsonValue) -> Option<&str> {
    let JsonValue::Text(text) = option else { return None };
    text.strip_prefix("seccomp=").or(text.strip_prefix("seccomp:"))
}

fn without(value: &JsonValue, keys: &[&str]) -> JsonValue {
    let JsonValue::Object(entries) = value else { return value.clone() };
    let kept = entries.iter().filter(|(key, _)| !keys.contains(&key.as_str()));
    JsonValue::Object(kept.cloned().collect())
}
