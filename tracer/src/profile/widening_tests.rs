//! Tests of [`super`].

use super::*;
use crate::{
    profile::{oci, policy::RuleContext},
    recording::{ArgumentValue, testing},
    syscalls::Abi,
};

fn of_default(rules: &str, default: &str) -> Policy {
    let text = format!(
        r#"{{"defaultAction":"SCMP_ACT_{default}","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{rules}]}}"#
    );
    let profile = oci::read(text.as_bytes()).expect("a profile");
    Policy::new(&profile, &RuleContext::default()).expect("a policy")
}

fn policy(rules: &str) -> Policy {
    of_default(rules, "ERRNO")
}

fn rule(names: &str, action: &str, conditions: &[(u8, &str, u64, u64)]) -> String {
    let conditions: Vec<String> = conditions
        .iter()
        .map(|(index, operator, value, two)| {
            format!(
                r#"{{"index":{index},"op":"SCMP_CMP_{operator}","value":{value},"valueTwo":{two}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"names":["{names}"],"action":"SCMP_ACT_{action}","args":[{}]}}"#,
        conditions.join(",")
    )
}

fn denied(abi: Abi, name: &str, arguments: Option<[u64; 6]>) -> Call {
    let number = syscalls::number(abi, name).expect("a call");
    let call = testing::denied(testing::numbered(abi, number), DenyOutcome::Errno(1));
    Call { circumstances: Some(testing::circumstances(1, arguments)), ..call }
}

fn widened(name: &str, arguments: [u64; 6], policy: &Policy) -> Option<(u8, u64, u64)> {
    match widenings(&denied(Abi::X86_64, name, Some(arguments)), policy)[..] {
        [Widening::Value(value)] => Some((value.index, value.mask, value.value)),
        [Widening::Call(found)] => {
            assert_eq!(found, name);
            None
        }
        ref several => panic!("{name}: {several:?}"),
    }
}

fn first(call: &Call, policy: &Policy) -> Option<Widening> {
    widenings(call, policy).first().copied()
}

const UNIX: (u8, &str, u64, u64) = (0, "EQ", 1, 0);
const LOWER: u64 = 0xffff_ffff;

#[test]
fn a_call_that_is_allowed_for_some_arguments_gets_the_value() {
    let socket = policy(&rule("socket", "ALLOW", &[UNIX]));
    let vsock = [0xdead_0000_0000_0028, 1, 0, 0, 0, 0];
    assert_eq!(widened("socket", vsock, &socket), Some((0, LOWER, 40)));
    // By the argument that the profile looks at.
    let kind = policy(&rule("socket", "ALLOW", &[(1, "EQ", 1, 0)]));
    let raw = [2, 3 | 0x8_0800, 0, 0, 0, 0];
    assert_eq!(widened("socket", raw, &kind), Some((1, 0xfff7_f7ff, 3)));
    let namespaces = 0x7e02_0000;
    let docker = policy(&rule("clone", "ALLOW", &[(0, "MASKED_EQ", namespaces, 0)]));
    let unshared = [0x1000_0111, 0, 0, 0, 0, 0];
    assert_eq!(widened("clone", unshared, &docker), Some((0, namespaces, 0x1000_0000)));
    let all = namespaces | 0x8001_ef00;
    let observed = policy(&rule("clone", "ALLOW", &[(0, "MASKED_EQ", all, 0)]));
    assert_eq!(widened("clone", unshared, &observed), Some((0, all, 0x1000_0100)));
    let any_condition = policy(&rule("clone", "ALLOW", &[(0, "EQ", 0, 0)]));
    assert_eq!(widened("clone", unshared, &any_condition), Some((0, namespaces, 0x1000_0000)));
}

#[test]
fn a_value_that_is_refused_by_itself_is_told() {
    let vsock = [40, 1, 0, 0, 0, 0];
    for refused in [(0, "EQ", 40, 0), (0, "MASKED_EQ", LOWER, 40)] {
        let rules = [rule("socket", "ALLOW", &[UNIX]), rule("socket", "KILL", &[refused])];
        assert_eq!(widened("socket", vsock, &policy(&rules.join(","))), Some((0, LOWER, 40)));
    }
}

#[test]
fn what_no_value_tells_apart_is_allowed_by_its_name() {
    let never = [(0, "EQ", 4711, 0)];
    let kill = policy(&rule("kill", "ALLOW", &[(1, "EQ", 0, 0)]));
    assert_eq!(widened("kill", [1; 6], &kill), None, "not in the table");
    let other = policy(&rule("ioctl", "ALLOW", &[(0, "EQ", 1, 0)]));
    assert_eq!(widened("ioctl", [1; 6], &other), None, "another argument than the table's");
    for refused in [(0, "LT", 41, 0), (0, "MASKED_EQ", 0xf8, 40)] {
        let refusing = policy(&rule("socket", "KILL", &[refused]));
        assert_eq!(widened("socket", [40, 1, 0, 0, 0, 0], &refusing), None, "{refused:?}");
    }
    let without = denied(Abi::X86_64, "socket", None);
    let socket = policy(&rule("socket", "ALLOW", &never));
    assert_eq!(widenings(&without, &socket), [Widening::Call("socket")]);
    let nameless = Call { number: 9999, ..without };
    assert_eq!(widenings(&nameless, &socket), []);
}

#[test]
fn a_call_that_is_absent_gets_the_value_where_the_profile_looks_at_arguments() {
    let unix = [1, 1, 0, 0, 0, 0];
    let new_user = [0x1000_0011, 0, 0, 0, 0, 0];
    let names = policy(&rule("read", "ALLOW", &[]));
    assert_eq!(widened("socket", unix, &names), None);
    assert_eq!(widened("clone", new_user, &names), None);
    // As the defaults do.
    let defaults = policy(&rule("personality", "ALLOW", &[(0, "EQ", 0, 0)]));
    assert_eq!(widened("socket", unix, &defaults), Some((0, LOWER, 1)));
    assert_eq!(widened("clone", new_user, &defaults), Some((0, 0x7e02_0000, 0x1000_0000)));
    assert_eq!(widened("ioctl", [3, 0x5401, 0, 0, 0, 0], &defaults), None);
    assert_eq!(widened("mkdir", [3; 6], &defaults), None);
    // As `observed` does.
    let observed = policy(&rule("prctl", "ALLOW", &[(0, "EQ", 15, 0)]));
    assert_eq!(widened("ioctl", [3, 0x5401, 0, 0, 0, 0], &observed), Some((1, LOWER, 0x5401)));
    assert_eq!(widened("unshare", new_user, &observed), Some((0, LOWER, 0x1000_0011)));
}

#[test]
fn what_was_only_logged_gets_the_values_that_are_logged() {
    let logging = of_default(&rule("socket", "ALLOW", &[UNIX]), "LOG");
    let value = |value| ArgumentValue { value, first_seen_seconds: None, command: None };
    let seen = |values: &[u64], any| Argument {
        index: 0,
        mask: LOWER,
        values: values.iter().copied().map(value).collect(),
        any,
    };
    let logged = |arguments| {
        let call = denied(Abi::X86_64, "socket", None);
        let outcome = Some(DenyOutcome::Logged);
        widenings(&Call { circumstances: None, outcome, arguments, ..call }, &logging)
    };
    let value =
        |value| Widening::Value(AddedValue { name: "socket", index: 0, mask: LOWER, value });
    assert_eq!(logged(vec![seen(&[1, 2, 40], false)]), [value(2), value(40)]);
    for unknown in [vec![], vec![seen(&[], true)], vec![seen(&[1], false)]] {
        assert_eq!(logged(unknown), [Widening::Call("socket")]);
    }
}

#[test]
fn an_abi_that_is_not_listed_is_judged_as_if_it_were() {
    let socket = policy(&rule("socket", "ALLOW", &[UNIX]));
    let inet = denied(Abi::I386, "socket", Some([2, 1, 0, 0, 0, 0]));
    let value = AddedValue { name: "socket", index: 0, mask: LOWER, value: 2 };
    assert_eq!(widenings(&inet, &socket), [Widening::Value(value)]);
    assert_eq!(value.to_string(), "AF_INET");
}

#[test]
fn a_name_makes_its_values_needless() {
    let socket = policy(&rule("socket", "ALLOW", &[UNIX]));
    let known = denied(Abi::X86_64, "socket", Some([2, 1, 0, 0, 0, 0]));
    let unknown = denied(Abi::X86_64, "socket", None);
    let (names, values) = all([&known], &socket);
    assert_eq!((names.len(), values.len()), (0, 1));
    let (names, values) = all([&known, &unknown], &socket);
    assert_eq!((names.len(), values.len()), (1, 0));
}

#[test]
fn what_the_profile_lets_pass_was_refused_by_another_filter() {
    let socket = policy(&rule("socket", "ALLOW", &[UNIX]));
    let of = |arguments| lets_pass(&denied(Abi::X86_64, "socket", arguments), &socket);
    assert_eq!(of(Some([1, 1, 0, 0, 0, 0])), Some(true));
    assert_eq!(of(Some([2, 1, 0, 0, 0, 0])), Some(false));
    assert_eq!(of(None), None);
    let deep = policy(&rule("socket", "ALLOW", &[(4, "EQ", 0, 0)]));
    let unix = denied(Abi::X86_64, "socket", Some([1, 1, 0, 0, 0, 0]));
    assert_eq!(lets_pass(&unix, &deep), None, "another call may have had another value");
    let plain = policy(&rule("socket", "ALLOW", &[]));
    assert_eq!(lets_pass(&unix, &plain), None, "whatever the arguments are");
}

#[test]
fn clone3_is_left_to_clone() {
    let clone3 = |flags| {
        let mut call = denied(Abi::X86_64, CLONE3, Some([0x1000, 88, 0, 0, 0, 0]));
        if let Some(known) = &mut call.circumstances {
            known.pointed = flags;
        }
        call
    };
    let value =
        |mask, value| Some(Widening::Value(AddedValue { name: CLONE, index: 0, mask, value }));
    let read = policy(&rule("read", "ALLOW", &[]));
    assert_eq!(first(&clone3(None), &read), value(0x7e02_0000, 0));
    assert_eq!(first(&clone3(Some(0x3d_0f00)), &read), value(0x7e02_0000, 0));
    assert_eq!(first(&clone3(Some(0x1000_0000)), &read), value(0x7e02_0000, 0x1000_0000));
    let docker = policy(&rule("clone", "ALLOW", &[(0, "MASKED_EQ", 0x7e02_0000, 0)]));
    assert_eq!(first(&clone3(Some(0x3d_0f00)), &docker), None, "clone is allowed so");
    assert_eq!(first(&clone3(Some(0x1000_0000)), &docker), value(0x7e02_0000, 0x1000_0000));
    let new_time = clone3(Some(NEW_TIME));
    assert_eq!(first(&new_time, &docker), Some(Widening::Call(CLONE3)));
    assert!(is_left_to_clone(&clone3(None)) && !is_left_to_clone(&new_time));
    let (names, _) = all([&clone3(None), &clone3(Some(0x1000_0000))], &read);
    assert!(names.is_empty(), "{names:?}");
}
