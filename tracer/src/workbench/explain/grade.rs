//! One letter for how much of the kernel a profile leaves open. The rule is written down for users
//! in docs/explain.md.

use serde::Serialize;

use crate::{
    profile::{
        beyond::Beyond,
        defaults::DefaultsEngine,
        policy::{Policy, Verdict},
    },
    workbench::risk,
};

/// How much is left open, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Grade {
    /// At most a third of what Docker's default allows.
    A,
    /// At most two thirds of it.
    B,
    /// More, or something that a default refuses.
    C,
    /// Something that a default refuses, and that can do much harm.
    D,
    /// Code can be put into the kernel.
    E,
    /// Everything passes that no rule refuses.
    F,
}

/// A grade, and why it is no better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graded {
    /// The grade.
    pub grade: Grade,
    /// Why.
    pub reason: String,
}

/// The kind of syscalls that put code into the kernel.
const KERNEL_CODE: &str = "kernel code";

/// The grade of a profile that allows so many syscalls of x86_64, and these beyond the defaults.
pub fn grade(policy: &Policy, allowed: usize, beyond: &[Beyond]) -> Graded {
    let default = policy.default_verdict();
    let graded = |grade, reason: String| Graded { grade, reason };
    if default.lets_pass() {
        let reason = match default {
            Verdict::Log => "every syscall without a rule is made, and only logged",
            _ => "every syscall without a rule is allowed",
        };
        return graded(Grade::F, reason.to_owned());
    }
    let risk = |one: &Beyond| {
        let of_value = one.value.and_then(|(index, value)| risk::of_value(one.name, index, value));
        let of_any = || risk::of_any_value(one.name).filter(|_| one.and_any || one.value.is_none());
        risk::dangerous(one.name).map(|risk| risk.name).or(of_value).or_else(of_any)
    };
    let risky: Vec<(&str, &str)> =
        beyond.iter().filter_map(|one| Some((one.name, risk(one)?))).collect();
    let of_kernel = risky.iter().find(|(_, risk)| *risk == KERNEL_CODE);
    if let Some((name, _)) = of_kernel {
        return graded(Grade::E, format!("{name} is allowed, which puts code into the kernel"));
    }
    if let Some((name, risk)) = risky.first() {
        return graded(Grade::D, format!("{name} is allowed beyond the defaults (risk: {risk})"));
    }
    if let Some(one) = beyond.first() {
        return graded(Grade::C, format!("{} is allowed beyond the defaults", one.name));
    }
    let docker = DefaultsEngine::Docker.default_profile().names();
    let of = format!("{allowed} x86_64 syscalls are allowed, nothing beyond the defaults");
    match () {
        () if allowed * 3 <= docker => graded(Grade::A, of),
        () if allowed * 3 <= docker * 2 => graded(Grade::B, of),
        () => graded(Grade::C, format!("{of}, nearly as many as Docker's default ({docker})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        profile::{beyond::beyond, oci, policy::RuleContext},
        syscalls::Abi,
        workbench::diff::policies::passing,
    };

    fn graded(default: &str, names: &[&str]) -> Grade {
        let names = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
        let text = format!(
            r#"{{"defaultAction":"{default}","syscalls":[{{"names":[{names}],"action":"SCMP_ACT_ALLOW"}}]}}"#
        );
        let profile = oci::read(text.as_bytes()).expect("a profile");
        let policy = Policy::new(&profile, &RuleContext::default()).expect("a policy");
        grade(&policy, passing(&policy, Abi::X86_64).count(), &beyond(&policy, &[])).grade
    }

    #[test]
    fn each_grade_has_its_rule() {
        const ERRNO: &str = "SCMP_ACT_ERRNO";
        assert_eq!(graded(ERRNO, &["read", "write"]), Grade::A);
        assert_eq!(graded(ERRNO, &["read", "lsm_list_modules"]), Grade::C);
        assert_eq!(graded(ERRNO, &["read", "userfaultfd"]), Grade::D);
        assert_eq!(graded(ERRNO, &["socket"]), Grade::D, "with AF_ALG and AF_VSOCK");
        assert_eq!(graded(ERRNO, &["read", "userfaultfd", "bpf"]), Grade::E);
        assert_eq!(graded("SCMP_ACT_LOG", &["read"]), Grade::F);
        for (engine, grade) in DefaultsEngine::ALL.map(|engine| (engine, Grade::C)) {
            let policy = engine.default_profile().policy();
            let beyond = beyond(policy, &[]);
            let allowed = passing(policy, Abi::X86_64).count();
            assert_eq!(super::grade(policy, allowed, &beyond).grade, grade, "{}", engine.name());
        }
    }
}
