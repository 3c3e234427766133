//! `tracer convert --to lxc`: the policy means what the profile means, read as liblxc reads it.

use std::collections::BTreeSet;
use std::fs;

use clap::ValueEnum;
use tracer::cli::ConvertTo;
use tracer::profile::multiplexed::is_multiplexed;
use tracer::profile::oci::{
    self, Action, Architectures, Condition, Constraint, OciProfile, Operator, Rule, SeccompArch,
};
use tracer::profile::policy::{Policy, RuleContext};
use tracer::syscalls::Abi;
use tracer::workbench::convert::ConditionalHandling::{self, Deny, Error};
use tracer::workbench::convert::{
    Choices, ConvertError, Written, convert, forms, note::Difference,
};
use tracer::workbench::diff::{Comparison, policies};

use crate::golden;

tests::trials! {
    each_form_can_be_typed,
    a_policy_keeps_the_effective_set,
    what_a_policy_cannot_say_is_an_error_or_a_note,
    a_line_that_repeats_the_default_is_left_out,
    i386_programs_have_sockets_of_their_own,
    a_denylist_is_one,
    the_policy_is_written_as_agreed,
}

fn facts() -> RuleContext {
    RuleContext { kernel: (u32::MAX, 0), ..RuleContext::default() }
}

fn written(
    profile: &OciProfile,
    conditional: ConditionalHandling,
) -> Result<Written, ConvertError> {
    let context = facts();
    let form = forms::by_name("lxc").expect("a form");
    convert(profile, form, &Choices { context: &context, conditional, name: "web" })
}

fn profile(text: &str) -> OciProfile {
    oci::read(text.as_bytes()).expect("a profile")
}

fn learned() -> Vec<(String, OciProfile)> {
    let read = |name: &str| {
        let path = format!("{}/../profiles/learned/{name}.json", env!("CARGO_MANIFEST_DIR"));
        oci::read(&fs::read(path).expect("the file can be read")).expect("a profile")
    };
    ["nginx", "postgres", "redis", "python3"].map(|name| (name.to_owned(), read(name))).into()
}

/// What liblxc 5.0.2 makes of a policy (`src/lxc/seccomp.c`, `parse_config_v2`), on `x86_64`.
fn read_as_liblxc(text: &str) -> OciProfile {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("2"), "the version is the first line");
    let (style, default) = lines.next().and_then(|line| line.split_once(' ')).expect("a default");
    assert!(style == "allowlist" || style == "denylist", "{style}");
    let (default_action, default_errno) = action(default);
    let mut syscalls = Vec::new();
    for line in lines.filter(|line| !line.starts_with('#') && *line != "[all]") {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (word, conditions) = match rest.find('[') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        assert!(conditions.is_empty() || !word.is_empty(), "{line}: it needs an action");
        let (action, errno) = match (style, word.trim()) {
            ("allowlist", "") => (Action::Allow, None),
            ("denylist", "") => (Action::KillThread, None),
            (_, word) => action(word),
        };
        assert!(
            (action, errno) != (default_action, default_errno),
            "{line}: libseccomp refuses it"
        );
        let conditions: Vec<Condition> =
            conditions.split_terminator(']').map(|it| condition(&it[1..])).collect();
        let indices: BTreeSet<u8> = conditions.iter().map(|condition| condition.index).collect();
        assert_eq!(indices.len(), conditions.len(), "{line}: one condition on an argument");
        syscalls.push(Rule {
            names: vec![name.to_owned()],
            action,
            errno,
            conditions,
            includes: Constraint::default(),
            excludes: Constraint::default(),
            comment: None,
        });
    }
    OciProfile {
        default_action,
        default_errno,
        // Every line counts for each of them.
        architectures: Architectures::Listed(Abi::ALL.map(SeccompArch::Ours).into()),
        flags: None,
        listener_path: None,
        listener_metadata: None,
        syscalls,
        remarks: Vec::new(),
    }
}

fn action(word: &str) -> (Action, Option<u16>) {
    match word.split_once(' ') {
        Some(("errno", number)) => (Action::Errno, Some(number.parse().expect("a number"))),
        None if word == "allow" => (Action::Allow, None),
        None if word == "kill" => (Action::KillThread, None),
        None if word == "trap" => (Action::Trap, None),
        _ => panic!("{word} is no action of liblxc"),
    }
}

fn condition(text: &str) -> Condition {
    let parts: Vec<&str> = text.split(',').collect();
    let number = |at: usize| parts[at].parse().expect("a number");
    let (index, value) = (parts[0].parse().expect("an argument"), number(1));
    match (parts[2], parts.len()) {
        ("SCMP_CMP_MASKED_EQ", 4) => {
            Condition { index, value: number(3), value_two: value, operator: Operator::MaskedEqual }
        }
        (token, 3) => {
            let operator = match token {
                "SCMP_CMP_NE" => Operator::NotEqual,
                "SCMP_CMP_LT" => Operator::Less,
                "SCMP_CMP_LE" => Operator::LessOrEqual,
                "SCMP_CMP_EQ" => Operator::Equal,
                "SCMP_CMP_GE" => Operator::GreaterOrEqual,
                "SCMP_CMP_GT" => Operator::Greater,
                other => panic!("{other} is no operator of liblxc"),
            };
            Condition { index, value, value_two: 0, operator }
        }
        _ => panic!("{text} is no condition"),
    }
}

/// What two profiles differ in, through these ABIs.
fn compared(one: &OciProfile, other: &OciProfile, abis: &[Abi]) -> Comparison {
    let [one, other] = [one, other].map(|profile| {
        let listed = abis.iter().copied().map(SeccompArch::Ours).collect();
        let architectures = Architectures::Listed(listed);
        let profile = OciProfile { architectures, ..profile.clone() };
        Policy::new(&profile, &facts()).expect("it is consistent")
    });
    policies::compare(&one, &other)
}

/// Without the calls that i386 programs make through others: liblxc has no lines on them for x86.
fn without_multiplexed(profile: &OciProfile) -> OciProfile {
    let mut profile = profile.clone();
    for rule in &mut profile.syscalls {
        rule.names.retain(|name| !is_multiplexed(name));
    }
    profile
}

/// The policy means what the profile means, for every ABI.
fn assert_same(name: &str, profile: &OciProfile, text: &str) {
    let read = read_as_liblxc(text);
    let comparison = compared(profile, &read, &[Abi::X86_64, Abi::X32]);
    assert!(comparison.is_same(), "{name}: {comparison:?}\n{text}");
    let [one, other] = [profile, &read].map(without_multiplexed);
    let comparison = compared(&one, &other, &[Abi::I386]);
    assert!(comparison.is_same(), "{name}: {comparison:?}\n{text}");
}

fn each_form_can_be_typed() {
    let typed: BTreeSet<String> =
        ConvertTo::value_variants().iter().map(|value| value.name()).collect();
    let forms: BTreeSet<String> = forms::FORMS.iter().map(|form| form.name.to_owned()).collect();
    assert_eq!(typed, forms);
    assert_eq!(forms.len(), forms::FORMS.len(), "no two have the same name");
}

fn a_policy_keeps_the_effective_set() {
    for (name, profile) in learned().into_iter().chain([("mixed".to_owned(), profile(MIXED))]) {
        let (text, notes) = written(&profile, Error).expect("a policy");
        assert_same(&name, &profile, &text);
        let wider = notes.iter().filter(|note| note.difference == Difference::Wider);
        assert_eq!(wider.count(), 1, "{name}: the ABIs alone: {notes:?}");
    }
}

fn what_a_policy_cannot_say_is_an_error_or_a_note() {
    let with = |rule: &str| {
        profile(&format!(
            r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64"],"flags":["SECCOMP_FILTER_FLAG_LOG"],"syscalls":[{{"names":["read","no_such_call"],"action":"SCMP_ACT_ALLOW"}},{rule}]}}"#
        ))
    };
    let error = |rule: &str| written(&with(rule), Error).expect_err("no words").to_string();
    let traced = error(r#"{"names":["bpf"],"action":"SCMP_ACT_TRACE"}"#);
    assert!(traced.starts_with("syscalls[1].action: SCMP_ACT_TRACE, which LXC"), "{traced}");
    let asked = error(r#"{"names":["bpf"],"action":"SCMP_ACT_NOTIFY"}"#);
    assert!(asked.starts_with("syscalls[1].action: SCMP_ACT_NOTIFY"), "{asked}");
    let other = with(
        r#"{"names":["mkdir"],"action":"SCMP_ACT_LOG"},{"names":["bpf"],"action":"SCMP_ACT_KILL_PROCESS"}"#,
    );
    let (text, notes) = written(&other, Error).expect("a policy");
    let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
    for part in [
        "names that no ABI has are left out: no_such_call",
        "pass without a record: mkdir",
        "kills the process: bpf",
        "execve is refused",
        "warning: wider than the profile: LXC has one list for all ABIs",
        "passes through SCMP_ARCH_X86 and SCMP_ARCH_X32 as well",
        "architectures of other processors are left out: SCMP_ARCH_AARCH64",
        "flags are left out, LXC chooses its own: SECCOMP_FILTER_FLAG_LOG",
    ] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    assert!(text.contains("\nmkdir\n") && text.contains("\nbpf kill\n"), "{text}");
    assert!(!text.contains("no_such_call"), "{text}");
}

fn a_line_that_repeats_the_default_is_left_out() {
    let killing = r#"{"defaultAction":"SCMP_ACT_KILL","syscalls":[
        {"names":["read","execve"],"action":"SCMP_ACT_ALLOW"},
        {"names":["bpf"],"action":"SCMP_ACT_KILL_PROCESS"}]}"#;
    let (text, _) = written(&profile(killing), Error).expect("a policy");
    assert!(text.starts_with("2\nallowlist kill\n") && !text.contains("bpf"), "{text}");
    // Left out alone, it would let the other rule decide.
    let overlapping = r#"{"defaultAction":"SCMP_ACT_KILL","syscalls":[
        {"names":["kill"],"action":"SCMP_ACT_KILL_PROCESS","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
        {"names":["kill"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":9,"op":"SCMP_CMP_EQ"}]}]}"#;
    let error = written(&profile(overlapping), Error).expect_err("no words").to_string();
    for part in ["LXC starts no container", "syscalls[0]: kill depends on", "--conditional"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let (text, _) = written(&profile(overlapping), Deny).expect("a policy");
    assert!(!text.contains("\nkill"), "{text}");
}

fn i386_programs_have_sockets_of_their_own() {
    let note = |default: &str, action: &str| {
        let text = format!(
            r#"{{"defaultAction":"SCMP_ACT_{default}","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"],
            "syscalls":[{{"names":["execve","socket","semop"],"action":"SCMP_ACT_{action}"}}]}}"#
        );
        let (_, notes) = written(&profile(&text), Error).expect("a policy");
        let of_i386 =
            notes.iter().find(|note| note.text.contains("socketcall or ipc: semop, socket"));
        of_i386.unwrap_or_else(|| panic!("{notes:?}")).difference
    };
    assert_eq!(note("ERRNO", "ALLOW"), Difference::Narrower);
    assert_eq!(note("ALLOW", "ERRNO"), Difference::Wider);
}

fn a_denylist_is_one() {
    let open = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["bpf"],"action":"SCMP_ACT_ERRNO"},
        {"names":["mount"],"action":"SCMP_ACT_TRAP"},
        {"names":["kill"],"action":"SCMP_ACT_ERRNO","errnoRet":3,"args":[{"index":1,"value":9,"op":"SCMP_CMP_EQ"}]}]}"#;
    let (text, _) = written(&profile(open), Error).expect("a policy");
    assert!(text.starts_with("2\ndenylist allow\n"), "{text}");
    for line in ["bpf errno 1", "mount trap", "kill errno 3 [1,9,SCMP_CMP_EQ]"] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    assert_same("open", &profile(open), &text);
}

/// Conditions of each kind, errors of their own, an error for the rest.
const MIXED: &str = r#"{
  "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
  "syscalls": [
    {"names": ["read", "write", "execve", "kill"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["mkdir", "rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
    {"names": ["ptrace"], "action": "SCMP_ACT_KILL_THREAD"},
    {"names": ["bpf"], "action": "SCMP_ACT_TRAP"},
    {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
    {"names": ["mmap"], "action": "SCMP_ACT_ALLOW", "args": [
      {"index": 2, "value": 4, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"},
      {"index": 3, "value": 5, "op": "SCMP_CMP_NE"}]},
    {"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22, "args": [
      {"index": 1, "value": 4096, "op": "SCMP_CMP_GE"}]}
  ]}"#;

fn the_policy_is_written_as_agreed() {
    let (text, notes) = written(&profile(MIXED), Deny).expect("a policy");
    let notes: Vec<String> = notes.iter().map(|note| format!("{note}\n")).collect();
    golden::check("convert/lxc.conf", &text);
    golden::check("convert/lxc.conf.notes", &notes.concat());
}
