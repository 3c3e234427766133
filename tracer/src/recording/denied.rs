//! Calls that a filter refused: from the kernel side's facts to entries of a recording.

use std::collections::BTreeMap;

use tracer_ebpf::{OTHER_VALUES, arguments::MOST_VALUES, verdict};

use super::{
    Call, Circumstances, OtherValues, Phase, Recording, Refusal,
    arguments::SeenValues,
    assembly::{Parts, seconds_between, until_nul},
    facts::Refused,
    made::{self, FirstSight, Made},
    phases::{Phases, may_be_entering},
};
use crate::{
    syscalls::{self, Abi},
    text::escape_bytes,
};

/// Most values besides the first of which a recording has circumstances.
const MOST_OTHERS: usize = MOST_VALUES - 1;

/// A call that a filter logged and let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Id of the cgroup.
    pub cgroup: u64,
    /// The ABI it was called through.
    pub abi: Abi,
    /// The number in that ABI's table.
    pub number: i32,
    /// How it was refused.
    pub refused: Refusal,
    /// How often it was logged.
    pub count: u64,
    /// When it was first logged: nanoseconds since boot.
    pub first_seen: u64,
    /// Command name of the task that was first logged, escaped.
    pub command: String,
}

/// What came of a call, from the kernel side's word for it.
pub fn refusal(verdict: u32) -> Refusal {
    match (verdict, u16::try_from(verdict)) {
        (_, Ok(errno)) => Refusal::Errno(errno),
        (verdict::THREAD_KILLED, _) => Refusal::ThreadKilled,
        _ => Refusal::Signal,
    }
}

/// The denied calls of one cgroup, without the order of a recording. `values`: those that calls were made with there.
pub(super) fn calls(
    parts: &Parts<'_>,
    cgroup: u64,
    phases: &Phases,
    values: &SeenValues,
) -> Vec<Call> {
    let mut found: BTreeMap<(Abi, i32, Refusal), ByValues> = BTreeMap::new();
    let mut take = |abi, number, refused, seen: Seen| {
        let name = syscalls::name(abi, number);
        let values = made::values(abi, name, seen.made());
        found.entry((abi, number, refused)).or_default().add(values, seen);
    };
    for refused in parts.snapshot.denials.iter().filter(|one| one.key.call.cgroup == cgroup) {
        let (key, denial) = (&refused.key, &refused.denial);
        let (abi, number) = syscalls::classify(key.call.number, key.call.compat != 0);
        let seen = Seen {
            first: denial.first_seen,
            last: denial.last_seen,
            count: denial.count,
            command: escape_bytes(until_nul(&denial.command)),
            during: refused_during(parts, cgroup, phases, refused),
            circumstances: Some(Circumstances::of(refused)),
            untold: key.place >= OTHER_VALUES,
        };
        take(abi, number, refusal(key.verdict), seen);
    }
    for logged in parts.logged.iter().filter(|logged| logged.cgroup == cgroup) {
        let seen = Seen {
            first: logged.first_seen,
            last: logged.first_seen,
            count: logged.count,
            command: logged.command.clone(),
            during: logged_during(phases, logged),
            circumstances: None,
            untold: false,
        };
        take(logged.abi, logged.number, logged.refused, seen);
    }
    let entries_skipped = parts.snapshot.entry_misses > 0;
    let call = |((abi, number, refused), seen): ((Abi, i32, Refusal), ByValues)| {
        let doubtful = entries_skipped && is_doubtful(refused, parts.host.btf);
        let mut call = seen.call((abi, number, refused), doubtful, |time| {
            seconds_between(parts.started_boot, time)
        });
        if refused == Refusal::Logged {
            // The log does not tell what it was made with. It was made, so that the value is among those.
            call.arguments = values.of_call((abi, number), phases, parts.started_boot);
        }
        call
    };
    found.into_iter().map(call).collect()
}

/// The phase in which a call was refused. The command's name is asked only where the facts do not decide, for it is a label here: no
/// profile of a recording depends on it.
fn refused_during(parts: &Parts<'_>, cgroup: u64, phases: &Phases, refused: &Refused) -> Phase {
    let class = refused.key.call.class;
    let command = escape_bytes(until_nul(&refused.denial.command));
    match phases.during(class) {
        Phase::Workload if may_be_entering(class) && is_a_runtimes(&command) => {
            Phase::ContainerInit
        }
        // How many filters a task has before the container's is not known where its start was not seen.
        Phase::Setup if parts.late.contains(&cgroup) => Phase::ContainerInit,
        phase => phase,
    }
}

/// The phase in which a logged call was made: it was made, so that it was seen. Of one that may be both the runtime's and the
/// workload's the command's name tells.
fn logged_during(phases: &Phases, logged: &Logged) -> Phase {
    let call = (logged.abi, logged.number);
    let is_runtimes = !phases.is_in(call, Phase::Workload) || is_a_runtimes(&logged.command);
    if phases.may_be_a_runtimes(call) && is_runtimes {
        Phase::ContainerInit
    } else {
        Phase::Workload
    }
}

/// The names of the tasks of runc and crun that make calls under the container's filter. Any program can take them.
pub fn is_a_runtimes(command: &str) -> bool {
    command.starts_with("runc:[") || matches!(command, "runc" | "crun")
}

/// A refusal that a call looks like of which only the exit was seen. What killed a thread or waits for it as a signal is
/// seen for itself, and without BTF the signal is not.
fn is_doubtful(refused: Refusal, btf: bool) -> bool {
    match refused {
        Refusal::Errno(_) => true,
        Refusal::Signal => !btf,
        Refusal::ThreadKilled | Refusal::Logged => false,
    }
}

/// Marks the denied calls of a recording whose program did not know doubt.
pub(super) fn doubt(recording: &mut Recording) {
    if recording.host.attach.is_some() || recording.losses.recursion_misses == 0 {
        return;
    }
    let btf = recording.host.btf;
    for call in recording.cgroups.iter_mut().flat_map(|cgroup| &mut cgroup.calls) {
        call.doubtful |= call.refused.is_some_and(|refused| is_doubtful(refused, btf));
    }
}

/// One denied call, by the values of its arguments that are looked at.
#[derive(Default)]
struct ByValues(BTreeMap<(bool, Vec<u64>), Seen>);

impl ByValues {
    fn add(&mut self, values: Vec<u64>, seen: Seen) {
        let values = if seen.untold { Vec::new() } else { values };
        self.0.entry((seen.untold, values)).and_modify(|known| known.add(&seen)).or_insert(seen);
    }

    /// The entry of a recording.
    fn call(
        self,
        (abi, number, refused): (Abi, i32, Refusal),
        doubtful: bool,
        seconds: impl Fn(u64) -> f64,
    ) -> Call {
        let mut seen: Vec<Seen> = self.0.into_values().collect();
        seen.sort_by_key(|one| (one.untold, one.first));
        let name = syscalls::name(abi, number);
        let sights: Vec<_> = seen.iter().map(|one| one.sight(&seconds)).collect();
        let arguments = made::of_calls(abi, name, &sights);
        let count = seen.iter().fold(0, |sum: u64, one| sum.saturating_add(one.count));
        let during = seen.iter().map(|one| one.during).max();
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
            refused: Some(refused),
            during,
            doubtful,
            circumstances,
            arguments,
        }
    }
}

/// What is known of one denied call, with one value.
struct Seen {
    first: u64,
    last: u64,
    count: u64,
    command: String,
    during: Phase,
    circumstances: Option<Circumstances>,
    /// It stands for several values.
    untold: bool,
}

impl Seen {
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
        let told = self.circumstances.filter(|_| !self.untold && known.others.len() < MOST_OTHERS);
        let Some(Circumstances { process, arguments, pointed, next, .. }) = told else {
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
        self.during = self.during.max(other.during);
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

/// A denied call, once for each of its values. One that was made with more values than are told apart comes once more without any.
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
mod tests {
    use super::*;

    const SOCKET: (Abi, i32, Refusal) = (Abi::X86_64, 41, Refusal::Errno(1));

    fn seen(first: u64, count: u64, arguments: Option<[u64; 6]>) -> Seen {
        let circumstances = Circumstances {
            process: first as u32,
            arguments,
            pointed: None,
            next: None,
            others: Vec::new(),
            untold: 0,
        };
        Seen {
            first,
            last: first,
            count,
            command: format!("at{first}"),
            during: Phase::Workload,
            circumstances: Some(circumstances),
            untold: false,
        }
    }

    fn socket(family: u64) -> Option<[u64; 6]> {
        Some([family, 1, 0, 9, 9, 9])
    }

    fn gathered(call: (Abi, i32, Refusal), all: Vec<Seen>) -> Call {
        let mut by_values = ByValues::default();
        for one in all {
            let values = made::values(call.0, syscalls::name(call.0, call.1), one.made());
            by_values.add(values, one);
        }
        by_values.call(call, false, |time| time as f64)
    }

    fn told(call: &Call) -> Vec<(Option<u64>, Option<u64>, Option<String>)> {
        let family = |call: &Call| Some(call.circumstances.as_ref()?.arguments?[0]);
        by_values(call).into_iter().map(|one| (family(&one), one.count, one.command)).collect()
    }

    #[test]
    fn values_stand_in_the_order_of_time_and_counts_add_up() {
        let all = vec![seen(7, 2, socket(38)), seen(3, 1, socket(40)), seen(9, 5, socket(38))];
        let call = gathered(SOCKET, all);
        assert_eq!((call.count, call.command.as_deref()), (Some(8), Some("at3")));
        let at =
            |family, count, command: &str| (Some(family), Some(count), Some(command.to_owned()));
        assert_eq!(told(&call), [at(40, 1, "at3"), at(38, 7, "at7")]);
        let families = &call.arguments[0];
        assert_eq!((families.index, families.any), (0, false));
        let values: Vec<u64> = families.values.iter().map(|one| one.value).collect();
        assert_eq!(values, [38, 40]);
        assert_eq!(families.values[0].first_seen_seconds, Some(7.0));
        assert_eq!(call.arguments.len(), 3);
        assert_eq!(call.arguments[1].values.len(), 1);
    }

    #[test]
    fn what_does_not_count_tells_nothing_apart() {
        let garbage = Some([40 | 1 << 40, 0x8_0801, 1 << 32, 1, 2, 3]);
        let call = gathered(SOCKET, vec![seen(1, 1, socket(40)), seen(2, 1, garbage)]);
        assert_eq!(told(&call).len(), 1);
        let mkdir = (Abi::X86_64, 83, Refusal::Errno(1));
        let call = gathered(mkdir, vec![seen(1, 1, socket(1)), seen(2, 1, socket(2))]);
        assert_eq!((told(&call).len(), call.count), (1, Some(2)));
        assert!(call.arguments.is_empty());
    }

    #[test]
    fn values_that_are_not_told_apart_are_counted() {
        let all = (0..16).map(|at| seen(at, 1, socket(at))).collect();
        let call = gathered(SOCKET, all);
        assert_eq!((told(&call).len(), call.arguments[0].any), (16, false));
        // More than the kernel side tells apart, or than two classes together have.
        let further = Seen { untold: true, ..seen(30, 4, socket(99)) };
        let all = (0..17).map(|at| seen(at, 1, socket(at))).chain([further]).collect();
        let call = gathered(SOCKET, all);
        let told = told(&call);
        assert_eq!((told.len(), &told[16]), (17, &(None, Some(5), None)));
        assert!(call.arguments[0].any && call.arguments[0].values.is_empty());
        assert_eq!(call.count, Some(21));
        let last = by_values(&call).pop().expect("the rest");
        assert!(last.arguments.iter().all(|argument| argument.any));
    }

    #[test]
    fn without_arguments_every_value_counts() {
        let call = gathered(SOCKET, vec![seen(1, 3, None)]);
        assert_eq!(told(&call), [(None, Some(3), Some("at1".to_owned()))]);
        assert!(call.arguments.iter().all(|argument| argument.any));
    }
}
