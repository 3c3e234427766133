//! What a profile or a recording says of one syscall.

use serde::Serialize;

use super::{
    ExplainSubject,
    fallback::{Fallback, fallback},
};
use crate::{
    profile::{
        OciRuntime,
        alternatives::alternatives,
        always_allowed,
        beyond::FirstSeen,
        conditions::passes_for,
        defaults::DefaultsEngine,
        policy::{Policy, Verdict},
    },
    recording::{Call, Decided, DenyOutcome, Phase, Recording},
    syscalls::{self, Abi, arguments},
    workbench::{
        about::{About, about},
        diff::effect,
        risk,
    },
};

/// What is known of one syscall.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    #[serde(flatten)]
    pub about: About,
    /// Its number in each ABI that has it.
    pub numbers: Vec<(Abi, i32)>,
    /// What the profile makes of it, for each ABI that has it.
    pub effects: Vec<(Abi, String)>,
    /// What the defaults of container engines make of it on x86_64.
    pub defaults: Vec<(DefaultsEngine, String)>,
    /// The kind of harm, and what can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<(&'static str, &'static str)>,
    /// What somebody decided about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionEntry>,
    /// Why it is in the profile, or who needs it.
    pub reasons: Vec<String>,
    /// Where it was seen; none without a recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sightings: Option<Vec<SightingEntry>>,
    /// What happens without it.
    pub without: Vec<String>,
    /// Syscalls that other C libraries and kernels make in its place.
    pub alternatives: Vec<String>,
}

/// What `tracer.toml` says of a syscall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecisionEntry {
    /// The file; escaped.
    pub file: String,
    /// What is decided.
    #[serde(flatten)]
    pub decided: Decided,
    /// Its last day is over: it does not count.
    pub expired: bool,
}

/// A syscall in one cgroup.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SightingEntry {
    /// The cgroup's path.
    pub cgroup: String,
    /// The ABI.
    pub abi: Abi,
    /// The phase.
    pub phase: Phase,
    /// Other phases in which it was seen as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_phases: Vec<Phase>,
    /// How often it was made, over all phases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The first who made it, and when.
    pub first: FirstSeen,
    /// How it was refused, of a syscall that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The values of its arguments, each argument on a line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
}

/// Explains one syscall; None when no ABI has that name.
pub fn explain(
    subject: &ExplainSubject<'_>,
    name: &str,
    reasons: Vec<String>,
) -> Option<Explained> {
    let numbers: Vec<(Abi, i32)> =
        Abi::ALL.into_iter().filter_map(|abi| Some((abi, syscalls::number(abi, name)?))).collect();
    let (abi, number) = *numbers.first()?;
    let name = syscalls::name(abi, number)?;
    let written = |policy: &Policy, (abi, number): (Abi, i32)| effect_of(policy, abi, number, name);
    let default = |engine: DefaultsEngine| {
        let policy = engine.default_profile().policy();
        (engine, written(policy, (abi, number)))
    };
    let reasons = if reasons.is_empty() { needed_by(name) } else { reasons };
    Some(Explained {
        name,
        about: about(name)?,
        effects: numbers.iter().map(|one| (one.0, written(subject.policy, *one))).collect(),
        numbers,
        defaults: DefaultsEngine::ALL.map(default).into(),
        risk: risk::of(name).map(|risk| (risk.name, risk.why)),
        decision: None,
        reasons,
        sightings: subject.recording.map(|recording| sightings(recording, name)),
        without: without(subject.policy, name),
        alternatives: in_its_place(name),
    })
}

/// What a policy makes of a syscall.
pub fn effect_of(policy: &Policy, abi: Abi, number: i32, name: &str) -> String {
    let Ok(number) = u32::try_from(number) else { return String::new() };
    match policy.always(abi, number) {
        Some(verdict) => effect(verdict),
        None => {
            let decision = policy.table(abi).and_then(|table| table.get(&number));
            let conditions = decision.and_then(|decision| passes_for(name, decision));
            let otherwise = effect(policy.default_verdict());
            format!("allowed for {}; otherwise {otherwise}", conditions.unwrap_or_default())
        }
    }
}

/// Who needs a syscall, whatever was recorded.
fn needed_by(name: &str) -> Vec<String> {
    let runtimes = OciRuntime::ALL.into_iter().filter_map(|runtime| {
        let call = runtime.base_set().calls.iter().find(|call| call.name == name)?;
        Some(format!("{}: {}", runtime.name(), call.reason))
    });
    let of = |list: &[(&str, &str)], who: &str| {
        let found = list.iter().find(|(call, _)| *call == name);
        found.map(|(_, reason)| format!("{who}: {reason}"))
    };
    let core = of(&always_allowed::CORE, "every program");
    let start = of(&always_allowed::START_UP, "start of a program");
    core.into_iter().chain(start).chain(runtimes).collect()
}

/// What happens without a syscall.
fn without(policy: &Policy, name: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(Fallback { on_enosys, on_others }) = fallback(name) {
        lines.push(match on_others {
            None => on_enosys.to_owned(),
            Some(on_others) => {
                format!("with ENOSYS {on_enosys}; with EPERM and other numbers {on_others}")
            }
        });
        let answers_enosys = policy.default_verdict() == Verdict::Errno(38);
        if on_others.is_some() && !answers_enosys {
            let default = effect(policy.default_verdict());
            lines.push(format!("here, a syscall without a rule {default}"));
        }
    }
    if always_allowed::VDSO.contains(&name) {
        lines.push(
            "the vDSO answers it without a syscall where the clock source allows that; elsewhere it fails".to_owned(),
        );
    }
    let names: Vec<&str> = OciRuntime::ALL
        .into_iter()
        .filter(|one| one.base_set().calls.iter().any(|call| call.name == name))
        .map(OciRuntime::name)
        .collect();
    if !names.is_empty() {
        let names = names.join(", ");
        lines.push(format!("a container may not start, or may refuse an exec, under {names}"));
    }
    lines
}

/// The syscalls that are made in its place elsewhere, those with one reason together.
fn in_its_place(name: &str) -> Vec<String> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in alternatives(name) {
        let (evidence, other) = (one.evidence.as_str(), one.name.as_str());
        match found.iter_mut().find(|(known, _)| *known == evidence) {
            Some((_, names)) if names.contains(&other) => {}
            Some((_, names)) => names.push(other),
            None => found.push((evidence, vec![other])),
        }
    }
    found.into_iter().map(|(why, names)| format!("{}: {why}", names.join(", "))).collect()
}

fn sightings(recording: &Recording, name: &str) -> Vec<SightingEntry> {
    let of_name = |call: &&Call| syscalls::name(call.abi, call.number) == Some(name);
    let cgroups = recording.cgroups.iter();
    let all = cgroups.flat_map(|cgroup| {
        cgroup.calls.iter().filter(of_name).map(|call| (cgroup.path.as_str(), call))
    });
    let mut found: Vec<SightingEntry> =
        all.map(|(path, call)| SightingEntry::of(path, call, name)).collect();
    let time = |entry: &SightingEntry| entry.first.seconds.unwrap_or(f64::MAX);
    found.sort_by(|one, other| time(one).total_cmp(&time(other)));
    found
}

impl SightingEntry {
    fn of(path: &str, call: &Call, name: &str) -> Self {
        let argument = |argument: &crate::recording::argument::Argument| {
            let index = argument.index;
            if argument.any {
                return format!("argument {index}: more values than are kept");
            }
            let values = argument.values.iter();
            let values: Vec<String> =
                values.map(|value| arguments::value(name, index, value.value)).collect();
            format!("argument {index}: {}", values.join(", "))
        };
        Self {
            cgroup: path.to_owned(),
            abi: call.abi,
            phase: call.phase,
            other_phases: call.other_phases.clone(),
            count: call.count,
            first: FirstSeen { command: call.command.clone(), seconds: call.first_seen_seconds },
            refused: call.outcome.map(DenyOutcome::display),
            arguments: call.arguments.iter().map(argument).collect(),
        }
    }
}
