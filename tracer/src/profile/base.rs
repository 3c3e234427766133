//! Base sets: what a container runtime calls between the load of the filter and the workload's
//! execve.
//!
//! A container does not start under a profile that lacks one of them, and a recording of one
//! runtime, on one day, shows neither those of another version nor those that chance decides. The
//! sets are the files of `profiles/runtime`, with a reason for each call; they are embedded, so
//! that there is one truth.
//!
//! Some calls a runtime only tries, and goes on without when they are refused. They are never
//! allowed for its sake; a profile that would end the caller answers them with an error number.

use std::sync::LazyLock;

use serde::Deserialize;

use super::oci::{self, JsonError};
use crate::{
    recording::{Call, Phase},
    syscalls::{self, Abi},
};

/// A container runtime that there is a base set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OciRuntime {
    /// opencontainers/runc: Docker's, containerd's and most of Kubernetes'.
    Runc,
    /// containers/crun: Podman's and CRI-O's.
    Crun,
    /// youki-dev/youki.
    Youki,
}

impl OciRuntime {
    /// Every runtime.
    pub const ALL: [Self; 3] = [Self::Runc, Self::Crun, Self::Youki];

    /// The runtime's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Youki => "youki",
        }
    }

    /// The runtime's base set.
    pub fn base_set(self) -> &'static BaseSet {
        static SETS: LazyLock<[BaseSet; 3]> = LazyLock::new(|| {
            OciRuntime::ALL.map(|runtime| {
                BaseSet::parse(runtime, runtime.embedded())
                    .expect("the embedded base sets are well-formed, as the unit tests prove")
            })
        });
        &SETS[self as usize]
    }

    fn embedded(self) -> &'static str {
        match self {
            Self::Runc => include_str!("../../../profiles/runtime/runc.json"),
            Self::Crun => include_str!("../../../profiles/runtime/crun.json"),
            Self::Youki => include_str!("../../../profiles/runtime/youki.json"),
        }
    }
}

/// The base set of a runtime.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseSet {
    /// The runtime that makes the calls.
    pub runtime: OciRuntime,
    /// What was seen to work under the set.
    pub proven: Proven,
    /// How the set was found.
    pub source: String,
    /// The calls, sorted by name.
    pub calls: Vec<BaseCall>,
    /// Calls that the runtime tries, and goes on without when they are refused; sorted by name,
    /// none of them in `calls`.
    #[serde(default)]
    pub optional: Vec<BaseCall>,
}

/// The versions of a runtime that did their work under its base set, with everything else killing
/// the process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    /// Those that started containers.
    pub start: Vec<String>,
    /// Those that executed programs in containers.
    pub exec: Vec<String>,
}

/// A call of a base set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseCall {
    /// The call's name.
    pub name: String,
    /// What the runtime makes it for.
    pub reason: String,
    /// The values of arguments that it makes it with, where they are known; any value where there
    /// is none.
    #[serde(default)]
    pub arguments: Vec<BaseArgument>,
    /// The runtime starts no container without it: taken out of the set alone, under an error
    /// number, nothing started.
    #[serde(default)]
    pub required: bool,
    /// The first release of each series that makes the call, the oldest first; empty when all do,
    /// as far as is known.
    #[serde(default)]
    pub since: Vec<String>,
    /// The only releases that do not go on without it; empty when there are more.
    #[serde(default)]
    pub only: Vec<String>,
}

/// The values with which a runtime makes a call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseArgument {
    /// Which argument, from 0.
    pub index: u8,
    /// Its values.
    pub values: Vec<u64>,
}

/// Why a base set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseSetError {
    /// The text is not the JSON of a base set.
    #[error("the base set of {} is not well-formed", runtime.name())]
    Form {
        /// The runtime.
        runtime: OciRuntime,
        /// Where and why.
        source: JsonError,
    },
    /// The text is the base set of another runtime.
    #[error("the base set of {} says that it is {}'s", expected.name(), found.name())]
    Runtime {
        /// The runtime whose set it should be.
        expected: OciRuntime,
        /// The runtime that it names.
        found: OciRuntime,
    },
    /// A name is no call of x86_64.
    #[error("the base set of {} names {name:?}, which is no system call of {}", runtime.name(), Abi::NATIVE.name())]
    Name {
        /// The runtime.
        runtime: OciRuntime,
        /// The name.
        name: String,
    },
    /// The names are not sorted, or one comes twice.
    #[error("the base set of {} has {name:?} in the wrong place or twice", runtime.name())]
    Order {
        /// The runtime.
        runtime: OciRuntime,
        /// The name.
        name: String,
    },
    /// A call has no reason.
    #[error("the base set of {} gives no reason for {name:?}", runtime.name())]
    Reason {
        /// The runtime.
        runtime: OciRuntime,
        /// The name.
        name: String,
    },
}

impl BaseSet {
    /// Reads the base set of a runtime.
    pub fn parse(runtime: OciRuntime, text: &str) -> Result<Self, BaseSetError> {
        let set: Self =
            oci::parse(text.as_bytes()).map_err(|source| BaseSetError::Form { runtime, source })?;
        if set.runtime != runtime {
            return Err(BaseSetError::Runtime { expected: runtime, found: set.runtime });
        }
        check(runtime, &set.calls)?;
        check(runtime, &set.optional)?;
        let needed = |call: &&BaseCall| set.calls.iter().any(|needed| needed.name == call.name);
        if let Some(call) = set.optional.iter().find(needed) {
            return Err(BaseSetError::Order { runtime, name: call.name.clone() });
        }
        Ok(set)
    }

    /// The values of an argument with which the runtime makes a call; None when they are not known.
    pub fn values(&self, name: &str, index: u8) -> Option<&[u64]> {
        let call = self.calls.iter().find(|call| call.name == name)?;
        let argument = call.arguments.iter().find(|argument| argument.index == index)?;
        Some(&argument.values)
    }
}

fn check(runtime: OciRuntime, calls: &[BaseCall]) -> Result<(), BaseSetError> {
    let mut previous = "";
    for call in calls {
        let name = || call.name.clone();
        if syscalls::number(Abi::NATIVE, &call.name).is_none() {
            return Err(BaseSetError::Name { runtime, name: name() });
        }
        if call.name.as_str() <= previous {
            return Err(BaseSetError::Order { runtime, name: name() });
        }
        if call.reason.trim().is_empty() {
            return Err(BaseSetError::Reason { runtime, name: name() });
        }
        previous = &call.name;
    }
    Ok(())
}

/// The runtime that tries a call and goes on without it, and what for.
pub fn optional(name: &str) -> Option<(OciRuntime, &'static BaseCall)> {
    OciRuntime::ALL.into_iter().find_map(|runtime| {
        let call = runtime.base_set().optional.iter().find(|call| call.name == name)?;
        Some((runtime, call))
    })
}

/// The same for a recorded call that a runtime made after the filter was loaded, or was refused
/// then. When the workload made it, it is none of these.
pub fn optional_of_runtime(call: &Call) -> Option<(OciRuntime, &'static BaseCall)> {
    let phase = if call.phase == Phase::Denied { call.denied_in_phase? } else { call.phase };
    let name = syscalls::name(call.abi, call.number).filter(|_| phase == Phase::ContainerInit)?;
    optional(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(calls: &str) -> Result<BaseSet, BaseSetError> {
        let text = format!(
            r#"{{"runtime":"runc","proven":{{"start":["1"],"exec":[]}},"source":"s","calls":[{calls}]}}"#
        );
        BaseSet::parse(OciRuntime::Runc, &text)
    }

    #[test]
    fn the_embedded_sets_are_well_formed() {
        for runtime in OciRuntime::ALL {
            let set = BaseSet::parse(runtime, runtime.embedded()).expect("a base set");
            assert_eq!(&set, runtime.base_set());
            assert!(!set.proven.start.is_empty() && !set.source.is_empty());
        }
    }

    #[test]
    fn what_runtimes_do_before_the_filter_is_in_no_set() {
        let before = [
            "mount",
            "umount2",
            "pivot_root",
            "setns",
            "unshare",
            "keyctl",
            "sethostname",
            "seccomp",
            "mknodat",
            "ptrace",
        ];
        for runtime in OciRuntime::ALL {
            for call in &runtime.base_set().calls {
                assert!(!before.contains(&call.name.as_str()), "{} {}", runtime.name(), call.name);
            }
        }
    }

    #[test]
    fn the_sets_start_containers_and_exec_into_them() {
        let has = |runtime: OciRuntime, name| {
            runtime.base_set().calls.iter().any(|call| call.name == name)
        };
        for name in ["statx", "openat2", "faccessat2", "futex", "rt_sigreturn", "fchown", "capset"]
        {
            assert!(has(OciRuntime::Runc, name), "runc {name}");
        }
        for name in
            ["pselect6", "close_range", "openat", "statx", "setgroups", "fchown", "ioctl", "umask"]
        {
            assert!(has(OciRuntime::Crun, name), "crun {name}");
        }
        assert_eq!(OciRuntime::Runc.base_set().calls.len(), 48);
        assert_eq!(OciRuntime::Crun.base_set().calls.len(), 22);
        assert_eq!(OciRuntime::Youki.base_set().calls.len(), 17);
        for runtime in OciRuntime::ALL {
            let Proven { start, exec } = &runtime.base_set().proven;
            assert!(exec.iter().all(|version| start.contains(version)), "{}", runtime.name());
        }
    }

    #[test]
    fn what_a_runtime_only_tries_is_told_from_what_it_needs() {
        for name in ["fsconfig", "fsmount", "fsopen", "open_tree"] {
            assert_eq!(
                optional(name).map(|(runtime, _)| runtime),
                Some(OciRuntime::Runc),
                "{name}"
            );
        }
        assert!(optional("statx").is_none() && optional("mount").is_none());
        let text = |optional: &str| {
            format!(
                r#"{{"runtime":"runc","proven":{{"start":["1"],"exec":[]}},"source":"s",
                    "calls":[{{"name":"read","reason":"r"}}],"optional":[{optional}]}}"#
            )
        };
        let parse = |optional| BaseSet::parse(OciRuntime::Runc, &text(optional));
        assert!(parse(r#"{"name":"fsopen","reason":"r"}"#).is_ok());
        let both = parse(r#"{"name":"read","reason":"r"}"#).expect_err("needed and optional");
        assert!(matches!(both, BaseSetError::Order { .. }), "{both}");
        let unreasoned = parse(r#"{"name":"fsopen","reason":""}"#).expect_err("no reason");
        assert!(matches!(unreasoned, BaseSetError::Reason { .. }), "{unreasoned}");
    }

    #[test]
    fn a_set_that_is_not_well_formed_is_refused() {
        assert!(set(r#"{"name":"close","reason":"r"},{"name":"read","reason":"r"}"#).is_ok());
        let error = set(r#"{"name":"close"}"#).expect_err("no reason");
        assert!(matches!(error, BaseSetError::Form { .. }), "{error}");
        let error = set(r#"{"name":"closee","reason":"r"}"#).expect_err("no call");
        assert!(matches!(error, BaseSetError::Name { .. }), "{error}");
        let error = set(r#"{"name":"read","reason":"r"},{"name":"close","reason":"r"}"#);
        assert!(matches!(error, Err(BaseSetError::Order { .. })));
        let error = set(r#"{"name":"read","reason":"r"},{"name":"read","reason":"r"}"#);
        assert!(matches!(error, Err(BaseSetError::Order { .. })));
        let error = set(r#"{"name":"read","reason":" "}"#).expect_err("an empty reason");
        assert!(matches!(error, BaseSetError::Reason { .. }), "{error}");
        let error =
            BaseSet::parse(OciRuntime::Runc, OciRuntime::Crun.embedded()).expect_err("crun's");
        assert_eq!(error.to_string(), "the base set of runc says that it is crun's");
    }
}
