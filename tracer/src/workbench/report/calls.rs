//! Every syscall that recordings show, and every one that was refused.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::all_calls;
use crate::{
    profile::beyond::FirstSeen,
    recording::{Argument, Call, DenyOutcome, Phase, Recording},
    syscalls::{self, Abi, arguments},
    workbench::{
        about::{SyscallGroup, about},
        explain::Explanation,
        risk,
    },
};

/// The most values of an argument that are written.
const VALUES: usize = 16;

/// A syscall that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct CallEntry {
    /// Its name, or its number where it has none.
    pub name: String,
    /// The ABI that it was made through.
    pub abi: Abi,
    /// What it is about.
    pub group: Option<SyscallGroup>,
    /// Its phase: workload before container-init before setup.
    pub phase: Phase,
    /// The recording in which it was first seen, from 1.
    pub run: usize,
    /// Who made it first in its phase, and when in that recording.
    pub first: FirstSeen,
    /// How often it was made, over all phases; None when that was not counted.
    pub count: Option<u64>,
    /// The values of its arguments, each argument by itself.
    pub arguments: Vec<String>,
    /// The kind of harm that can be done with it.
    pub risk: Option<&'static str>,
    /// The profile allows it, and a default refuses it, for some arguments at least.
    pub beyond_defaults: bool,
    /// In how many recordings it is.
    pub recordings: usize,
}

/// A syscall that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct DeniedEntry {
    /// The call as it was made first, as far as that is known.
    pub invocation: String,
    /// The ABI that it was made through.
    pub abi: Abi,
    /// What the filter did.
    pub how: String,
    /// The phase in which it was refused.
    pub phase: Option<Phase>,
    /// The recording in which it was first refused, from 1.
    pub run: usize,
    /// To whom first, and when in that recording.
    pub first: FirstSeen,
    /// How often.
    pub count: Option<u64>,
    /// It may have been allowed.
    pub doubtful: bool,
}

/// What is gathered of one call.
struct Gathered<'a> {
    phase: Phase,
    run: usize,
    first: FirstSeen,
    count: Option<u64>,
    arguments: BTreeMap<u8, Values>,
    recordings: BTreeSet<usize>,
    call: &'a Call,
}

/// Values of an argument.
#[derive(Default)]
struct Values {
    known: BTreeSet<u64>,
    more: bool,
}

/// The syscalls, in the order in which they were first seen.
pub(super) fn list(recordings: &[&Recording], explanation: &Explanation) -> Vec<CallEntry> {
    let beyond: BTreeSet<&str> = explanation.beyond_defaults.iter().map(|one| one.name).collect();
    let made = gather(recordings, |call| {
        (call.phase != Phase::Denied).then_some((call.abi, call.number, None))
    });
    let entry = |one: Gathered<'_>| {
        let (abi, number) = (one.call.abi, one.call.number);
        let name = syscalls::name(abi, number);
        CallEntry {
            name: name.map_or_else(|| format!("number {number}"), str::to_owned),
            abi,
            group: name.and_then(about).map(|about| about.group),
            phase: one.phase,
            run: one.run + 1,
            first: one.first,
            count: one.count,
            arguments: name.map(|name| written(name, &one.arguments)).unwrap_or_default(),
            risk: name.and_then(risk::dangerous).map(|risk| risk.name),
            beyond_defaults: name.is_some_and(|name| beyond.contains(name)),
            recordings: one.recordings.len(),
        }
    };
    made.into_iter().map(entry).collect()
}

/// The calls that a filter refused, one entry for each call and answer.
pub(super) fn denied(recordings: &[&Recording]) -> Vec<DeniedEntry> {
    let refused = gather(recordings, |call| {
        (call.phase == Phase::Denied).then_some((call.abi, call.number, call.outcome))
    });
    let entry = |one: Gathered<'_>| DeniedEntry {
        invocation: invocation(one.call),
        abi: one.call.abi,
        how: one.call.outcome.map(DenyOutcome::display).unwrap_or_default(),
        phase: one.call.denied_in_phase,
        run: one.run + 1,
        first: one.first,
        count: one.count,
        doubtful: one.call.doubtful,
    };
    refused.into_iter().map(entry).collect()
}

/// Puts together the calls that have one key, those of all cgroups and recordings.
fn gather<'a>(
    recordings: &[&'a Recording],
    key: impl Fn(&Call) -> Option<(Abi, i32, Option<DenyOutcome>)>,
) -> Vec<Gathered<'a>> {
    let mut found: BTreeMap<(Abi, i32, Option<DenyOutcome>), Gathered<'a>> = BTreeMap::new();
    for (run, recording) in recordings.iter().enumerate() {
        for call in all_calls(recording) {
            let Some(key) = key(call) else { continue };
            found.entry(key).or_insert_with(|| Gathered::new(run, call)).add(run, call);
        }
    }
    let mut found: Vec<Gathered<'a>> = found.into_values().collect();
    found.sort_by(|one, other| {
        let (time, other_time) = (one.time(), other.time());
        let by_time = time.0.cmp(&other_time.0).then(time.1.total_cmp(&other_time.1));
        by_time.then((one.call.abi, one.call.number).cmp(&(other.call.abi, other.call.number)))
    });
    found
}

impl<'a> Gathered<'a> {
    fn new(run: usize, call: &'a Call) -> Self {
        let first = FirstSeen { command: call.command.clone(), seconds: call.first_seen_seconds };
        let (arguments, recordings) = (BTreeMap::new(), BTreeSet::new());
        Self { phase: call.phase, run, first, count: None, arguments, recordings, call }
    }

    fn add(&mut self, run: usize, call: &'a Call) {
        let first = FirstSeen { command: call.command.clone(), seconds: call.first_seen_seconds };
        let is_earlier = (run, first.seconds.unwrap_or(f64::MAX)) < self.time();
        if call.phase > self.phase || call.phase == self.phase && is_earlier {
            (self.phase, self.run, self.first, self.call) = (call.phase, run, first, call);
        }
        self.count = match (self.count, call.count) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        for argument in &call.arguments {
            self.arguments.entry(argument.index).or_default().add(argument);
        }
        self.recordings.insert(run);
    }

    /// When it was first seen; what has no time comes last in its recording.
    fn time(&self) -> (usize, f64) {
        (self.run, self.first.seconds.unwrap_or(f64::MAX))
    }
}

impl Values {
    fn add(&mut self, argument: &Argument) {
        self.more |= argument.any;
        self.known.extend(argument.values.iter().map(|value| value.value));
    }
}

/// The values of each argument, by their names.
fn written(name: &str, arguments: &BTreeMap<u8, Values>) -> Vec<String> {
    let of = |(index, values): (&u8, &Values)| {
        let mut names: Vec<String> = Vec::new();
        for value in &values.known {
            let written = arguments::value(name, *index, *value);
            if !names.contains(&written) {
                names.push(written);
            }
        }
        let left_out = values.more || names.len() > VALUES;
        names.truncate(VALUES);
        if left_out {
            names.push("more values".to_owned());
        }
        names.join(", ")
    };
    arguments.iter().map(of).filter(|text| !text.is_empty()).collect()
}

/// A refused call, with its arguments where they are looked at and known.
fn invocation(call: &Call) -> String {
    let Some(name) = syscalls::name(call.abi, call.number) else {
        return format!("number {}", call.number);
    };
    let made = call.circumstances.as_ref().map(|known| (known.arguments, known.pointed));
    let written = match made {
        Some((Some(registers), pointed)) => arguments::call_with(name, &registers, pointed),
        _ => None,
    };
    written.unwrap_or_else(|| name.to_owned())
}

/// When something was first seen; with the recording's place when there are several.
pub(super) fn moment(first: &FirstSeen, run: usize, of_several: bool) -> String {
    let time = first.seconds.map(|seconds| format!("+{seconds:.3} s"));
    match (time, of_several) {
        (Some(time), true) => format!("{run}: {time}"),
        (None, true) => run.to_string(),
        (time, false) => time.unwrap_or_default(),
    }
}
