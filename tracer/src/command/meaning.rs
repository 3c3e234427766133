//! What a profile means on this host, in a few lines for people.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    profile::{
        conditions::passes_for,
        policy::{CallDecision, Policy, Verdict},
    },
    sys::Filter,
    syscalls::{Abi, entries, errno},
};

/// The meaning of a policy, and the size of its filter.
pub(super) fn of(policy: &Policy, filter: &Filter) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "a call without a rule: {}", verdict(policy.default_verdict()));
    for abi in Abi::ALL {
        let Some(table) = policy.table(abi) else {
            let _ = writeln!(text, "{}: not listed: its callers are killed", abi.name());
            continue;
        };
        let (mut passing, mut conditional, mut stopped) = (0, 0, 0);
        for (number, _) in entries(abi) {
            match u32::try_from(number).ok().and_then(|number| table.get(&number)) {
                Some(CallDecision::When(_)) => conditional += 1,
                Some(CallDecision::Always(verdict)) if verdict.lets_pass() => passing += 1,
                None if policy.default_verdict().lets_pass() => passing += 1,
                Some(CallDecision::Always(_)) | None => stopped += 1,
            }
        }
        let _ = writeln!(
            text,
            "{}: {passing} calls pass, {conditional} for some arguments only, {stopped} do not",
            abi.name()
        );
    }
    text.push_str(&conditions(policy));
    let _ = writeln!(
        text,
        "filter: {} instructions of the 4096 that the kernel takes",
        filter.instructions.len()
    );
    text
}

/// For which arguments calls pass that do not always: a line each, with the ABIs where it is so.
fn conditions(policy: &Policy) -> String {
    let mut lines: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for abi in Abi::ALL {
        for (number, name) in entries(abi) {
            let number = u32::try_from(number).ok();
            let decision = number.and_then(|number| policy.table(abi)?.get(&number));
            if let Some(written) = decision.and_then(|decision| passes_for(name, decision)) {
                lines.entry((name, written)).or_default().push(abi.name());
            }
        }
    }
    let line = |((name, written), abis): ((&str, String), Vec<&str>)| {
        format!("  {name}: {written} ({})\n", abis.join(", "))
    };
    lines.into_iter().map(line).collect()
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Allow => "it passes".to_owned(),
        Verdict::Log => "it passes and is logged".to_owned(),
        Verdict::Trace(_) => {
            "a ptrace(2) tracer decides; without one it fails with ENOSYS".to_owned()
        }
        Verdict::Errno(number) => match errno::name(number) {
            Some(name) => format!("it fails with {name} ({number})"),
            None => format!("it fails with {number}"),
        },
        Verdict::Trap => "its thread gets SIGSYS".to_owned(),
        Verdict::KillThread => "its thread is killed".to_owned(),
        Verdict::KillProcess => "its process is killed".to_owned(),
    }
}
