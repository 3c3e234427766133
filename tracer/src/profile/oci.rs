//! The OCI form of a profile (`linux.seccomp` in the runtime specification's `config-linux.md`), as JSON.
//!
//! One form that Docker, Podman, containerd, CRI-O, runc and crun all read as it is. Where they differ, what one of them
//! ignores or refuses is left out: no `archMap`, no conditions, no `flags`, no `errnoRet` on rules that allow, and
//! `defaultErrnoRet` only when the default action returns an error number.

use serde::{Serialize, de::DeserializeOwned};

use super::{Architecture, DefaultAction, Profile};
use crate::text;

/// Text that is not the JSON that was expected.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct JsonError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1; 0 when the line is empty.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// Reads a value of a known form.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let position = format!(" at line {line} column {column}");
        let message = error.to_string();
        let message = text::escape(message.strip_suffix(&position).unwrap_or(&message));
        JsonError { line, column, message }
    })
}

/// The file. The order of the fields is the order of the keys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    default_action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_errno_ret: Option<u16>,
    architectures: Vec<&'static str>,
    syscalls: [Rule<'a>; 1],
}

#[derive(Serialize)]
struct Rule<'a> {
    names: Vec<&'a str>,
    action: &'static str,
}

/// Writes a profile: the same bytes for the same profile, a newline at the end.
pub fn write(profile: &Profile) -> String {
    let file = File {
        default_action: action(profile.default_action),
        default_errno_ret: match profile.default_action {
            DefaultAction::Errno(errno) => Some(errno.get()),
            _ => None,
        },
        architectures: profile.architectures.iter().copied().map(architecture).collect(),
        syscalls: [Rule {
            names: profile.allowed.keys().map(String::as_str).collect(),
            action: "SCMP_ACT_ALLOW",
        }],
    };
    let mut text = serde_json::to_string_pretty(&file).expect("text and numbers have a JSON form");
    text.push('\n');
    text
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

fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "SCMP_ARCH_X86_64",
        Architecture::X86 => "SCMP_ARCH_X86",
        Architecture::X32 => "SCMP_ARCH_X32",
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

    #[test]
    fn what_is_not_json_is_placed() {
        let error = parse::<Vec<u8>>(b"[1,\n 2,,]").expect_err("two commas");
        assert_eq!((error.line, error.column), (2, 4));
        assert!(!error.message.contains("line"), "{error}");
    }
}
