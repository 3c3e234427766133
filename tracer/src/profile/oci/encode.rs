//! Writes a profile that was read, in the words of those who shall read it next.

use serde::Serialize;

use super::form::{Action, Architectures, Condition, Constraint, MapEntry, OciProfile, Rule};
use crate::{profile::capability::Capability, syscalls::errno};

/// Whose words are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The runtime specification's: rules without conditions on the machine, and no comments.
    Oci,
    /// Docker's, which has both.
    Docker,
    /// Podman's and CRI-O's (`containers/common`): Docker's without `minKernel`, and error numbers
    /// by name as well.
    Podman,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    default_action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_errno_ret: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_errno: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    architectures: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arch_map: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener_metadata: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    architecture: &'static str,
    sub_architectures: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleText<'a> {
    names: &'a [String],
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Argument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    includes: Option<Limits<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excludes: Option<Limits<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u8,
    value: u64,
    value_two: u64,
    op: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caps: Vec<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    arches: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    min_kernel: Option<String>,
}

/// Writes a profile, a newline at the end.
///
/// In [`Dialect::Oci`] the conditions on the machine and the comments are left out: whoever calls
/// this has decided them.
pub fn encode(profile: &OciProfile, dialect: Dialect) -> String {
    let head = lines(&head(profile, dialect), true);
    let head = head.strip_suffix("\n}").unwrap_or(&head);
    let rules: Vec<String> =
        profile.syscalls.iter().map(|rule| text(&rule_text(rule, dialect))).collect();
    match rules.as_slice() {
        [] => format!("{head}\n}}\n"),
        rules => format!("{head},\n  \"syscalls\": [\n{}\n  ]\n}}\n", rules.join(",\n")),
    }
}

fn head(profile: &OciProfile, dialect: Dialect) -> Head<'_> {
    let (architectures, arch_map) = match &profile.architectures {
        Architectures::Listed(listed) => (listed.iter().map(|arch| arch.token()).collect(), vec![]),
        Architectures::Map(entries) => (Vec::new(), entries.iter().map(Entry::from).collect()),
    };
    let default_errno_ret = profile.default_errno.filter(|_| profile.default_action.has_number());
    Head {
        default_action: profile.default_action.token(),
        default_errno_ret,
        default_errno: name_of(default_errno_ret, profile.default_action, dialect),
        architectures,
        arch_map,
        flags: profile.flags.as_ref().map(|flags| flags.iter().map(|it| it.token()).collect()),
        listener_path: profile.listener_path.as_deref(),
        listener_metadata: profile.listener_metadata.as_deref(),
    }
}

fn rule_text(rule: &Rule, dialect: Dialect) -> RuleText<'_> {
    let for_engines = dialect != Dialect::Oci;
    let errno_ret = rule.errno.filter(|_| rule.action.has_number());
    RuleText {
        names: &rule.names,
        action: rule.action.token(),
        errno_ret,
        errno: name_of(errno_ret, rule.action, dialect),
        args: rule.conditions.iter().map(Argument::from).collect(),
        comment: rule.comment.as_deref().filter(|_| for_engines),
        includes: limits(&rule.includes, dialect),
        excludes: limits(&rule.excludes, dialect),
    }
}

/// The name of an error number, for those who read names.
fn name_of(number: Option<u16>, action: Action, dialect: Dialect) -> Option<&'static str> {
    // What a tracer receives is a number of another kind.
    let is_errno = dialect == Dialect::Podman && action == Action::Errno;
    number.filter(|_| is_errno).and_then(errno::name)
}

fn limits(constraint: &Constraint, dialect: Dialect) -> Option<Limits<'_>> {
    let empty = *constraint == Constraint::default();
    (dialect != Dialect::Oci && !empty).then(|| Limits {
        caps: constraint.capabilities.iter().map(Capability::to_string).collect(),
        arches: &constraint.architectures,
        min_kernel: constraint
            .min_kernel
            .filter(|_| dialect == Dialect::Docker)
            .map(|(major, minor)| format!("{major}.{minor}")),
    })
}

/// A rule as it stands in the list: on one line when it is about few names and has conditions.
fn text(rule: &RuleText<'_>) -> String {
    let is_short = rule.names.len() == 1 && !rule.args.is_empty();
    let text = lines(rule, !is_short);
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

fn lines(value: &impl Serialize, many: bool) -> String {
    let text = if many { serde_json::to_string_pretty } else { serde_json::to_string };
    text(value).expect("text and numbers have a JSON form")
}

impl From<&MapEntry> for Entry {
    fn from(entry: &MapEntry) -> Self {
        Self {
            architecture: entry.architecture.token(),
            sub_architectures: entry.others.iter().map(|arch| arch.token()).collect(),
        }
    }
}

impl From<&Condition> for Argument {
    fn from(condition: &Condition) -> Self {
        let Condition { index, value, value_two, operator } = *condition;
        Self { index, value, value_two, op: operator.token() }
    }
}
