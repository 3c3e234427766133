//! Calls that a filter refused: from the kernel side's facts to entries of a recording.

use std::collections::BTreeMap;

use tracer_ebpf::{OTHER_VALUES, arguments::MOST_VALUES, outcome::THREAD_KILLED};

use super::{
    Call, Circumstances, DenyOutcome, OtherValues, Phase, Recording,
    arguments::SeenValues,
    facts::{DenialFacts, Logged, seconds_between},
    input::AssemblyInput,
    made::{self, FirstSight, Made},
    origin::may_be_entering,
    phases::Phases,
};
use crate::{
    syscalls::{self, Abi},
    text::{Escaped, escape_c_string},
};

/// Most values besides the first of which a recording has circumstances.
const MOST_OTHERS: usize = MOST_VALUES - 1;

/// What came of a call, from the kernel side's word for it.
pub fn outcome(code: u32) -> DenyOutcome {
    match (code, u16::try_from(code)) {
        (_, Ok(errno)) => DenyOutcome::Errno(errno),
        (THREAD_KILLED, _) => DenyOutcome::ThreadKilled,
        _ => DenyOutcome::Signal,
    }
}

/// The denied calls of one cgroup, without the order of a recording. `values`: those that calls
/// were made with there.
pub(super) fn calls(
    input: &AssemblyInput<'_>,
    cgroup: u64,
    phases: &Phases,
    values: &SeenValues,
) -> Vec<Call> {
    let mut found: BTreeMap<(Abi, i32, DenyOutcome), ByValues> = BTreeMap::new();
    let mut take = |abi, number, outcome, seen: DeniedValue| {
        let name = syscalls::name(abi, number);
        let values = made::values(abi, name, seen.made());
        found.entry((abi, number, outcome)).or_default().add(values, seen);
    };
    for facts in input.snapshot.denials.iter().filter(|one| one.key.call.cgroup == cgroup) {
        let (key, denial) = (&facts.key, &facts.denial);
        let (abi, number) = syscalls::classify(key.call.number, key.call.compat != 0);
        let seen = DeniedValue {
            first: denial.first_seen,
            last: denial.last_seen,
            count: denial.count,
            command: escape_c_string(&denial.command),
            denied_in_phase: denied_phase(input, cgroup, phases, facts),
            circumstances: Some(Circumstances::of(facts)),
            untold: key.place >= OTHER_VALUES,
        };
        take(abi, number, outcome(key.outcome), seen);
    }
    for logged in input.logged.iter().filter(|logged| logged.cgroup == cgroup) {
        let seen = DeniedValue {
            first: logged.first_seen,
            last: logged.first_seen,
            count: logged.count,
            command: logged.command.clone(),
            denied_in_phase: logged_phase(phases, logged),
            circumstances: None,
            untold: false,
        };
        take(logged.abi, logged.number, logged.outcome, seen);
    }
    let entries_skipped = input.snapshot.entry_misses > 0;
    let call = |((abi, number, outcome), seen): ((Abi, i32, DenyOutcome), ByValues)| {
        let doubtful = entries_skipped && is_doubtful(outcome, input.host.btf);
        let mut call = seen.call((abi, number, outcome), doubtful, |time| {
            seconds_between(input.started_boot, time)
        });
        if outcome == DenyOutcome::Logged {
            // The log does not tell what it was made with. It was made, so that the value is among
            // those.
            call.arguments = values.of_call((abi, number), phases, input.started_boot);
        }
        call
    };
    found.into_iter().map(call).collect()
}

/// The phase in which a call was refused. The command's name is asked only where the facts do not
/// decide, for it is a label here: no profile of a recording depends on it.
fn denied_phase(
    input: &AssemblyInput<'_>,
    cgroup: u64,
    phases: &Phases,
    facts: &DenialFacts,
) -> Phase {
    let class = facts.key.call.class;
    let command = escape_c_string(&facts.denial.command);
    match phases.denied_phase(class) {
        Phase::Workload if may_be_entering(class) && is_a_runtimes(&command) => {
            Phase::ContainerInit
        }
        // How many filters a task has before the container's is not known where its start was not
        // seen.
        Phase::Setup if input.late.contains(&cgroup) => Phase::ContainerInit,
        phase => phase,
    }
}

/// The phase in which a logged call was made: it was made, so that it was seen. Of one that may be
/// both the runtime's and the workload's the command's name tells.
fn logged_phase(phases: &Phases, logged: &Logged) -> Phase {
    let call = (logged.abi, logged.number);
    let is_runtimes = !phases.is_in(call, Phase::Workload) || is_a_runtimes(&logged.command);
    if phases.may_be_a_runtimes(call) && is_runtimes {
        Phase::ContainerInit
    } else {
        Phase::Workload
    }
}

/// The names of the tasks of runc and crun that make calls under the container's filter. Any
/// program can take them.
pub fn is_a_runtimes(command: &str) -> bool {
    command.starts_with("runc:[") || matches!(command, "runc" | "crun")
}

/// A refusal that a call looks like of which only the exit was seen. What killed a thread or waits
/// for it as a signal is seen for itself, and without BTF the signal is not.
fn is_doubtful(outcome: DenyOutcome, btf: bool) -> bool {
    match outcome {
        DenyOutcome::Errno(_) | DenyOutcome::UnknownErrno => true,
        DenyOutcome::Signal => !btf,
        DenyOutcome::ThreadKilled | DenyOutcome::Logged => false,
    }
}

/// Marks the denied calls of a recording whose program did not know doubt.
pub(super) fn doubt(recording: &mut Recording) {
    if recording.host.attach.is_some() || recording.losses.recursion_misses == 0 {
        return;
    }
    let btf = recording.host.btf;
    for call in recording.cgroups.iter_mut().flat_map(|cgroup| &mut cgroup.calls) {
        call.doubtful |= call.outcome.is_some_and(|outcome| is_doubtful(outcome, btf));
    }
}

/// One denied call, by the values of its arguments that are looked at.
#[derive(Default)]
struct ByValues(BTreeMap<(bool, Vec<u64>), DeniedValue>);

impl ByValues {
    fn add(&mut self, values: Vec<u64>, seen: DeniedValue) {
        let values = if seen.untold { Vec::new() } else { values };
        self.0.entry((seen.untold, values)).and_modify(|known| known.add(&seen)).or_insert(seen);
    }

    /// The entry of a recording.
    fn call(
        self,
        (abi, number, outcome): (Abi, i32, DenyOutcome),
        doubtful: bool,
        seconds: impl Fn(u64) -> f64,
    ) -> Call {
        let mut seen: Vec<DeniedValue> = self.0.into_values().collect();
        seen.sort_by_key(|one| (one.untold, one.first));
        let name = syscalls::name(abi, number);
        let sights: Vec<_> = seen.iter().map(|one| one.sight(&seconds)).collect();
        let arguments = made::of_calls(abi, name, &sights);
        let count = seen.iter().fold(0, |sum: u64, one| sum.saturating_add(one.count));
        let denied_in_phase = seen.iter().map(|one| one.denied_in_phase).max();
        let mut rest = seen.into_iter();
        let first = rest.next();
        let mut circumstances = first.as_ref().and_then(|first| first.circumstances.clone());
        if let Some(known) = &mut circumstances {
            for one in rest {
                one.put_beside(known, &seconds);
            }
        }
        Call {
            abi,
            number,
            name: name.map(str::to_owned),
            phase: Phase::Denied,
            count: Some(count),
            other_phases: Vec::new(),
            first_seen_seconds: first.as_ref().map(|first| seconds(first.first)),
            command: first.map(|first| first.command),
            ambiguous: false,
            outcome: Some(outcome),
            denied_in_phase,
            doubtful,
            circumstances,
            arguments,
        }
    }
}

/// What is known of one denied call, with one value.
struct DeniedValue {
    first: u64,
    last: u64,
    count: u64,
    command: Escaped,
    denied_in_phase: Phase,
    circumstances: Option<Circumstances>,
    /// It stands for several values.
    untold: bool,
}

impl DeniedValue {
    /// What it was called with.
    fn made(&self) -> Made {
        self.circumstances.as_ref().map(Circumstances::made).unwrap_or_default()
    }

    fn sight(&self, seconds: impl Fn(u64) -> f64) -> FirstSight<'_> {
        let made = if self.untold { Made::default() } else { self.made() };
        FirstSight { made, seconds: Some(seconds(self.first)), command: Some(&self.command) }
    }

    /// Adds it to what is known of the call with its first value.
    fn put_beside(self, known: &mut Circumstances, seconds: impl Fn(u64) -> f64) {
        let known_values =
            self.circumstances.filter(|_| !self.untold && known.others.len() < MOST_OTHERS);
        let Some(Circumstances { process, arguments, pointed, next, .. }) = known_values else {
            known.untold = known.untold.saturating_add(self.count);
            return;
        };
        known.others.push(OtherValues {
            first_seen_seconds: seconds(self.first),
            command: self.command,
            count: self.count,
            process,
            arguments,
            pointed,
            next,
        });
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.denied_in_phase = self.denied_in_phase.max(other.denied_in_phase);
        let (first, last) = (other.first < self.first, other.last > self.last);
        self.circumstances = match (&self.circumstances, &other.circumstances) {
            (Some(own), Some(other)) => {
                let mut both = if first { other.clone() } else { own.clone() };
                both.next = if last { other.next } else { own.next };
                Some(both)
            }
            (own, other) => own.clone().or_else(|| other.clone()),
        };
        self.last = self.last.max(other.last);
        if first {
            self.first = other.first;
            self.command.clone_from(&other.command);
        }
    }
}

/// A denied call, once for each of its values. One that was made with more values than are kept
/// apart comes once more without any.
pub fn by_values(call: &Call) -> Vec<Call> {
    let Some(known) = &call.circumstances else { return vec![call.clone()] };
    let others = known.others.iter().fold(known.untold, |sum, one| sum.saturating_add(one.count));
    let first = Circumstances { others: Vec::new(), untold: 0, ..known.clone() };
    let of = |count, circumstances: Option<Circumstances>| Call {
        count,
        arguments: {
            let made = circumstances.as_ref().map(Circumstances::made).unwrap_or_default();
            let sight = FirstSight { made, seconds: None, command: None };
            made::of_calls(call.abi, call.name.as_deref(), &[sight])
        },
        circumstances,
        ..call.clone()
    };
    let mut calls = vec![of(call.count.map(|all| all.saturating_sub(others)), Some(first))];
    for one in &known.others {
        let circumstances = Circumstances {
            process: one.process,
            arguments: one.arguments,
            pointed: one.pointed,
            next: one.next,
            others: Vec::new(),
            untold: 0,
        };
        calls.push(Call {
            first_seen_seconds: Some(one.first_seen_seconds),
            command: Some(one.command.clone()),
            ..of(Some(one.count), Some(circumstances))
        });
    }
    if known.untold > 0 {
        // Of these nothing is known but that they came later.
        let last = known.others.iter().map(|one| one.first_seen_seconds).reduce(f64::max);
        let first_seen_seconds = last.or(call.first_seen_seconds);
        calls.push(Call { first_seen_seconds, command: None, ..of(Some(known.untold), None) });
    }
    calls
}

/// What tells a denied call from others of its name; see [`by_values`].
pub fn values(call: &Call) -> (bool, Vec<u64>) {
    let made = call.circumstances.as_ref().map(Circumstances::made).unwrap_or_default();
    let values = made::values(call.abi, call.name.as_deref(), made);
    (call.circumstances.is_some(), values)
}

/// Every denied call of a recording, with the path of its cgroup.
pub fn all(recording: &Recording) -> impl Iterator<Item = (&str, &Call)> {
    recording.cgroups.iter().flat_map(|cgroup| {
        let denied = cgroup.calls.iter().filter(|call| call.phase == Phase::Denied);
        denied.map(|call| (cgroup.path.as_str(), call))
    })
}

#[cfg(test)]
#[path = "denied_tests.rs"]
mod tests;
