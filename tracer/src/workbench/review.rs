//! The syscalls of a profile that somebody has yet to decide about, in the order in which they are
//! asked about: those that Docker's default refuses, those that another default refuses, and those
//! with which much harm can be done.

use std::collections::BTreeSet;

use super::{
    diff::policies::passing,
    risk::{self, RISKS},
};
use crate::{
    profile::{
        beyond::beyond,
        defaults::DefaultsEngine,
        policy::{Policy, Verdict},
    },
    recording::Recording,
    syscalls::{self, Abi},
};

/// What there is to decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// The syscalls, each with what makes it a question.
    pub syscalls: Vec<(&'static str, &'static str)>,
    /// Syscalls that a default refuses for some arguments alone: a decision about the whole syscall
    /// would say too much.
    pub for_some_arguments: Vec<&'static str>,
}

/// What makes a syscall a question; the first sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Docker,
    OtherDefault,
    Risk,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker's default refuses it",
            Self::OtherDefault => "RuntimeDefault refuses it",
            Self::Risk => "much harm can be done with it",
        }
    }
}

/// Finds out what there is to decide about a profile. Nobody is asked what is decided already.
pub fn questions(
    policy: &Policy,
    recording: Option<&Recording>,
    is_decided: impl Fn(&str) -> bool,
) -> Questions {
    let recordings = recording.map_or(&[][..], std::slice::from_ref);
    let beyond: BTreeSet<&str> =
        beyond(policy, recordings).into_iter().map(|beyond| beyond.name).collect();
    let passing: BTreeSet<&str> =
        Abi::ALL.into_iter().flat_map(|abi| passing(policy, abi)).collect();
    let mut found = Vec::new();
    let mut questions = Questions::default();
    for name in passing.into_iter().filter(|name| !is_decided(name)) {
        let is_beyond = beyond.contains(name);
        let rank = RISKS.iter().position(|risk| risk.has(name)).unwrap_or(RISKS.len());
        let cause = if is_beyond && is_refused(DefaultsEngine::Docker, name) {
            Cause::Docker
        } else if is_beyond
            && DefaultsEngine::ALL.into_iter().any(|engine| is_refused(engine, name))
        {
            Cause::OtherDefault
        } else if risk::dangerous(name).is_some() {
            Cause::Risk
        } else {
            if is_beyond {
                questions.for_some_arguments.push(name);
            }
            continue;
        };
        found.push((cause, rank, name));
    }
    found.sort_unstable();
    questions.syscalls = found.into_iter().map(|(cause, _, name)| (name, cause.name())).collect();
    questions
}

/// A default refuses a syscall whatever its arguments are.
fn is_refused(engine: DefaultsEngine, name: &str) -> bool {
    let policy = engine.default_profile().policy();
    let verdict = |abi: Abi| {
        let number = u32::try_from(syscalls::number(abi, name)?).ok()?;
        policy.always(abi, number)
    };
    Abi::ALL.into_iter().filter_map(verdict).any(Verdict::refuses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{oci, policy::RuleContext};

    fn policy(text: &str) -> Policy {
        let profile = oci::read(text.as_bytes()).expect("a profile");
        Policy::new(&profile, &RuleContext::default()).expect("a policy")
    }

    fn asked(text: &str, decided: &[&str]) -> Vec<&'static str> {
        let found = questions(&policy(text), None, |name| decided.contains(&name));
        found.syscalls.into_iter().map(|(name, _)| name).collect()
    }

    const PROFILE: &str = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
        {"names":["execve","mount","ptrace","read","bpf","process_vm_readv","lookup_dcookie"],
         "action":"SCMP_ACT_ALLOW"},
        {"names":["socket"],"action":"SCMP_ACT_ALLOW",
         "args":[{"index":0,"value":4294967295,"valueTwo":38,"op":"SCMP_CMP_MASKED_EQ"}]}]}"#;

    #[test]
    fn what_dockers_default_refuses_comes_first_and_then_the_risks() {
        let asked = asked(PROFILE, &[]);
        let place = |name: &str| asked.iter().position(|one| *one == name);
        assert_eq!(&asked[..2], ["bpf", "mount"], "the worst first: {asked:?}");
        assert!(place("lookup_dcookie") < place("ptrace"), "{asked:?}");
        assert!(place("process_vm_readv").is_some() && place("ptrace").is_some(), "{asked:?}");
        for harmless in ["read", "execve", "socket"] {
            assert_eq!(place(harmless), None, "{asked:?}");
        }
    }

    #[test]
    fn what_is_decided_is_not_asked() {
        let before = asked(PROFILE, &[]);
        let after = asked(PROFILE, &["mount", "ptrace"]);
        assert_eq!(after.len() + 2, before.len());
        assert!(!after.contains(&"mount") && after.contains(&"bpf"), "{after:?}");
    }

    #[test]
    fn values_of_arguments_are_not_asked_about() {
        let found = questions(&policy(PROFILE), None, |_| false);
        assert_eq!(found.for_some_arguments, ["socket"]);
    }
}
