//! Widens a profile, or lets it answer calls, and leaves everything else in it as it is.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{ReadError, read};
use crate::{
    profile::{Errno, widening::AddedValue},
    syscalls::Abi,
};

const ALLOW: &str = "SCMP_ACT_ALLOW";
const ERRNO: &str = "SCMP_ACT_ERRNO";
const EQUAL: &str = "SCMP_CMP_EQ";
const MASKED_EQUAL: &str = "SCMP_CMP_MASKED_EQ";

/// The profile with these calls allowed for all arguments, and those with these values, on these
/// architectures as well.
///
/// # Errors
/// What is given is no profile.
pub fn amend(
    bytes: &[u8],
    names: &BTreeSet<String>,
    values: &BTreeSet<AddedValue>,
    architectures: &BTreeSet<Abi>,
) -> Result<String, ReadError> {
    change(bytes, |profile| {
        list(profile, architectures);
        if let Some(rules) = rules(profile) {
            take_out_of_refusing(rules, names);
            allow(rules, names);
            values.iter().for_each(|value| allow_value(rules, value));
        }
    })
}

/// The profile with these calls failing with ENOSYS, whatever its rules said of them that did not
/// allow them.
///
/// # Errors
/// What is given is no profile.
pub fn answer(bytes: &[u8], names: &BTreeSet<String>) -> Result<String, ReadError> {
    change(bytes, |profile| {
        if let Some(rules) = rules(profile).filter(|_| !names.is_empty()) {
            take_out_of_refusing(rules, names);
            let errno = Errno::ENOSYS.get();
            rules.push(json!({ "names": names, "action": ERRNO, "errnoRet": errno }));
        }
    })
}

fn change(bytes: &[u8], change: impl FnOnce(&mut Map<String, Value>)) -> Result<String, ReadError> {
    read(bytes)?;
    // It was read just now, and is an object then.
    let mut profile: Map<String, Value> = super::parse(bytes)?;
    change(&mut profile);
    let mut text = serde_json::to_string_pretty(&profile).expect("a JSON value has a JSON form");
    text.push('\n');
    Ok(text)
}

fn rules(profile: &mut Map<String, Value>) -> Option<&mut Vec<Value>> {
    let rules = profile.entry("syscalls").or_insert_with(|| json!([]));
    if rules.is_null() {
        *rules = json!([]);
    }
    rules.as_array_mut()
}

fn take_out_of_refusing(rules: &mut Vec<Value>, names: &BTreeSet<String>) {
    rules.retain_mut(|rule| rule["action"] == ALLOW || keeps_some(rule, names));
}

/// Takes names out of a rule; false when none is left in it.
fn keeps_some(rule: &mut Value, names: &BTreeSet<String>) -> bool {
    let is_kept = |name: &Value| !name.as_str().is_some_and(|name| names.contains(name));
    // The old form of a rule, about one call.
    let keeps_old = rule.get("name").is_none_or(is_kept);
    let Some(Value::Array(listed)) = rule.get_mut("names") else { return keeps_old };
    let before = listed.len();
    listed.retain(is_kept);
    keeps_old && (before == 0 || !listed.is_empty())
}

/// Puts the names into the first rule that allows without conditions, or into a new one.
fn allow(rules: &mut Vec<Value>, names: &BTreeSet<String>) {
    let rule = rules.iter_mut().find(|rule| is_plain(rule) && rule["names"].is_array());
    let Some(Value::Array(listed)) = rule.and_then(|rule| rule.get_mut("names")) else {
        if !names.is_empty() {
            rules.push(json!({ "names": names, "action": ALLOW }));
        }
        return;
    };
    let known: BTreeSet<&str> = listed.iter().filter_map(Value::as_str).collect();
    let new: Vec<Value> = names
        .iter()
        .filter(|name| !known.contains(name.as_str()))
        .map(|name| json!(name))
        .collect();
    let sorted = listed.is_sorted_by_key(|name| name.as_str().unwrap_or_default().to_owned());
    listed.extend(new);
    if sorted {
        listed.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    }
}

/// Puts a rule behind those about the call, or behind all, and takes out those that refuse the same
/// value.
fn allow_value(rules: &mut Vec<Value>, value: &AddedValue) {
    let AddedValue { name, index, mask, value } = *value;
    let names = BTreeSet::from([name.to_owned()]);
    rules.retain_mut(|rule| {
        let is_same = rule["action"] != ALLOW && is_about_value(rule, index, mask, value);
        !is_same || keeps_some(rule, &names)
    });
    let is_about = |rule: &Value| {
        let names = rule["names"].as_array();
        names.is_some_and(|names| names.iter().any(|listed| listed == name))
    };
    let rule = json!({
        "names": [name],
        "action": ALLOW,
        // One condition: several mean different things to different runtimes.
        "args": [{ "index": index, "value": mask, "valueTwo": value, "op": MASKED_EQUAL }],
    });
    let place = rules.iter().rposition(is_about).map_or(rules.len(), |last| last + 1);
    rules.insert(place, rule);
}

/// The only condition of a rule is that an argument has this value.
fn is_about_value(rule: &Value, index: u8, mask: u64, value: u64) -> bool {
    let Some([condition]) = at(rule, "args").and_then(Value::as_array).map(Vec::as_slice) else {
        return false;
    };
    let number = |field| at(condition, field).and_then(Value::as_u64).unwrap_or_default();
    let (bits, compared) = match at(condition, "op").and_then(Value::as_str) {
        Some(EQUAL) => (u64::MAX, number("value")),
        Some(MASKED_EQUAL) => (number("value"), number("valueTwo")),
        _ => return false,
    };
    number("index") == u64::from(index) && bits & mask == mask && compared & mask == value
}

/// A rule that allows, whatever the arguments and the host are.
fn is_plain(rule: &Value) -> bool {
    let is_empty = |field: &str| match at(rule, field) {
        None | Some(Value::Null) => true,
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(object)) => object.is_empty(),
        Some(_) => false,
    };
    rule["action"] == ALLOW && ["args", "includes", "excludes"].into_iter().all(is_empty)
}

/// A field, in whichever letters: those that only readers written in Go know may be in any.
fn at<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    let mut fields = object.as_object()?.iter();
    fields.find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, value)| value)
}

/// The name that a field has.
fn spelling(object: &Map<String, Value>, field: &str) -> String {
    let found = object.keys().find(|name| name.eq_ignore_ascii_case(field));
    found.map_or(field, String::as_str).to_owned()
}

/// Lists the architectures, in whichever way the profile does.
fn list(profile: &mut Map<String, Value>, architectures: &BTreeSet<Abi>) {
    let native = Abi::NATIVE.seccomp_arch();
    let map = profile.get_mut(&spelling(profile, "archMap")).and_then(Value::as_array_mut);
    let is_native = |entry: &Value| at(entry, "architecture").is_some_and(|it| it == native);
    let entry = map.and_then(|map| map.iter_mut().find(|entry| is_native(entry)));
    let (listed, implied) = match entry.and_then(Value::as_object_mut) {
        Some(entry) => {
            (entry.entry(spelling(entry, "subArchitectures")).or_insert_with(|| json!([])), true)
        }
        None => (profile.entry("architectures").or_insert_with(|| json!([native])), false),
    };
    if !listed.is_array() {
        *listed = if implied { json!([]) } else { json!([native]) };
    }
    let Value::Array(listed) = listed else { return };
    for token in architectures.iter().map(|abi| abi.seccomp_arch()) {
        let known = listed.iter().any(|known| known == token) || implied && token == native;
        if !known {
            listed.push(json!(token));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::policy::{Policy, RuleContext, Verdict},
        syscalls::{self, Abi},
    };

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn policy(text: &str) -> Policy {
        Policy::new(&read(text.as_bytes()).expect("a profile"), &RuleContext::default())
            .expect("a policy")
    }

    fn verdict(text: &str, abi: Abi, name: &str) -> Verdict {
        let number = syscalls::number(abi, name).expect("a call");
        policy(text).decide(abi, number as u32, &[0; 6])
    }

    #[test]
    fn calls_are_put_in_their_place() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],
            "syscalls":[{"names":["read","write"],"action":"SCMP_ACT_ALLOW"}]}"#;
        let amended = amend(
            text.as_bytes(),
            &names(&["sendfile", "read"]),
            &BTreeSet::new(),
            &BTreeSet::new(),
        );
        let amended = amended.expect("a profile");
        let value: Value = serde_json::from_str(&amended).expect("JSON");
        assert_eq!(value["syscalls"][0]["names"], json!(["read", "sendfile", "write"]));
        assert_eq!(value["syscalls"].as_array().map(Vec::len), Some(1));
        assert!(amended.ends_with("}\n"));
    }

    #[test]
    fn refusing_rules_give_way_and_conditions_stay() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#;
        assert_eq!(verdict(text, Abi::X86_64, "clone3"), Verdict::Errno(38));
        let amended =
            amend(text.as_bytes(), &names(&["clone3"]), &BTreeSet::new(), &BTreeSet::new())
                .expect("one");
        assert_eq!(verdict(&amended, Abi::X86_64, "clone3"), Verdict::Allow);
        assert_eq!(verdict(&amended, Abi::X86_64, "socket"), Verdict::Errno(1), "{amended}");
        let wider =
            amend(amended.as_bytes(), &names(&["socket"]), &BTreeSet::new(), &BTreeSet::new())
                .expect("one");
        assert_eq!(verdict(&wider, Abi::X86_64, "socket"), Verdict::Allow, "{wider}");
    }

    #[test]
    fn values_are_allowed_beside_those_that_are() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
            {"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#;
        let family = |value| AddedValue { name: "socket", index: 0, mask: 0xffff_ffff, value };
        let clone = AddedValue { name: "clone", index: 0, mask: 0x7e02_0000, value: 0x1000_0000 };
        let values = BTreeSet::from([family(40), family(2), clone]);
        let amended = amend(text.as_bytes(), &BTreeSet::new(), &values, &BTreeSet::new());
        let amended = amended.expect("a profile");
        let policy = policy(&amended);
        let socket = |family| policy.decide(Abi::X86_64, 41, &[family, 1, 0, 0, 0, 0]);
        for (family, allowed) in [(1, true), (2, true), (40, true), (16, false), (38, false)] {
            assert_eq!(socket(family) == Verdict::Allow, allowed, "{family}: {amended}");
        }
        assert_eq!(
            socket(0xdead_0000_0000_0028),
            Verdict::Allow,
            "the kernel ignores the upper half"
        );
        let clone = |flags| policy.decide(Abi::X86_64, 56, &[flags, 0, 0, 0, 0, 0]);
        assert_eq!(clone(0x1000_0011), Verdict::Allow);
        assert_eq!(clone(0x11), Verdict::Errno(1), "that was not asked for");
        assert_eq!(clone(0x3000_0011), Verdict::Errno(1));
        let value: Value = serde_json::from_str(&amended).expect("JSON");
        let names: Vec<&Value> = value["syscalls"]
            .as_array()
            .expect("rules")
            .iter()
            .map(|rule| &rule["names"][0])
            .collect();
        assert_eq!(names, ["socket", "socket", "socket", "read", "clone"]);
    }

    #[test]
    fn a_value_that_a_rule_refuses_is_taken_out_of_it() {
        let text = r#"{"defaultAction":"SCMP_ACT_KILL","syscalls":[
            {"names":["socket","socketpair"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":40,"op":"SCMP_CMP_EQ"}]},
            {"names":["socket"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":4294967295,"valueTwo":38,"op":"SCMP_CMP_MASKED_EQ"}]},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#;
        let vsock = AddedValue { name: "socket", index: 0, mask: 0xffff_ffff, value: 40 };
        let amended =
            amend(text.as_bytes(), &BTreeSet::new(), &BTreeSet::from([vsock]), &BTreeSet::new());
        let amended = amended.expect("a profile");
        let policy = policy(&amended);
        let decide = |number, family| policy.decide(Abi::X86_64, number, &[family, 1, 0, 0, 0, 0]);
        assert_eq!(decide(41, 40), Verdict::Allow, "{amended}");
        assert_eq!(decide(41, 38), Verdict::Errno(1));
        assert_eq!(decide(41, 2), Verdict::KillThread);
        assert_eq!(decide(53, 40), Verdict::Errno(1), "another call");
    }

    #[test]
    fn a_call_is_answered_and_nothing_more_is_allowed() {
        let text = r#"{"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[
            {"names":["open_tree","clone3"],"action":"SCMP_ACT_TRAP"},
            {"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#;
        let answered = answer(text.as_bytes(), &names(&["open_tree"])).expect("a profile");
        assert_eq!(verdict(&answered, Abi::X86_64, "open_tree"), Verdict::Errno(38), "{answered}");
        assert_eq!(verdict(&answered, Abi::X86_64, "clone3"), Verdict::Trap);
        assert_eq!(verdict(&answered, Abi::X86_64, "read"), Verdict::Allow);
        assert_eq!(verdict(&answered, Abi::X86_64, "fsopen"), Verdict::KillProcess);
        let same = answer(text.as_bytes(), &BTreeSet::new()).expect("a profile");
        let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(value(&same), value(text), "no rule without names");
    }

    #[test]
    fn architectures_are_listed_in_either_way() {
        let x86 = BTreeSet::from([Abi::I386]);
        for text in [
            r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":[]}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"]}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":[]}]}"#,
            r#"{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subarchitectures":[]}]}"#,
        ] {
            assert_eq!(verdict(text, Abi::I386, "socketcall"), Verdict::KillThread, "{text}");
            let amended = amend(text.as_bytes(), &names(&["socketcall"]), &BTreeSet::new(), &x86)
                .expect("a profile");
            assert_eq!(verdict(&amended, Abi::I386, "socketcall"), Verdict::Allow, "{amended}");
            assert_eq!(verdict(&amended, Abi::X86_64, "read"), Verdict::Errno(1), "{amended}");
        }
    }

    #[test]
    fn rules_of_the_old_form_are_amended() {
        let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"name":"clone3","action":"SCMP_ACT_ERRNO","errno":"ENOSYS"},
            {"name":"read","action":"SCMP_ACT_ALLOW"}]}"#;
        assert_eq!(verdict(text, Abi::X86_64, "clone3"), Verdict::Errno(38));
        let amended = amend(
            text.as_bytes(),
            &names(&["clone3", "write"]),
            &BTreeSet::new(),
            &BTreeSet::new(),
        );
        let amended = amended.expect("a profile");
        for name in ["clone3", "read", "write"] {
            assert_eq!(verdict(&amended, Abi::X86_64, name), Verdict::Allow, "{name}: {amended}");
        }
        assert_eq!(verdict(&amended, Abi::X86_64, "mount"), Verdict::Errno(1), "{amended}");
    }

    #[test]
    fn what_is_no_profile_is_refused() {
        assert!(amend(b"[]", &BTreeSet::new(), &BTreeSet::new(), &BTreeSet::new()).is_err());
    }
}
