//! Writes a profile: one form that every consumer reads as it is.
//!
//! Where Docker, Podman, containerd, CRI-O, runc and crun differ, what one of them ignores or refuses is left out: no
//! `archMap`, no conditions, no `flags`, no `errnoRet` on rules that allow, and `defaultErrnoRet` only when the default
//! action returns an error number.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::profile::{Architecture, DefaultAction, Errno, Profile};

/// The file. The order of the fields is the order of the keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    default_action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_errno_ret: Option<u16>,
    architectures: Vec<&'static str>,
    syscalls: Vec<Rule<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    names: Vec<&'a str>,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<u16>,
}

/// Writes a profile: the same bytes for the same profile, a newline at the end.
pub fn write(profile: &Profile) -> String {
    let file = File {
        default_action: action(profile.default_action),
        default_errno_ret: match profile.default_action {
            DefaultAction::Errno(errno) => Some(errno.get()),
            _ => None,
        },
        architectures: profile.architectures.iter().copied().map(Architecture::token).collect(),
        syscalls: rules(profile),
    };
    let mut text = serde_json::to_string_pretty(&file).expect("text and numbers have a JSON form");
    text.push('\n');
    text
}

/// What is allowed, then what is answered: a rule for each error number.
fn rules(profile: &Profile) -> Vec<Rule<'_>> {
    let allowing = Rule {
        names: profile.allowed.keys().map(String::as_str).collect(),
        action: "SCMP_ACT_ALLOW",
        errno_ret: None,
    };
    let mut answers: BTreeMap<Errno, Vec<&str>> = BTreeMap::new();
    for (name, answer) in &profile.answered {
        answers.entry(answer.errno).or_default().push(name);
    }
    let answering = answers.into_iter().map(|(errno, names)| Rule {
        names,
        action: "SCMP_ACT_ERRNO",
        errno_ret: Some(errno.get()),
    });
    [allowing].into_iter().chain(answering).collect()
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
            architectures: BTreeSet::from([Architecture::X32, Architecture::X86_64]),
            allowed: BTreeMap::from([("write".into(), reasons.clone()), ("read".into(), reasons)]),
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
