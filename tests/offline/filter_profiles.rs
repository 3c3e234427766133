//! Profiles in which everything comes that a rule can have.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tracer::syscalls::{Abi, entries};

const ALL: [&str; 3] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];

fn rule(names: &[&str], action: &str) -> Value {
    json!({ "names": names, "action": action })
}

fn with(mut rule: Value, arguments: &Value) -> Value {
    rule["args"] = arguments.clone();
    rule
}

fn profile(default: &str, architectures: &[&str], rules: &[Value]) -> Value {
    json!({ "defaultAction": default, "architectures": architectures, "syscalls": rules })
}

fn compare(operator: &str, index: u8, value: u64, two: u64) -> Value {
    json!({ "index": index, "op": operator, "value": value, "valueTwo": two })
}

/// Profiles by name: the ready ones, and some in which everything comes that a rule can have.
pub fn profiles() -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles");
    let learned = tests::file_names(&directory.join("learned"));
    let learned = learned.into_iter().map(|name| format!("learned/{name}"));
    let all = tests::file_names(&directory).into_iter().chain(learned);
    let mut all: Vec<(String, Value)> = all
        .filter(|name| name.ends_with(".json"))
        .map(|name| {
            let text = fs::read_to_string(directory.join(&name)).expect("it can be read");
            (name, serde_json::from_str(&text).expect("it is JSON"))
        })
        .collect();
    assert!(all.len() >= 7, "the ready profiles are there: {all:?}");
    let made = [made_of_actions(), made_of_conditions(), made_of_overlaps(), made_of_lengths()];
    all.extend(made.into_iter().flatten().map(|(name, profile)| (name.to_owned(), profile)));
    all
}

fn made_of_actions() -> Vec<(&'static str, Value)> {
    let allow = || rule(&["read", "execve", "socket", "semop", "getpriority"], "SCMP_ACT_ALLOW");
    let mut number = rule(&["mkdir", "clone3", "recv", "shmat"], "SCMP_ACT_ERRNO");
    number["errnoRet"] = json!(38);
    let mut same = number.clone();
    same["errnoRet"] = json!(1);
    let many = vec![
        allow(),
        number.clone(),
        rule(&["chmod"], "SCMP_ACT_LOG"),
        rule(&["ptrace"], "SCMP_ACT_KILL"),
        rule(&["bpf", "socketcall"], "SCMP_ACT_KILL_PROCESS"),
        rule(&["chown"], "SCMP_ACT_TRAP"),
        rule(&["kill"], "SCMP_ACT_TRACE"),
        rule(&["no_such_call"], "SCMP_ACT_TRAP"),
    ];
    let native = profile("SCMP_ACT_ERRNO", &[], &[allow(), same]);
    let mut enosys = profile("SCMP_ACT_ERRNO", &ALL[..2], &[allow()]);
    enosys["defaultErrnoRet"] = json!(38);
    vec![
        ("native alone", native),
        ("all actions", profile("SCMP_ACT_ERRNO", &ALL, &many)),
        ("all actions, killing", profile("SCMP_ACT_KILL_PROCESS", &[ALL[0], ALL[2]], &many)),
        ("all actions, allowing", profile("SCMP_ACT_ALLOW", &["SCMP_ARCH_X86"], &many)),
        ("all actions, logging", profile("SCMP_ACT_LOG", &ALL, &many)),
        ("i386 as well", enosys),
        ("trapping", profile("SCMP_ACT_TRAP", &["SCMP_ARCH_X32"], &[allow()])),
    ]
}

fn made_of_conditions() -> Vec<(&'static str, Value)> {
    let allow = |names: &[&str], conditions: &[Value]| {
        with(rule(names, "SCMP_ACT_ALLOW"), &json!(conditions))
    };
    let operators = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];
    let names = ["read", "write", "open", "close", "stat", "fstat", "lstat"];
    let all = |value: u64, two: u64| -> Vec<Value> {
        let each = operators.iter().zip(names).enumerate();
        each.map(|(index, (operator, name))| {
            let operator = format!("SCMP_CMP_{operator}");
            allow(&[name], &[compare(&operator, index as u8 % 6, value, two)])
        })
        .collect()
    };
    let sockets: Vec<Value> = [("LT", 38), ("EQ", 39), ("GT", 40)]
        .map(|(operator, value)| {
            let operator = format!("SCMP_CMP_{operator}");
            allow(&["socket", "socketpair", "semctl"], &[compare(&operator, 0, value, 0)])
        })
        .into();
    let clone = allow(&["clone"], &[compare("SCMP_CMP_MASKED_EQ", 0, 2_114_060_288, 0)]);
    let two =
        allow(&["fcntl"], &[compare("SCMP_CMP_EQ", 1, 2, 0), compare("SCMP_CMP_EQ", 2, 1, 0)]);
    let either = allow(
        &["ioctl"],
        &[
            compare("SCMP_CMP_EQ", 1, 5, 0),
            compare("SCMP_CMP_EQ", 1, 7, 0),
            compare("SCMP_CMP_GT", 2, 9, 0),
        ],
    );
    let errno = |rules: &[Value]| profile("SCMP_ACT_ERRNO", &ALL, rules);
    vec![
        ("operators, small", errno(&all(10, 2))),
        ("operators, 32 bits", errno(&all(0xffff_ffff, 0xffff_0000))),
        ("operators, 64 bits", errno(&all(0x1_0000_0005, 0x1_0000_0000))),
        ("operators, more than the mask", errno(&all(4, 7))),
        ("operators, zero", errno(&all(0, 0))),
        ("operators, most", errno(&all(u64::MAX, 3))),
        ("sockets", errno(&sockets)),
        ("clone, fcntl, ioctl", errno(&[clone, two, either])),
    ]
}

/// Rules for one call, each allowing it or not, with a condition on the first argument or without.
fn overlapping(rules: &[(&str, &[(u8, u64)])]) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|(action, conditions)| {
            let equal = |&(index, value): &(u8, u64)| compare("SCMP_CMP_EQ", index, value, 0);
            let conditions: Vec<Value> = conditions.iter().map(equal).collect();
            with(rule(&["read", "getpriority"], action), &json!(conditions))
        })
        .collect();
    profile("SCMP_ACT_ERRNO", &ALL, &rules)
}

fn made_of_overlaps() -> Vec<(&'static str, Value)> {
    const ALLOW: &str = "SCMP_ACT_ALLOW";
    const KILL: &str = "SCMP_ACT_KILL";
    vec![
        ("with conditions, then without", overlapping(&[(ALLOW, &[(0, 1)]), (KILL, &[])])),
        ("without conditions, then with", overlapping(&[(KILL, &[]), (ALLOW, &[(0, 1)])])),
        ("twice without conditions", overlapping(&[(KILL, &[]), ("SCMP_ACT_TRAP", &[])])),
        ("other conditions", overlapping(&[(ALLOW, &[(0, 1)]), (KILL, &[(0, 2)])])),
        ("the same rule twice", overlapping(&[(ALLOW, &[(0, 1)]), (ALLOW, &[(0, 1)])])),
        ("then narrower", overlapping(&[(ALLOW, &[(0, 1)]), (KILL, &[(0, 1), (1, 2)])])),
    ]
}

/// Profiles that no runtime loads.
pub fn contradictions() -> Vec<Value> {
    const ALLOW: &str = "SCMP_ACT_ALLOW";
    const KILL: &str = "SCMP_ACT_KILL";
    let entrance = |action, conditions: &Value| with(rule(&["socket"], action), conditions);
    let equal = json!([compare("SCMP_CMP_EQ", 0, 7, 0)]);
    vec![
        overlapping(&[(ALLOW, &[(0, 1)]), (KILL, &[(0, 1)])]),
        overlapping(&[(ALLOW, &[(0, 1), (1, 2)]), (KILL, &[(0, 1)])]),
        // For i386, both are about the same first argument of socketcall.
        profile("SCMP_ACT_ERRNO", &ALL, &[entrance(ALLOW, &equal), entrance(KILL, &json!([]))]),
    ]
}

/// Programs with jumps that a conditional jump does not reach.
pub fn made_of_lengths() -> Vec<(&'static str, Value)> {
    let names = |step: usize| -> Vec<&str> {
        Abi::ALL.into_iter().flat_map(entries).map(|(_, name)| name).step_by(step).collect()
    };
    vec![
        ("every call", profile("SCMP_ACT_ERRNO", &ALL, &[rule(&names(1), "SCMP_ACT_ALLOW")])),
        ("every other call", profile("SCMP_ACT_ERRNO", &ALL, &[rule(&names(2), "SCMP_ACT_ALLOW")])),
        ("every third call", profile("SCMP_ACT_KILL", &ALL, &[rule(&names(3), "SCMP_ACT_ALLOW")])),
    ]
}
