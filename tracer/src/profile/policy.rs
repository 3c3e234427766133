//! What a profile means on this machine: for each ABI and number, what happens to a call.
//!
//! The meaning is runc's (`libcontainer/seccomp/seccomp_linux.go`), which hands the rules to
//! libseccomp:
//! - A call through an ABI whose architecture is not listed kills the thread, whatever the default
//!   action is.
//! - A rule that does what happens by default is skipped, before anything else.
//! - A rule with two conditions on one argument is taken apart: each of its conditions is a rule of
//!   its own.
//! - A rule without conditions decides on its call, the first of several; otherwise the rules with
//!   conditions do. A rule is rejected if an earlier rule with the same or wider conditions has a
//!   different action. Where conditions overlap in another way, the earlier rule decides here;
//!   libseccomp has an order of its own.
//! - The error number is EPERM unless it is given.
//! - i386 programs reach some calls through `socketcall` and `ipc`: a rule on such a call counts
//!   there as well, by the first argument (libseccomp's `arch-x86.c`).

use std::collections::{BTreeMap, BTreeSet};

pub use super::counting::{RuleContext, abis, counts};
use super::{
    Errno, Profile, multiplexed,
    oci::{self, Action, Condition, Flag, OciProfile, Operator, Rule},
};
use crate::{
    syscalls::{self, Abi},
    text::escape,
};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is made.
    Allow,
    /// It is made and logged.
    Log,
    /// A tracer decides, and receives the number.
    Trace(u16),
    /// It fails with an error number.
    Errno(u16),
    /// The thread gets SIGSYS.
    Trap,
    /// The thread is killed.
    KillThread,
    /// The process is killed.
    KillProcess,
}

impl Verdict {
    /// The caller does not go on, unless it catches SIGSYS.
    pub fn ends_the_caller(self) -> bool {
        matches!(self, Self::Trap | Self::KillThread | Self::KillProcess)
    }

    /// Whether the call is made for certain.
    pub fn lets_pass(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }

    /// Whether the call is never made.
    pub fn refuses(self) -> bool {
        !matches!(self, Self::Allow | Self::Log | Self::Trace(_))
    }
}

/// What happens to the calls of one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallDecision {
    /// Always this.
    Always(Verdict),
    /// The verdict of the first alternative whose conditions all hold; else the default.
    When(Vec<(Vec<Condition>, Verdict)>),
}

/// Why a profile has no meaning here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Another process would have to decide.
    #[error(
        "syscalls[{rule}].action: SCMP_ACT_NOTIFY needs another process that decides, and there is none; a container runtime connects it through `listenerPath`"
    )]
    Notify {
        /// The rule, from 0. Rules that do not count here are counted.
        rule: usize,
    },
    /// No filter that the kernel takes can hold them.
    #[error(
        "syscalls[{rule}]: more than {MOST_ALTERNATIVES} rules with conditions are about {}, and a filter has room for fewer; allow the call without conditions",
        escape(name)
    )]
    TooMany {
        /// The rule that is one too many, from 0.
        rule: usize,
        /// The call.
        name: String,
    },
    /// Two rules want different things of one call.
    #[error(
        "syscalls[{rule}]: it does something else with {} than an earlier rule, under conditions that are the same or wider; remove one of the two; no runtime accepts both",
        escape(name)
    )]
    Conflict {
        /// The later rule, from 0.
        rule: usize,
        /// The call.
        name: String,
    },
}

/// The meaning of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    default: Verdict,
    /// The decisions for the ABIs that are listed. The numbers are those of the ABI's table.
    tables: BTreeMap<Abi, BTreeMap<u32, CallDecision>>,
    flags: Option<Vec<Flag>>,
    unknown: BTreeSet<String>,
}

impl Policy {
    /// The meaning of a profile on a machine.
    ///
    /// # Errors
    /// A rule needs another process, or contradicts another rule.
    pub fn new(profile: &OciProfile, context: &RuleContext) -> Result<Self, PolicyError> {
        let default = default_verdict(profile);
        let abis = abis(&profile.architectures);
        let mut policy = Self {
            default,
            tables: abis.into_iter().map(|abi| (abi, BTreeMap::new())).collect(),
            flags: profile.flags.clone(),
            unknown: BTreeSet::new(),
        };
        for (at, rule) in profile.syscalls.iter().enumerate() {
            if !counts(rule, context) {
                continue;
            }
            let verdict =
                verdict(rule.action, rule.errno).ok_or(PolicyError::Notify { rule: at })?;
            policy.add(rule, verdict).map_err(|(misfit, name)| misfit.of(at, name))?;
        }
        Ok(policy)
    }

    /// What happens to a call that no rule is about.
    pub fn default_verdict(&self) -> Verdict {
        self.default
    }

    /// Whether the profile gives this error number to a call on purpose: a rule says so, whatever
    /// the arguments are or for these, and without the rule the caller would be ended.
    pub fn answers(&self, abi: Abi, number: u32, arguments: Option<&[u64; 6]>, errno: u16) -> bool {
        let verdict = match self.table(abi).and_then(|table| table.get(&number)) {
            Some(CallDecision::Always(verdict)) => Some(*verdict),
            Some(CallDecision::When(_)) => arguments.map(|made| self.decide(abi, number, made)),
            None => None,
        };
        self.default.ends_the_caller() && verdict == Some(Verdict::Errno(errno))
    }

    /// Whether a call may be made and logged.
    pub fn may_log(&self) -> bool {
        let logs = |decision: &CallDecision| match decision {
            CallDecision::Always(verdict) => *verdict == Verdict::Log,
            CallDecision::When(rules) => rules.iter().any(|(_, verdict)| *verdict == Verdict::Log),
        };
        self.default == Verdict::Log || self.tables.values().any(|table| table.values().any(logs))
    }

    /// The flags that the filter is to be loaded with; `None` when the profile does not say.
    pub fn flags(&self) -> Option<&[Flag]> {
        self.flags.as_deref()
    }

    /// Names in rules that are calls of no ABI and of no other processor: without effect.
    pub fn unknown_names(&self) -> impl Iterator<Item = &str> {
        self.unknown.iter().map(String::as_str)
    }

    /// The decisions for an ABI by number; `None` when its callers are killed.
    pub fn table(&self, abi: Abi) -> Option<&BTreeMap<u32, CallDecision>> {
        self.tables.get(&abi)
    }

    /// What happens to a call whatever its arguments are; `None` when that depends on them.
    pub fn always(&self, abi: Abi, number: u32) -> Option<Verdict> {
        let Some(table) = self.tables.get(&abi) else { return Some(Verdict::KillThread) };
        match table.get(&number) {
            None => Some(self.default),
            Some(CallDecision::Always(verdict)) => Some(*verdict),
            Some(CallDecision::When(_)) => None,
        }
    }

    /// What happens to a call.
    pub fn decide(&self, abi: Abi, number: u32, arguments: &[u64; 6]) -> Verdict {
        let Some(table) = self.tables.get(&abi) else { return Verdict::KillThread };
        match table.get(&number) {
            None => self.default,
            Some(CallDecision::Always(verdict)) => *verdict,
            Some(CallDecision::When(alternatives)) => {
                let holds = |condition: &Condition| condition.holds(abi, arguments);
                let first = alternatives.iter().find(|(all, _)| all.iter().all(holds));
                first.map_or(self.default, |(_, verdict)| *verdict)
            }
        }
    }

    /// Adds a rule; the error names the call that it does not fit.
    fn add(&mut self, rule: &Rule, verdict: Verdict) -> Result<(), (Misfit, String)> {
        if verdict == self.default {
            return Ok(());
        }
        for name in &rule.names {
            let shared = multiplexed::by_name(name);
            if !is_name(name) {
                self.unknown.insert(name.clone());
            }
            for (abi, table) in &mut self.tables {
                for conditions in taken_apart(&rule.conditions) {
                    let number = syscalls::number(*abi, name).and_then(|it| u32::try_from(it).ok());
                    let misfit = |misfit| (misfit, name.clone());
                    if let Some(call) = shared.filter(|_| abi.description().multiplexes) {
                        let conditions = call.conditions(&conditions);
                        insert(table, call.entrance.number(), conditions, verdict)
                            .map_err(misfit)?;
                    }
                    if let Some(number) = number {
                        insert(table, number, conditions, verdict).map_err(misfit)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Condition {
    /// Whether it holds. A filter for a 32-bit ABI compares the lower halves.
    fn holds(&self, abi: Abi, arguments: &[u64; 6]) -> bool {
        let width = abi.description().argument_mask;
        let argument = arguments[usize::from(self.index)] & width;
        let (value, two) = (self.value & width, self.value_two & width);
        match self.operator {
            Operator::NotEqual => argument != value,
            Operator::Less => argument < value,
            Operator::LessOrEqual => argument <= value,
            Operator::Equal => argument == value,
            Operator::GreaterOrEqual => argument >= value,
            Operator::Greater => argument > value,
            Operator::MaskedEqual => argument & value == two & value,
        }
    }
}

/// What the rules of a profile make of each name, whatever the ABI: what is not here is left to the
/// default. A name that no ABI has is among them.
///
/// # Errors
/// As [`Policy::new`].
pub fn by_name(
    profile: &OciProfile,
    context: &RuleContext,
) -> Result<BTreeMap<String, CallDecision>, PolicyError> {
    let default = default_verdict(profile);
    let mut table = BTreeMap::new();
    for (at, rule) in profile.syscalls.iter().enumerate() {
        if !counts(rule, context) {
            continue;
        }
        let verdict = verdict(rule.action, rule.errno).ok_or(PolicyError::Notify { rule: at })?;
        for name in rule.names.iter().filter(|_| verdict != default) {
            for conditions in taken_apart(&rule.conditions) {
                insert(&mut table, name.clone(), conditions, verdict)
                    .map_err(|misfit| misfit.of(at, name.clone()))?;
            }
        }
    }
    Ok(table)
}

/// What a profile makes of a call that no rule is about.
pub fn default_verdict(profile: &OciProfile) -> Verdict {
    let default = verdict(profile.default_action, profile.default_errno);
    default.unwrap_or(Verdict::Errno(Errno::ENOSYS.get()))
}

/// `None` for an action that needs another process.
fn verdict(action: Action, errno: Option<u16>) -> Option<Verdict> {
    let errno = errno.unwrap_or(Errno::EPERM.get());
    Some(match action {
        Action::Allow => Verdict::Allow,
        Action::Log => Verdict::Log,
        Action::Trace => Verdict::Trace(errno),
        Action::Errno => Verdict::Errno(errno),
        Action::Trap => Verdict::Trap,
        Action::KillThread => Verdict::KillThread,
        Action::KillProcess => Verdict::KillProcess,
        Action::Notify => return None,
    })
}

/// Whether a name is a call of this or another processor, or one that i386 programs make through
/// another call.
pub fn is_name(name: &str) -> bool {
    multiplexed::by_name(name).is_some() || syscalls::is_known(name) || syscalls::is_foreign(name)
}

/// The rules that a list of conditions stands for.
fn taken_apart(conditions: &[Condition]) -> Vec<Vec<Condition>> {
    let indices: BTreeSet<u8> = conditions.iter().map(|condition| condition.index).collect();
    if indices.len() < conditions.len() {
        return conditions.iter().map(|condition| vec![*condition]).collect();
    }
    vec![conditions.to_vec()]
}

impl Profile {
    /// What the profile means, as it is written.
    pub fn policy(&self) -> Policy {
        let read = oci::read(oci::write(self).as_bytes());
        let read = read.expect("what is written can be read, as the tests prove");
        let policy = Policy::new(&read, &RuleContext::default());
        policy.expect("what is written does not contradict itself, as the tests prove")
    }
}

/// The most alternatives of one call: each takes two instructions at least, and a filter has 4096
/// (`BPF_MAXINSNS`).
const MOST_ALTERNATIVES: usize = 2048;

/// Why a rule does not fit those before it.
enum Misfit {
    /// An earlier one contradicts it.
    Conflict,
    /// There are too many.
    TooMany,
}

impl Misfit {
    fn of(self, rule: usize, name: String) -> PolicyError {
        match self {
            Self::Conflict => PolicyError::Conflict { rule, name },
            Self::TooMany => PolicyError::TooMany { rule, name },
        }
    }
}

/// Inserts a rule.
fn insert<Call: Ord>(
    table: &mut BTreeMap<Call, CallDecision>,
    number: Call,
    conditions: Vec<Condition>,
    verdict: Verdict,
) -> Result<(), Misfit> {
    if conditions.is_empty() {
        let decision = table.entry(number).or_insert(CallDecision::Always(verdict));
        if matches!(decision, CallDecision::When(_)) {
            *decision = CallDecision::Always(verdict);
        }
        return Ok(());
    }
    let decision = table.entry(number).or_insert_with(|| CallDecision::When(Vec::new()));
    let CallDecision::When(alternatives) = decision else { return Ok(()) };
    let wider = |earlier: &[Condition]| conditions.iter().all(|it| earlier.contains(it));
    if alternatives.iter().any(|(earlier, other)| *other != verdict && wider(earlier)) {
        return Err(Misfit::Conflict);
    }
    if !alternatives.contains(&(conditions.clone(), verdict)) {
        if alternatives.len() == MOST_ALTERNATIVES {
            return Err(Misfit::TooMany);
        }
        alternatives.push((conditions, verdict));
    }
    Ok(())
}
