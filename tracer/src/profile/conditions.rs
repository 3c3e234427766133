//! Conditions on arguments, as people read them: `AF_UNIX`, `no CLONE_NEWUSER`.

use tracer_ebpf::arguments::LOWER_HALF;

use super::{
    oci::{Condition, Operator},
    policy::{CallDecision, Verdict},
};
use crate::syscalls::arguments;

/// The most alternatives of one call that are written.
const MOST: usize = 20;

/// For which arguments a call passes, when that depends on them: `argument 0 AF_UNIX, AF_INET`.
/// None when it does not.
pub fn passes_for(call: &str, decision: &CallDecision) -> Option<String> {
    let CallDecision::When(alternatives) = decision else { return None };
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (conditions, verdict) in alternatives.iter().take(MOST) {
        let (subject, value) = match conditions.as_slice() {
            [one] => (format!("argument {}", one.index), condition(call, one)),
            several => (String::new(), all(call, several)),
        };
        let value = match verdict {
            Verdict::Allow => value,
            other => format!("{value} ({})", outcome(*other)),
        };
        match groups.iter_mut().find(|(known, _)| *known == subject) {
            Some((_, values)) => values.push(value),
            None => groups.push((subject, vec![value])),
        }
    }
    let mut written: Vec<String> = groups
        .into_iter()
        .map(|(subject, values)| format!("{subject} {}", values.join(", ")).trim().to_owned())
        .collect();
    match alternatives.len().saturating_sub(MOST) {
        0 => {}
        more => written.push(format!("{more} more")),
    }
    Some(written.join("; "))
}

fn all(call: &str, conditions: &[Condition]) -> String {
    let one = |it: &Condition| format!("argument {} {}", it.index, condition(call, it));
    conditions.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// One condition, without the argument that it is about.
fn condition(call: &str, condition: &Condition) -> String {
    let name = |value| arguments::value(call, condition.index, value);
    match condition.operator {
        Operator::Equal => name(condition.value),
        Operator::NotEqual => format!("not {}", name(condition.value)),
        Operator::Less => format!("below {}", name(condition.value)),
        Operator::LessOrEqual => format!("up to {}", name(condition.value)),
        Operator::GreaterOrEqual => format!("from {}", name(condition.value)),
        Operator::Greater => format!("above {}", name(condition.value)),
        Operator::MaskedEqual => masked(call, condition),
    }
}

fn masked(call: &str, condition: &Condition) -> String {
    let (index, mask, value) =
        (condition.index, condition.value, condition.value_two & condition.value);
    let watched = arguments::masks(call, index);
    // The bits that are left out have no meaning, or are the table's own.
    if mask == u64::MAX || mask == LOWER_HALF || value != 0 && watched.contains(&mask) {
        return arguments::value(call, index, value);
    }
    let bits = arguments::value(call, index, mask);
    match value {
        0 => format!("without {bits}"),
        value => format!("{} of {bits}", arguments::value(call, index, value)),
    }
}

fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "passes",
        Verdict::Log => "logged",
        Verdict::Trace(_) => "a tracer decides",
        Verdict::Errno(_) => "fails",
        Verdict::Trap => "SIGSYS",
        Verdict::KillThread => "the thread is killed",
        Verdict::KillProcess => "the process is killed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(index: u8, operator: Operator, value: u64, value_two: u64) -> Vec<Condition> {
        vec![Condition { index, value, value_two, operator }]
    }

    fn written(call: &str, alternatives: Vec<(Vec<Condition>, Verdict)>) -> String {
        passes_for(call, &CallDecision::When(alternatives)).expect("it depends on them")
    }

    #[test]
    fn conditions_have_the_names_of_the_field() {
        use Operator::{Equal, Greater, MaskedEqual, NotEqual};
        let allow = Verdict::Allow;
        let families = [one(0, Equal, 1, 0), one(0, MaskedEqual, LOWER_HALF, 40)];
        let families = families.map(|conditions| (conditions, allow)).to_vec();
        assert_eq!(written("socket", families), "argument 0 AF_UNIX, AF_VSOCK");
        let docker = vec![(one(0, NotEqual, 40, 0), allow)];
        assert_eq!(written("socket", docker), "argument 0 not AF_VSOCK");
        let clone = vec![(one(0, MaskedEqual, 0x7e02_0000, 0), allow)];
        assert_eq!(
            written("clone", clone),
            "argument 0 without CLONE_NEWNS|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWUSER|CLONE_NEWPID|CLONE_NEWNET"
        );
        let user = vec![(one(0, MaskedEqual, 0x7e02_0000, 0x1000_0000), allow)];
        assert_eq!(written("clone", user), "argument 0 CLONE_NEWUSER");
        let part = vec![(one(0, MaskedEqual, 0x3000_0000, 0x1000_0000), allow)];
        assert_eq!(
            written("clone", part),
            "argument 0 CLONE_NEWUSER of CLONE_NEWUSER|CLONE_NEWPID"
        );
        let executable = vec![(one(2, MaskedEqual, 4, 0), allow)];
        assert_eq!(written("mmap", executable), "argument 2 without PROT_EXEC");
        let kill = vec![(one(1, Greater, 9, 0), Verdict::KillThread)];
        assert_eq!(written("kill", kill), "argument 1 above 0x9 (the thread is killed)");
        let both = [one(0, Equal, 2, 0), one(1, Equal, 1, 0)].concat();
        let both = vec![(both, allow), (one(2, Equal, 0, 0), allow)];
        assert_eq!(
            written("socket", both),
            "argument 0 AF_INET and argument 1 SOCK_STREAM; argument 2 0"
        );
        assert_eq!(passes_for("read", &CallDecision::Always(allow)), None);
    }

    #[test]
    fn many_alternatives_are_cut() {
        let many = (0..25).map(|family| (one(0, Operator::Equal, family, 0), Verdict::Allow));
        let text = written("socket", many.collect());
        assert!(text.ends_with("AF_ASH, AF_ECONET; 5 more"), "{text}");
    }
}
