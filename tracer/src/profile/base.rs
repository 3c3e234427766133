//! Base sets: what a container runtime calls between the load of the filter and the workload's execve.
//!
//! A container does not start under a profile that lacks one of them, and a recording of one runtime, on one day, shows
//! neither those of another version nor those that chance decides. The sets are the files of `profiles/runtime`, with a
//! reason for each call; they are embedded, so that there is one truth.

use std::sync::LazyLock;

use serde::Deserialize;

use super::oci::{self, JsonError};
use crate::syscalls::{self, Abi};

/// A container runtime that there is a base set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// opencontainers/runc: Docker's, containerd's and most of Kubernetes'.
    Runc,
    /// containers/crun: Podman's and CRI-O's.
    Crun,
}

impl Runtime {
    /// Every runtime.
    pub const ALL: [Self; 2] = [Self::Runc, Self::Crun];

    /// The runtime's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }

    /// The runtime's base set.
    pub fn base_set(self) -> &'static BaseSet {
        static SETS: LazyLock<[BaseSet; 2]> = LazyLock::new(|| {
            Runtime::ALL.map(|runtime| {
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
        }
    }
}

/// The base set of a runtime.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseSet {
    /// The runtime that makes the calls.
    pub runtime: Runtime,
    /// The versions that containers were started with under the set.
    pub tested: Vec<String>,
    /// How the set was found.
    pub source: String,
    /// The calls, sorted by name.
    pub calls: Vec<BaseCall>,
}

/// A call of a base set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseCall {
    /// The call's name.
    pub name: String,
    /// What the runtime makes it for.
    pub reason: String,
}

/// Why a base set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaseSetError {
    /// The text is not the JSON of a base set.
    #[error("the base set of {} is not well-formed", runtime.name())]
    Form {
        /// The runtime.
        runtime: Runtime,
        /// Where and why.
        source: JsonError,
    },
    /// The text is the base set of another runtime.
    #[error("the base set of {} says that it is {}'s", expected.name(), found.name())]
    Runtime {
        /// The runtime whose set it should be.
        expected: Runtime,
        /// The runtime that it names.
        found: Runtime,
    },
    /// A name is no call of x86_64.
    #[error("the base set of {} names {name:?}, which is no system call of x86_64", runtime.name())]
    Name {
        /// The runtime.
        runtime: Runtime,
        /// The name.
        name: String,
    },
    /// The names are not sorted, or one comes twice.
    #[error("the base set of {} has {name:?} in the wrong place or twice", runtime.name())]
    Order {
        /// The runtime.
        runtime: Runtime,
        /// The name.
        name: String,
    },
    /// A call has no reason.
    #[error("the base set of {} gives no reason for {name:?}", runtime.name())]
    Reason {
        /// The runtime.
        runtime: Runtime,
        /// The name.
        name: String,
    },
}

impl BaseSet {
    /// Reads the base set of a runtime.
    pub fn parse(runtime: Runtime, text: &str) -> Result<Self, BaseSetError> {
        let set: Self =
            oci::parse(text.as_bytes()).map_err(|source| BaseSetError::Form { runtime, source })?;
        if set.runtime != runtime {
            return Err(BaseSetError::Runtime { expected: runtime, found: set.runtime });
        }
        let mut previous = "";
        for call in &set.calls {
            let name = || call.name.clone();
            if syscalls::number(Abi::X86_64, &call.name).is_none() {
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
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(calls: &str) -> Result<BaseSet, BaseSetError> {
        let text = format!(r#"{{"runtime":"runc","tested":["1"],"source":"s","calls":[{calls}]}}"#);
        BaseSet::parse(Runtime::Runc, &text)
    }

    #[test]
    fn the_embedded_sets_are_well_formed() {
        for runtime in Runtime::ALL {
            let set = BaseSet::parse(runtime, runtime.embedded()).expect("a base set");
            assert_eq!(&set, runtime.base_set());
            assert!(!set.tested.is_empty() && !set.source.is_empty());
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
        for runtime in Runtime::ALL {
            for call in &runtime.base_set().calls {
                assert!(!before.contains(&call.name.as_str()), "{} {}", runtime.name(), call.name);
            }
        }
    }

    #[test]
    fn the_sets_start_containers_and_exec_into_them() {
        let has =
            |runtime: Runtime, name| runtime.base_set().calls.iter().any(|call| call.name == name);
        for name in ["statx", "openat2", "faccessat2", "futex", "rt_sigreturn", "fchown", "capset"]
        {
            assert!(has(Runtime::Runc, name), "runc {name}");
        }
        for name in
            ["pselect6", "close_range", "openat", "statx", "setgroups", "fchown", "ioctl", "umask"]
        {
            assert!(has(Runtime::Crun, name), "crun {name}");
        }
        assert_eq!(Runtime::Runc.base_set().calls.len(), 48);
        assert_eq!(Runtime::Crun.base_set().calls.len(), 22);
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
        let error = BaseSet::parse(Runtime::Runc, Runtime::Crun.embedded()).expect_err("crun's");
        assert_eq!(error.to_string(), "the base set of runc says that it is crun's");
    }
}
