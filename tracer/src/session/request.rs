//! What a session is asked for, whom it tells, and what comes of it.

use std::{process::ExitStatus, time::Duration};

use super::{CommandRequest, StopSignal};
use crate::{
    kernel::Hook,
    live::Live,
    recording::{
        Recording,
        assembly::Selection,
        event::NewCall,
        filters::{Filters, Passed},
    },
    target::{cgroup::CgroupRoot, inventory::Inventory, runtime::Addresses, wanted::Wanted},
};

/// What to record, and how long.
#[derive(Debug)]
pub struct Request {
    /// The cgroup file system.
    pub root: CgroupRoot,
    /// The targets, resolved.
    pub selections: Vec<Selection>,
    /// Those of them that are followed as containers come and go, by the names of the selections.
    pub wanted: Vec<Wanted>,
    /// Some of them may come to be anywhere in the hierarchy.
    pub anywhere: bool,
    /// What the runtimes told so far.
    pub inventory: Inventory,
    /// Where they are asked for the names of new containers; None when no name matters.
    pub addresses: Option<Addresses>,
    /// Where it is asked whether a container that ended will ever start again.
    pub runtimes: Addresses,
    /// What is to be said when recording begins.
    pub notes: Vec<String>,
    /// The end of the targets does not end the recording, and they need not exist when it begins.
    pub wait: bool,
    /// A command to run in a cgroup of its own.
    pub command: Option<CommandRequest>,
    /// Stop after this time.
    pub duration: Option<Duration>,
    /// Stop when no new call was seen for this time.
    pub until_quiet: Option<Duration>,
    /// Hand out the recording as it is after each such time.
    pub snapshot_every: Option<Duration>,
    /// Use the kernel's BTF.
    pub btf: bool,
    /// Count calls.
    pub counts: bool,
    /// Watch the calls that filters refuse.
    pub denied: bool,
    /// Where the programs on system calls are attached.
    pub hook: Hook,
    /// When the classic tracepoint is refused, the raw one takes its place.
    pub fall_back: bool,
    /// What for.
    pub purpose: Purpose,
    /// Let the kernel side log.
    pub log: bool,
    /// A late start counts as complete.
    pub accept_late_start: bool,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To derive a profile.
    Record,
    /// To see what a profile denies: the kernel's audit records are read as well, for calls that a filter logs.
    Verify,
}

/// Who is told of what happens.
pub struct Observers<'a> {
    /// The person.
    pub live: &'a mut Live,
    /// Takes the recording so far, now and then.
    pub autosave: &'a mut dyn FnMut(&Recording),
    /// Takes the recording so far when somebody asked for it; a line that says what came of it.
    pub snapshot: &'a mut dyn FnMut(&Recording) -> String,
    /// Takes every new call, the denied ones among them.
    pub new_call: &'a mut dyn FnMut(&NewCall),
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The evidence.
    pub recording: Recording,
    /// Why it ended.
    pub stop: Stop,
    /// How the command ended.
    pub command: Option<ExitStatus>,
    /// Places of the kernel's table that are taken, and how many there are.
    pub table_fill: (usize, usize),
    /// What is known of filters on the target.
    pub filters: Filters,
    /// The calls that passed a filter which the target was given.
    pub passed: Vec<Passed>,
    /// Why calls that a filter logs may be missing, when they were asked for.
    pub audit: Option<String>,
    /// What the runtimes told, before and while it was recorded.
    pub inventory: Inventory,
}

impl Outcome {
    /// How the command failed, when it did so by itself: what tracer stopped, or a signal to both, did not fail.
    pub fn failure(&self) -> Option<ExitStatus> {
        self.command.filter(|status| self.stop == Stop::CommandEnded && !status.success())
    }
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A signal.
    Signal(StopSignal),
    /// The time was up.
    Duration,
    /// No new call for long enough.
    Quiet,
    /// The command ended.
    CommandEnded,
    /// Every target is gone.
    TargetsEnded,
}
