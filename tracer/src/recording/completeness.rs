//! What makes a recording incomplete, in sentences. The one place that judges it, for what was just
//! recorded and for what was merged.

use super::{Attach, Departure, Host, Losses};
use crate::text::{Escaped, escape};

/// Most paths that a sentence names.
const PATHS_SHOWN: usize = 4;

/// One sentence for each loss that counts, each with its remedy in a line of its own behind `hint:
/// `. What surely hides calls comes first, then what may, then what lacks something else.
///
/// `late_starts` are the paths whose start was not seen; `accept_late_start` says that they do not
/// count. `contested` are the paths of cgroups that may be the target's, `departures` the processes
/// that left the target. `host` is where runs of the kernel program were skipped, if any were.
pub(super) fn reasons(
    losses: &Losses,
    late_starts: &[String],
    contested: &[String],
    departures: &[Departure],
    accept_late_start: bool,
    host: &Host,
) -> Vec<String> {
    let lost = |count: u64, what: &str, remedy: &str| {
        (count > 0).then(|| format!("{what}: {count}\nhint: {remedy}"))
    };
    [
        lost(
            losses.table_full,
            "syscalls lost because a BPF map was full",
            "trace fewer cgroups at once",
        ),
        lost(
            losses.evidence_full,
            "syscalls whose facts were lost because a BPF map was full",
            "a program of the target makes calls of thousands of numbers, most of which are no syscalls: record without it, or record fewer targets at once",
        ),
        lost(
            losses.recursion_misses,
            &format!(
                "runs of the kernel program that the kernel skipped (Linux {})",
                escape(&host.kernel)
            ),
            remedy_of_skipped_runs(host),
        ),
        left(losses, departures),
        lost(
            losses.unplaced,
            "cgroups that vanished before their place in the hierarchy was known, and may belong to the target",
            "record again",
        ),
        late_start(losses, late_starts).filter(|_| !accept_late_start),
        lost(
            losses.cut_off,
            "processes of the command that still ran, or had to be killed, at the end",
            "let the command end by itself, or record its cgroup",
        ),
        lost(
            losses.replaced,
            "watched cgroups that were removed and made again, and not seen since",
            "name a cgroup above them, which stays",
        ),
        lost(
            losses.unresolved,
            "containers that may belong to the target and ended before their runtime reported their names",
            "record again, with the container runtime's socket in its usual place or named (--docker-host, --cri-endpoint)",
        ),
        ambiguous(losses, contested),
        lost(
            losses.filtered,
            "cgroups under a seccomp filter that may deny calls unseen",
            "record the denied calls as well (--denied), or record the workload without that filter or under one that allows everything",
        ),
        lost(
            losses.compat,
            "32-bit calls that could not be resolved",
            "trace on a kernel with BTF (CONFIG_DEBUG_INFO_BTF)",
        ),
        lost(losses.unnamed, "calls whose numbers this program's tables do not know", "update tracer"),
        lost(
            losses.arguments_full,
            "cgroups that lost values of arguments because a BPF map was full",
            "record fewer targets at once",
        ),
        lost(
            losses.unfinished,
            "unfinished recordings, which lack later calls",
            "record again, restart the workload meanwhile, and let the recording end (Ctrl-C, --duration): the new recording replaces this one, or completes it when both are merged",
        ),
        lost(
            losses.from_log,
            "recordings made from a log, which holds only the calls that a filter logged or refused",
            "record the workload itself: what the log shows is in the profile all the same",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn ambiguous(losses: &Losses, contested: &[String]) -> Option<String> {
    let paths: Vec<Escaped> = contested.iter().take(PATHS_SHOWN).map(|path| escape(path)).collect();
    let paths = if paths.is_empty() { "unnamed".to_owned() } else { paths.join(", ") };
    (losses.contested > 0).then(|| {
        format!(
            "containers or pods whose name several cgroups carry, and none for certain: {} ({paths})\nhint: name the right cgroup by its path; `tracer list -v` lists the runtimes that were asked",
            losses.contested
        )
    })
}

fn left(losses: &Losses, departures: &[Departure]) -> Option<String> {
    let lost = departures.iter().find(|departure| !departure.followed);
    let example = lost.map_or_else(String::new, |departure| {
        let (command, to) = (&departure.command, escape(&departure.to));
        format!(" ({command} went to {to})")
    });
    (losses.left > 0).then(|| {
        format!(
            "processes that left the target and could not be followed{example}: {}\nhint: record the cgroup that they went to as well (--cgroup), or one above both",
            losses.left
        )
    })
}

fn late_start(losses: &Losses, late_starts: &[String]) -> Option<String> {
    let first = late_starts.first().map_or("a cgroup", String::as_str);
    (losses.late_start > 0).then(|| {
        format!(
            "late start: processes were in {} before tracing began (late cgroups: {}), so that calls of their start are missing\nhint: restart the workload while tracing, or merge a recording of a start (tracer profile); --accept-late-start calls this complete",
            escape(first),
            losses.late_start
        )
    })
}

/// What to do about runs that were skipped: it depends on where the program is attached.
fn remedy_of_skipped_runs(host: &Host) -> &'static str {
    match host.attach {
        Some(Attach::Classic) => {
            "the kernel skips it on a CPU whose task was preempted in bpf(2): stop programs that use BPF maps heavily, or record with fewer callers at once"
        }
        Some(Attach::Raw) | None => {
            "from Linux 7.2 on the kernel skips the program of a raw tracepoint while another caller is preempted in it: let tracer read tracefs, and record without --attach raw, so that it uses classic tracepoints; else record with fewer callers at once"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host { kernel: "7.2.13".into(), arch: "x86_64".into(), cpus: 2, btf: true, attach: None }
    }

    #[test]
    fn skipped_runs_are_told_with_the_kernel_and_the_hook() {
        let losses = Losses { recursion_misses: 3, ..Losses::default() };
        let shown =
            |attach| reasons(&losses, &[], &[], &[], false, &Host { attach, ..host() }).remove(0);
        let raw = shown(Some(Attach::Raw));
        assert!(raw.contains("Linux 7.2.13") && raw.contains("tracefs"), "{raw}");
        let classic = shown(Some(Attach::Classic));
        assert!(classic.contains("bpf(2)") && !classic.contains("tracefs"), "{classic}");
    }

    #[test]
    fn nothing_lost_is_complete() {
        assert!(reasons(&Losses::default(), &[], &[], &[], false, &host()).is_empty());
    }

    #[test]
    fn every_loss_has_a_sentence_and_a_remedy() {
        let losses = Losses {
            table_full: 1,
            recursion_misses: 1,
            unnamed: 1,
            filtered: 1,
            late_start: 1,
            compat: 1,
            unplaced: 1,
            replaced: 1,
            cut_off: 1,
            unresolved: 1,
            evidence_full: 1,
            arguments_full: 1,
            unfinished: 1,
            contested: 1,
            left: 1,
            from_log: 1,
        };
        let shown = reasons(&losses, &["/a".to_owned()], &[], &[], false, &host());
        assert_eq!(shown.len(), 16, "{shown:#?}");
        assert!(shown.iter().all(|reason| reason.contains("\nhint: ")), "{shown:#?}");
        assert_eq!(
            reasons(&losses, &["/a".to_owned()], &[], &[], true, &host()).len(),
            15,
            "the late start is accepted"
        );
    }

    #[test]
    fn calls_that_were_made_while_tracing_are_missing_by_some_losses_only() {
        let others = Losses { late_start: 1, filtered: 2, unresolved: 3, ..Losses::default() };
        assert!(!others.hide_calls(), "{others:?}");
        assert!(Losses { table_full: 1, ..Losses::default() }.hide_calls());
        assert!(Losses { left: 1, ..others }.hide_calls());
    }

    #[test]
    fn a_path_is_told_escaped() {
        let losses = Losses { late_start: 1, ..Losses::default() };
        let shown = reasons(&losses, &["/\u{1b}[2J".to_owned()], &[], &[], false, &host());
        assert!(shown[0].contains(r"/\x1b[2J"), "{shown:?}");
    }

    #[test]
    fn who_left_is_told_with_the_destination() {
        let departure = |followed, to: &str| Departure {
            from: "/a".to_owned(),
            to: to.to_owned(),
            command: escape("su"),
            processes: 2,
            followed,
        };
        let losses = Losses { left: 2, ..Losses::default() };
        let shown = reasons(
            &losses,
            &[],
            &[],
            &[departure(true, "/b"), departure(false, "/c\u{7}")],
            false,
            &host(),
        );
        assert!(shown[0].contains(r"(su went to /c\x07): 2"), "{shown:?}");
    }
}
