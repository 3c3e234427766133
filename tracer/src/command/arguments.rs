//! The lines of the report about the arguments of a profile, and about what it allows beyond the
//! defaults of container engines.

use std::{collections::BTreeSet, fmt::Write};

use super::closing::{ClosingPart, Weight};
use crate::{
    profile::{
        Derivation, Reason,
        arguments::shown,
        beyond::{Beyond, beyond},
        defaults::{DefaultsEngine, shared},
        policy::Policy,
    },
    recording::Recording,
    syscalls::{self, Abi},
};

/// What a profile allows that Docker's default or RuntimeDefault refuse.
pub(super) fn beyond_defaults(policy: &Policy, recordings: &[Recording]) -> ClosingPart {
    let found = beyond(policy, recordings);
    let engines = DefaultsEngine::ALL.map(DefaultsEngine::name).join(" and ");
    if found.is_empty() {
        return ClosingPart::text(
            Weight::Result,
            format!("nothing is allowed that {engines} refuse"),
        );
    }
    let head = format!("allowed beyond {engines} with their default capabilities: {}", found.len());
    let lines = found.iter().map(|one| format!("  {}", line(one))).collect();
    ClosingPart::list(Weight::Result, lines, "").below(head)
}

fn line(one: &Beyond) -> String {
    let mut text = match one.value {
        Some((index, value)) => shown(one.name, index, value),
        None => one.name.to_owned(),
    };
    match &one.sighting {
        None => text.push_str(": not recorded"),
        Some(sighting) => {
            let command = sighting.command.as_deref();
            text.push_str(": ");
            text.push_str(command.unwrap_or("recorded"));
            if let Some(seconds) = sighting.seconds {
                // Writing to a String cannot fail.
                let _ = write!(text, " at +{seconds:.3}s");
            }
        }
    }
    if one.and_any {
        text.push_str("; other values are allowed as well");
    }
    if one.name == "clone3" {
        text.push_str("; no filter sees its flags, so that it can make every namespace");
    }
    let others = DefaultsEngine::ALL.into_iter().filter(|engine| !one.refused_by.contains(engine));
    for engine in others {
        let _ = write!(text, "; {} allows it", engine.name());
    }
    let docker = DefaultsEngine::Docker.default_profile();
    let capabilities: Vec<&str> = docker.capabilities_for(one.name).collect();
    if !capabilities.is_empty() {
        let _ = write!(text, "; the default allows it with {}", capabilities.join(" or "));
    }
    text
}

/// What is to be said of the arguments of a derived profile.
pub(super) fn notes(derivation: &Derivation, policy: &Policy) -> String {
    let notes = &derivation.arguments;
    let (limited, free): (BTreeSet<&str>, BTreeSet<&str>) =
        notes.unknown.iter().map(String::as_str).partition(|name| shared().contains_key(name));
    let kinds: [(BTreeSet<&str>, &str); 6] = [
        (
            limited,
            "the recording has no arguments of them: they are allowed as Docker's default and RuntimeDefault allow them; record again to allow the values that are used",
        ),
        (
            free,
            "the recording has no arguments of them: they are allowed with all values; record again",
        ),
        (names(&notes.any), "more than 16 values were seen: they are allowed with all values"),
        (names(&notes.coarser), "more than 16 values were seen: they are limited by fewer bits"),
        (
            names(&notes.free),
            "runtimes or C libraries make them with unknown values: they are allowed with all values",
        ),
        (
            names(&notes.too_many),
            "a filter has no room for their values: they are allowed with all values",
        ),
    ];
    let mut text = String::new();
    for (names, what) in kinds.iter().filter(|(names, _)| !names.is_empty()) {
        let names: Vec<&str> = names.iter().copied().collect();
        let _ = writeln!(text, "note: {}: {what}", names.join(", "));
    }
    if notes.hidden {
        text.push_str(
            "note: clone3 was seen, and fails with ENOSYS as under Docker's default: no filter sees its flags, and C libraries go on to clone; --include clone3 allows it\n",
        );
    }
    if derivation.profile.limited.contains_key("socket") && opens_socketcall(policy) {
        text.push_str(
            "note: 32-bit programs make sockets through socketcall, whose arguments no filter sees: socket is not limited for them\n",
        );
    }
    text
}

fn names(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().map(String::as_str).collect()
}

fn opens_socketcall(policy: &Policy) -> bool {
    Abi::multiplexing().any(|abi| {
        let number = syscalls::number(abi, "socketcall").and_then(|it| u32::try_from(it).ok());
        let table = policy.table(abi).zip(number);
        table.is_some_and(|(table, number)| table.contains_key(&number))
    })
}

/// The values that are allowed for another reason than that the defaults do.
pub(super) fn values(derivation: &Derivation) -> String {
    let mut text = String::new();
    for (name, limit) in &derivation.profile.limited {
        for (value, reasons) in &limit.values {
            let reasons: Vec<String> = reasons
                .iter()
                .filter(|reason| **reason != Reason::Default)
                .map(Reason::to_string)
                .collect();
            if !reasons.is_empty() {
                let value = shown(name, limit.index, *value);
                let _ = writeln!(text, "  {value}: {}", reasons.join("; "));
            }
        }
    }
    if text.is_empty() { text } else { format!("values of arguments:\n{text}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::closing::in_full, *};
    use crate::{
        profile::{beyond::FirstSeen, oci, policy::RuleContext},
        text::escape,
    };

    fn of(name: &'static str, value: Option<(u8, u64)>, sighting: Option<FirstSeen>) -> Beyond {
        let refused_by = BTreeSet::from(DefaultsEngine::ALL);
        Beyond { name, value, and_any: false, refused_by, sighting }
    }

    #[test]
    fn a_line_names_who_made_the_call_and_the_defaults() {
        let sighting = FirstSeen { command: Some(escape("un\u{1b}share")), seconds: Some(0.0184) };
        let text = line(&of("unshare", None, Some(sighting)));
        let expected = "unshare: un\\x1bshare at +0.018s; the default allows it with CAP_SYS_ADMIN";
        assert_eq!(text, expected);
        let text = line(&of("socket", Some((0, 40)), None));
        assert!(text.starts_with("socket(") && text.ends_with("): not recorded"), "{text}");
        let text = line(&of("clone3", None, Some(FirstSeen::default())));
        assert!(text.starts_with("clone3: recorded; no filter sees its flags"), "{text}");
        let docker = BTreeSet::from([DefaultsEngine::Docker]);
        let text = line(&Beyond { refused_by: docker, ..of("lsm_list_modules", None, None) });
        assert!(text.contains("; RuntimeDefault allows it"), "{text}");
    }

    #[test]
    fn a_profile_within_the_defaults_is_said_to_be_so() {
        let read = br#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#;
        let policy = Policy::new(&oci::read(read).expect("a profile"), &RuleContext::default());
        let text = in_full(vec![beyond_defaults(&policy.expect("a policy"), &[])]);
        assert_eq!(text, "nothing is allowed that Docker's default and RuntimeDefault refuse\n");
    }
}
