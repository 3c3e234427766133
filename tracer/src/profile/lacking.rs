//! Which calls of a container runtime a profile lacks: without one of them a container may not
//! start under it.

use super::{
    base::{BaseCall, OciRuntime},
    policy::{Policy, Verdict},
};
use crate::syscalls::{self, Abi};

/// The calls of a runtime's base set that a profile refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The runtime.
    pub runtime: OciRuntime,
    /// The calls, sorted by name.
    pub calls: Vec<&'static BaseCall>,
    /// How many calls the base set has.
    pub of: usize,
}

impl Lacking {
    /// What a profile lacks of a runtime's base set; None when it has all. A call that it allows
    /// for some arguments is not lacking.
    pub fn of(runtime: OciRuntime, policy: &Policy) -> Option<Self> {
        let all = &runtime.base_set().calls;
        let is_refused = |call: &&BaseCall| {
            let number = syscalls::number(Abi::NATIVE, &call.name);
            let number = number.and_then(|number| u32::try_from(number).ok());
            let verdict = number.and_then(|number| policy.always(Abi::NATIVE, number));
            verdict.is_some_and(Verdict::refuses)
        };
        let calls: Vec<&BaseCall> = all.iter().filter(is_refused).collect();
        (!calls.is_empty()).then_some(Self { runtime, calls, of: all.len() })
    }

    /// The names of the calls.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.calls.iter().map(|call| call.name.as_str())
    }
}

/// The runtimes that a task of this name may be one of.
pub fn runtimes_of(command: &str) -> &'static [OciRuntime] {
    match command {
        name if name.starts_with("runc") => &[OciRuntime::Runc],
        name if name.starts_with("crun") => &[OciRuntime::Crun],
        name if name.starts_with("youki") => &[OciRuntime::Youki],
        _ => &OciRuntime::ALL,
    }
}

/// Since which release a runtime makes a call of its base set: since then it opens `/proc` so that
/// nobody can put another file system in its place.
pub fn since(runtime: OciRuntime, call: &str) -> Option<&'static str> {
    let call = runtime.base_set().calls.iter().find(|known| known.name == call)?;
    call.only.first().or(call.since.first()).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{oci, policy::RuleContext};

    fn policy(text: &str) -> Policy {
        let profile = oci::read(text.as_bytes()).expect("a profile");
        Policy::new(&profile, &RuleContext::default()).expect("a policy")
    }

    #[test]
    fn what_is_refused_is_lacking() {
        let all = policy(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#);
        assert!(OciRuntime::ALL.into_iter().all(|runtime| Lacking::of(runtime, &all).is_none()));
        let log = policy(r#"{"defaultAction":"SCMP_ACT_LOG"}"#);
        assert!(Lacking::of(OciRuntime::Runc, &log).is_none(), "it lets them pass");
        let none = policy(r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#);
        let runc = Lacking::of(OciRuntime::Runc, &none).expect("all are lacking");
        assert_eq!((runc.calls.len(), runc.of), (runc.of, OciRuntime::Runc.base_set().calls.len()));
        let some = policy(
            r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
                {"names":["execve","close"],"action":"SCMP_ACT_ALLOW"},
                {"names":["prctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]}"#,
        );
        let crun = Lacking::of(OciRuntime::Crun, &some).expect("most are lacking");
        assert_eq!(crun.calls.len(), crun.of - 3, "prctl is allowed for some arguments");
        assert!(crun.names().all(|name| !["execve", "close", "prctl"].contains(&name)));
    }

    #[test]
    fn a_task_s_name_tells_the_runtime() {
        assert_eq!(runtimes_of("runc:[2:INIT]"), [OciRuntime::Runc]);
        assert_eq!(runtimes_of("crun"), [OciRuntime::Crun]);
        assert_eq!(runtimes_of("youki:[1:INTER]"), [OciRuntime::Youki]);
        assert_eq!(runtimes_of("exe"), OciRuntime::ALL);
    }
}
