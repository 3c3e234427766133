//! What a profile or a recording says: as a whole, and of one syscall.

pub mod fallback;
pub mod grade;
pub mod one;
pub mod render;

use std::collections::BTreeSet;

use serde::Serialize;

use self::grade::{Graded, grade};
use super::{
    about::{SyscallGroup, about},
    diff::{effect, policies::passing, seen::calls},
    risk,
};
use crate::{
    profile::{
        beyond::{self, Beyond, FirstSeen},
        defaults::DefaultsEngine,
        policy::Policy,
    },
    recording::Recording,
    syscalls::{self, Abi, arguments},
};

/// What there is to explain: a profile, or the profile that is derived from a recording with the
/// recording itself.
#[derive(Clone, Copy, Debug)]
pub struct ExplainSubject<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What the profile means.
    pub policy: &'a Policy,
    /// The evidence, when there is some.
    pub recording: Option<&'a Recording>,
    /// The profile is derived from the recording, and not a file.
    pub is_derived: bool,
}

/// A profile as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// What it is of.
    pub name: String,
    /// It is the profile that is derived from a recording.
    pub derived: bool,
    /// How much is left open.
    #[serde(flatten)]
    pub graded: Graded,
    /// The numbers.
    pub surface: Surface,
    /// What happens to a syscall without a rule.
    pub default_action: String,
    /// What passes that a default of a container engine refuses.
    pub beyond_defaults: Vec<BeyondEntry>,
    /// What passes and can do much harm, and what kind; what the defaults allow as well.
    pub risks: Vec<RiskEntry>,
    /// The syscalls that pass, by group; through any ABI that the profile lists.
    pub groups: Vec<GroupEntry>,
    /// What a recording shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceEntry>,
}

/// How much passes, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Surface {
    /// The syscalls that pass, for some arguments at least, by ABI; an ABI that is not here kills
    /// its callers.
    pub allowed: Vec<(Abi, usize)>,
    /// How many syscalls the x86_64 table has.
    pub of: usize,
    /// How many of the x86_64 ones pass for some arguments alone.
    pub for_some_arguments: usize,
    /// What the defaults allow, and how many of these are refused here.
    pub defaults: Vec<DefaultEntry>,
}

/// A default profile beside this one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DefaultEntry {
    /// Whose it is.
    pub engine: DefaultsEngine,
    /// How many syscalls of x86_64 it allows, for some arguments at least.
    pub allowed: usize,
    /// How many of these are refused here.
    pub refused_here: usize,
}

/// Something that passes, and that a default refuses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BeyondEntry {
    /// The syscall.
    pub name: &'static str,
    /// The value of its argument; none when it is refused whatever it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whose defaults refuse it.
    pub refused_by: BTreeSet<DefaultsEngine>,
    /// The first who made it, where that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sighting: Option<FirstSeen>,
    /// The kind of harm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<&'static str>,
}

/// Syscalls of one risk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RiskEntry {
    /// The kind of harm.
    pub risk: &'static str,
    /// What can be done.
    pub why: &'static str,
    /// The syscalls.
    pub names: Vec<&'static str>,
}

/// The syscalls of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupEntry {
    /// The group.
    pub group: SyscallGroup,
    /// How many syscalls of x86_64 it has.
    pub of: usize,
    /// Those that pass, of all ABIs, by name.
    pub syscalls: Vec<SyscallEntry>,
}

/// One syscall that passes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SyscallEntry {
    /// Its name.
    pub name: &'static str,
    /// It passes for some arguments alone.
    pub for_some_arguments: bool,
    /// A default refuses it, for some arguments at least.
    pub beyond_defaults: bool,
    /// The kind of harm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<&'static str>,
    /// The recording shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<bool>,
}

/// What a recording is of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvidenceEntry {
    /// How many different syscalls were seen.
    pub syscalls: usize,
    /// In how many cgroups.
    pub cgroups: usize,
    /// For how long, in seconds.
    pub seconds: f64,
    /// Nothing is missing.
    pub complete: bool,
}

/// Explains a profile or a recording.
pub fn explain(subject: &ExplainSubject<'_>) -> Explanation {
    let policy = subject.policy;
    let recordings: &[Recording] = subject.recording.map_or(&[], std::slice::from_ref);
    let beyond = beyond::beyond(policy, recordings);
    let allowed = passing(policy, Abi::X86_64).count();
    Explanation {
        name: subject.name.to_owned(),
        derived: subject.is_derived,
        graded: grade(policy, allowed, &beyond),
        surface: surface(policy),
        default_action: effect(policy.default_verdict()),
        beyond_defaults: beyond.iter().map(BeyondEntry::of).collect(),
        risks: risks(policy),
        groups: groups(policy, &beyond, subject.recording),
        evidence: subject.recording.map(EvidenceEntry::of),
    }
}

/// The names that pass through any ABI that the profile lists.
fn all_passing(policy: &Policy) -> BTreeSet<&'static str> {
    Abi::ALL.into_iter().flat_map(|abi| passing(policy, abi)).collect()
}

fn surface(policy: &Policy) -> Surface {
    let listed = Abi::ALL.into_iter().filter(|abi| policy.table(*abi).is_some());
    let here: BTreeSet<&str> = passing(policy, Abi::X86_64).collect();
    let default = |engine: DefaultsEngine| {
        let policy = engine.default_profile().policy();
        let names: Vec<&str> = passing(policy, Abi::X86_64).collect();
        let refused_here = names.iter().filter(|name| !here.contains(*name)).count();
        DefaultEntry { engine, allowed: names.len(), refused_here }
    };
    Surface {
        allowed: listed.map(|abi| (abi, passing(policy, abi).count())).collect(),
        of: syscalls::HOST.native_names,
        for_some_arguments: here.iter().filter(|name| is_limited(policy, name)).count(),
        defaults: DefaultsEngine::ALL.map(default).into(),
    }
}

/// It depends on the arguments whether a syscall passes, in some ABI.
fn is_limited(policy: &Policy, name: &str) -> bool {
    let depends = |abi: &Abi| {
        let number = syscalls::number(*abi, name).and_then(|it| u32::try_from(it).ok());
        number.is_some_and(|number| policy.always(*abi, number).is_none())
    };
    Abi::ALL.iter().any(depends)
}

fn risks(policy: &Policy) -> Vec<RiskEntry> {
    let names = all_passing(policy);
    let entry = |risk: &risk::Risk| RiskEntry {
        risk: risk.name,
        why: risk.why,
        names: names.iter().copied().filter(|name| risk.has(name)).collect(),
    };
    let entries = risk::RISKS.iter().filter(|risk| !risk.only_remarked).map(entry);
    entries.filter(|entry| !entry.names.is_empty()).collect()
}

fn groups(policy: &Policy, beyond: &[Beyond], recording: Option<&Recording>) -> Vec<GroupEntry> {
    let seen: Option<BTreeSet<&str>> = recording.map(|recording| {
        let made = calls(recording).filter_map(|(_, call)| syscalls::name(call.abi, call.number));
        made.collect()
    });
    let of_group = |group: SyscallGroup| {
        move |name: &&str| about(name).is_some_and(|about| about.group == group)
    };
    let entry = |name: &'static str| SyscallEntry {
        name,
        for_some_arguments: is_limited(policy, name),
        beyond_defaults: beyond.iter().any(|one| one.name == name),
        risk: risk::dangerous(name).map(|risk| risk.name),
        seen: seen.as_ref().map(|seen| seen.contains(name)),
    };
    let names = all_passing(policy);
    let group = |group: SyscallGroup| GroupEntry {
        group,
        of: syscalls::entries(Abi::X86_64).map(|(_, name)| name).filter(of_group(group)).count(),
        syscalls: names.iter().copied().filter(of_group(group)).map(entry).collect(),
    };
    SyscallGroup::ALL.into_iter().map(group).collect()
}

impl BeyondEntry {
    fn of(beyond: &Beyond) -> Self {
        let Beyond { name, value, refused_by, sighting, .. } = beyond;
        let of_value = value.and_then(|(index, value)| risk::of_value(name, index, value));
        Self {
            name,
            value: value.map(|(index, value)| arguments::value(name, index, value)),
            refused_by: refused_by.clone(),
            sighting: sighting.clone(),
            risk: risk::dangerous(name).map(|risk| risk.name).or(of_value),
        }
    }
}

impl EvidenceEntry {
    fn of(recording: &Recording) -> Self {
        let made: BTreeSet<(Abi, i32)> =
            calls(recording).map(|(_, call)| (call.abi, call.number)).collect();
        Self {
            syscalls: made.len(),
            cgroups: recording.cgroups.len(),
            seconds: recording.duration_seconds,
            complete: recording.complete,
        }
    }
}
