//! The profiles that container engines use when nobody names one: what a learned profile must not
//! be wider than.
//!
//! Docker's default and containerd's RuntimeDefault, each a file of `profiles/defaults` with its
//! version and where it comes from; they are embedded, so that there is one truth. The files say
//! what counts on amd64, for all three ABIs.
//!
//! The arguments that the defaults look at are an `int` or `unsigned int` to the kernel, which
//! ignores the upper half of the register. The defaults compare whole registers. Here a register is
//! judged as the kernel takes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::{Deserialize, Serialize};
use tracer_ebpf::arguments::LOWER_HALF;

use super::{
    capability::Capability,
    multiplexed,
    oci::{
        self, Action, Architectures, Condition, Constraint, JsonError, OciProfile, Operator, Rule,
        SeccompArch,
    },
    policy::{Policy, PolicyError, RuleContext, Verdict},
};
use crate::syscalls::{self, Abi};

/// A container engine with a default profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum DefaultsEngine {
    /// Docker.
    Docker,
    /// containerd, whose default is RuntimeDefault for Kubernetes.
    #[serde(rename = "containerd")]
    Containerd,
}

impl DefaultsEngine {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::Docker, Self::Containerd];

    /// What its default profile is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "Docker's default",
            Self::Containerd => "RuntimeDefault",
        }
    }

    /// Its default profile.
    pub fn default_profile(self) -> &'static DefaultProfile {
        static PROFILES: LazyLock<[DefaultProfile; 2]> = LazyLock::new(|| {
            DefaultsEngine::ALL.map(|engine| {
                DefaultProfile::parse(engine, engine.embedded())
                    .expect("the embedded defaults are well-formed, as the unit tests prove")
            })
        });
        &PROFILES[self as usize]
    }

    fn embedded(self) -> &'static str {
        match self {
            Self::Docker => include_str!("../../../profiles/defaults/docker.json"),
            Self::Containerd => include_str!("../../../profiles/defaults/containerd.json"),
        }
    }
}

/// A default profile, and what it means for a container with the default capabilities.
#[derive(Clone, Debug)]
pub struct DefaultProfile {
    file: File,
    policy: Policy,
}

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    engine: DefaultsEngine,
    version: String,
    /// Where it comes from, for readers of the file.
    #[serde(rename = "source")]
    _source: String,
    /// The error number of what is not allowed.
    errno: u16,
    /// What is allowed whatever the capabilities and the arguments are.
    calls: Vec<String>,
    /// What is allowed for some values of an argument.
    limited: Vec<Limited>,
    /// What has an error number of its own.
    answered: Vec<Answered>,
    /// What is allowed besides, whatever the arguments are, to a container with a capability.
    with_capability: BTreeMap<String, Vec<String>>,
}

/// A call that is allowed for some values of an argument.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limited {
    name: String,
    index: u8,
    /// The bits that are looked at.
    mask: u64,
    /// The values that are allowed; all but `except` when there is none.
    #[serde(default)]
    values: BTreeSet<u64>,
    #[serde(default)]
    except: BTreeSet<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    name: String,
    errno: u16,
}

/// Why a default profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefaultError {
    /// The text is not the JSON of a default profile.
    #[error("{} is not well-formed", engine.name())]
    Form {
        /// The engine.
        engine: DefaultsEngine,
        /// Where and why.
        source: JsonError,
    },
    /// The text is the default profile of another engine.
    #[error("{} says that it is {}", expected.name(), found.name())]
    Engine {
        /// The engine whose profile it should be.
        expected: DefaultsEngine,
        /// The engine that it names.
        found: DefaultsEngine,
    },
    /// A name is no call, or a name of a capability is none.
    #[error("{} names {name:?}, which does not exist", engine.name())]
    Name {
        /// The engine.
        engine: DefaultsEngine,
        /// The name.
        name: String,
    },
    /// A limited call says neither which values are allowed nor which are not, or both.
    #[error("{} must say of {name:?} which values are allowed, or which are not", engine.name())]
    Values {
        /// The engine.
        engine: DefaultsEngine,
        /// The call.
        name: String,
    },
    /// The rules contradict each other.
    #[error("{} contradicts itself", engine.name())]
    Policy {
        /// The engine.
        engine: DefaultsEngine,
        /// How.
        source: PolicyError,
    },
}

impl DefaultProfile {
    /// Reads the default profile of an engine.
    ///
    /// # Errors
    /// The text is not one.
    pub fn parse(engine: DefaultsEngine, text: &str) -> Result<Self, DefaultError> {
        let file: File =
            oci::parse(text.as_bytes()).map_err(|source| DefaultError::Form { engine, source })?;
        if file.engine != engine {
            return Err(DefaultError::Engine { expected: engine, found: file.engine });
        }
        file.check()?;
        let policy = file.policy(&Capability::dockers().collect())?;
        Ok(Self { file, policy })
    }

    /// Its meaning for a container with other capabilities.
    ///
    /// # Errors
    /// None, for the embedded defaults.
    pub fn policy_with(&self, capabilities: &BTreeSet<Capability>) -> Result<Policy, DefaultError> {
        self.file.policy(capabilities)
    }

    /// The profile, as the engine would hand it to a runtime, with its conditions on capabilities.
    pub fn profile(&self) -> OciProfile {
        self.file.profile()
    }

    /// The version that it was taken from.
    pub fn version(&self) -> &str {
        &self.file.version
    }

    /// Its meaning for a container with the default capabilities.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether it refuses a call that the kernel makes of these registers.
    pub fn refuses(&self, abi: Abi, number: u32, registers: &[u64; 6]) -> bool {
        let lower = registers.map(|register| register & LOWER_HALF);
        self.policy.decide(abi, number, &lower).refuses()
    }

    /// Whether it refuses a call of x86_64 whatever its arguments are.
    pub fn refuses_all_of(&self, name: &str) -> bool {
        let number = syscalls::number(Abi::NATIVE, name);
        let number = number.and_then(|number| u32::try_from(number).ok());
        let always = number.and_then(|number| self.policy.always(Abi::NATIVE, number));
        always.is_some_and(Verdict::refuses)
    }

    /// How many names of x86_64 it allows, for some arguments or for all.
    pub fn names(&self) -> usize {
        let is_allowed = |name: &str| {
            let number = syscalls::number(Abi::NATIVE, name);
            let number = number.and_then(|number| u32::try_from(number).ok());
            let always = number.map(|number| self.policy.always(Abi::NATIVE, number));
            always.is_some_and(|always| always.is_none_or(|verdict| !verdict.refuses()))
        };
        syscalls::entries(Abi::NATIVE).filter(|(_, name)| is_allowed(name)).count()
    }

    /// The capabilities with one of which it allows a call that it refuses without.
    pub fn capabilities_for(&self, name: &str) -> impl Iterator<Item = &str> {
        let allows = move |names: &[String]| names.iter().any(|other| other == name);
        let all = self.file.with_capability.iter();
        all.filter(move |(_, names)| allows(names)).map(|(capability, _)| capability.as_str())
    }
}

impl File {
    fn check(&self) -> Result<(), DefaultError> {
        let engine = self.engine;
        let limited = self.limited.iter().map(|limited| &limited.name);
        let answered = self.answered.iter().map(|answered| &answered.name);
        let names = self.calls.iter().chain(limited).chain(answered);
        let mut names = names.chain(self.with_capability.values().flatten());
        // Such as `recv`, which only i386's `socketcall` has.
        let is_call = |name: &str| syscalls::is_known(name) || multiplexed::by_name(name).is_some();
        if let Some(name) = names.find(|name| !is_call(name)) {
            return Err(DefaultError::Name { engine, name: name.clone() });
        }
        let mut capabilities = self.with_capability.keys();
        if let Some(name) = capabilities.find(|name| Capability::from_name(name).is_none()) {
            return Err(DefaultError::Name { engine, name: name.clone() });
        }
        let odd = |limited: &&Limited| limited.values.is_empty() == limited.except.is_empty();
        match self.limited.iter().find(odd) {
            Some(limited) => Err(DefaultError::Values { engine, name: limited.name.clone() }),
            None => Ok(()),
        }
    }

    fn policy(&self, capabilities: &BTreeSet<Capability>) -> Result<Policy, DefaultError> {
        // The capabilities decide; every kernel that runs today is new enough.
        let host = RuleContext { capabilities: capabilities.clone(), kernel: (u32::MAX, 0) };
        let engine = self.engine;
        Policy::new(&self.profile(), &host)
            .map_err(|source| DefaultError::Policy { engine, source })
    }

    /// As the engine would hand it to a runtime, but for the comparisons of the upper halves.
    fn profile(&self) -> OciProfile {
        let mut rules = vec![rule(&self.calls, Action::Allow, None)];
        rules.extend(self.with_capability.iter().map(|(capability, names)| Rule {
            includes: Constraint {
                capabilities: Capability::from_name(capability).into_iter().collect(),
                ..Constraint::default()
            },
            ..rule(names, Action::Allow, None)
        }));
        for limited in &self.limited {
            let names = std::slice::from_ref(&limited.name);
            rules.extend(limited.conditions().into_iter().map(|condition| Rule {
                conditions: vec![condition],
                ..rule(names, Action::Allow, None)
            }));
        }
        rules.extend(self.answered.iter().map(|answered| {
            rule(std::slice::from_ref(&answered.name), Action::Errno, Some(answered.errno))
        }));
        OciProfile {
            default_action: Action::Errno,
            default_errno: Some(self.errno),
            architectures: Architectures::Listed(Abi::ALL.map(SeccompArch::Ours).into()),
            flags: None,
            listener_path: None,
            listener_metadata: None,
            syscalls: rules,
            remarks: Vec::new(),
        }
    }
}

fn rule(names: &[String], action: Action, errno: Option<u16>) -> Rule {
    Rule {
        names: names.to_vec(),
        action,
        errno,
        conditions: Vec::new(),
        includes: Constraint::default(),
        excludes: Constraint::default(),
        comment: None,
    }
}

impl Limited {
    fn allows(&self, value: u64) -> bool {
        self.values.contains(&value) || !self.except.is_empty() && !self.except.contains(&value)
    }

    /// Conditions of which one holds for what is allowed.
    fn conditions(&self) -> Vec<Condition> {
        let with = |value, operator| Condition { index: self.index, value, value_two: 0, operator };
        let masked = |value_two: &u64| Condition {
            value_two: *value_two,
            ..with(self.mask, Operator::MaskedEqual)
        };
        let mut conditions: Vec<Condition> = self.values.iter().map(masked).collect();
        let (first, last) = (self.except.first(), self.except.last());
        if let (Some(&first), Some(&last)) = (first, last) {
            conditions.push(with(first, Operator::Less));
            let between = (first..last).filter(|value| !self.except.contains(value));
            conditions.extend(between.map(|value| with(value, Operator::Equal)));
            conditions.push(with(last, Operator::Greater));
        }
        conditions
    }
}

/// What all defaults allow of a call whose argument one of them looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Which argument, from 0.
    pub index: u8,
    /// The bits of it that are looked at.
    pub mask: u64,
    /// The values that every default allows.
    pub values: BTreeSet<u64>,
}

/// The calls whose arguments a default looks at, with what all of them allow.
pub fn shared() -> &'static BTreeMap<&'static str, Shared> {
    static SHARED: LazyLock<BTreeMap<&'static str, Shared>> = LazyLock::new(|| {
        let all =
            || DefaultsEngine::ALL.into_iter().flat_map(|one| &one.default_profile().file.limited);
        let shared = all().filter(|limited| !limited.values.is_empty()).map(|limited| {
            let Limited { name, index, mask, values, .. } = limited;
            let allow = |value: &&u64| {
                all().filter(|other| other.name == *name).all(|other| other.allows(**value))
            };
            let values = values.iter().filter(allow).copied().collect();
            (name.as_str(), Shared { index: *index, mask: *mask, values })
        });
        shared.collect()
    });
    &SHARED
}

#[cfg(test)]
#[path = "defaults_tests.rs"]
mod tests;
