//! Calls that a profile answers with an error number, where its default action would end the
//! caller.
//!
//! A workload that was recorded under a filter lived with what that filter refused it; under a
//! profile that kills it would die of the same call. The error number that it got is part of the
//! evidence, and the profile gives the same answer: nothing more is allowed, and the workload does
//! what it did while it was recorded. The calls that a container runtime only tries are answered as
//! well: it goes on without them, and is killed otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Errno, ErrnoAnswer, OciRuntime, Profile, ProfileOptions, Reason, base, model::Allowed,
    multiplexed,
};
use crate::{
    recording::{Answered, Call, DenyOutcome, Phase},
    syscalls::{self, Abi},
};

/// What recordings show of refused calls.
#[derive(Default)]
pub(super) struct RefusedCalls {
    /// The error numbers of each call, those first that are chosen first.
    recorded: BTreeMap<&'static str, BTreeMap<Rank, BTreeSet<Reason>>>,
    /// The same of single values of arguments: the call, which argument, the bits that count, the
    /// value.
    values: BTreeMap<(&'static str, u8, u64, u64), BTreeSet<Rank>>,
    /// Calls that a runtime tried after the filter was loaded.
    tried: BTreeSet<&'static str>,
}

/// The order in which error numbers are chosen. C libraries and programs fall back to an older call
/// on ENOSYS, and on no other number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    doubtful: bool,
    is_not_enosys: bool,
    errno: Errno,
}

impl RefusedCalls {
    /// Adds a call that one of these runtimes only tried; false when it is none.
    pub(super) fn add_tried(
        &mut self,
        call: &Call,
        is_one: impl FnOnce(OciRuntime) -> bool,
    ) -> bool {
        let tried = base::optional_of_runtime(call).filter(|(runtime, _)| is_one(*runtime));
        self.tried.extend(tried.map(|(_, tried)| tried.name.as_str()));
        tried.is_some()
    }

    /// Adds what a call was refused with. Of a doubtful one as well: if it was allowed, it failed
    /// with that number.
    pub(super) fn add(&mut self, call: &Call) {
        let Some(outcome) = call.outcome else { return };
        let Some(errno) = outcome.errno().and_then(Errno::new) else { return };
        let Some(name) = syscalls::name(call.abi, call.number) else { return };
        let rank = Rank { doubtful: call.doubtful, is_not_enosys: errno != Errno::ENOSYS, errno };
        for argument in &call.arguments {
            for value in &argument.values {
                let key = (name, argument.index, argument.mask, value.value);
                self.values.entry(key).or_default().insert(rank);
            }
        }
        let numbers = self.recorded.entry(name).or_default();
        numbers.entry(rank).or_default().insert(Reason::Denied { abi: call.abi, outcome });
    }

    /// The answers of a profile with this default action: none unless it ends the caller.
    pub(super) fn answers(
        &self,
        allowed: &Allowed,
        options: &ProfileOptions,
    ) -> BTreeMap<String, ErrnoAnswer> {
        let mut answers = BTreeMap::new();
        if !options.default_action.ends_the_caller() {
            return answers;
        }
        for (name, numbers) in &self.recorded {
            let mut ranks = numbers.keys().map(|rank| rank.errno);
            let Some(errno) = ranks.next() else { continue };
            let others = ranks.filter(|other| *other != errno).collect();
            let reasons = numbers.values().flatten().copied().collect();
            answers.insert((*name).to_owned(), ErrnoAnswer { errno, others, reasons });
        }
        for runtime in OciRuntime::ALL {
            let chosen = options.runtime.runtimes().contains(&runtime);
            for call in &runtime.base_set().optional {
                if chosen || self.tried.contains(call.name.as_str()) {
                    let reason = Reason::Base { runtime, reason: &call.reason };
                    let none = || ErrnoAnswer::new(Errno::ENOSYS);
                    answers.entry(call.name.clone()).or_insert_with(none).reasons.insert(reason);
                }
            }
        }
        answers.retain(|name, _| !allowed.contains_key(name));
        answers
    }
}

impl RefusedCalls {
    /// Answers the values of a limited call that were refused, and that are not allowed, under a
    /// default action that ends the caller. Not for calls that i386 reaches through one entrance:
    /// all of its rules would be about the same first argument there.
    pub(super) fn answer_values(&self, profile: &mut Profile) {
        if !profile.default_action.ends_the_caller() {
            return;
        }
        let is_multiplexed = Abi::multiplexing().any(|abi| profile.architectures.contains(&abi));
        for ((name, index, mask, value), ranks) in &self.values {
            let Some(limit) = profile.limited.get_mut(*name) else { continue };
            let is_shared = is_multiplexed && multiplexed::by_name(name).is_some();
            let is_told = *index == limit.index && mask & limit.mask == limit.mask;
            if let Some(rank) = ranks.first().filter(|_| is_told && !is_shared) {
                limit.answer(*value, rank.errno);
            }
        }
    }
}

impl Profile {
    /// What a recording keeps of the answers.
    pub(super) fn answered(&self) -> Vec<Answered> {
        let answered = self.answered.iter().map(|(name, answer)| {
            let reasons: Vec<String> = answer.reasons.iter().map(Reason::to_string).collect();
            Answered { name: name.clone(), errno: answer.errno.get(), reason: reasons.join("; ") }
        });
        answered.collect()
    }
}

/// A call that C libraries try first, what they take in its place when it fails with ENOSYS, and
/// the place where that is written: glibc, `sysdeps/unix/sysv/linux/clone-internal.c`, and `clone3`
/// of the defaults of Docker and containerd, which therefore answer it so.
const FALL_BACKS: [(&str, &str); 1] = [("clone3", "clone")];

/// What a caller takes in the place of a call that was refused in a way that it falls back on.
/// Filters cannot look at what such a call points to, so that profiles refuse it on purpose.
pub fn falls_back(call: &Call) -> Option<&'static str> {
    let name = syscalls::name(call.abi, call.number)?;
    let is_so = call.outcome == Some(DenyOutcome::Errno(Errno::ENOSYS.get()));
    FALL_BACKS.iter().find(|(first, _)| is_so && *first == name).map(|(_, other)| *other)
}

/// Whether what was refused counts for an answer: not what a runtime was refused before the filter
/// of the container.
pub(super) fn counts(call: &Call) -> bool {
    call.denied_in_phase.is_some_and(|phase| phase != Phase::Setup)
}
