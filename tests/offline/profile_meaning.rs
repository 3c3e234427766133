//! Profiles that people write: what they mean on this machine.

use serde_json::{Value, json};
use tracer::profile::capability::Capability;
use tracer::profile::policy::{Policy, PolicyError, RuleContext, Verdict};
use tracer::syscalls::{self, Abi};

use crate::profile_reading::read;

tests::trials! {
    conditions_on_the_machine_are_dockers,
    a_map_of_architectures_counts_for_this_machine,
    the_forms_of_dockers_default_profile_are_understood,
    a_rule_that_needs_another_process_is_refused,
    more_rules_than_a_filter_holds_are_refused_at_once,
}

fn number(name: &str) -> u32 {
    let number = syscalls::number(Abi::X86_64, name).expect("a call");
    number.try_into().expect("it is not negative")
}

/// What happens to `mount` when a rule allows it where these hold.
fn allowed(host: &RuleContext, includes: &Value, excludes: &Value) -> bool {
    let rule = json!({ "names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": includes, "excludes": excludes });
    let profile = read(&json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule] }));
    let policy = Policy::new(&profile.expect("it is right"), host).expect("a policy");
    policy.decide(Abi::X86_64, number("mount"), &[0; 6]) == Verdict::Allow
}

fn conditions_on_the_machine_are_dockers() {
    let capabilities =
        ["CAP_SYS_ADMIN", "CAP_BPF"].map(|name| Capability::from_name(name).expect("one"));
    let host = RuleContext { capabilities: capabilities.into(), kernel: (6, 1) };
    let (some, none) = (json!({ "caps": ["CAP_BPF", "CAP_SYS_TIME"] }), json!({}));
    let yes = [
        (json!({}), json!({})),
        (json!({ "caps": ["CAP_BPF", "CAP_SYS_ADMIN"] }), json!({ "caps": ["CAP_SYS_TIME"] })),
        (json!({ "arches": ["amd64", "arm64"] }), json!({ "arches": ["s390x"] })),
        (json!({ "minKernel": "6.1" }), json!({ "minKernel": "6.2" })),
        (json!({ "minKernel": "5.20" }), json!({ "minKernel": "10.0" })),
    ];
    for (includes, excludes) in &yes {
        assert!(allowed(&host, includes, excludes), "{includes} {excludes}");
    }
    assert!(!allowed(&host, &some, &none), "all of them are needed");
    assert!(!allowed(&host, &none, &some), "one of them is enough");
    assert!(!allowed(&host, &json!({ "arches": ["arm64"] }), &none));
    assert!(!allowed(&host, &none, &json!({ "arches": ["amd64"] })));
    assert!(!allowed(&host, &json!({ "minKernel": "6.2" }), &none));
    assert!(!allowed(&host, &none, &json!({ "minKernel": "6.1" })));
}

fn a_map_of_architectures_counts_for_this_machine() {
    let entry =
        |of: &str, others: &[&str]| json!({ "architecture": of, "subArchitectures": others });
    let map = json!([
        entry("SCMP_ARCH_AARCH64", &["SCMP_ARCH_ARM"]),
        entry("SCMP_ARCH_X86_64", &["SCMP_ARCH_X86"]),
    ]);
    let profile = read(&json!({ "defaultAction": "SCMP_ACT_LOG", "archMap": map })).expect("right");
    let policy = Policy::new(&profile, &RuleContext::default()).expect("a policy");
    assert_eq!(policy.decide(Abi::X86_64, 0, &[0; 6]), Verdict::Log);
    assert_eq!(policy.decide(Abi::I386, 0, &[0; 6]), Verdict::Log);
    assert_eq!(policy.decide(Abi::X32, 0, &[0; 6]), Verdict::KillThread);
}

/// Docker's default profile in small: each form of field that it has.
fn the_forms_of_dockers_default_profile_are_understood() {
    let profile = read(&json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [
            { "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
            { "architecture": "SCMP_ARCH_RISCV64", "subArchitectures": null },
        ],
        "syscalls": [
            { "names": ["read", "recv"], "action": "SCMP_ACT_ALLOW" },
            { "names": ["swapcontext"], "action": "SCMP_ACT_ALLOW", "includes": { "arches": ["ppc64le"] } },
            { "names": ["clone", "mount"], "action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_ADMIN"] } },
            {
                "names": ["clone"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{ "index": 0, "value": 2_114_060_288, "op": "SCMP_CMP_MASKED_EQ" }],
                "excludes": { "caps": ["CAP_SYS_ADMIN"], "arches": ["s390"] },
            },
            { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": { "caps": ["CAP_SYS_ADMIN"] } },
        ],
    }));
    let policy = Policy::new(&profile.expect("right"), &RuleContext::default()).expect("a policy");
    let first = |name, value| policy.decide(Abi::X86_64, number(name), &[value, 0, 0, 0, 0, 0]);
    assert_eq!(first("clone", 0x11), Verdict::Allow);
    assert_eq!(first("clone", 0x1000_0000), Verdict::Errno(1), "a user namespace");
    assert_eq!(first("clone3", 0), Verdict::Errno(38));
    assert_eq!(first("mount", 0), Verdict::Errno(1));
    assert_eq!(policy.decide(Abi::I386, 102, &[10, 0, 0, 0, 0, 0]), Verdict::Allow, "recv");
    assert_eq!(policy.decide(Abi::I386, 102, &[11, 0, 0, 0, 0, 0]), Verdict::Errno(1), "sendto");
    assert_eq!(policy.unknown_names().count(), 0);
}

fn a_rule_that_needs_another_process_is_refused() {
    let rule = json!({ "names": ["mount"], "action": "SCMP_ACT_NOTIFY" });
    let profile = read(&json!({ "defaultAction": "SCMP_ACT_LOG", "syscalls": [rule] }));
    let error =
        Policy::new(&profile.expect("right"), &RuleContext::default()).expect_err("no listener");
    assert!(error.to_string().starts_with("syscalls[0].action: SCMP_ACT_NOTIFY"), "{error}");
}

fn more_rules_than_a_filter_holds_are_refused_at_once() {
    let rule = |value: usize| {
        json!({ "names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
                "args": [{ "index": 1, "value": value, "op": "SCMP_CMP_EQ" }] })
    };
    let profile = |rules: usize| {
        let rules: Vec<Value> = (0..rules).map(rule).collect();
        json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules })
    };
    let policy =
        |rules| Policy::new(&read(&profile(rules)).expect("it is right"), &RuleContext::default());
    assert!(policy(2048).is_ok());
    let error = policy(100_000).expect_err("too many");
    assert!(matches!(error, PolicyError::TooMany { rule: 2048, .. }), "{error}");
}
