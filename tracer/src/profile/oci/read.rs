//! Reads a profile, strictly, and tells everything that is wrong with it at once.

use super::{
    ACTIONS, Action, Architectures, Fault, Flag, JsonError, Listed, MAX_BYTES, MapEntry,
    OciProfile, ReadError, Rule,
    fields::{Fields, Notes, Place},
    form::FLAGS,
    mistaken::Mistaken,
    parse,
    remark::Oddity,
    tree::Tree,
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
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    encoding::check(bytes).map_err(|error| ReadError::Encoding { error })?;
    let tree: Tree = parse(bytes).map_err(|error| not_json(bytes, error))?;
    if let Some(mistaken) = Mistaken::json(&tree) {
        return Err(ReadError::Mistaken(mistaken));
    }
    let mut notes = Notes::default();
    let profile = notes.profile(&Place { path: String::new(), tree: &tree });
    match profile {
        Some(profile) if notes.problems.is_empty() => {
            Ok(OciProfile { remarks: notes.remarks, ..profile })
        }
        _ => Err(ReadError::Problems(notes.problems)),
    }
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

impl Notes {
    fn profile(&mut self, place: &Place<'_>) -> Option<OciProfile> {
        let fields = self.fields(place, &TOP, &["defaultErrno"])?;
        let default_action = self.default_action(&fields);
        let default_errno =
            self.errno(&fields, ["defaultErrnoRet", "defaultErrno"], default_action);
        let architectures = self.architectures(&fields);
        let flags = fields.get("flags").map(|place| self.flags(&place));
        let listener_path = fields.get("listenerPath").and_then(|place| self.owned_text(&place));
        let listener_metadata =
            fields.get("listenerMetadata").and_then(|place| self.owned_text(&place));
        if listener_metadata.is_some() && listener_path.is_none() {
            self.add("listenerMetadata", Fault::MetadataWithoutPath);
        }
        let rules = fields.get("syscalls").map(|place| self.list(&place)).unwrap_or_default();
        let rules: Vec<Option<Rule>> = rules.iter().map(|place| self.rule(place)).collect();
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

    pub(super) fn owned_text(&mut self, place: &Place<'_>) -> Option<String> {
        self.text(place).map(str::to_owned)
    }

    fn default_action(&mut self, fields: &Fields<'_>) -> Option<Action> {
        let Some(place) = fields.get("defaultAction") else {
            let consumers = "Docker loads no filter at all when there are no rules either, every other consumer refuses it";
            self.add("defaultAction", Fault::Missing { right: "SCMP_ACT_ERRNO", consumers });
            return None;
        };
        let action = self.action(&place)?;
        if action == Action::Notify {
            self.add(place.path, Fault::NotifyByDefault);
        }
        Some(action)
    }

    pub(super) fn action(&mut self, place: &Place<'_>) -> Option<Action> {
        let found = self.text(place)?;
        let known = ACTIONS.iter().find(|(token, _)| *token == found);
        if known.is_none() {
            self.add(place.path.clone(), Fault::Action { found: found.to_owned() });
        }
        known.map(|(_, action)| *action)
    }

    /// The error number, by the field for numbers and by that for names, which some consumers prefer.
    pub(super) fn errno(
        &mut self,
        fields: &Fields<'_>,
        [key, name_key]: [&'static str; 2],
        action: Option<Action>,
    ) -> Option<u16> {
        let number = fields.get(key).and_then(|place| self.errno_number(&place, name_key, action));
        let Some(place) = fields.get(name_key) else { return number };
        let name = self.text(&place)?;
        // Go's readers do not tell an empty text from a missing one.
        if name.is_empty() {
            return number;
        }
        if let Some(action) = action.filter(|action| !action.has_number()) {
            self.add(place.path, Fault::ErrnoOfAction { action: action.token() });
            return None;
        }
        let number_as_text = name.parse().ok().filter(|number| *number <= Errno::MAX);
        let Some(meant) = number_as_text.or_else(|| errno::number(name)) else {
            self.add(place.path, Fault::ErrnoName { found: name.to_owned() });
            return None;
        };
        let name = name.to_owned();
        match number {
            Some(number) if number != meant => {
                let fault = Fault::ErrnoContradicts { name, meant, field: key, number };
                self.add(place.path, fault);
            }
            Some(_) => self.remark(place.path, Oddity::ErrnoNamedAsWell),
            None if fields.get(key).is_some() => {}
            None => self.remark(place.path, Oddity::ErrnoNamedAlone { name, number: meant }),
        }
        Some(meant)
    }

    fn errno_number(
        &mut self,
        place: &Place<'_>,
        field: &'static str,
        action: Option<Action>,
    ) -> Option<u16> {
        if let Tree::Text(found) = place.tree {
            self.add(place.path.clone(), Fault::ErrnoText { found: found.clone(), field });
            return None;
        }
        let found = self.number(place)?;
        if let Some(action) = action.filter(|action| !action.has_number()) {
            self.add(place.path.clone(), Fault::ErrnoOfAction { action: action.token() });
            return None;
        }
        let errno = u16::try_from(found).ok().filter(|errno| *errno <= Errno::MAX);
        if errno.is_none() {
            self.add(place.path.clone(), Fault::ErrnoRange { found });
        }
        errno
    }

    fn architectures(&mut self, fields: &Fields<'_>) -> Architectures {
        let listed = fields.get("architectures").map(|place| self.listed(&place));
        let listed = listed.unwrap_or_default();
        let Some(place) = fields.get("archMap") else { return Architectures::Listed(listed) };
        let entries: Vec<_> = self.list(&place).iter().map(|place| self.map_entry(place)).collect();
        let entries: Vec<MapEntry> = entries.into_iter().flatten().collect();
        if entries.is_empty() {
            return Architectures::Listed(listed);
        }
        if !listed.is_empty() {
            self.add(place.path, Fault::BothArchitectures);
        }
        Architectures::Map(entries)
    }

    fn map_entry(&mut self, place: &Place<'_>) -> Option<MapEntry> {
        let fields = self.fields(place, &["architecture", "subArchitectures"], &[])?;
        let others = fields.get("subArchitectures").map(|place| self.listed(&place));
        let Some(architecture) = fields.get("architecture") else {
            let consumers = "Docker, Podman and CRI-O ignore the entry without";
            let missing = Fault::Missing { right: "SCMP_ARCH_X86_64", consumers };
            self.add(fields.path("architecture"), missing);
            return None;
        };
        let architecture = self.architecture(&architecture)?;
        Some(MapEntry { architecture, others: others.unwrap_or_default() })
    }

    fn listed(&mut self, place: &Place<'_>) -> Vec<Listed> {
        let items = self.list(place);
        items.iter().filter_map(|item| self.architecture(item)).collect()
    }

    fn architecture(&mut self, place: &Place<'_>) -> Option<Listed> {
        let found = self.text(place)?;
        let listed = Listed::from_token(found);
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
            self.add(place.path.clone(), Fault::Architecture { found, right, consumers });
        }
        listed
    }

    fn flags(&mut self, place: &Place<'_>) -> Vec<Flag> {
        let items = self.list(place);
        items.iter().filter_map(|item| self.flag(item)).collect()
    }

    fn flag(&mut self, place: &Place<'_>) -> Option<Flag> {
        let found = self.text(place)?;
        let known = FLAGS.iter().find(|(token, _)| *token == found);
        if known.is_none() {
            self.add(place.path.clone(), Fault::Flag { found: found.to_owned() });
        }
        known.map(|(_, flag)| *flag)
    }
}
