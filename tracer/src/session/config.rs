//! What a session needs to know before it begins, who observes it, and its outcome.

use std::{process::ExitStatus, time::Duration};

use super::{child::CommandRequest, signals::StopSignal};
use crate::{
    bpf::Hook,
    live::Live,
    recording::{
        Recording,
        event::NewCall,
        filters::{FilterCoverage, Passed},
        selection::Selection,
    },
    target::{
        cgroup::CgroupRoot, inventory::Inventory, matcher::TargetMatcher, runtime::Addresses,
    },
};

/// What to record, how, and for how long.
#[derive(Debug)]
pub struct SessionConfig {
    /// The cgroup file system.
    pub root: CgroupRoot,
    /// What to record, beside a command.
    pub targets: Targets,
    /// The end of the targets does not end the recording, and they need not exist when it begins.
    pub wait: bool,
    /// A command to run in a cgroup of its own.
    pub command: Option<CommandRequest>,
    /// The recording ends after this time.
    pub duration: Option<Duration>,
    /// The recording ends when no new call was seen for this time.
    pub until_quiet: Option<Duration>,
    /// The observers get the recording so far each time that this time has passed.
    pub snapshot_every: Option<Duration>,
    /// Count calls.
    pub counts: bool,
    /// Watch the calls that filters deny.
    pub denied: bool,
    /// Where the programs on system calls are attached.
    pub hook: Hook,
    /// The raw tracepoint takes the place of a classic one that the kernel refuses.
    pub fall_back: bool,
    /// What the session is for.
    pub purpose: Purpose,
    /// Let the kernel side log.
    pub log: bool,
    /// A late start counts as complete.
    pub accept_late_start: bool,
}

/// The targets of a session, as they were found before it began.
#[derive(Debug)]
pub struct Targets {
    /// What the user named, with the cgroups that exist.
    pub selections: Vec<Selection>,
    /// The matchers of those targets whose cgroups come and go, by the names of the selections.
    pub matchers: Vec<TargetMatcher>,
    /// A cgroup of a target may come to be at any place of the hierarchy.
    pub watch_whole_hierarchy: bool,
    /// What the runtimes reported.
    pub inventory: Inventory,
    /// Where the session asks for the names of new containers; None when no name matters.
    pub addresses: Option<Addresses>,
    /// Where the session asks whether a container that ended will start again.
    pub runtimes: Addresses,
    /// Lines to show when the recording begins.
    pub notes: Vec<String>,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To derive a profile.
    Record,
    /// To see what a profile denies. The session then reads the kernel's audit records as well,
    /// which show the calls that a filter logs.
    Verify,
}

/// Who observes a session.
pub struct Observers<'a> {
    /// What a person sees.
    pub live: &'a mut Live,
    /// Gets the recording so far, now and then.
    pub autosave: &'a mut dyn FnMut(&Recording),
    /// Gets the recording so far when a signal or a clock asks for it; returns a line that says
    /// what was written.
    pub snapshot: &'a mut dyn FnMut(&Recording) -> String,
    /// Gets every new call, denied ones included.
    pub new_call: &'a mut dyn FnMut(&NewCall),
}

/// How a session ended, and what it recorded.
#[derive(Debug)]
pub struct SessionOutcome {
    /// The evidence.
    pub recording: Recording,
    /// Why it ended.
    pub stop: Stop,
    /// How the command ended.
    pub command: Option<ExitStatus>,
    /// Places of the kernel side's table of cgroups: how many are taken, and how many there are.
    pub table_fill: (usize, usize),
    /// What is known of filters on the target.
    pub filters: FilterCoverage,
    /// The calls that passed a filter of the target.
    pub passed: Vec<Passed>,
    /// Why calls that a filter logs may be missing, when the session watched them.
    pub audit: Option<String>,
    /// What the runtimes reported, before the session and during it.
    pub inventory: Inventory,
}

impl SessionOutcome {
    /// How the command failed by itself. A command that tracer or a signal to both ended did not
    /// fail.
    pub fn failure(&self) -> Option<ExitStatus> {
        self.command.filter(|status| self.stop == Stop::CommandEnded && !status.success())
    }
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A signal.
    Signal(StopSignal),
    /// Its time had passed.
    Duration,
    /// There was no new call for long enough.
    Quiet,
    /// The command ended.
    CommandEnded,
    /// Every target is gone.
    TargetsEnded,
}
