//! Tests of what the closing block says of a recording, and of what it keeps when there is no room.

use std::{
    fmt::Write as _,
    iter,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::ExitStatus,
    slice,
};

use super::{
    super::closing::in_full,
    super::testing::{incomplete, outputs, recording, typed},
    *,
};
use crate::{
    recording::{Losses, contribution::Contributions, filters::FilterCoverage},
    target::inventory::Inventory,
};

/// The most lines of the block.
const LINES: usize = 12;
const WEB: &[(&str, &[&str])] = &[("web", &["read", "bind"])];

/// How a session ended that recorded this.
fn outcome(recording: &Recording, stop: Stop) -> SessionOutcome {
    SessionOutcome {
        recording: recording.clone(),
        stop,
        command: None,
        table_fill: (3, 64),
        filters: FilterCoverage::NoCalls,
        passed: Vec::new(),
        audit: None,
        inventory: Inventory::default(),
    }
}

/// The lines at the end of a session with these options, which goes to this file or directory; and
/// all lines that there would be.
fn shown_and_all(recording: &Recording, out: &Path, options: &[&str]) -> [Vec<String>; 2] {
    let mut outputs = outputs(out, options, false);
    let products = outputs.derive(slice::from_ref(recording), recording).expect("a workload");
    outputs.write_files(&products).expect("written");
    let outcome = outcome(recording, Stop::TargetsEnded);
    let next = vec![ClosingPart::text(Weight::Always, "next: this")];
    let (choices, source) = (typed(options), EvidenceOrigin::Session(&outcome));
    let parts = parts(&choices, &source, recording, &products, &outputs, next);
    let all = in_full(parts.clone());
    let shown = Block::new(parts, rest(&products, &outputs)).shown(choices.verbose);
    [shown, all].map(|text| text.lines().map(str::to_owned).collect())
}

fn shown(recording: &Recording, out: &Path, options: &[&str]) -> Vec<String> {
    let [shown, _] = shown_and_all(recording, out, options);
    shown
}

/// The same with files in a directory of its own, whose path is left out of the lines.
fn in_files(recording: &Recording, out: &str, options: &[&str]) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let above = format!("{}/", directory.path().display());
    let lines = shown(recording, &directory.path().join(out), options);
    lines.iter().map(|line| line.replace(&above, "")).collect()
}

/// How many processes left the target, each for another place: so many lines.
fn with_departures(mut recording: Recording, count: usize) -> Recording {
    recording.departures = (0..count)
        .map(|at| Departure {
            from: "/docker/web".to_owned(),
            to: format!("/session-{at}.scope"),
            command: escape("su"),
            processes: 2,
            followed: true,
        })
        .collect();
    recording
}

/// The same with so many kinds of loss, each with a remedy.
fn with_losses(mut recording: Recording, kinds: usize) -> Recording {
    recording = incomplete(recording);
    recording.incomplete_reasons =
        (1..=kinds).map(|kind| format!("loss {kind}\nhint: remedy {kind}")).collect();
    recording
}

fn places(lines: &[String], beginnings: &[&str]) -> Vec<Option<usize>> {
    let place = |one: &&str| lines.iter().position(|line| line.starts_with(one));
    beginnings.iter().map(place).collect()
}

/// The number in the line that says how many more of these there are; none without such a line.
fn more(lines: &[String], what: &str, rest: &str) -> usize {
    let count = |line: &String| {
        let (count, of) = line.strip_prefix("and ")?.strip_suffix(rest)?.split_once(" more ")?;
        let of = of.strip_suffix(": ")?.replacen("kinds", "kind", 1);
        (of.trim_end_matches('s') == what.trim_end_matches('s')).then_some(count.parse::<usize>())
    };
    lines.iter().filter_map(count).map(|count| count.expect("a number")).sum()
}

#[test]
fn what_happened_comes_first_then_the_result_the_files_and_what_to_type_next() {
    let one = with_departures(recording(WEB), 1);
    let lines = in_files(&one, "web.json", &[]);
    let order = [
        "the target ended after 2.5 s",
        "",
        "the last new call came 2.0 s before the end",
        "under this profile, programs of another ABI (i386, x32) are killed",
        "nothing is allowed that Docker's default and RuntimeDefault refuse",
        "followed: processes that left /docker/web for /session-0.scope: 2, the first one su;",
        "web: 1 start recorded whole",
        "web.json: the profile",
        "web.recording.json: the evidence",
        "web.kubernetes.yaml: the Kubernetes patch",
        "complete: nothing was lost",
        "next: this",
    ];
    assert_eq!(lines.len(), order.len(), "{lines:#?}");
    for (line, beginning) in iter::zip(&lines, order) {
        assert!(line.starts_with(beginning), "{beginning}: {lines:#?}");
    }
    assert!(lines[1].contains(" x86_64 calls allowed: 2 seen, "), "{lines:#?}");
}

#[test]
fn a_loss_takes_the_place_of_the_line_that_nothing_was_lost() {
    let lines = in_files(&incomplete(recording(WEB)), "web.json", &[]);
    let expected = ["incomplete: a map was full: 3".to_owned(), "next: this".to_owned()];
    assert!(lines.ends_with(&expected), "{lines:#?}");
    assert_eq!(places(&lines, &["complete: "]), [None], "{lines:#?}");
}

#[test]
fn a_loss_stays_and_what_has_no_room_is_counted() {
    for (kinds, departures) in [(1, 40), (2, 9), (12, 0), (40, 40)] {
        let one = with_departures(with_losses(recording(WEB), kinds), departures);
        let lines = in_files(&one, "web.json", &[]);
        assert!(lines.len() <= LINES, "{lines:#?}");
        let first = places(&lines, &["incomplete: loss 1"])[0].expect("the first loss");
        assert_eq!(lines[first + 1], "hint: remedy 1", "{lines:#?}");
        assert_eq!(lines.last().map(String::as_str), Some("next: this"), "{lines:#?}");
        let command = "tracer explain web.recording.json";
        for (all, beginning, what) in [
            (kinds, "incomplete: loss ", "kind of loss"),
            (departures, "followed: ", "destination"),
        ] {
            let named = lines.iter().filter(|line| line.starts_with(beginning)).count();
            let left = more(&lines, what, command);
            assert!(named == 0 || named + left == all, "{all} {what}: {lines:#?}");
        }
    }
}

#[test]
fn every_line_that_is_left_out_is_counted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let out = directory.path().join("web.json");
    for (kinds, departures) in [(0, 0), (1, 0), (1, 1), (6, 0)] {
        let one = with_departures(with_losses(recording(WEB), kinds), departures);
        let [shown, all] = shown_and_all(&one, &out, &[]);
        let left = all.iter().filter(|line| !shown.contains(line)).count();
        let command = format!("tracer explain {}", out.with_extension("recording.json").display());
        let of_losses = match more(&shown, "kind of loss", &command) {
            0 => 0,
            // Each has a remedy.
            kinds => 2 * kinds,
        };
        assert_eq!(more(&shown, "line", &command) + of_losses, left, "{shown:#?} of {all:#?}");
        assert!(shown.len() == LINES || left == 0, "{shown:#?} of {all:#?}");
    }
}

#[test]
fn the_command_names_the_evidence_of_all_or_of_each() {
    let two: &[(&str, &[&str])] = &[("web", &["bind"]), ("db", &["fsync"])];
    for (out, options, command) in [
        ("all.json", [].as_slice(), "tracer explain all.recording.json"),
        ("all.json", &["--per-container"], "tracer explain all.recording.json"),
        ("all/", &["--per-container"], "tracer report all/*.recording.json -o -"),
    ] {
        let one = with_departures(recording(two), 40);
        let lines = in_files(&one, out, options);
        let named = lines.iter().filter(|line| line.starts_with("and ") && line.ends_with(command));
        assert!(named.count() > 0, "{command}: {lines:#?}");
        assert!(lines.len() <= LINES, "{lines:#?}");
    }
}

#[test]
fn a_run_that_writes_no_file_cuts_nothing_and_with_verbose_no_list_either() {
    let one = with_departures(with_losses(recording(WEB), 18), 25);
    let lines = shown(&one, Path::new("-"), &[]);
    let count = |lines: &[String], beginning: &str| {
        lines.iter().filter(|line| line.starts_with(beginning)).count()
    };
    assert_eq!(count(&lines, "incomplete: loss "), 18, "{lines:#?}");
    assert_eq!(count(&lines, "followed: "), 20, "{lines:#?}");
    assert_eq!(more(&lines, "destination", "-v shows them"), 5, "{lines:#?}");
    assert_eq!(more(&lines, "line", "-v shows them"), 0, "{lines:#?}");
    let verbose = shown(&one, Path::new("-"), &["-v"]);
    assert_eq!(count(&verbose, "followed: "), 25, "{verbose:#?}");
    assert_eq!(count(&verbose, "and "), 0, "{verbose:#?}");
}

#[test]
fn quiet_says_what_is_lost_and_what_is_last() {
    let lines = in_files(&recording(WEB), "web.json", &["--quiet"]);
    assert_eq!(lines, ["next: this"]);
    let lines = in_files(&with_losses(recording(WEB), 1), "web.json", &["--quiet"]);
    assert_eq!(lines, ["incomplete: loss 1", "hint: remedy 1", "next: this"]);
}

#[test]
fn of_several_profiles_each_has_its_losses_and_the_whole_one_speaks_for_all() {
    let two: &[(&str, &[&str])] = &[("web", &["bind"]), ("db", &["fsync"])];
    let one = incomplete(recording(two));
    let reasons = |out: &str| {
        let lines = in_files(&one, out, &["--per-container"]);
        let reasons = lines.into_iter().filter(|line| line.starts_with("incomplete"));
        reasons
            .map(|line| line.split(": ").nth(1).expect("a reason").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(reasons("all.json"), ["a map was full"], "the whole one's");
    assert_eq!(reasons("all/"), ["db", "web"], "there is no whole one");
}

#[test]
fn a_late_start_that_the_user_accepts_is_said_to_be_complete() {
    let mut late = recording(WEB);
    late.losses = Losses { late_start: 2, ..Losses::default() };
    late.late_starts = vec!["/docker/\u{1b}".to_owned(), "/docker/b".to_owned()];
    let line = accepted(Some("we\nb"), &late).expect("it is accepted");
    assert!(line.starts_with("complete as you accepted: "), "{line}");
    assert!(line.contains(" and of 1 more was not seen"), "{line}");
    assert!(!line.contains(['\u{1b}', '\n']), "{line}");
    assert_eq!(accepted(None, &Recording { complete: false, ..late }), None);
    assert_eq!(accepted(None, &recording(WEB)), None, "nothing was late");
}

#[test]
fn a_command_that_failed_by_itself_is_a_loss() {
    let one = recording(WEB);
    let failed = |stop, status| {
        let command = Some(ExitStatus::from_raw(status));
        let outcome = SessionOutcome { command, ..outcome(&one, stop) };
        failure(&outcome).map(|part| Block::new(vec![part], Rest::NoFile).shown(false))
    };
    let text = failed(Stop::CommandEnded, 3 << 8).expect("it failed");
    assert!(text.starts_with("warning: the command failed (exit status: 3): "), "{text}");
    assert_eq!(failed(Stop::CommandEnded, 0), None);
    assert_eq!(failed(Stop::Duration, 9), None, "tracer ended it");
}

#[test]
fn each_end_of_a_session_is_named() {
    let one = recording(WEB);
    let mut text = String::new();
    for stop in [Stop::Duration, Stop::Quiet, Stop::CommandEnded, Stop::TargetsEnded] {
        let _ = writeln!(text, "{}", ending(&outcome(&one, stop)));
    }
    let expected = "stopped: the given time is up after 2.5 s
stopped: no new call for the given time after 2.5 s
the command ended after 2.5 s
the target ended after 2.5 s
";
    assert_eq!(text, expected);
    let command = Some(ExitStatus::from_raw(9));
    let killed = ending(&SessionOutcome { command, ..outcome(&one, Stop::CommandEnded) });
    assert!(killed.starts_with("the command ended (signal: 9"), "{killed}");
}

#[test]
fn merged_recordings_say_what_each_brought_and_who_is_to_blame() {
    let other: &[(&str, &[&str])] = &[("web", &["read", "listen"])];
    let parts_of = [recording(WEB), incomplete(recording(other))];
    let paths = ["a", "b"].map(|name| PathBuf::from(format!("{name}.recording.json")));
    let merged = crate::recording::merge::merge(&parts_of, false).expect("two recordings");
    let contributions = Contributions::of(&parts_of, false);
    let files = MergedRecordings { paths: &paths, contributions, min_runs: None };
    let mut outputs = outputs(Path::new("-"), &[], false);
    let products = outputs.derive(&parts_of, &merged).expect("a workload");
    let (choices, source) = (typed(&[]), EvidenceOrigin::Files(&files));
    let parts = parts(&choices, &source, &merged, &products, &outputs, Vec::new());
    let text = Block::new(parts, rest(&products, &outputs)).shown(false);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let order =
        ["merged 2 recordings of ", "  a.recording.json: ", "  b.recording.json: 1 new: listen"];
    assert_eq!(places(&lines, &order), [Some(0), Some(1), Some(2)], "{text}");
    assert!(text.contains("\nincomplete: "), "{text}");
    assert!(lines.last().is_some_and(|line| line.contains("b.recording.json")), "{text}");
}

#[test]
fn a_reason_of_a_file_cannot_draw_on_the_terminal_or_add_lines() {
    let shown = printable("\u{1b}[2J\ncomplete: nothing was lost");
    assert!(!shown.contains(['\u{1b}', '\n']), "{shown}");
    let reason = "a map was full: 3\nhint: record fewer targets at once";
    assert_eq!(printable(reason), reason, "a remedy has a line of its own");
    let shown = printable("a\nhint: b\nhint: c\rd");
    assert_eq!(shown.lines().count(), 2, "{shown}");
    let escaped = escape("a\u{7}b").to_string();
    assert_eq!(printable(&escaped), escaped, "what is escaped stays as it is");
}
