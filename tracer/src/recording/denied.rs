//! Calls that a filter refused: from the kernel side's facts to entries of a recording.

use std::collections::BTreeMap;

use tracer_ebpf::verdict;

use super::{
    Call, Phase, Recording, Refusal,
    assembly::{Parts, seconds_between, until_nul},
    phases::Phases,
};
use crate::{
    syscalls::{self, Abi},
    text::escape_bytes,
};

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

/// The denied calls of one cgroup, without the order of a recording.
pub(super) fn calls(parts: &Parts<'_>, cgroup: u64, phases: &Phases) -> Vec<Call> {
    let mut found: BTreeMap<(Abi, i32, Refusal), Seen> = BTreeMap::new();
    let mut take = |abi, number, refused, seen: Seen| {
        found.entry((abi, number, refused)).and_modify(|known| known.add(&seen)).or_insert(seen);
    };
    for (key, evidence) in &parts.snapshot.denials {
        if key.call.cgroup != cgroup {
            continue;
        }
        let (abi, number) = syscalls::classify(key.call.number, key.call.compat != 0);
        let seen = Seen {
            first: evidence.first_seen,
            count: evidence.count,
            command: escape_bytes(until_nul(&evidence.command)),
            during: phases.during(key.call.class),
        };
        take(abi, number, refusal(key.verdict), seen);
    }
    for logged in parts.logged.iter().filter(|logged| logged.cgroup == cgroup) {
        let seen = Seen {
            first: logged.first_seen,
            count: logged.count,
            command: logged.command.clone(),
            during: Phase::Workload,
        };
        take(logged.abi, logged.number, logged.refused, seen);
    }
    let entries_skipped = parts.snapshot.entry_misses > 0;
    let call = |((abi, number, refused), seen): ((Abi, i32, Refusal), Seen)| Call {
        abi,
        number,
        name: syscalls::name(abi, number).map(str::to_owned),
        phase: Phase::Denied,
        count: Some(seen.count),
        other_phases: Vec::new(),
        first_seen_seconds: Some(seconds_between(parts.started_boot, seen.first)),
        command: Some(seen.command),
        ambiguous: false,
        refused: Some(refused),
        during: Some(seen.during),
        doubtful: entries_skipped && is_doubtful(refused, parts.host.btf),
    };
    found.into_iter().map(call).collect()
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

/// What is known of one denied call.
struct Seen {
    first: u64,
    count: u64,
    command: String,
    during: Phase,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.during = self.during.max(other.during);
        if other.first < self.first {
            self.first = other.first;
            self.command.clone_from(&other.command);
        }
    }
}

/// Every denied call of a recording, with the path of its cgroup.
pub fn all(recording: &Recording) -> impl Iterator<Item = (&str, &Call)> {
    recording.cgroups.iter().flat_map(|cgroup| {
        let denied = cgroup.calls.iter().filter(|call| call.phase == Phase::Denied);
        denied.map(|call| (cgroup.path.as_str(), call))
    })
}
