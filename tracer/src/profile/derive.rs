//! From recordings to a profile.
//!
//! A call that was seen in the workload, or in a container's init after its filter was loaded, is
//! allowed; what a runtime did before, and what a filter refused, is not. To these come the calls
//! that a recording on this host may not show: the base sets of the runtimes and the calls that are
//! always allowed, and on request those that are inferred. A call that the workload made is dropped
//! for one reason only: the user said so. One that a runtime made after the filter and only tried
//! is not allowed for that: it goes on without.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Exclusion, Profile, ProfileOptions, Reason, RuntimeChoice,
    alternatives::alternatives,
    always_allowed,
    answers::{self, RefusedCalls},
    arguments::{self, ArgumentNotes, Evidence, Limits},
    inferred,
    model::Allowed,
    reason::is_seen,
};
use crate::{
    recording::{Added, Call, Decided, Derived, Phase, Recording},
    syscalls::{self, Abi, AbiDescription},
};

/// A profile, and what was decided on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The profile.
    pub profile: Profile,
    /// The calls that the profile allows though no recording shows them, with the reasons; sorted
    /// by name.
    pub added: Vec<Added>,
    /// The calls that would be allowed, had the user not taken them out; sorted.
    pub excluded: Vec<String>,
    /// Those of the excluded calls that a recording shows: the workload will miss them.
    pub excluded_seen: Vec<String>,
    /// The calls that the workload was seen to make, and that are not allowed because few
    /// recordings have them ([`ProfileOptions::rare`]); sorted.
    pub rare: Vec<String>,
    /// What comes of taking calls out.
    pub exclusion: Exclusion,
    /// Recorded calls that no profile can name; sorted by ABI and number.
    pub unnamed: Vec<UnnamedSyscall>,
    /// Allowed names that none of the profile's architectures has: included, and without effect.
    pub ineffective: Vec<String>,
    /// What is to be said of arguments.
    pub arguments: ArgumentNotes,
    /// The decisions that it follows.
    pub decided: Vec<Decided>,
}

/// Recorded calls of a number that has no name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnnamedSyscall {
    /// The ABI it was called through.
    pub abi: Abi,
    /// The number in that ABI's table.
    pub number: i32,
    /// Workload before container-init, when it was seen in both.
    pub phase: Phase,
    /// How often it was called, when that was counted.
    pub count: Option<u64>,
    /// A newer kernel may have such a call, which the profile then denies; otherwise no kernel has,
    /// and none is missing.
    pub may_be_newer: bool,
}

/// Why no profile is derived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// Nothing was seen that a profile could be made for.
    #[error(
        "no call of a workload was recorded (recordings: {recordings}, cgroups: {cgroups}): start the workload while tracing"
    )]
    NoWorkload {
        /// How many recordings there were.
        recordings: usize,
        /// How many cgroups they have together.
        cgroups: usize,
    },
}

impl Profile {
    /// Derives the profile that covers every one of the recordings.
    ///
    /// Names come from the tables of this program, by ABI and number; the names in a recording are
    /// for its readers.
    pub fn derive(
        recordings: &[Recording],
        options: &ProfileOptions,
    ) -> Result<Derivation, DeriveError> {
        let seen = RecordedCalls::gather(recordings, options);
        if !seen.workload {
            let cgroups = recordings.iter().map(|recording| recording.cgroups.len()).sum();
            return Err(DeriveError::NoWorkload { recordings: recordings.len(), cgroups });
        }
        let architectures: BTreeSet<Abi> = if options.all_architectures {
            Abi::ALL.into()
        } else {
            seen.architectures.iter().copied().chain([Abi::NATIVE]).collect()
        };
        let mut allowed = seen.allowed;
        add_always_allowed(&mut allowed);
        add_base_sets(&mut allowed, options);
        for abi in &architectures {
            add_forms(&mut allowed, abi.description());
        }
        for name in options.include() {
            let is_decided = options.allowed_by(name).is_some();
            let reason = if is_decided { Reason::Decided } else { Reason::Included };
            add(&mut allowed, name, reason);
        }
        if allowed.contains_key("clone3") {
            add(&mut allowed, "clone", Reason::Fallback("clone3"));
        }
        add_inferred(&mut allowed, options);
        let clone3 = arguments::take_clone3_out(&mut allowed, &seen.evidence, options);
        let exclusion = Exclusion::of(&allowed, options);
        let (excluded, excluded_seen) = exclude(&mut allowed, options);
        let added = allowed.iter().filter(|(_, reasons)| !is_seen(reasons));
        let added = added.map(|call| self::added(call, options)).collect();
        let rare = seen.rare.into_iter().filter(|name| !allowed.contains_key(*name));
        let rare = rare.map(str::to_owned).collect();
        let ineffective =
            allowed.keys().filter(|name| !has_effect(name, &architectures)).cloned().collect();
        let Limits { limited, mut notes } = arguments::limits(&allowed, &seen.evidence, options);
        notes.hidden = clone3.as_ref().is_some_and(is_seen) && allowed.contains_key("clone");
        let mut answered = seen.refused.answers(&allowed, options);
        let clone3 = arguments::answer_to_clone3(&allowed, clone3, options);
        if let Some(answer) = clone3 {
            let recorded = answered.remove(arguments::CLONE3);
            answered.insert(arguments::CLONE3.to_owned(), answer.with(recorded));
        }
        let default_action = options.default_action;
        let mut profile = Self { default_action, architectures, allowed, limited, answered };
        seen.refused.answer_values(&mut profile);
        profile.fit_filter(&mut notes);
        let unnamed = seen.unnamed.into_values().collect();
        Ok(Derivation {
            profile,
            added,
            excluded,
            excluded_seen,
            rare,
            exclusion,
            unnamed,
            ineffective,
            arguments: notes,
            decided: options.decided().to_vec(),
        })
    }
}

impl Derivation {
    /// What a recording keeps of it.
    pub fn derived(&self) -> Derived {
        let mut excluded = [self.excluded_seen.as_slice(), &self.rare].concat();
        excluded.sort();
        Derived {
            added: self.added.clone(),
            excluded,
            answered: self.profile.answered(),
            values: self.profile.values(),
            decided: self.decided.clone(),
        }
    }
}

/// What the recordings show.
#[derive(Default)]
struct RecordedCalls {
    workload: bool,
    architectures: BTreeSet<Abi>,
    allowed: Allowed,
    refused: RefusedCalls,
    evidence: Evidence,
    unnamed: BTreeMap<(Abi, i32), UnnamedSyscall>,
    /// Calls of the workload that are left out because few recordings have them.
    rare: BTreeSet<&'static str>,
}

impl RecordedCalls {
    fn gather(recordings: &[Recording], options: &ProfileOptions) -> Self {
        let mut seen = Self::default();
        let cgroups = recordings.iter().flat_map(|recording| &recording.cgroups);
        for call in cgroups.flat_map(|cgroup| &cgroup.calls) {
            match call.phase {
                Phase::Workload | Phase::ContainerInit => seen.add_call(call, options),
                Phase::Denied if answers::counts(call) => seen.add_denied(call, options),
                Phase::Setup | Phase::Denied => {}
            }
        }
        seen
    }

    fn add_call(&mut self, call: &Call, options: &ProfileOptions) {
        self.workload |= call.phase == Phase::Workload;
        // Also for a number without a name: a filter without its architecture would kill the
        // caller.
        self.architectures.insert(call.abi);
        // A runtime that nobody chose may need what another one only tries.
        let runtimes = [RuntimeChoice::Any, options.runtime].map(RuntimeChoice::runtimes);
        if self.refused.add_tried(call, |runtime| runtimes.concat().contains(&runtime)) {
            return;
        }
        match syscalls::name(call.abi, call.number) {
            Some(name) if call.phase == Phase::Workload && options.rare.contains(name) => {
                self.rare.insert(name);
            }
            Some(name) => {
                let reason = Reason::Seen { abi: call.abi, phase: call.phase };
                self.evidence.add(name, reason, call);
                add(&mut self.allowed, name, reason);
            }
            None => self.add_unnamed(call),
        }
    }

    /// A call that a filter refused, but not to a runtime that was still setting the container up.
    fn add_denied(&mut self, call: &Call, options: &ProfileOptions) {
        let Some(outcome) = call.outcome else { return };
        if self.refused.add_tried(call, |_| true) {
            return;
        }
        self.refused.add(call);
        let is_allowed = options.denied && !call.doubtful && answers::falls_back(call).is_none();
        let is_answered = options.default_action.ends_the_caller() && outcome.errno().is_some();
        if !is_allowed && !is_answered {
            return;
        }
        self.architectures.insert(call.abi);
        match syscalls::name(call.abi, call.number) {
            Some(name) if is_allowed => {
                let reason = Reason::Denied { abi: call.abi, outcome };
                self.evidence.add(name, reason, call);
                add(&mut self.allowed, name, reason);
            }
            Some(_) => {}
            None => self.add_unnamed(call),
        }
    }

    fn add_unnamed(&mut self, call: &Call) {
        let (abi, number) = (call.abi, call.number);
        let may_be_newer = syscalls::may_be_newer(number);
        let entry = self.unnamed.entry((abi, number)).or_insert(UnnamedSyscall {
            abi,
            number,
            phase: call.phase,
            count: None,
            may_be_newer,
        });
        entry.phase = entry.phase.max(call.phase);
        entry.count = match (entry.count, call.count) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
    }
}

fn add(allowed: &mut Allowed, name: &str, reason: Reason) {
    match allowed.get_mut(name) {
        Some(reasons) => {
            reasons.insert(reason);
        }
        None => {
            allowed.insert(name.to_owned(), BTreeSet::from([reason]));
        }
    }
}

fn add_always_allowed(allowed: &mut Allowed) {
    for (name, reason) in always_allowed::CORE {
        add(allowed, name, Reason::Core(reason));
    }
    for name in always_allowed::VDSO {
        add(allowed, name, Reason::Vdso);
    }
    for (name, reason) in always_allowed::START_UP {
        add(allowed, name, Reason::StartUp(reason));
    }
}

fn add_base_sets(allowed: &mut Allowed, options: &ProfileOptions) {
    for runtime in options.runtime.runtimes() {
        for call in &runtime.base_set().calls {
            add(allowed, &call.name, Reason::Base { runtime: *runtime, reason: &call.reason });
        }
    }
}

/// What programs of an ABI call in the place of the native calls that were added: also those of
/// another program than the recorded one. The calls that one was seen to make have the names of its
/// own ABI.
fn add_forms(allowed: &mut Allowed, abi: &AbiDescription) {
    let is_added = |reasons: &BTreeSet<Reason>| reasons.iter().any(|reason| !reason.is_seen());
    let added = allowed.iter().filter(|(_, reasons)| is_added(reasons));
    let forms: Vec<_> = added.filter_map(|(name, _)| (abi.form_of)(name)).collect();
    for (of, form) in forms {
        add(allowed, form, Reason::Form { of });
    }
    for name in abi.own_vdso {
        add(allowed, name, Reason::Vdso);
    }
}

/// What was not seen and follows from how C libraries are written. Only calls that were seen have
/// alternatives: an added call brings no further ones.
fn add_inferred(allowed: &mut Allowed, options: &ProfileOptions) {
    if options.alternatives {
        let seen = allowed.iter().filter(|(_, reasons)| is_seen(reasons));
        let seen: Vec<String> = seen.map(|(name, _)| name.clone()).collect();
        for other in seen.iter().flat_map(|of| alternatives(of)) {
            let reason = Reason::Alternative { of: &other.of, evidence: &other.evidence };
            add(allowed, &other.name, reason);
        }
    }
    if options.error_paths {
        for (name, reason) in inferred::ERROR_PATHS {
            add(allowed, name, Reason::ErrorPath(reason));
        }
    }
}

/// Takes out what the user excluded: all of the names that were allowed, and those that were seen.
fn exclude(allowed: &mut Allowed, options: &ProfileOptions) -> (Vec<String>, Vec<String>) {
    let (mut excluded, mut seen) = (Vec::new(), Vec::new());
    for name in options.exclude() {
        if let Some(reasons) = allowed.remove(name) {
            excluded.push(name.clone());
            if is_seen(&reasons) {
                seen.push(name.clone());
            }
        }
    }
    (excluded, seen)
}

fn added((name, reasons): (&String, &BTreeSet<Reason>), options: &ProfileOptions) -> Added {
    let shown = |reason: &Reason| match (reason, options.allowed_by(name)) {
        (Reason::Decided, Some(decided)) => decided.sentence(),
        _ => reason.to_string(),
    };
    let reasons: Vec<String> = reasons.iter().map(shown).collect();
    Added { name: name.clone(), reason: reasons.join("; ") }
}

fn has_effect(name: &str, architectures: &BTreeSet<Abi>) -> bool {
    architectures.iter().any(|abi| syscalls::number(*abi, name).is_some())
}
