//! Decoded syscalls as the calls of a recording.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{DecodedCall, found::FilterEffect};
use crate::{
    audit::FilterAction,
    recording::{Call, DenyOutcome, Phase, denied::is_a_runtimes},
    syscalls::{self, Abi},
};

/// Most numbers without a name that are kept: a workload may call any number.
const MAX_UNNAMED: usize = 1024;
/// The longest command that is kept, in bytes: the kernel's have 15, and each byte may be escaped
/// by four. A text can hold any.
const MAX_COMMAND: usize = 64;

/// Gathers the calls of a recording: one for each syscall that was made, and one for each way in
/// which it was refused. It takes whole records alone.
#[derive(Debug, Default)]
pub struct LoggedCalls {
    found: BTreeMap<(Abi, i32, Option<DenyOutcome>), Call>,
    unnamed: usize,
}

impl LoggedCalls {
    /// Adds a syscall; one of another machine, and one that has no number of a syscall, is none for
    /// a recording.
    pub fn add(&mut self, decoded: &DecodedCall) {
        let (Some(abi), Ok(number)) = (decoded.abi, i32::try_from(decoded.number)) else { return };
        if number < 0 || decoded.records == 0 {
            return;
        }
        let outcome = decoded.action.and_then(outcome);
        let command = decoded.command.clone().filter(|command| command.len() <= MAX_COMMAND);
        let is_runtimes = command.as_deref().is_some_and(is_a_runtimes);
        let made_in = if is_runtimes { Phase::ContainerInit } else { Phase::Workload };
        let call = Call {
            abi,
            number,
            name: syscalls::name(abi, number).map(str::to_owned),
            phase: if outcome.is_some() { Phase::Denied } else { made_in },
            count: Some(decoded.records),
            other_phases: Vec::new(),
            first_seen_seconds: None,
            command,
            ambiguous: false,
            outcome,
            denied_in_phase: outcome.map(|_| made_in),
            doubtful: false,
            circumstances: None,
            arguments: Vec::new(),
        };
        match self.found.entry((abi, number, outcome)) {
            Entry::Vacant(_) if call.name.is_none() && self.unnamed == MAX_UNNAMED => {}
            Entry::Vacant(place) => {
                self.unnamed += usize::from(call.name.is_none());
                place.insert(call);
            }
            Entry::Occupied(mut known) => join(known.get_mut(), call),
        }
    }

    /// The calls, sorted by ABI and number.
    pub fn into_calls(self) -> Vec<Call> {
        self.found.into_values().collect()
    }
}

/// Two sightings of one call: what the workload did comes before what its runtime did.
fn join(known: &mut Call, mut other: Call) {
    let count = known.count.unwrap_or_default().saturating_add(other.count.unwrap_or_default());
    let is_workloads = |call: &Call| Phase::Workload == call.denied_in_phase.unwrap_or(call.phase);
    if !is_workloads(known) && is_workloads(&other) {
        std::mem::swap(known, &mut other);
    }
    if known.outcome.is_none() && known.phase != other.phase {
        known.other_phases = vec![other.phase];
    }
    known.other_phases.extend(other.other_phases);
    known.other_phases.sort_unstable();
    known.other_phases.dedup();
    known.count = Some(count);
}

/// How a syscall was refused; None of one that was made, or that another process decided on. The
/// kernel kills the process on an action that it does not know (`seccomp(2)`).
fn outcome(action: FilterEffect) -> Option<DenyOutcome> {
    match action {
        // The record does not hold the number.
        FilterEffect::Audited(FilterAction::Errno) => Some(DenyOutcome::UnknownErrno),
        FilterEffect::Audited(FilterAction::KillThread) => Some(DenyOutcome::ThreadKilled),
        FilterEffect::Audited(
            FilterAction::KillProcess | FilterAction::Trap | FilterAction::Other(_),
        )
        | FilterEffect::Signal => Some(DenyOutcome::Signal),
        FilterEffect::Audited(FilterAction::Notify | FilterAction::Trace | FilterAction::Log) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::escape;

    fn decoded(number: i64, action: Option<FilterEffect>, command: &str) -> DecodedCall {
        DecodedCall {
            count: 2,
            name: None,
            number,
            abi: Some(Abi::X86_64),
            arch: None,
            action,
            command: Some(escape(command)),
            failed: 0,
            errnos: BTreeMap::new(),
            profile: None,
            records: 2,
        }
    }

    fn gathered(all: &[DecodedCall]) -> Vec<Call> {
        let mut calls = LoggedCalls::default();
        all.iter().for_each(|one| calls.add(one));
        calls.into_calls()
    }

    #[test]
    fn a_logged_call_was_made_and_another_was_refused() {
        use FilterAction::{Errno, KillProcess, KillThread, Log, Notify, Other, Trap};
        for (action, expected) in [
            (Some(FilterEffect::Audited(Log)), None),
            (Some(FilterEffect::Audited(Notify)), None),
            (None, None),
            (Some(FilterEffect::Audited(Errno)), Some(DenyOutcome::UnknownErrno)),
            (Some(FilterEffect::Audited(KillThread)), Some(DenyOutcome::ThreadKilled)),
            (Some(FilterEffect::Audited(KillProcess)), Some(DenyOutcome::Signal)),
            (Some(FilterEffect::Audited(Trap)), Some(DenyOutcome::Signal)),
            (Some(FilterEffect::Audited(Other(1 << 20))), Some(DenyOutcome::Signal)),
            (Some(FilterEffect::Signal), Some(DenyOutcome::Signal)),
        ] {
            let [call] = &gathered(&[decoded(83, action, "t")])[..] else { panic!("{action:?}") };
            assert_eq!(call.outcome, expected, "{action:?}");
            let phase = if expected.is_some() { Phase::Denied } else { Phase::Workload };
            assert_eq!((call.phase, call.name.as_deref()), (phase, Some("mkdir")));
        }
    }

    #[test]
    fn one_call_of_two_commands_is_one_and_the_workload_s() {
        let log = Some(FilterEffect::Audited(FilterAction::Log));
        for (first, second) in [("runc:[2:INIT]", "nginx"), ("nginx", "runc:[2:INIT]")] {
            let found = gathered(&[decoded(83, log, first), decoded(83, log, second)]);
            let [call] = &found[..] else { panic!("{found:?}") };
            assert_eq!((call.phase, call.count), (Phase::Workload, Some(4)));
            assert_eq!(call.other_phases, [Phase::ContainerInit]);
            assert_eq!(call.command.as_deref(), Some("nginx"));
        }
    }

    #[test]
    fn what_no_whole_record_holds_is_left_out() {
        let mut number = decoded(165, None, "t");
        number.records = 0;
        assert_eq!(gathered(&[number]), []);
        let text = concat!(
            "165\n[4.1] nr=101[4242]: segfault at 0 ip 1 sp 2 error 4\n",
            "audit: type=1326 audit(1.1:1): auid=1 uid=1 gid=1 ses=1 pid=7 comm=\"t\" exe=\"/t\" ",
            "sig=31 arch=c000003e syscall=321 compat=0 ip=0x1 code=0x8\n",
        );
        let asked = super::super::found::Asked { abi: Abi::X86_64, profile: None, commands: &[] };
        let found = super::super::decode(text.as_bytes(), asked);
        assert_eq!((found.calls.len(), found.damaged), (3, 1), "all are shown");
        assert_eq!(gathered(&found.calls), [], "none is recorded");
    }

    #[test]
    fn numbers_without_a_name_are_bounded() {
        let many: Vec<DecodedCall> = (0..5000).map(|at| decoded(100_000 + at, None, "t")).collect();
        assert_eq!(gathered(&many).len(), MAX_UNNAMED);
        let all = [many, vec![decoded(83, None, "t")]].concat();
        assert_eq!(gathered(&all).len(), MAX_UNNAMED + 1, "a syscall always has a place");
    }

    #[test]
    fn what_is_no_syscall_of_this_machine_is_left_out() {
        let mut foreign = decoded(83, None, "t");
        foreign.abi = None;
        assert_eq!(gathered(&[foreign, decoded(-1, None, "t"), decoded(1 << 40, None, "t")]), []);
    }
}
