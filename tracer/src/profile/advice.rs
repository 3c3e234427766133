//! What to do about calls that a profile denied.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    base,
    lacking::{Lacking, runtimes_of, since},
    policy::{Policy, Verdict},
    widening::{self, AddedValue, Widening, widenings},
};
use crate::{
    recording::{Call, DenyOutcome, Phase},
    syscalls,
};

/// What the profile says of a call that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// Another filter refused it: the profile allows the call whatever the arguments are, or would
    /// have answered otherwise.
    Elsewhere,
    /// It allows the call for some arguments.
    ForSomeArguments,
    /// It refuses the call.
    Refused,
    /// It does not list the architecture.
    UnlistedArchitecture,
    /// No profile can allow the call: its number has no name.
    Nameless,
}

/// What the profile says of a refused call. `alone`: nobody but tracer loaded the profile, so that
/// a call which it refuses is refused as it says, and another answer is another filter's. A
/// container runtime may answer otherwise: runc has an answer of its own for calls that are newer
/// than those of the profile, and older runtimes do not know every error number.
pub fn says(call: &Call, policy: &Policy, alone: bool) -> Says {
    if syscalls::name(call.abi, call.number).is_none() {
        return Says::Nameless;
    }
    if policy.table(call.abi).is_none() {
        return Says::UnlistedArchitecture;
    }
    let number = u32::try_from(call.number).ok();
    match number.and_then(|number| policy.always(call.abi, number)) {
        // A call that is logged and let through was refused by nobody.
        Some(verdict) if verdict.lets_pass() => match (call.outcome, verdict) {
            (Some(DenyOutcome::Logged), Verdict::Log) => Says::Refused,
            _ => Says::Elsewhere,
        },
        // Of several filters that refuse a call, the harshest answers, and of equal ones the last
        // that was loaded.
        Some(verdict) if alone && !is_answer(call.outcome, verdict) => Says::Elsewhere,
        Some(_) => Says::Refused,
        None if widening::lets_pass(call, policy) == Some(true) => Says::Elsewhere,
        None => Says::ForSomeArguments,
    }
}

/// The call was refused in the way that the verdict says.
fn is_answer(outcome: Option<DenyOutcome>, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Errno(errno) => {
            [DenyOutcome::Errno(errno), DenyOutcome::UnknownErrno].map(Some).contains(&outcome)
        }
        Verdict::Trap | Verdict::KillProcess => outcome == Some(DenyOutcome::Signal),
        // The only thread of a process takes it along.
        Verdict::KillThread => {
            matches!(outcome, Some(DenyOutcome::Signal | DenyOutcome::ThreadKilled))
        }
        Verdict::Allow | Verdict::Log | Verdict::Trace(_) => true,
    }
}

/// What each runtime needs and the profile lacks, when one of the calls was refused to a runtime on
/// its way to the workload.
pub fn lacking<'a>(calls: impl IntoIterator<Item = &'a Call>, policy: &Policy) -> Vec<Lacking> {
    let of_runtimes =
        calls.into_iter().filter(|call| call.denied_in_phase == Some(Phase::ContainerInit));
    let names = of_runtimes.map(|call| call.command.as_deref().unwrap_or_default());
    let runtimes: BTreeSet<_> = names.flat_map(runtimes_of).copied().collect();
    runtimes.into_iter().filter_map(|runtime| Lacking::of(runtime, policy)).collect()
}

/// What to do about `clone3`.
const CLONE3_LEFT: &str = "no filter sees the flags of clone3: let it fail with ENOSYS, and C libraries take clone; add the rule {\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}";

/// What to do about denied calls, a line for each kind.
pub fn advice(calls: &[&Call], policy: &Policy, alone: bool) -> Vec<String> {
    let lacking = lacking(calls.iter().copied(), policy);
    let of_runtimes: BTreeSet<&str> = lacking.iter().flat_map(Lacking::names).collect();
    let mut lines: Vec<String> = lacking.iter().map(of_a_runtime).collect();
    let mut kinds: BTreeMap<(Says, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut values: BTreeMap<&str, BTreeSet<AddedValue>> = BTreeMap::new();
    let (whole, _) = widening::all(calls.iter().copied(), policy);
    let mut tried: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut is_clone3_left = false;
    for call in calls {
        let name = syscalls::name(call.abi, call.number).unwrap_or_default();
        let says = says(call, policy, alone);
        if let Some((runtime, _)) = base::optional_of_runtime(call) {
            tried.entry(runtime.name()).or_default().insert(name);
            continue;
        }
        if call.denied_in_phase == Some(Phase::ContainerInit) && of_runtimes.contains(name) {
            continue;
        }
        let left_to_clone = widening::is_left_to_clone(call) && says != Says::Elsewhere;
        is_clone3_left |= left_to_clone;
        let added = widenings(call, policy).into_iter().filter_map(Widening::value);
        let added: Vec<AddedValue> = added.filter(|value| !whole.contains(value.name)).collect();
        let is_told = left_to_clone || !added.is_empty();
        for value in added {
            values.entry(value.name).or_default().insert(value);
        }
        if is_told && says != Says::UnlistedArchitecture {
            continue;
        }
        let architecture = match says {
            Says::UnlistedArchitecture => call.abi.seccomp_arch(),
            _ => "",
        };
        kinds.entry((says, architecture)).or_default().insert(name);
    }
    lines.extend(kinds.into_iter().filter_map(|((says, architecture), names)| {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        match says {
            Says::Elsewhere => None,
            Says::ForSomeArguments => Some(format!(
                "the profile allows {names} for some arguments only: change the conditions, or allow it for all"
            )),
            Says::Refused => Some(format!("add {names} to the profile")),
            Says::UnlistedArchitecture => Some(format!(
                "the profile does not list {architecture}: add it to \"architectures\", with {names} allowed"
            )),
            Says::Nameless => {
                Some("the number has no name, so that no profile can allow it".to_owned())
            }
        }
    }));
    lines.extend(is_clone3_left.then(|| CLONE3_LEFT.to_owned()));
    lines.extend(values.iter().map(|(name, values)| of_values(name, values)));
    lines.extend(tried.into_iter().map(|(runtime, names)| only_tried(runtime, &names)));
    lines
}

/// What a call is to be allowed with.
fn of_values(name: &str, values: &BTreeSet<AddedValue>) -> String {
    let index = values.first().map_or(0, |value| value.index);
    let values = values.iter().map(AddedValue::to_string).collect::<Vec<_>>().join(", ");
    format!("allow {name} with {values} (argument {index}) as well")
}

/// What a runtime goes on without, when it is not ended for it.
fn only_tried(runtime: &str, names: &BTreeSet<&str>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    format!(
        "{runtime} only tries {}, and goes on without where that fails with an error number: add the rule {{\"names\":[{}],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}}",
        names.iter().copied().collect::<Vec<_>>().join(", "),
        quoted.join(",")
    )
}

/// What a runtime needs and the profile lacks.
pub fn of_a_runtime(lacking: &Lacking) -> String {
    let runtime = lacking.runtime;
    let name = |call: &str| match since(runtime, call) {
        Some(release) => format!("{call} (since {release})"),
        None => call.to_owned(),
    };
    let names: Vec<String> = lacking.names().map(name).collect();
    format!(
        "the profile lacks {} of the {} calls that {} may make between the load of the filter and the workload's execve: {}",
        names.len(),
        lacking.of,
        runtime.name(),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{
            oci,
            policy::{Policy, RuleContext},
        },
        recording::testing,
        syscalls::Abi,
        text::escape,
    };

    fn policy() -> Policy {
        let text = br#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
            {"names":["read"],"action":"SCMP_ACT_ALLOW"},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#;
        Policy::new(&oci::read(text).expect("a profile"), &RuleContext::default())
            .expect("a policy")
    }

    fn denied(abi: Abi, name: &str, phase: Phase) -> Call {
        let number = syscalls::number(abi, name).expect("a call");
        let call = testing::denied(testing::numbered(abi, number), DenyOutcome::Errno(38));
        let command = Some(escape("runc:[2:INIT]"));
        Call { denied_in_phase: Some(phase), command, ..call }
    }

    #[test]
    fn each_case_has_its_remedy() {
        use Phase::{ContainerInit, Workload};
        let cases = [
            (Abi::X86_64, "sendfile", Workload, "add sendfile to the profile"),
            (Abi::X86_64, "statx", ContainerInit, "statx (since 1.2.8)"),
            (Abi::X86_64, "statx", Workload, "add statx"),
            (Abi::X86_64, "open_tree", ContainerInit, "runc only tries open_tree"),
            (Abi::X86_64, "open_tree", Workload, "add open_tree to the profile"),
            (Abi::X86_64, "mount", ContainerInit, "add mount"),
            (Abi::X86_64, "socket", Workload, "for some arguments only"),
            (Abi::I386, "socketcall", Workload, "does not list SCMP_ARCH_X86:"),
            (Abi::X32, "read", Workload, "does not list SCMP_ARCH_X32:"),
        ];
        for (abi, name, phase, expected) in cases {
            let lines = advice(&[&denied(abi, name, phase)], &policy(), false);
            assert!(lines.iter().any(|line| line.contains(expected)), "{name}: {lines:?}");
        }
    }

    #[test]
    fn a_value_is_named_where_it_is_known() {
        let made = |arguments| {
            let circumstances = Some(testing::circumstances(1, Some(arguments)));
            Call { circumstances, ..denied(Abi::X86_64, "socket", Phase::Workload) }
        };
        let (vsock, inet) = (made([40, 1, 0, 0, 0, 0]), made([2, 1, 0, 0, 0, 0]));
        let lines = advice(&[&vsock, &inet], &policy(), false);
        assert_eq!(lines, ["allow socket with AF_INET, AF_VSOCK (argument 0) as well"]);
        // What the profile lets pass, another filter refused.
        assert_eq!(says(&made([1, 1, 0, 0, 0, 0]), &policy(), false), Says::Elsewhere);
        let unknown = denied(Abi::X86_64, "socket", Phase::Workload);
        let lines = advice(&[&vsock, &unknown], &policy(), false);
        assert!(lines.len() == 1 && lines[0].contains("for some arguments only"), "{lines:?}");
        let nameless = Call { number: 9999, ..unknown };
        assert_eq!(advice(&[&nameless], &policy(), false).len(), 1);
    }

    #[test]
    fn one_call_of_a_runtime_brings_all_that_it_needs() {
        let calls = [
            denied(Abi::X86_64, "getdents64", Phase::ContainerInit),
            denied(Abi::X86_64, "capget", Phase::ContainerInit),
            denied(Abi::X86_64, "mkdir", Phase::Workload),
        ];
        let lines = advice(&calls.iter().collect::<Vec<_>>(), &policy(), false);
        let [runc, rest] = &lines[..] else { panic!("{lines:?}") };
        assert!(runc.contains("the profile lacks 47 of the 48 calls that runc may make"), "{runc}");
        assert!(["getdents64", "capset", "futex"].iter().all(|name| runc.contains(name)), "{runc}");
        assert_eq!(rest, "add mkdir to the profile");
        let workload = denied(Abi::X86_64, "getdents64", Phase::Workload);
        assert!(lacking([&workload], &policy()).is_empty(), "no runtime was refused anything");
    }

    #[test]
    fn what_the_profile_allows_was_refused_by_another_filter() {
        let read = denied(Abi::X86_64, "read", Phase::Workload);
        assert_eq!(says(&read, &policy(), false), Says::Elsewhere);
        assert!(advice(&[&read], &policy(), false).is_empty());
        let all = oci::read(br#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).expect("a profile");
        let all = Policy::new(&all, &RuleContext::default()).expect("a policy");
        assert_eq!(
            says(&denied(Abi::X86_64, "mkdir", Phase::Workload), &all, false),
            Says::Elsewhere
        );
        let log = oci::read(br#"{"defaultAction":"SCMP_ACT_LOG"}"#).expect("a profile");
        let log = Policy::new(&log, &RuleContext::default()).expect("a policy");
        let mut mkdir = denied(Abi::X86_64, "mkdir", Phase::Workload);
        assert_eq!(says(&mkdir, &log, false), Says::Elsewhere, "logged calls are made");
        mkdir.outcome = Some(DenyOutcome::Logged);
        assert_eq!(says(&mkdir, &log, false), Says::Refused, "it would be refused");
        assert_eq!(says(&mkdir, &all, false), Says::Elsewhere);
    }

    #[test]
    fn another_answer_than_the_profile_s_is_another_filter_s_where_no_runtime_is_between() {
        let mut mkdir = denied(Abi::X86_64, "mkdir", Phase::Workload);
        assert_eq!(says(&mkdir, &policy(), true), Says::Elsewhere, "ENOSYS, and it says EPERM");
        assert_eq!(says(&mkdir, &policy(), false), Says::Refused, "runc may answer so");
        mkdir.outcome = Some(DenyOutcome::Errno(1));
        assert_eq!(says(&mkdir, &policy(), true), Says::Refused);
        mkdir.outcome = Some(DenyOutcome::Signal);
        assert_eq!(says(&mkdir, &policy(), true), Says::Elsewhere);
    }
}
