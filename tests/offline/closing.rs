//! The closing block: at most twelve lines, whatever a recording holds, and the command that it
//! names shows the rest.

use std::fs;

use tempfile::TempDir;
use tests::temporary_directory;
use tracer::recording::json::{from_json, to_json};
use tracer::recording::{
    Cgroup, ContainerIdentity, DenyOutcome, Departure, Losses, Phase, Recording,
};
use tracer::syscalls::Abi;
use tracer::text::escape;

use crate::program::{Run, tracer};
use crate::recordings::{calls, denied, numbered, recording};

tests::trials! {
    a_recording_of_everything_ends_in_twelve_lines,
    the_command_that_is_named_shows_the_rest,
    many_containers_are_three_and_a_count,
    many_recordings_end_in_twelve_lines,
    quiet_is_as_short_and_verbose_has_all,
}

const LINES: usize = 12;
const BEYOND: [&str; 9] =
    ["bpf", "keyctl", "mount", "pivot_root", "userfaultfd", "reboot", "setns", "swapon", "unshare"];
const DENIED: [&str; 6] = ["acct", "mkdir", "rename", "rmdir", "symlink", "unlink"];

/// So many containers, with everything that can be said of a recording.
fn everything(containers: usize) -> Recording {
    let mut workload = calls(Phase::Workload, &BEYOND);
    workload.extend((600..610).map(|number| numbered(Abi::X86_64, number, Phase::Workload)));
    let refused = |name: &&str| denied(Abi::X86_64, name, DenyOutcome::Errno(1), Phase::Workload);
    workload.extend(DENIED.iter().map(refused));
    workload.iter_mut().take(3).for_each(|call| call.ambiguous = true);
    let mut all = recording(vec![workload; containers]);
    for (index, cgroup) in all.cgroups.iter_mut().enumerate() {
        identify(cgroup, index);
    }
    let departure = |to: usize| Departure {
        from: "/docker/1".into(),
        to: format!("/session-{to}.scope"),
        command: escape("su"),
        processes: 2,
        followed: true,
    };
    all.departures = (0..5).map(departure).collect();
    all
}

fn identify(cgroup: &mut Cgroup, index: usize) {
    cgroup.ambiguous = true;
    cgroup.container = Some(ContainerIdentity {
        engine: Some("docker".into()),
        id: format!("{index:064x}"),
        name: Some(format!("web-{index}")),
        namespace: None,
        pod: None,
        workload: None,
        image: None,
        user: None,
    });
}

/// Losses of every kind that a recording can have and be written.
fn losses() -> Losses {
    Losses {
        table_full: 1,
        evidence_full: 2,
        recursion_misses: 3,
        left: 4,
        unplaced: 5,
        cut_off: 6,
        replaced: 7,
        unresolved: 8,
        filtered: 9,
        unnamed: 10,
        arguments_full: 11,
        ..Losses::default()
    }
}

fn directory(name: &str, recording: &Recording) -> TempDir {
    let directory = temporary_directory();
    fs::write(directory.path().join(name), to_json(recording)).expect("it is written");
    directory
}

fn derive(directory: &TempDir, options: &[&str]) -> Run {
    let words = [&["profile", "all.recording.json", "--out", "p.json"], options].concat();
    tracer(directory.path(), &words)
}

/// The lines of the block, behind the empty line above it.
fn block(run: &Run) -> Vec<&str> {
    let (_, block) = run.stderr.split_once('\n').expect("an empty line");
    block.lines().collect()
}

fn a_recording_of_everything_ends_in_twelve_lines() {
    for containers in [1, 2, 40] {
        for losses in [Losses::default(), losses()] {
            let all = Recording { losses, ..everything(containers) };
            let run = derive(&directory("all.recording.json", &all), &[]);
            let lines = block(&run);
            assert!(lines.len() <= LINES, "{containers} {losses:?}: {run:#?}");
            assert!(
                run.stderr.starts_with('\n') && lines[0].starts_with("derived from"),
                "{run:?}"
            );
            let says = |beginning: &str| lines.iter().any(|line| line.starts_with(beginning));
            for beginning in ["allowed beyond Docker's default ", "p.json: the profile"] {
                assert!(says(beginning), "{beginning}: {run:#?}");
            }
            assert!(lines[1].contains(" calls allowed: "), "{run:#?}");
            let more = ": tracer explain p.recording.json";
            assert!(lines.iter().any(|line| line.ends_with(more)), "{run:#?}");
            let is_complete = losses == Losses::default();
            assert_eq!(says("complete: nothing was lost"), is_complete, "{run:#?}");
            assert_eq!(says("incomplete: syscalls lost because"), !is_complete, "{run:#?}");
            let kinds = lines.iter().filter(|line| line.contains("more kinds of loss: tracer"));
            assert_eq!(kinds.count(), usize::from(!is_complete), "{run:#?}");
        }
    }
}

fn the_command_that_is_named_shows_the_rest() {
    let all = Recording { losses: losses(), ..everything(3) };
    let directory = directory("all.recording.json", &all);
    assert_eq!(derive(&directory, &[]).code, Some(3));
    let path = directory.path().join("p.recording.json");
    let written = from_json(&fs::read(path).expect("it is written")).expect("a recording");
    let run = tracer(directory.path(), &["explain", "p.recording.json"]);
    // It is wrapped to the width.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = words(&run.stdout);
    assert_eq!(written.incomplete_reasons.len(), 11);
    for reason in &written.incomplete_reasons {
        assert!(text.contains(&words(reason)), "{reason}: {run:#?}");
    }
    let others =
        ["in doubt, and allowed: ", "web-2: 1 start recorded whole", "/session-4.scope: 2"];
    for part in DENIED.iter().map(|name| format!("{name} = EPERM")).chain(others.map(str::to_owned))
    {
        assert!(text.contains(&part), "{part}: {run:#?}");
    }
    for name in BEYOND {
        assert!(text.contains(&format!(" {name}; ")), "{name}: {run:#?}");
    }
}

fn many_containers_are_three_and_a_count() {
    for containers in [3, 40] {
        let directory = directory("all.recording.json", &everything(containers));
        let run = derive(&directory, &["--per-container"]);
        let lines = block(&run);
        assert!(lines.len() <= LINES, "{run:#?}");
        let named = lines.iter().filter(|line| line.contains(": the profile of web-")).count();
        assert!((1..=3).contains(&named), "{run:#?}");
        let left = containers - named;
        let more = format!("and {left} more profile{}", if left == 1 { "" } else { "s" });
        assert_eq!(lines.contains(&more.as_str()), containers > named, "{run:#?}");
        let words = ["profile", "all.recording.json", "--per-container", "--out", "all/"];
        let all = tracer(directory.path(), &words);
        assert!(block(&all).len() <= LINES, "{all:#?}");
        let rest = ": tracer report all/*.recording.json -o -";
        assert!(all.stderr.lines().any(|line| line.ends_with(rest)), "{all:#?}");
    }
}

fn many_recordings_end_in_twelve_lines() {
    let directory = temporary_directory();
    let names = ["read", "write", "openat", "close", "mmap", "brk", "futex", "accept4", "bind"];
    let mut words = vec!["profile".to_owned(), "--out".to_owned(), "p.json".to_owned()];
    for index in 0..30 {
        let mut one = recording(vec![calls(Phase::Workload, &names[..=index.min(8)])]);
        one.losses = Losses { evidence_full: 1, unnamed: 1, filtered: 1, ..Losses::default() };
        identify(&mut one.cgroups[0], index);
        one.started = format!("2026-01-02T03:04:{index:02}Z");
        let name = format!("{index}.recording.json");
        fs::write(directory.path().join(&name), to_json(&one)).expect("it is written");
        words.push(name);
    }
    let run = tracer(directory.path(), &words);
    let lines = block(&run);
    assert!(lines.len() <= LINES, "{run:#?}");
    let parts =
        ["merged 30 recordings ", "  0.recording.json: ", "incomplete: ", "incomplete because of "];
    for part in parts {
        assert!(lines.iter().any(|line| line.starts_with(part)), "{part}: {run:#?}");
    }
}

fn quiet_is_as_short_and_verbose_has_all() {
    let all = Recording { losses: losses(), ..everything(3) };
    let directory = directory("all.recording.json", &all);
    let quiet = derive(&directory, &["--quiet"]);
    let lines: Vec<&str> = quiet.stderr.lines().collect();
    assert!(lines.len() <= LINES && lines[0].starts_with("incomplete: "), "{quiet:#?}");
    let verbose = derive(&directory, &["--verbose"]);
    assert!(block(&verbose).len() > 60, "{verbose:#?}");
    assert!(!verbose.stderr.contains("more kinds of loss"), "{verbose:#?}");
    for name in BEYOND.iter().chain(&DENIED) {
        assert!(verbose.stderr.contains(name), "{name}: {verbose:#?}");
    }
}
