//! Reads a profile, strictly, and tells everything that is wrong with it at once.

use std::{collections::BTreeMap, fmt};

use super::{
    ACTIONS, Action, Architectures, Condition, Constraint, Fault, Flag, JsonError, Listed,
    MapEntry, OPERATORS, OciProfile, Operator, Problem, Rule,
    fields::{Fields, Notes, Place},
    form::FLAGS,
    parse,
    tree::Tree,
};
use crate::profile::{Errno, capability::Capability};

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
const RULE: [&str; 7] = ["names", "action", "errnoRet", "args", "comment", "includes", "excludes"];
const CONDITION: [&str; 4] = ["index", "value", "valueTwo", "op"];
const CONSTRAINT: [&str; 3] = ["caps", "arches", "minKernel"];
const NOBODY: &str = "no runtime accepts a profile without";

/// Why a profile cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The text has comments, which JSON has not.
    #[error(
        "line {line}, column {column}: JSON has no comments; remove them; Docker, Podman, containerd, CRI-O and runc refuse them, some versions of crun skip them"
    )]
    Comment {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// Fields are wrong.
    #[error("{}", Lines(.0))]
    Problems(Vec<Problem>),
}

/// How many equal faults are shown each with its place.
const SHOWN: usize = 3;

/// Problems, each on a line of its own when there are several; of equal ones the first few and a count.
struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0 {
            return only.fmt(formatter);
        }
        write!(formatter, "{} faults", self.0.len())?;
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for problem in self.0 {
            let count = told.entry(problem.fault.to_string()).or_default();
            *count += 1;
            if *count <= SHOWN {
                write!(formatter, "\n  {problem}")?;
            }
        }
        let more = told.iter().filter(|(_, count)| **count > SHOWN);
        for (fault, count) in more {
            write!(formatter, "\n  {} more: {fault}", count - SHOWN)?;
        }
        Ok(())
    }
}

/// Reads a profile.
///
/// # Errors
/// The text is not JSON, or a field is wrong, or one of the consumers would refuse it or ignore it.
pub fn read(bytes: &[u8]) -> Result<OciProfile, ReadError> {
    let tree: Tree =
        parse(bytes).map_err(|error| comment(bytes, &error).unwrap_or(error.into()))?;
    let mut notes = Notes::default();
    let profile = notes.profile(&Place { path: String::new(), tree: &tree });
    match profile {
        Some(profile) if notes.problems.is_empty() => Ok(profile),
        _ => Err(ReadError::Problems(notes.problems)),
    }
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
        if fields.get("defaultErrno").is_some() {
            self.add("defaultErrno", Fault::ErrnoName { right: "defaultErrnoRet" });
        }
        let default_action = self.default_action(&fields);
        let default_errno = self.errno(&fields, "defaultErrnoRet", default_action);
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
        })
    }

    fn owned_text(&mut self, place: &Place<'_>) -> Option<String> {
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

    fn action(&mut self, place: &Place<'_>) -> Option<Action> {
        let found = self.text(place)?;
        let known = ACTIONS.iter().find(|(token, _)| *token == found);
        if known.is_none() {
            self.add(place.path.clone(), Fault::Action { found: found.to_owned() });
        }
        known.map(|(_, action)| *action)
    }

    fn errno(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        action: Option<Action>,
    ) -> Option<u16> {
        let place = fields.get(key)?;
        if let Tree::Text(_) = place.tree {
            self.add(place.path, Fault::ErrnoName { right: key });
            return None;
        }
        let found = self.number(&place)?;
        if let Some(action) = action.filter(|action| !action.has_number()) {
            self.add(place.path, Fault::ErrnoOfAction { action: action.token() });
            return None;
        }
        let errno = u16::try_from(found).ok().filter(|errno| *errno <= Errno::MAX);
        if errno.is_none() {
            self.add(place.path, Fault::ErrnoRange { found });
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

    fn rule(&mut self, place: &Place<'_>) -> Option<Rule> {
        let fields = self.fields(place, &RULE, &["name", "errno"])?;
        if fields.get("errno").is_some() {
            self.add(fields.path("errno"), Fault::ErrnoName { right: "errnoRet" });
        }
        let names = self.names(&fields);
        let action = self.required(&fields, "action", "\"action\": \"SCMP_ACT_ALLOW\"", NOBODY);
        let action = action.and_then(|place| self.action(&place));
        let errno = self.errno(&fields, "errnoRet", action);
        let conditions = fields.get("args").map(|place| self.list(&place)).unwrap_or_default();
        let conditions: Vec<_> = conditions.iter().map(|place| self.condition(place)).collect();
        let mut constraint =
            |key| fields.get(key).map(|place| self.constraint(&place)).unwrap_or_default();
        let (includes, excludes) = (constraint("includes"), constraint("excludes"));
        let comment = fields.get("comment").and_then(|place| self.owned_text(&place));
        Some(Rule {
            names,
            action: action?,
            errno,
            conditions: conditions.into_iter().flatten().collect(),
            includes,
            excludes,
            comment,
        })
    }

    fn names(&mut self, fields: &Fields<'_>) -> Vec<String> {
        let old = fields.get("name");
        if let Some(place) = &old {
            let name = self.text(place).unwrap_or("read").to_owned();
            self.add(place.path.clone(), Fault::Name { name });
        }
        let Some(place) = fields.get("names") else {
            if old.is_none() {
                let consumers =
                    "containerd and runc take the rule for an empty one, silently, crun refuses it";
                let right = "\"names\": [\"read\"]";
                self.add(fields.path("names"), Fault::Missing { right, consumers });
            }
            return Vec::new();
        };
        let before = self.problems.len();
        let items = self.list(&place);
        if items.is_empty() && self.problems.len() == before {
            self.add(place.path, Fault::NoNames);
        }
        items.iter().filter_map(|item| self.name(item)).collect()
    }

    fn name(&mut self, place: &Place<'_>) -> Option<String> {
        let name = self.owned_text(place)?;
        if name.is_empty() {
            self.add(place.path.clone(), Fault::EmptyName);
        }
        Some(name)
    }

    fn required<'a>(
        &mut self,
        fields: &Fields<'a>,
        key: &str,
        right: &'static str,
        consumers: &'static str,
    ) -> Option<Place<'a>> {
        let place = fields.get(key);
        if place.is_none() {
            self.add(fields.path(key), Fault::Missing { right, consumers });
        }
        place
    }

    fn condition(&mut self, place: &Place<'_>) -> Option<Condition> {
        const ZERO: &str = "crun refuses it, the others read 0";
        let fields = self.fields(place, &CONDITION, &[])?;
        let index = self.required(&fields, "index", "\"index\": 0", ZERO);
        let index = index.and_then(|place| self.index(&place));
        let value = self.required(&fields, "value", "\"value\": 0", ZERO);
        let value = value.and_then(|place| self.number(&place));
        let value_two = fields.get("valueTwo").map_or(Some(0), |place| self.number(&place));
        let operator = self.required(&fields, "op", "\"op\": \"SCMP_CMP_EQ\"", NOBODY);
        let operator = operator.and_then(|place| self.operator(&place));
        Some(Condition { index: index?, value: value?, value_two: value_two?, operator: operator? })
    }

    fn index(&mut self, place: &Place<'_>) -> Option<u8> {
        let found = self.number(place)?;
        let index = u8::try_from(found).ok().filter(|index| *index < 6);
        if index.is_none() {
            self.add(place.path.clone(), Fault::ArgumentIndex { found });
        }
        index
    }

    fn operator(&mut self, place: &Place<'_>) -> Option<Operator> {
        let found = self.text(place)?;
        let known = OPERATORS.iter().find(|(token, _)| *token == found);
        if known.is_none() {
            self.add(place.path.clone(), Fault::Operator { found: found.to_owned() });
        }
        known.map(|(_, operator)| *operator)
    }

    fn constraint(&mut self, place: &Place<'_>) -> Constraint {
        let Some(fields) = self.fields(place, &CONSTRAINT, &[]) else {
            return Constraint::default();
        };
        let caps = fields.get("caps").map(|place| self.list(&place)).unwrap_or_default();
        let arches = fields.get("arches").map(|place| self.list(&place)).unwrap_or_default();
        Constraint {
            capabilities: caps.iter().filter_map(|place| self.capability(place)).collect(),
            architectures: arches.iter().filter_map(|place| self.go_architecture(place)).collect(),
            min_kernel: fields.get("minKernel").and_then(|place| self.min_kernel(&place)),
        }
    }

    fn capability(&mut self, place: &Place<'_>) -> Option<Capability> {
        let found = self.text(place)?;
        let known = Capability::from_name(found);
        if known.is_none() {
            self.add(place.path.clone(), Fault::Capability { found: found.to_owned() });
        }
        known
    }

    fn go_architecture(&mut self, place: &Place<'_>) -> Option<String> {
        let found = self.text(place)?;
        if found.starts_with("SCMP_ARCH_") || matches!(found, "x86_64" | "i386" | "aarch64") {
            self.add(place.path.clone(), Fault::GoArchitecture { found: found.to_owned() });
            return None;
        }
        Some(found.to_owned())
    }

    fn min_kernel(&mut self, place: &Place<'_>) -> Option<(u32, u32)> {
        let found = self.text(place)?;
        let numbers = found.split_once('.');
        let numbers = numbers.and_then(|(one, two)| Some((one.parse().ok()?, two.parse().ok()?)));
        if numbers.is_none() {
            self.add(place.path.clone(), Fault::MinKernel { found: found.to_owned() });
        }
        numbers
    }
}
