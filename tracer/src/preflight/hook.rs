//! Decides where the programs on system calls are attached. Pure.

use super::check::{PreflightCheck, PreflightError, ok, version};
use super::facts::HostFacts;
use crate::bpf::{Hook, TracepointIds};

/// The first kernel that no longer disables preemption around a program on a raw tracepoint of
/// system calls. While a task is preempted in the program, the kernel skips the program for every
/// other task on that CPU (`include/trace/bpf_probe.h`, `__BPF_DECLARE_TRACE_SYSCALL`).
pub const PREEMPTED_SINCE: (u32, u32) = (7, 2);

const NAME: &str = "attach";
const REMEDY: &str = "let tracer read tracefs: mount -t tracefs tracefs /sys/kernel/tracing; in a container, mount the host's \
                      /sys/kernel/tracing into it (read-only is enough)";

/// Where the user wants the programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookChoice {
    /// Where nothing is lost, and then where it costs the least.
    #[default]
    Auto,
    /// On raw tracepoints.
    Raw,
    /// On classic tracepoints.
    Classic,
}

/// Where the programs go.
///
/// # Errors
/// Classic tracepoints are asked for, and their numbers cannot be read.
pub fn choose(facts: &HostFacts, choice: HookChoice) -> Result<Hook, PreflightError> {
    let ids = facts.tracepoint_ids.as_ref();
    match (choice, ids) {
        (HookChoice::Classic, Ok(&ids)) => Ok(Hook::Classic(ids)),
        (HookChoice::Auto, Ok(&ids)) if is_preempted(facts) => Ok(Hook::Classic(ids)),
        (HookChoice::Classic, Err(why)) => Err(PreflightError {
            name: NAME,
            detail: why.clone(),
            consequence: "classic tracepoints cannot be found",
            remedy: Some(REMEDY.to_owned()),
        }),
        (HookChoice::Auto | HookChoice::Raw, _) => Ok(Hook::Raw),
    }
}

/// Where the programs go when the user does not choose, and why.
pub fn check(facts: &HostFacts) -> PreflightCheck {
    let (major, minor) = PREEMPTED_SINCE;
    let since =
        format!("from Linux {major}.{minor} on the kernel may preempt a program on raw ones");
    let check = |detail: String| ok(NAME, false, detail);
    match (is_preempted(facts), &facts.tracepoint_ids) {
        (false, _) => {
            check("raw tracepoints, where this kernel does not preempt a program".to_owned())
        }
        (true, Ok(TracepointIds { .. })) => check(format!("classic tracepoints: {since}")),
        (true, Err(why)) => check(format!("raw tracepoints, though {since}: {why}")).warning(
            "calls are lost while other callers are preempted, and the result is incomplete then",
            REMEDY,
        ),
    }
}

/// A kernel whose release cannot be read is taken for a new one: a classic tracepoint loses nothing
/// on any.
fn is_preempted(facts: &HostFacts) -> bool {
    version(&facts.release).is_none_or(|version| version >= PREEMPTED_SINCE)
}
