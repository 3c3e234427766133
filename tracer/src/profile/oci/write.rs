//! Writes a profile: one form that every consumer reads as it is.
//!
//! Where Docker, Podman, containerd, CRI-O, runc and crun differ, what one of them ignores or
//! refuses is left out: no `archMap`, no `flags`, no `errnoRet` on rules that allow, and
//! `defaultErrnoRet` only when the default action returns an error number. A rule has one condition
//! at most, and stands on a line of its own then.

use std::collections::BTreeMap;

use serde::Serialize;

use super::form::Condition;
use crate::{
    profile::{DefaultAction, Errno, Profile},
    syscalls::Abi,
};

/// The file, but for its rules. The order of the fields is the order of the keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    default_action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_errno_ret: Option<u16>,
    architectures: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRule<'a> {
    names: Vec<&'a str>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<[Argument; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u8,
    value: u64,
    value_two: u64,
    op: &'static str,
}

impl From<Condition> for Argument {
    fn from(condition: Condition) -> Self {
        let Condition { index, value, value_two, operator } = condition;
        Self { index, value, value_two, op: operator.token() }
    }
}

/// Writes a profile: the same bytes for the same profile, a newline at the end.
pub fn write(profile: &Profile) -> String {
    let head = Head {
        default_action: action(profile.default_action),
        default_errno_ret: match profile.default_action {
            DefaultAction::Errno(errno) => Some(errno.get()),
            _ => None,
        },
        architectures: profile.architectures.iter().copied().map(Abi::seccomp_arch).collect(),
    };
    let head = lines(&head, true);
    let head = head.strip_suffix("\n}").expect("an object ends in a brace");
    let rules: Vec<String> = rules(profile).iter().map(WrittenRule::text).collect();
    format!("{head},\n  \"syscalls\": [\n{}\n  ]\n}}\n", rules.join(",\n"))
}

fn lines(value: &impl Serialize, many: bool) -> String {
    let text = if many { serde_json::to_string_pretty } else { serde_json::to_string };
    text(value).expect("text and numbers have a JSON form")
}

impl WrittenRule<'_> {
    /// As it stands in the list: a condition makes many rules, each on one line.
    fn text(&self) -> String {
        let text = lines(self, self.args.is_none());
        let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
        lines.join("\n")
    }
}

/// What is allowed: first with all arguments, then a rule for each value; then what is answered:
/// single values, and a rule for each error number.
fn rules(profile: &Profile) -> Vec<WrittenRule<'_>> {
    const ALLOW: &str = "SCMP_ACT_ALLOW";
    let names = profile.allowed.keys().filter(|name| !profile.limited.contains_key(*name));
    let names = names.map(String::as_str).collect();
    let allowing = WrittenRule { names, action: ALLOW, errno_ret: None, args: None };
    let limited = profile.limited.iter().flat_map(|(name, limit)| {
        limit.values.keys().map(|value| WrittenRule {
            names: vec![name],
            action: ALLOW,
            errno_ret: None,
            args: Some([limit.condition(*value).into()]),
        })
    });
    let mut answers: BTreeMap<Errno, Vec<&str>> = BTreeMap::new();
    for (name, answer) in &profile.answered {
        answers.entry(answer.errno).or_default().push(name);
    }
    let answering = answers.into_iter().map(|(errno, names)| WrittenRule {
        names,
        action: "SCMP_ACT_ERRNO",
        errno_ret: Some(errno.get()),
        args: None,
    });
    let refused = profile.limited.iter().flat_map(|(name, limit)| {
        limit.answered.iter().map(|(value, errno)| WrittenRule {
            names: vec![name],
            action: "SCMP_ACT_ERRNO",
            errno_ret: Some(errno.get()),
            args: Some([limit.condition(*value).into()]),
        })
    });
    [allowing].into_iter().chain(limited).chain(refused).chain(answering).collect()
}

fn action(action: DefaultAction) -> &'static str {
    match action {
        DefaultAction::Errno(_) => "SCMP_ACT_ERRNO",
        DefaultAction::Log => "SCMP_ACT_LOG",
        DefaultAction::KillProcess => "SCMP_ACT_KILL_PROCESS",
        DefaultAction::KillThread => "SCMP_ACT_KILL_THREAD",
        DefaultAction::Trap => "SCMP_ACT_TRAP",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::profile::{Errno, Reason};

    fn profile(default_action: DefaultAction) -> Profile {
        let reasons = BTreeSet::from([Reason::Included]);
        Profile {
            default_action,
            architectures: BTreeSet::from([Abi::X32, Abi::X86_64]),
            allowed: BTreeMap::from([("write".into(), reasons.clone()), ("read".into(), reasons)]),
            limited: BTreeMap::new(),
            answered: BTreeMap::new(),
        }
    }

    #[test]
    fn the_form_is_exact() {
        let expected = r#"{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 38,
  "architectures": [
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32"
  ],
  "syscalls": [
    {
      "names": [
        "read",
        "write"
      ],
      "action": "SCMP_ACT_ALLOW"
    }
  ]
}
"#;
        assert_eq!(write(&profile(DefaultAction::default())), expected);
    }

    #[test]
    fn only_an_error_number_is_written_as_one() {
        let eperm = write(&profile(DefaultAction::Errno(Errno::EPERM)));
        assert!(eperm.contains("\"defaultErrnoRet\": 1,"), "{eperm}");
        let others = [
            (DefaultAction::Log, "SCMP_ACT_LOG"),
            (DefaultAction::KillProcess, "SCMP_ACT_KILL_PROCESS"),
            (DefaultAction::KillThread, "SCMP_ACT_KILL_THREAD"),
            (DefaultAction::Trap, "SCMP_ACT_TRAP"),
        ];
        for (default_action, token) in others {
            let text = write(&profile(default_action));
            assert!(text.contains(&format!("\"defaultAction\": \"{token}\",")), "{text}");
            assert!(!text.to_lowercase().contains("errno"), "{text}");
        }
    }
}
