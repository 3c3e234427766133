//! A recording as data: what the file holds.

use serde::{Deserialize, Serialize};

use super::{
    argument::Argument,
    circumstances::Circumstances,
    decided::Decided,
    identity::ContainerIdentity,
    phase::{DenyOutcome, Phase},
};
use crate::{syscalls::Abi, text::Escaped};

/// The version of the recording file that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// What one run of the tracer saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Version of the file's form: [`VERSION`].
    pub version: u32,
    /// Version of the program that recorded.
    pub tracer: String,
    /// When the recording began: RFC 3339, UTC.
    pub started: String,
    /// How long it lasted, in seconds.
    pub duration_seconds: f64,
    /// The machine.
    pub host: Host,
    /// What the user named.
    pub targets: Vec<Target>,
    /// The cgroups that were seen, those of the targets only.
    pub cgroups: Vec<Cgroup>,
    /// What may be missing.
    pub losses: Losses,
    /// Paths of the targets' cgroups whose start was not seen, those without a recorded call among
    /// them; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late_starts: Vec<String>,
    /// Paths of the cgroups that carry the name of a target's container or pod, and of which none
    /// can be shown to be it; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contested: Vec<String>,
    /// Processes that left the target's cgroups, in the order in which they did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub departures: Vec<Departure>,
    /// Nothing is missing: every loss that counts is zero.
    pub complete: bool,
    /// Why not, each with its remedy in a line of its own behind `hint: `; empty when complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete_reasons: Vec<String>,
    /// How the traced command ended, when tracer started one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandOutcome>,
    /// What was derived from this recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Derived>,
}

/// Facts of the machine that bear on the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Kernel release, as uname(2) tells it.
    pub kernel: String,
    /// Machine, as uname(2) tells it: `x86_64`.
    pub arch: String,
    /// Possible CPUs.
    pub cpus: usize,
    /// The facts came from kernel BTF; without it phases are decided by command names.
    pub btf: bool,
    /// Where the kernel program was attached. Absent in recordings of programs that knew one place
    /// only, the raw tracepoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<Attach>,
}

/// Where the kernel program was attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// To the raw tracepoints `sys_enter` and `sys_exit`.
    Raw,
    /// To the classic ones, `raw_syscalls/sys_enter` and `raw_syscalls/sys_exit`.
    Classic,
}

/// What the user named, and the cgroups that belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As the user typed it.
    pub name: String,
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// The container engine, such as docker, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The container's image, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Indexes into [`Recording::cgroups`].
    pub cgroups: Vec<usize>,
}

/// The kind of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A cgroup path.
    Path,
    /// The cgroup of a process.
    Process,
    /// All containers of a Kubernetes pod.
    Pod,
    /// One container.
    Container,
    /// A systemd unit.
    Unit,
    /// A command that tracer started.
    Command,
}

/// One cgroup and the calls that were made in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cgroup {
    /// The cgroup's id: the inode number of its directory.
    pub id: u64,
    /// Path below the cgroup2 mount, starting with `/`.
    pub path: String,
    /// Processes were in it before the recording began. Its start was not seen, unless it was
    /// emptied and started again meanwhile: [`Recording::late_starts`] tells.
    pub late_start: bool,
    /// A filter was loaded while it ran, so that the runtime's set-up is distinguished exactly.
    pub exact: bool,
    /// The facts did not decide everywhere; doubtful calls count as workload.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous: bool,
    /// Its tasks had no_new_privs set.
    pub no_new_privs: bool,
    /// Its workload ran under a filter that may deny calls, and what that denied was not watched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub filtered: bool,
    /// A runtime put processes into it after its workload had started: exec sessions or probes are
    /// among its calls.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exec_sessions: bool,
    /// The container that it is, or is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerIdentity>,
    /// Sorted by ABI and number; at most one entry for each that was made, and one for each way in
    /// which it was refused. None of a late start that made no call.
    pub calls: Vec<Call>,
}

/// One system call of one cgroup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The ABI it was called through.
    pub abi: Abi,
    /// The number in that ABI's table; for x32 without bit 30.
    pub number: i32,
    /// The name; absent for a number that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Workload before container-init before setup, when it was seen in several.
    pub phase: Phase,
    /// How often it was called, over all phases ([`Self::other_phases`] has those besides `phase`)
    /// and by whomever: a runtime that enters the container is counted with the workload. Absent
    /// when calls were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The phases besides `phase` in which it was seen as well, and which `count` includes; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_phases: Vec<Phase>,
    /// When it was first seen in its phase, in seconds since the recording began; absent when that
    /// event was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen_seconds: Option<f64>,
    /// Command name of the task that was first seen to make it in its phase: a label for people.
    /// Escaped on output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Escaped>,
    /// The facts did not decide; counted as workload.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ambiguous: bool,
    /// What the filter did with it: of a denied call, and of no other.
    #[serde(rename = "refused", default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<DenyOutcome>,
    /// The phase in which it was denied: of a denied call, and of no other.
    #[serde(rename = "during", default, skip_serializing_if = "Option::is_none")]
    pub denied_in_phase: Option<Phase>,
    /// Of a denied call: it may have been allowed, for the kernel skipped runs of the program that
    /// sees calls being entered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubtful: bool,
    /// Of a denied call: what else is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circumstances: Option<Circumstances>,
    /// What was seen of its arguments, in the order of the table of those that are looked at.
    /// Empty: nothing is known of them, as in recordings of earlier versions, so that every value
    /// counts as seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
}

/// What may be missing. Every field counts towards an incomplete recording, unless it says
/// otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Syscalls lost because a BPF map was full.
    pub table_full: u64,
    /// Runs of the kernel program that the kernel skipped (`bpf_prog_info.recursion_misses`).
    pub recursion_misses: u64,
    /// Workload calls whose number this program has no name for though a newer kernel may.
    pub unnamed: u64,
    /// Cgroups whose filter may have denied calls, which sys_enter does not show; none when denied
    /// calls were watched.
    pub filtered: u64,
    /// Cgroups of the target whose start was not seen.
    pub late_start: u64,
    /// Compat calls that could not be resolved (no kernel BTF).
    #[serde(default)]
    pub compat: u64,
    /// Cgroups whose place in the hierarchy is unknown: they may belong to the target.
    #[serde(default)]
    pub unplaced: u64,
    /// Watched cgroups that were removed and made again: the new ones were not watched.
    #[serde(default)]
    pub replaced: u64,
    /// Processes of the traced command that still ran, or had to be killed, when the recording
    /// ended.
    #[serde(default)]
    pub cut_off: u64,
    /// Containers that may be the target's, and whose names no runtime reported: they had ended by
    /// then.
    #[serde(default)]
    pub unresolved: u64,
    /// Calls that found no place in the table of what is known of each: a program that makes
    /// thousands of numbers fills it.
    #[serde(default)]
    pub evidence_full: u64,
    /// Cgroups of whose arguments some found no place in the table of the values that were seen.
    /// Where none was kept, every value counts as seen; elsewhere the list of values is short.
    #[serde(default)]
    pub arguments_full: u64,
    /// Recordings that were written while they went on: what came later is in none of them.
    #[serde(default)]
    pub unfinished: u64,
    /// Containers and pods whose name is carried by cgroups of which none can be shown to be it:
    /// none of them is recorded.
    #[serde(default)]
    pub contested: u64,
    /// Processes that left the target and could not be followed: calls of theirs are missing.
    #[serde(default)]
    pub left: u64,
    /// Recordings that were made from a log, which holds only what a filter logged or refused.
    #[serde(default)]
    pub from_log: u64,
}

impl Losses {
    /// Calls of the target that were made while tracing are missing: a late start and a filter hide
    /// other ones, containers of unknown names may be anybody's, and of calls whose arguments were
    /// lost the calls are there.
    pub fn hide_calls(&self) -> bool {
        Self { late_start: 0, filtered: 0, unresolved: 0, arguments_full: 0, ..*self }
            != Self::default()
    }
}

/// How the traced command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandOutcome {
    /// The program as it was named, and its arguments when they were to be kept; escaped.
    pub arguments: Vec<Escaped>,
    /// How many arguments are left out, for they may be secrets.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub arguments_left_out: usize,
    /// Exit code, when it exited.
    pub exit_code: Option<i32>,
    /// Signal number, when a signal ended it.
    pub signal: Option<i32>,
}

/// What was derived, for readers of the recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// Calls in the profile that the recording does not show, each with the reason.
    pub added: Vec<Added>,
    /// Seen calls that the user took out, by their names or because few recordings have them.
    pub excluded: Vec<String>,
    /// Calls that the profile answers with an error number where its default action would end the
    /// caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<Answered>,
    /// The values of arguments that the profile limits calls to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<AllowedValue>,
    /// The decisions of `tracer.toml` that the profile follows; the allowed syscalls first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decided: Vec<Decided>,
}

/// A value of an argument that the profile allows a call with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedValue {
    /// The call's name.
    pub name: String,
    /// Which argument, from 0.
    pub index: u8,
    /// The bits of it that the profile looks at.
    pub mask: u64,
    /// What they must be.
    pub value: u64,
    /// The same for people, by its name where it has one.
    pub shown: String,
    /// Why it is allowed.
    pub reason: String,
}

/// A call that was added to the profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// The call's name.
    pub name: String,
    /// Why it was added.
    pub reason: String,
}

/// A call that fails under the profile, and does not end its caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The call's name.
    pub name: String,
    /// The error number that the caller gets.
    pub errno: u16,
    /// Why the profile answers it.
    pub reason: String,
}

/// Processes that left the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// Path of the target's cgroup that they left.
    pub from: String,
    /// Path of the cgroup that they were moved to; `?` and its id when that is not known.
    pub to: String,
    /// Command name of the first one. Escaped on output.
    pub command: Escaped,
    /// How many processes.
    pub processes: u64,
    /// They were followed: their calls are recorded as those of `from`. Else their calls are lost.
    pub followed: bool,
}

/// The workload made a call in it.
pub(super) fn ran(cgroup: &Cgroup) -> bool {
    cgroup.calls.iter().any(|call| call.phase == Phase::Workload)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_zero(value: &usize) -> bool {
    *value == 0
}
