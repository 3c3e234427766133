//! A profile as a file says it: what every reader of the OCI form knows, and what Docker and Podman
//! added to it.

use std::collections::BTreeSet;

use super::remark::Remark;
use crate::{profile::capability::Capability, syscalls::Abi};

/// A profile that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciProfile {
    /// What happens to a call that no rule is about.
    pub default_action: Action,
    /// The error number of the default action; EPERM when it is missing and the action returns one.
    pub default_errno: Option<u16>,
    /// The architectures that the filter is made for.
    pub architectures: Architectures,
    /// Flags of the load. `None`: the runtime chooses (runc from 1.2 on and crun set
    /// `SECCOMP_FILTER_FLAG_SPEC_ALLOW`).
    pub flags: Option<Vec<Flag>>,
    /// The socket of the process that decides on calls with [`Action::Notify`].
    pub listener_path: Option<String>,
    /// The metadata that this process receives.
    pub listener_metadata: Option<String>,
    /// The rules, in their order.
    pub syscalls: Vec<Rule>,
    /// What is odd in the file, and has a meaning all the same.
    pub remarks: Vec<Remark>,
}

impl OciProfile {
    /// The capabilities that rules ask for: by them it depends on a container which rules count.
    pub fn capabilities(&self) -> BTreeSet<Capability> {
        let constraints = self.syscalls.iter().flat_map(|rule| [&rule.includes, &rule.excludes]);
        constraints.flat_map(|constraint| constraint.capabilities.iter().copied()).collect()
    }
}

/// How a file names its architectures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Architectures {
    /// `architectures`, or nothing. The native one is always meant as well.
    Listed(Vec<SeccompArch>),
    /// `archMap`, which Docker, Podman and CRI-O know: the entry of the native architecture counts.
    Map(Vec<MapEntry>),
}

/// An entry of `archMap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// The architecture of the machine.
    pub architecture: SeccompArch,
    /// What else a machine of that architecture runs.
    pub others: Vec<SeccompArch>,
}

/// An architecture by its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeccompArch {
    /// One of the machine that the profile is for.
    Ours(Abi),
    /// One of another processor: without effect here.
    Foreign(&'static str),
}

/// Tokens of other processors' architectures (`config-linux.md`, "architectures").
const FOREIGN: [&str; 20] = [
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
];

impl SeccompArch {
    /// Its token.
    pub fn token(self) -> &'static str {
        match self {
            Self::Ours(abi) => abi.seccomp_arch(),
            Self::Foreign(token) => token,
        }
    }

    /// The architecture of a token.
    pub fn from_token(token: &str) -> Option<Self> {
        let ours = Abi::ALL.into_iter().find(|abi| abi.seccomp_arch() == token);
        let foreign = || FOREIGN.into_iter().find(|foreign| *foreign == token);
        ours.map(Self::Ours).or_else(|| foreign().map(Self::Foreign))
    }
}

/// What a filter does with a call (`seccomp(2)`, "Filters").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The call is made.
    Allow,
    /// The call is made and logged.
    Log,
    /// A tracer decides; without one the call fails with ENOSYS.
    Trace,
    /// Another process decides.
    Notify,
    /// The call fails.
    Errno,
    /// The thread gets SIGSYS.
    Trap,
    /// The thread is killed.
    KillThread,
    /// The process is killed.
    KillProcess,
}

/// The actions by their tokens.
pub const ACTIONS: [(&str, Action); 9] = [
    ("SCMP_ACT_ALLOW", Action::Allow),
    ("SCMP_ACT_LOG", Action::Log),
    ("SCMP_ACT_ERRNO", Action::Errno),
    ("SCMP_ACT_TRAP", Action::Trap),
    ("SCMP_ACT_KILL", Action::KillThread),
    ("SCMP_ACT_KILL_THREAD", Action::KillThread),
    ("SCMP_ACT_KILL_PROCESS", Action::KillProcess),
    ("SCMP_ACT_TRACE", Action::Trace),
    ("SCMP_ACT_NOTIFY", Action::Notify),
];

impl Action {
    /// The action's token.
    pub fn token(self) -> &'static str {
        let known = ACTIONS.iter().rev().find(|(_, action)| *action == self);
        known.map_or("", |(token, _)| token)
    }

    /// Whether a number goes with it: an error number, or the number that a tracer receives.
    pub fn has_number(self) -> bool {
        matches!(self, Self::Errno | Self::Trace)
    }
}

/// A flag of the filter's load (`seccomp(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// All threads of the process.
    Tsync,
    /// Log what is not allowed.
    Log,
    /// No mitigation of Speculative Store Bypass.
    SpecAllow,
    /// Only a fatal signal interrupts a call that a listener decides on.
    WaitKillable,
}

/// The flags by their tokens.
pub const FLAGS: [(&str, Flag); 4] = [
    ("SECCOMP_FILTER_FLAG_TSYNC", Flag::Tsync),
    ("SECCOMP_FILTER_FLAG_LOG", Flag::Log),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", Flag::SpecAllow),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", Flag::WaitKillable),
];

impl Flag {
    /// The flag's token.
    pub fn token(self) -> &'static str {
        FLAGS.iter().find(|(_, flag)| *flag == self).map_or("", |(token, _)| token)
    }
}

/// What happens to some calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The calls' names. A name that no architecture has is without effect, as in every runtime.
    pub names: Vec<String>,
    /// What happens to them.
    pub action: Action,
    /// The number that goes with the action.
    pub errno: Option<u16>,
    /// What must hold of the arguments.
    pub conditions: Vec<Condition>,
    /// The rule counts where all of this holds. Docker, Podman and CRI-O know it.
    pub includes: Constraint,
    /// The rule does not count where any of this holds. Docker, Podman and CRI-O know it.
    pub excludes: Constraint,
    /// For people.
    pub comment: Option<String>,
}

/// Something that must hold of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, from 0 to 5.
    pub index: u8,
    /// What it is compared with; the mask of [`Operator::MaskedEqual`].
    pub value: u64,
    /// What the masked argument is compared with.
    pub value_two: u64,
    /// How.
    pub operator: Operator,
}

/// A comparison of an argument with a value, both without sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Other than it.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Equal.
    Equal,
    /// Greater or equal.
    GreaterOrEqual,
    /// Greater.
    Greater,
    /// `argument & value == value_two`.
    MaskedEqual,
}

/// The comparisons by their tokens.
pub const OPERATORS: [(&str, Operator); 7] = [
    ("SCMP_CMP_NE", Operator::NotEqual),
    ("SCMP_CMP_LT", Operator::Less),
    ("SCMP_CMP_LE", Operator::LessOrEqual),
    ("SCMP_CMP_EQ", Operator::Equal),
    ("SCMP_CMP_GE", Operator::GreaterOrEqual),
    ("SCMP_CMP_GT", Operator::Greater),
    ("SCMP_CMP_MASKED_EQ", Operator::MaskedEqual),
];

impl Operator {
    /// The comparison's token.
    pub fn token(self) -> &'static str {
        OPERATORS.iter().find(|(_, operator)| *operator == self).map_or("", |(token, _)| token)
    }
}

/// Where a rule counts, or does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraint {
    /// Capabilities in the container's bounding set.
    pub capabilities: BTreeSet<Capability>,
    /// Architectures by the names that Go gives them: `amd64`, not `SCMP_ARCH_X86_64`.
    pub architectures: Vec<String>,
    /// The oldest kernel: its first two numbers.
    pub min_kernel: Option<(u32, u32)>,
}
