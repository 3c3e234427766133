//! Reads a profile, strictly, and tells everything that is wrong with it at once.

use super::{
    ACTIONS, Action, Architectures, ErrorKind, Flag, JsonError, MAX_BYTES, MapEntry, OciProfile,
    ProfileError, ReadError, Remark, Rule, SeccompArch,
    fields::{Diagnostics, Fields, Node},
    form::FLAGS,
    json_value::JsonValue,
    mistaken::Mistaken,
    parse,
    remark::Oddity,
};
use crate::{encoding, profile::Errno, syscalls::errno};

const TOP: [&str; 8] = [
    "defaultAction",
    "defaultErrnoRet",
    "architectures",
    "archMap",
    "flags",
    "listenerPath",
    "listenerMetadata",
    "syscalls",
];

/// Reads a profile.
///
/// # Errors
/// The text is not JSON, or a field is wrong, or the consumers do not agree on what it means.
pub fn read(bytes: &[u8]) -> Result<OciProfile, ReadError> {
    diagnose(bytes)?.sound()
}

/// Everything that is found in a profile.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// What it says, but for what is wrong; None when not even the default action is there.
    pub profile: Option<OciProfile>,
    /// What is wrong.
    pub errors: Vec<ProfileError>,
    /// What is odd, and has a meaning all the same.
    pub remarks: Vec<Remark>,
}

impl Diagnosis {
    /// The profile, when nothing is wrong with it.
    fn sound(self) -> Result<OciProfile, ReadError> {
        match self.profile {
            Some(profile) if self.errors.is_empty() => {
                Ok(OciProfile { remarks: self.remarks, ..profile })
            }
            _ => Err(ReadError::Invalid(self.errors)),
        }
    }
}

/// Reads a profile, and tells what is wrong and what is odd in it, both.
///
/// # Errors
/// The text is not JSON, or the JSON is something else that is known.
pub fn diagnose(bytes: &[u8]) -> Result<Diagnosis, ReadError> {
    let value = value(bytes)?;
    match Mistaken::json(&value) {
        Some(mistaken) => Err(ReadError::Mistaken(mistaken)),
        None => Ok(diagnosis(&value, "")),
    }
}

/// Reads the JSON of a file.
pub(super) fn value(bytes: &[u8]) -> Result<JsonValue, ReadError> {
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    encoding::check(bytes).map_err(|error| ReadError::Encoding { error })?;
    parse(bytes).map_err(|error| not_json(bytes, error))
}

/// Reads the profile that a value is. `path` says where the value is in its file; empty for the
/// whole.
pub(super) fn profile(value: &JsonValue, path: &str) -> Result<OciProfile, ReadError> {
    diagnosis(value, path).sound()
}

fn diagnosis(value: &JsonValue, path: &str) -> Diagnosis {
    let mut diagnostics = Diagnostics::default();
    let profile = diagnostics.profile(&Node { path: path.to_owned(), value });
    Diagnosis { profile, errors: diagnostics.errors, remarks: diagnostics.remarks }
}

/// What text is that is not JSON.
fn not_json(bytes: &[u8], error: JsonError) -> ReadError {
    let text = str::from_utf8(bytes).unwrap_or_default();
    if let Some(mistaken) = Mistaken::yaml(text) {
        return ReadError::Mistaken(mistaken);
    }
    if error.truncated {
        return ReadError::Truncated { line: error.line, column: error.column };
    }
    comment(bytes, &error).unwrap_or(ReadError::Json(error))
}

/// The error is about a comment: it is where a value, a key or the end is expected.
fn comment(bytes: &[u8], error: &JsonError) -> Option<ReadError> {
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line.checked_sub(1)?)?;
    let begins = |at: usize| {
        let rest = line.get(at..).unwrap_or_default();
        rest.starts_with(b"//") || rest.starts_with(b"/*") || rest.starts_with(b"#")
    };
    let at = error.column.checked_sub(1)?;
    let found = begins(at).then_some(at)?;
    Some(ReadError::Comment { line: error.line, column: found + 1 })
}

impl Diagnostics {
    fn profile(&mut self, node: &Node<'_>) -> Option<OciProfile> {
        let fields = self.fields(node, &TOP, &["defaultErrno"])?;
        let default_action = self.default_action(&fields);
        let default_errno =
            self.errno(&fields, ["defaultErrnoRet", "defaultErrno"], default_action);
        let architectures = self.architectures(&fields);
        let flags = fields.get("flags").map(|node| self.flags(&node));
        let listener_path = fields.get("listenerPath").and_then(|node| self.owned_text(&node));
        let listener_metadata =
            fields.get("listenerMetadata").and_then(|node| self.owned_text(&node));
        if listener_metadata.is_some() && listener_path.is_none() {
            self.add("listenerMetadata", ErrorKind::MetadataWithoutPath);
        }
        let rules = fields.get("syscalls").map(|node| self.list(&node)).unwrap_or_default();
        let rules: Vec<Option<Rule>> = rules.iter().map(|node| self.rule(node)).collect();
        Some(OciProfile {
            default_action: default_action?,
            default_errno,
            architectures,
            flags,
            listener_path,
            listener_metadata,
            syscalls: rules.into_iter().flatten().collect(),
            remarks: Vec::new(),
        })
    }

    pub(super) fn owned_text(&mut self, node: &Node<'_>) -> Option<String> {
        self.text(node).map(str::to_owned)
    }

    fn default_action(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let Some(node) = fields.get("defaultAction") else {
            let consumers = "Docker loads no filter at all when there are no rules either, every other consumer refuses it";
            self.add("defaultAction", ErrorKind::Missing { right: "SCMP_ACT_ERRNO", consumers });
            return None;
        };
        let action = self.action(&node)?;
        if action == Action::Notify {
            self.add(node.path, ErrorKind::NotifyByDefault);
        }
        Some(action)
    }

    pub(super) fn action(&mut self, node: &Node<'_>) -> Option<Action> {
        let found = self.text(node)?;
        let known = ACTIONS.iter().find(|(token, _)| *token == found);
        if known.is_none() {
            self.add(node.path.clone(), ErrorKind::Action { found: found.to_owned() });
        }
        known.map(|(_, action)| *action)
    }

    /// The error number, by the field for numbers and by that for names, which some consumers
    /// prefer.
    pub(super) fn errno(
        &mut self,
        fields: &Fields<'_>,
        [key, name_key]: [&'static str; 2],
        action: Option<Action>,
    ) -> Option<u16> {
        let number = fields.get(key).and_then(|node| self.errno_number(&node, name_key, action));
        let Some(node) = fields.get(name_key) else { return number };
        let name = self.text(&node)?;
        // Go's readers do not tell an empty text from a missing one.
        if name.is_empty() {
            return number;
        }
        if let Some(action) = action.filter(|action| !action.has_number()) {
            self.add(node.path, ErrorKind::ErrnoOfAction { action: action.token() });
            return None;
        }
        let number_as_text = name.parse().ok().filter(|number| *number <= Errno::MAX);
        let Some(meant) = number_as_text.or_else(|| errno::number(name)) else {
            self.add(node.path, ErrorKind::ErrnoName { found: name.to_owned() });
            return None;
        };
        let name = name.to_owned();
        match number {
            Some(number) if number != meant => {
                let kind = ErrorKind::ErrnoContradicts { name, meant, field: key, number };
                self.add(node.path, kind);
            }
            Some(_) => self.remark(node.path, Oddity::ErrnoNamedAsWell),
            None if fields.get(key).is_some() => {}
            None => self.remark(node.path, Oddity::ErrnoNamedAlone { name, number: meant }),
        }
        Some(meant)
    }

    fn errno_number(
        &mut self,
        node: &Node<'_>,
        field: &'static str,
        action: Option<Action>,
    ) -> Option<u16> {
        if let JsonValue::Text(found) = node.value {
            self.add(node.path.clone(), ErrorKind::ErrnoText { found: found.clone(), field });
            return None;
        }
        let found = self.number(node)?;
        if let Some(action) = action.filter(|action| !action.has_number()) {
            self.add(node.path.clone(), ErrorKind::ErrnoOfAction { action: action.token() });
            return None;
        }
        let errno = u16::try_from(found).ok().filter(|errno| *errno <= Errno::MAX);
        if errno.is_none() {
            self.add(node.path.clone(), ErrorKind::ErrnoRange { found });
        }
        errno
    }

    fn architectures(&mut self, fields: &Fields<'_>) -> Architectures {
        let listed = fields.get("architectures").map(|node| self.listed(&node));
        let listed = listed.unwrap_or_default();
        let Some(node) = fields.get("archMap") else { return Architectures::Listed(listed) };
        let entries: Vec<_> = self.list(&node).iter().map(|node| self.map_entry(node)).collect();
        let entries: Vec<MapEntry> = entries.into_iter().flatten().collect();
        if entries.is_empty() {
            return Architectures::Listed(listed);
        }
        if !listed.is_empty() {
            self.add(node.path, ErrorKind::BothArchitectures);
        }
        Architectures::Map(entries)
    }

    fn map_entry(&mut self, node: &Node<'_>) -> Option<MapEntry> {
        let fields = self.fields(node, &["architecture", "subArchitectures"], &[])?;
        let others = fields.get("subArchitectures").map(|node| self.listed(&node));
        let Some(architecture) = fields.get("architecture") else {
            let consumers = "Docker, Podman and CRI-O ignore the entry without";
            let missing = ErrorKind::Missing { right: "SCMP_ARCH_X86_64", consumers };
            self.add(fields.path("architecture"), missing);
            return None;
        };
        let architecture = self.architecture(&architecture)?;
        Some(MapEntry { architecture, others: others.unwrap_or_default() })
    }

    fn listed(&mut self, node: &Node<'_>) -> Vec<SeccompArch> {
        let items = self.list(node);
        items.iter().filter_map(|item| self.architecture(item)).collect()
    }

    fn architecture(&mut self, node: &Node<'_>) -> Option<SeccompArch> {
        let found = self.text(node)?;
        let listed = SeccompArch::from_token(found);
        if listed.is_none() {
            let (right, consumers) = match found.to_ascii_lowercase().as_str() {
                "x86_64" => ("SCMP_ARCH_X86_64", "crun alone accepts it"),
                "x86" => ("SCMP_ARCH_X86", "crun alone accepts it"),
                "x32" => ("SCMP_ARCH_X32", "crun alone accepts it"),
                "amd64" => {
                    ("SCMP_ARCH_X86_64", "no runtime accepts it; it has a meaning in `arches` only")
                }
                "i386" | "i486" | "i586" | "i686" | "386" => {
                    ("SCMP_ARCH_X86", "no runtime accepts it")
                }
                "scmp_arch_native" => (
                    "SCMP_ARCH_X86_64",
                    "the library knows it, runc and crun refuse it; the native one is always meant as well",
                ),
                _ => ("SCMP_ARCH_X86_64, SCMP_ARCH_X86 or SCMP_ARCH_X32", "no runtime accepts it"),
            };
            let found = found.to_owned();
            self.add(node.path.clone(), ErrorKind::Architecture { found, right, consumers });
        }
        listed
    }

    fn flags(&mut self, node: &Node<'_>) -> Vec<Flag> {
        let items = self.list(node);
        items.iter().filter_map(|item| self.flag(item)).collect()
    }

    fn flag(&mut self, node: &Node<'_>) -> Option<Flag> {
        let found = self.text(node)?;
        let known = FLAGS.iter().find(|(token, _)| *token == found);
        if known.is_none() {
            self.add(node.path.clone(), ErrorKind::Flag { found: found.to_owned() });
        }
        known.map(|(_, flag)| *flag)
    }
}
