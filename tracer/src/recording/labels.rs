//! Who made a call first, and when: in the phase that counts for it. Labels for people; losing one
//! changes no result.

use std::collections::{BTreeMap, HashMap};

use tracer_ebpf::{Evidence, EvidenceKey};

use super::phases::Phases;
use crate::{
    syscalls::{self, Abi},
    text::{Escaped, escape_c_string},
};

/// Who was first seen to make a call, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Nanoseconds since boot.
    pub time: u64,
    /// Command name, escaped.
    pub command: Escaped,
}

/// What labels are kept by: cgroup id, ABI, number.
pub type LabelKey = (u64, Abi, i32);

/// First sights of calls, each by the class of its task (`tracer_ebpf::class`): the runtime's and
/// the workload's are apart.
pub type Labels = HashMap<LabelKey, BTreeMap<u16, Label>>;

/// Adds a first sight.
pub fn add(labels: &mut Labels, call: LabelKey, class: u16, label: Label) {
    earlier(labels.entry(call).or_default(), class, label);
}

/// Takes one away again.
pub fn remove(labels: &mut Labels, call: LabelKey, class: u16) {
    if let Some(classes) = labels.get_mut(&call) {
        classes.remove(&class);
        if classes.is_empty() {
            labels.remove(&call);
        }
    }
}

fn earlier(classes: &mut BTreeMap<u16, Label>, class: u16, label: Label) {
    let known = classes.entry(class).or_insert_with(|| label.clone());
    if label.time < known.time {
        *known = label;
    }
}

/// The same of one cgroup's calls that were recorded one by one, which no event need have reported.
pub(super) fn of_evidence(evidence: &[(EvidenceKey, Evidence)]) -> Labels {
    let mut labels = Labels::new();
    for (key, seen) in evidence {
        let (abi, number) = syscalls::classify(key.number, key.compat != 0);
        let label = Label { time: seen.first_seen, command: escape_c_string(&seen.command) };
        add(&mut labels, (key.cgroup, abi, number), key.class, label);
    }
    labels
}

/// The first sight of a call among those on which the facts decide as they do on the call as a
/// whole. None when none of these was reported: then it is not known, though an earlier phase's may
/// be.
pub(super) fn first<'a>(
    sources: [&'a Labels; 2],
    call: LabelKey,
    phases: &Phases,
) -> Option<&'a Label> {
    let (_, abi, number) = call;
    let decision = phases.calls.get(&(abi, number))?;
    let classes = sources.into_iter().filter_map(|labels| labels.get(&call)).flatten();
    let deciding = classes.filter(|(class, _)| phases.decision(**class) == *decision);
    deciding.map(|(_, label)| label).min_by_key(|label| label.time)
}

#[cfg(test)]
mod tests {
    use tracer_ebpf::{CgroupRecord, FILTER_LEVELS, class, executable};

    use super::{
        super::phases::{CgroupKind, decide},
        *,
    };
    use crate::text::escape;

    const READ: i32 = 0;
    const MOUNT: i32 = 165;
    const SET_UP: u16 = class::INIT_PENDING
        | class::FORKED
        | class::PARENT_HOST
        | executable::INTERNAL << class::EXECUTABLE_SHIFT;

    fn seen(number: i32, class: u16, time: u64, name: &str) -> (EvidenceKey, Evidence) {
        let mut command = [0; 16];
        command[..name.len()].copy_from_slice(name.as_bytes());
        let key = EvidenceKey { cgroup: 7, number, class, compat: 0, reserved: 0 };
        (key, Evidence { first_seen: time, count: 1, command })
    }

    /// A container: the runtime reads and mounts, then the workload reads.
    fn container(evidence: &[(EvidenceKey, Evidence)]) -> Phases {
        let mut sets = [[0; 8]; FILTER_LEVELS];
        sets[0][0] |= 1 << READ;
        let record =
            CgroupRecord { container: sets, first_seen: [10, 0, 0, 0], ..CgroupRecord::EMPTY };
        decide(&record, evidence, CgroupKind::Container)
    }

    fn first_sight(of_events: &[(i32, u16, u64, &str)], number: i32) -> Option<(u64, String)> {
        let evidence = [seen(READ, SET_UP, 20, "runc"), seen(MOUNT, SET_UP, 30, "runc")];
        let phases = container(&evidence);
        let mut labels = Labels::new();
        for (number, class, time, command) in of_events {
            let label = Label { time: *time, command: escape(command) };
            add(&mut labels, (7, Abi::X86_64, *number), *class, label);
        }
        let call = (7, Abi::X86_64, number);
        let of_evidence = of_evidence(&evidence);
        let label = first([&labels, &of_evidence], call, &phases)?;
        Some((label.time, label.command.to_string()))
    }

    #[test]
    fn a_call_of_the_workload_is_not_credited_to_the_runtime_that_made_it_first() {
        let host = (READ, class::HOST | class::FORKED, 15, "runc");
        let first = (READ, class::PARENT_OUTSIDE, 40, "app");
        let later = (READ, class::STARTED, 50, "other");
        assert_eq!(first_sight(&[host, first, later], READ), Some((40, "app".to_owned())));
        assert_eq!(
            first_sight(&[later, host, first], READ),
            Some((40, "app".to_owned())),
            "any order"
        );
        assert_eq!(first_sight(&[], MOUNT), Some((30, "runc".to_owned())), "evidence has its own");
    }

    #[test]
    fn what_was_not_told_of_the_phase_is_absent() {
        assert_eq!(first_sight(&[], READ), None);
        assert_eq!(first_sight(&[(READ, class::HOST, 15, "runc")], READ), None);
    }

    #[test]
    fn doubtful_sights_do_not_stand_for_certain_ones() {
        let doubtful = class::HOST | class::STARTED;
        let evidence = [seen(READ, SET_UP, 20, "runc"), seen(READ, doubtful, 25, "nsenter")];
        let phases = container(&evidence);
        let mut labels = Labels::new();
        let call = (7, Abi::X86_64, READ);
        add(&mut labels, call, 0, Label { time: 40, command: escape("app") });
        let of_evidence = of_evidence(&evidence);
        let label = first([&labels, &of_evidence], call, &phases).expect("reported");
        assert_eq!((label.time, label.command.as_str()), (40, "app"));
    }

    #[test]
    fn what_is_taken_away_leaves_the_others() {
        let mut labels = Labels::new();
        let label = |time| Label { time, command: Escaped::default() };
        let call = (7, Abi::X86_64, READ);
        add(&mut labels, call, 0, label(2));
        add(&mut labels, call, class::HOST, label(1));
        add(&mut labels, call, class::HOST, label(3));
        assert_eq!(labels[&call][&class::HOST], label(1), "the earlier one stays");
        remove(&mut labels, call, class::HOST);
        assert_eq!(labels[&call].len(), 1);
        remove(&mut labels, call, 0);
        assert!(labels.is_empty());
    }
}
