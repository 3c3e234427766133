//! What to do about a call that a profile denied.

use super::{
    Architecture, Runtime, base,
    policy::{Decision, Policy, Verdict},
};
use crate::{
    recording::{Call, Phase},
    syscalls,
};

/// What to do about a denied call, in one line. `policy` is the profile that should be in force.
pub fn advice(call: &Call, policy: &Policy) -> String {
    let Some(name) = syscalls::name(call.abi, call.number) else {
        return "the number has no name, so that no profile can allow it".to_owned();
    };
    let architecture = Architecture::from(call.abi);
    let number = u32::try_from(call.number).ok();
    let Some(table) = policy.table(call.abi) else {
        return format!(
            "the profile does not list {}: add it to \"architectures\", with {name} allowed, or let --amend FILE do it",
            architecture.token()
        );
    };
    let default = Decision::Always(policy.default_verdict());
    let decision = number.map(|number| table.get(&number).unwrap_or(&default));
    if decision == Some(&Decision::Always(Verdict::Allow)) {
        return format!(
            "the profile allows {name}: the target runs under another filter, perhaps one more"
        );
    }
    if let Some((runtime, _)) = base::optional_of_runtime(call) {
        return format!(
            "{} only tries {name}, and goes on without where it fails with an error number: add the rule {{\"names\":[\"{name}\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}}, or let --amend FILE do it",
            runtime.name()
        );
    }
    if call.during == Some(Phase::ContainerInit)
        && let Some(advice) = of_a_runtime(name)
    {
        return advice;
    }
    match decision {
        Some(Decision::When(_)) => format!(
            "the profile allows {name} for some arguments only: change the conditions, or let --amend FILE allow it for all"
        ),
        _ => format!("add {name} to the profile, or let --amend FILE do it"),
    }
}

/// The container runtime that makes the call between the load of the filter and the workload's execve, and why.
fn of_a_runtime(name: &str) -> Option<String> {
    let (runtime, reason) = Runtime::ALL.into_iter().find_map(|runtime| {
        let call = runtime.base_set().calls.iter().find(|call| call.name == name)?;
        Some((runtime.name(), &call.reason))
    })?;
    // Since these releases /proc is opened so that nobody can put another file system in its place.
    let since = match (runtime, name) {
        ("runc", "openat2" | "statx") => " >= 1.2.8",
        _ => "",
    };
    Some(format!(
        "{runtime}{since} needs {name} between the filter and execve ({reason}): derive with --runtime {runtime} (tracer profile RECORDING --runtime {runtime}), or let --amend FILE add it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{
            oci,
            policy::{Host, Policy},
        },
        recording::Refusal,
        syscalls::Abi,
    };

    fn policy() -> Policy {
        let text = br#"{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
            {"names":["read"],"action":"SCMP_ACT_ALLOW"},
            {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#;
        Policy::new(&oci::read(text).expect("a profile"), &Host::default()).expect("a policy")
    }

    fn denied(abi: Abi, name: &str, during: Phase) -> String {
        let number = syscalls::number(abi, name).expect("a call");
        let call = Call {
            abi,
            number,
            name: None,
            phase: Phase::Denied,
            count: Some(1),
            other_phases: Vec::new(),
            first_seen_seconds: None,
            command: None,
            ambiguous: false,
            refused: Some(Refusal::Errno(38)),
            during: Some(during),
            doubtful: false,
        };
        advice(&call, &policy())
    }

    #[test]
    fn each_case_has_its_remedy() {
        use Phase::{ContainerInit, Workload};
        let cases = [
            (Abi::X86_64, "sendfile", Workload, "add sendfile to the profile"),
            (Abi::X86_64, "statx", ContainerInit, "runc >= 1.2.8 needs statx between the filter"),
            (Abi::X86_64, "statx", Workload, "add statx"),
            (Abi::X86_64, "pselect6", ContainerInit, "crun needs pselect6"),
            (Abi::X86_64, "open_tree", ContainerInit, "runc only tries open_tree"),
            (Abi::X86_64, "open_tree", Workload, "add open_tree to the profile"),
            (Abi::X86_64, "socket", Workload, "for some arguments only"),
            (Abi::X86_64, "read", Workload, "runs under another filter"),
            (Abi::I386, "socketcall", Workload, "does not list SCMP_ARCH_X86:"),
            (Abi::X32, "read", Workload, "does not list SCMP_ARCH_X32:"),
        ];
        for (abi, name, during, expected) in cases {
            let advice = denied(abi, name, during);
            assert!(advice.contains(expected), "{name}: {advice}");
        }
    }
}
