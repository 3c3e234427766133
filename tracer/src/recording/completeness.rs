//! What makes a recording incomplete, in sentences. The one place that judges it, for what was just recorded and for what
//! was merged.

use super::{Departure, Losses};
use crate::text::{escape, escape_once};

/// Most paths that a sentence names.
const PATHS_SHOWN: usize = 4;

/// One sentence for each loss that counts, each with its remedy in a line of its own behind `hint: `.
///
/// `late_starts` are the paths whose start was not seen; `accept_late_start` says that they do not count. `contested` are the paths of
/// cgroups that may be the target's, `departures` the processes that left the target.
pub(super) fn reasons(
    losses: &Losses,
    late_starts: &[String],
    contested: &[String],
    departures: &[Departure],
    accept_late_start: bool,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut lost = |count: u64, what: &str, remedy: &str| {
        if count > 0 {
            reasons.push(format!("{what}: {count}\nhint: {remedy}"));
        }
    };
    lost(
        losses.table_full,
        "calls that found no place in a kernel table",
        "trace fewer cgroups at once",
    );
    lost(
        losses.evidence_full,
        "calls that found no place in the table of what is known of each call",
        "a program of the target makes thousands of different numbers, most of which are no system calls: record without it, or fewer targets at once",
    );
    lost(
        losses.recursion_misses,
        "runs of the kernel program that the kernel skipped",
        "record again",
    );
    lost(
        losses.compat,
        "32-bit calls that could not be resolved",
        "trace on a kernel with BTF (CONFIG_DEBUG_INFO_BTF)",
    );
    lost(
        losses.unnamed,
        "calls whose numbers are newer than this program's table",
        "update tracer",
    );
    lost(
        losses.filtered,
        "cgroups under a seccomp filter that may deny calls, which tracing does not see then",
        "watch the denied calls as well (--denied), or record the workload without that filter or under one that allows everything",
    );
    lost(
        losses.unplaced,
        "cgroups that vanished before their place in the hierarchy was known, and may belong to the target",
        "record again",
    );
    lost(
        losses.replaced,
        "watched cgroups that were removed and made again, so that the new ones were not seen",
        "name a cgroup above them, which stays",
    );
    lost(
        losses.cut_off,
        "processes of the command that still ran, or had to be killed, at the end",
        "let the command end by itself, or record its cgroup",
    );
    lost(
        losses.unresolved,
        "containers that may belong to the target and ended before their runtime told their names",
        "record again, with the container runtime's socket in its usual place or named (--docker-host, --cri-endpoint)",
    );
    lost(
        losses.unfinished,
        "recordings that were written while they went on, so that later calls are missing",
        "record again and let the recording end (Ctrl-C, --duration): what is written then replaces this",
    );
    if losses.contested > 0 {
        let paths: Vec<String> =
            contested.iter().take(PATHS_SHOWN).map(|path| escape(path)).collect();
        let paths = if paths.is_empty() { "unnamed".to_owned() } else { paths.join(", ") };
        reasons.push(format!(
            "containers or pods whose name is carried by cgroups of which none can be told to be it: {} ({paths})\nhint: name the cgroup that is meant by its path; `tracer list -v` tells which runtimes were asked",
            losses.contested
        ));
    }
    if losses.left > 0 {
        let lost = departures.iter().find(|departure| !departure.followed);
        let example = lost.map_or_else(String::new, |departure| {
            let (command, to) = (escape_once(&departure.command), escape(&departure.to));
            format!(" ({command} went to {to})")
        });
        reasons.push(format!(
            "processes that left the target and could not be followed{example}: {}\nhint: name the cgroup that they went to as well (--cgroup), or one above both",
            losses.left
        ));
    }
    if losses.late_start > 0 && !accept_late_start {
        let first = late_starts.first().map_or("a cgroup", String::as_str);
        reasons.push(format!(
            "late start: processes were in {} before tracing began (late cgroups: {}), so that calls of their start are missing\nhint: restart the workload while tracing, or merge a recording of a start (tracer profile); --accept-late-start calls this complete",
            escape(first),
            losses.late_start
        ));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lost_is_complete() {
        assert!(reasons(&Losses::default(), &[], &[], &[], false).is_empty());
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
            unfinished: 1,
            contested: 1,
            left: 1,
        };
        let told = reasons(&losses, &["/a".to_owned()], &[], &[], false);
        assert_eq!(told.len(), 14, "{told:#?}");
        assert!(told.iter().all(|reason| reason.contains("\nhint: ")), "{told:#?}");
        assert_eq!(
            reasons(&losses, &["/a".to_owned()], &[], &[], true).len(),
            13,
            "the late start is accepted"
        );
    }

    #[test]
    fn a_path_is_told_escaped() {
        let losses = Losses { late_start: 1, ..Losses::default() };
        let told = reasons(&losses, &["/\u{1b}[2J".to_owned()], &[], &[], false);
        assert!(told[0].contains(r"/\x1b[2J"), "{told:?}");
    }

    #[test]
    fn who_left_is_told_with_the_destination() {
        let departure = |followed, to: &str| Departure {
            from: "/a".to_owned(),
            to: to.to_owned(),
            command: "su".to_owned(),
            processes: 2,
            followed,
        };
        let losses = Losses { left: 2, ..Losses::default() };
        let told = reasons(
            &losses,
            &[],
            &[],
            &[departure(true, "/b"), departure(false, "/c\u{7}")],
            false,
        );
        assert!(told[0].contains(r"(su went to /c\x07): 2"), "{told:?}");
    }
}
