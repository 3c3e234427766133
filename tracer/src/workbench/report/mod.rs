//! What recordings show, as data for a page: [`html`] writes it for a browser, [`markdown`] for a
//! pull request.
//!
//! All numbers are made here, once, so that both forms say the same. What recordings hold of names
//! is [`Escaped`] here; each form then escapes it once more, for its own readers.

pub mod calls;
pub mod discovery;
mod evidence;
pub mod html;
pub mod markdown;
pub mod runs;

pub use self::evidence::ReportSources;
use self::{
    calls::{CallEntry, DeniedEntry},
    discovery::Discovery,
    evidence::{counted, distinct, is_in_profile, made},
    runs::{RunEntry, StartEntry, TargetEntry},
};
use super::explain::{self, Explanation};
use crate::{
    recording::{Call, Phase, Recording, starts::starts},
    text::Escaped,
};

/// What recordings show.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingReport {
    /// What was recorded, for headings.
    pub title: Escaped,
    /// What the user named.
    pub targets: Vec<TargetEntry>,
    /// The numbers at the top.
    pub figures: Figures,
    /// What is missing, if anything.
    pub completeness: Completeness,
    /// When syscalls were seen for the first time.
    pub discovery: Discovery,
    /// What happened in which phase.
    pub phases: Vec<PhaseEntry>,
    /// The profile that is derived: its groups, its risks, and the defaults beside it.
    pub explanation: Explanation,
    /// Every syscall that was made, in the order in which they were first seen.
    pub calls: Vec<CallEntry>,
    /// What a filter refused.
    pub denied: Vec<DeniedEntry>,
    /// How often each container was started.
    pub starts: Vec<StartEntry>,
    /// Where each recording comes from.
    pub runs: Vec<RunEntry>,
}

/// The numbers at the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Different syscalls that a profile is made of: of the workload, and of a runtime after its
    /// filter was loaded. One that was made through two ABIs counts twice.
    pub seen: usize,
    /// How often syscalls were made, over all phases; None when they were not counted.
    pub made: Option<u64>,
    /// Syscalls of x86_64 that the derived profile allows, for some arguments at least.
    pub allowed: usize,
    /// How many x86_64 has.
    pub of: usize,
    /// What the profile allows and a default of a container engine refuses.
    pub beyond_defaults: usize,
    /// Different syscalls that a filter refused.
    pub denied: usize,
    /// The recordings that count.
    pub recordings: usize,
    /// Cgroups.
    pub cgroups: usize,
    /// Seconds, of all recordings together.
    pub seconds: f64,
}

/// What is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Completeness {
    /// Nothing is.
    pub complete: bool,
    /// What is, each with what to do about it.
    pub reasons: Vec<IncompleteReason>,
    /// The recordings that lack it, when there are several.
    pub lacking: Vec<Escaped>,
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncompleteReason {
    /// What it is.
    pub what: Escaped,
    /// What to do.
    pub remedy: Option<Escaped>,
}

/// What happened in a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseEntry {
    /// The phase.
    pub phase: Phase,
    /// What it is.
    pub what: &'static str,
    /// Whether its syscalls are in the profile.
    pub in_profile: &'static str,
    /// Different syscalls that were made in it.
    pub syscalls: usize,
}

/// The phases in the order of a container's life.
const PHASES: [(Phase, &str, &str); 4] = [
    (Phase::Setup, "the runtime, before it loads the filter", "no"),
    (Phase::ContainerInit, "the runtime, from the filter to the workload's start", "yes"),
    (Phase::Workload, "the workload", "yes"),
    (Phase::Denied, "what a filter refused", "on request"),
];

impl RecordingReport {
    /// Looks at recordings.
    pub fn of(sources: &ReportSources<'_>) -> Self {
        let ReportSources { merged, derivation, contributions, .. } = *sources;
        let policy = derivation.profile.policy();
        let targets = runs::targets(merged);
        let title = runs::title(&targets);
        let subject = explain::ExplainSubject {
            name: &title,
            policy: &policy,
            recording: Some(merged),
            is_derived: true,
        };
        let explanation = explain::explain(&subject);
        let counted = counted(sources);
        let denied = calls::denied(&counted);
        let starts = starts(merged).into_iter().map(StartEntry::of).collect();
        Self {
            figures: Figures {
                seen: distinct(merged, |call| is_in_profile(call.phase)),
                made: made(merged),
                allowed: explanation.surface.allowed.first().map_or(0, |(_, allowed)| *allowed),
                of: explanation.surface.of,
                beyond_defaults: explanation.beyond_defaults.len(),
                denied: distinct(merged, |call| call.phase == Phase::Denied),
                recordings: contributions.recordings(),
                cgroups: merged.cgroups.len(),
                seconds: merged.duration_seconds,
            },
            completeness: Completeness::of(sources),
            discovery: Discovery::of(&counted),
            phases: phases(merged),
            calls: calls::list(&counted, &explanation),
            runs: runs::list(sources),
            title,
            targets,
            explanation,
            denied,
            starts,
        }
    }

    /// Several recordings went into it.
    pub fn is_of_several(&self) -> bool {
        self.figures.recordings > 1
    }
}

fn phases(recording: &Recording) -> Vec<PhaseEntry> {
    let entry = |(phase, what, in_profile)| {
        let is_in = |call: &Call| call.phase == phase || call.other_phases.contains(&phase);
        PhaseEntry { phase, what, in_profile, syscalls: distinct(recording, is_in) }
    };
    PHASES.into_iter().map(entry).filter(|entry| entry.syscalls > 0).collect()
}

impl Completeness {
    fn of(sources: &ReportSources<'_>) -> Self {
        let ReportSources { merged, contributions, names, .. } = *sources;
        let lacking = names.iter().zip(&contributions.parts);
        let lacking = lacking.filter(|(_, part)| !part.missing.is_empty());
        let lacking = lacking.filter(|_| contributions.recordings() > 1);
        Self {
            complete: merged.complete,
            reasons: merged.incomplete_reasons.iter().map(|it| IncompleteReason::of(it)).collect(),
            lacking: lacking.map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl IncompleteReason {
    /// A reason as recordings spell it: the remedy stands behind `hint: ` in a line of its own.
    fn of(reason: &str) -> Self {
        let (what, remedy) = match reason.split_once("\nhint: ") {
            Some((what, remedy)) => (what, Some(remedy)),
            None => (reason, None),
        };
        Self { what: Escaped::joined(what), remedy: remedy.map(Escaped::joined) }
    }
}
