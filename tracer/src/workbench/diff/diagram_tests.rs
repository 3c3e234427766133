//! Tests of the comparison of decisions, argument by argument.

use super::*;

const ALLOW: Verdict = Verdict::Allow;
const EPERM: Verdict = Verdict::Errno(1);

fn condition(index: u8, operator: Operator, value: u64, value_two: u64) -> Condition {
    Condition { index, value, value_two, operator }
}

fn when(conditions: &[&[Condition]]) -> CallDecision {
    CallDecision::When(conditions.iter().map(|all| (all.to_vec(), ALLOW)).collect())
}

fn compare(abi: Abi, call: &str, before: &CallDecision, after: &CallDecision) -> Vec<VerdictPair> {
    outcomes((abi, call), (before, EPERM), (after, EPERM)).expect("it is small")
}

fn differ(found: &[VerdictPair]) -> Vec<(bool, [u64; 6])> {
    let differ = found.iter().filter(|one| one.before != one.after);
    differ.map(|one| (one.after == ALLOW, one.arguments)).collect()
}

#[test]
fn what_is_said_in_other_words_is_the_same() {
    use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, MaskedEqual, NotEqual};
    let same = [
        (when(&[&[condition(0, Less, 4, 0)]]), when(&[&[condition(0, LessOrEqual, 3, 0)]])),
        (when(&[&[condition(0, Less, 4, 0)]]), when(&[&[condition(0, MaskedEqual, !3, 0)]])),
        (
            when(&[&[condition(2, NotEqual, 7, 0)]]),
            when(&[&[condition(2, Greater, 7, 0)], &[condition(2, Less, 7, 0)]]),
        ),
        (
            when(&[&[condition(0, Equal, 1, 0), condition(1, GreaterOrEqual, 9, 0)]]),
            when(&[&[condition(1, Greater, 8, 0), condition(0, MaskedEqual, u64::MAX, 1)]]),
        ),
        (when(&[&[condition(0, GreaterOrEqual, 0, 0)]]), CallDecision::Always(ALLOW)),
    ];
    for (at, (before, after)) in same.iter().enumerate() {
        for abi in Abi::ALL {
            let found = compare(abi, "read", before, after);
            assert_eq!(differ(&found), [], "{at} {abi:?}");
        }
    }
}

#[test]
fn the_lowest_arguments_that_differ_are_found() {
    let before = when(&[&[condition(0, Operator::Less, 38, 0)]]);
    let after = when(&[&[condition(0, Operator::LessOrEqual, 40, 0)]]);
    let found = compare(Abi::X86_64, "socket", &before, &after);
    assert_eq!(differ(&found), [(true, [38, 0, 0, 0, 0, 0])]);
    assert_eq!(found.len(), 3, "both allow, both refuse, and one of each: {found:?}");
}

#[test]
fn a_register_counts_as_the_kernel_takes_it() {
    let whole = when(&[&[condition(0, Operator::Equal, 2, 0)]]);
    let masked = when(&[&[condition(0, Operator::MaskedEqual, LOWER_HALF, 2)]]);
    assert_eq!(differ(&compare(Abi::X86_64, "socket", &whole, &masked)), []);
    let found = compare(Abi::X86_64, "read", &whole, &masked);
    assert_eq!(differ(&found), [(true, [(1 << 32) | 2, 0, 0, 0, 0, 0])]);
    assert_eq!(differ(&compare(Abi::I386, "read", &whole, &masked)), []);
}

#[test]
fn what_is_not_allowed_can_be_said_as_conditions() {
    let allowed = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];
    let allowed = allowed.map(|value| [condition(0, Operator::Equal, value, 0)]);
    let allowed: Vec<&[Condition]> = allowed.iter().map(|one| &one[..]).collect();
    let (allow, always) = (when(&allowed), CallDecision::Always(EPERM));
    let call = (Abi::X86_64, "personality");
    let of = |decision, default| (decision, default);
    let refused = regions(call, of(&allow, EPERM), of(&always, EPERM), |one, _| one == EPERM);
    let refused = CallDecision::When(refused.expect("it is small"));
    let found = outcomes(call, of(&allow, EPERM), of(&refused, ALLOW)).expect("it is small");
    assert_eq!(differ(&found), [], "the same, said the other way round");
    let nothing = regions(call, of(&always, EPERM), of(&always, EPERM), |one, _| one == ALLOW);
    assert_eq!(nothing, Ok(Vec::new()));
}

#[test]
fn rules_that_cannot_be_compared_are_refused_in_time() {
    // A hidden weighted bit, more or less: each rule ties one bit of one argument to one of
    // another.
    let rule = |bit: u64| {
        vec![
            condition(0, Operator::MaskedEqual, 1 << bit, 1 << bit),
            condition(5, Operator::MaskedEqual, 1 << bit, 1 << bit),
        ]
    };
    let rules: Vec<Vec<Condition>> = (0..40).map(rule).collect();
    let rules: Vec<&[Condition]> = rules.iter().map(Vec::as_slice).collect();
    let entangled = when(&rules);
    let always = CallDecision::Always(ALLOW);
    let result = outcomes((Abi::X86_64, "read"), (&entangled, EPERM), (&always, EPERM));
    assert_eq!(result, Err(TooLarge));
}
