//! Where the files go: what cannot be written is refused before tracing, and old files stay as they
//! are.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tests::{
    Cgroup, GROUND_TRUTH, Mount, Outcome, Running, Tracer, entries, file_names, ground_truth,
    written_names,
};

tests::trials! {
    a_directory_that_is_missing,
    a_directory_in_the_place_of_the_file,
    a_symbolic_link_in_the_place_of_the_file,
    a_symbolic_link_in_the_place_of_the_recording,
    a_pipe_in_the_place_of_the_file,
    the_null_device,
    a_read_only_file_system,
    a_full_file_system_keeps_the_old_files,
    a_file_system_that_fills_up_while_tracing_keeps_the_old_files,
    old_files_are_replaced_when_all_is_well,
    two_tracers_at_once_do_not_disturb_each_other,
    a_directory_that_is_removed_while_recording_is_made_again,
    a_directory_that_is_gone_with_those_above_it_costs_no_evidence,
    a_link_that_turns_up_at_the_end_costs_no_evidence,
    older_evidence_is_kept_and_named,
    events_that_cannot_be_written_are_reported_and_make_it_incomplete,
}

/// The place is refused before the command runs: exit 1 or 2, the messages name it, the directory
/// stays as it was.
fn check_refused(directory: &Path, out: &Path) {
    let before = entries(directory);
    let tracer = Tracer::new().out(out);
    let marker = tracer.directory().join("ran");
    let outcome = tracer.command([Path::new("touch"), &marker]).run();
    let code = outcome.status.code();
    assert!(matches!(code, Some(1 | 2)), "{} is refused: {outcome:?}", out.display());
    assert!(!marker.exists(), "refused before the command ran");
    let place = out.parent().expect("the path has a directory").to_string_lossy();
    assert!(outcome.stderr.contains(&*place), "the place is named: {}", outcome.stderr);
    assert_eq!(entries(directory), before, "the directory stays as it was");
}

/// The recording that could not be written is where the messages say, whole, and a profile comes of
/// it.
fn check_kept(outcome: &Outcome) {
    let said =
        outcome.stderr.lines().find_map(|line| line.strip_prefix("the whole recording is in "));
    let (place, _) = said.and_then(|said| said.split_once(':')).expect("the place is named");
    let place = outcome.directory().join(place);
    let derived = Tracer::new().args(["profile".as_ref(), place.as_os_str()]).run().exits(0);
    assert!(!derived.allowed().is_empty(), "a profile of {}", place.display());
    if !place.starts_with(outcome.directory()) {
        fs::remove_file(&place).expect("it can be removed");
    }
}

fn a_directory_that_is_removed_while_recording_is_made_again() {
    let tracer = Tracer::new();
    let out = tracer.directory().join("o");
    fs::create_dir(&out).expect("the directory is made");
    let script = format!("rm -r {}; ls /", out.display());
    let outcome = tracer.out(out.join("p.json")).command(["sh", "-c", &script]).run().exits(0);
    assert_eq!(file_names(&out), written_names("p"));
    assert!(outcome.allowed().iter().any(|name| name == "getdents64"), "{}", outcome.stderr);
}

fn a_directory_that_is_gone_with_those_above_it_costs_no_evidence() {
    let tracer = Tracer::new();
    let above = tracer.directory().join("above");
    fs::create_dir_all(above.join("o")).expect("the directories are made");
    let script = format!("rm -r {}; ls /", above.display());
    let outcome = tracer.out(above.join("o/p.json")).command(["sh", "-c", &script]).run();
    let outcome = outcome.exits(1).says(&["error:", "the whole recording is in "]);
    check_kept(&outcome);
}

fn a_link_that_turns_up_at_the_end_costs_no_evidence() {
    let tracer = Tracer::new();
    let out = tracer.directory().join("p.json");
    let script = format!("ln -s /etc/passwd {}", out.display());
    let outcome = tracer.out(&out).command(["sh", "-c", &script]).run().exits(1);
    let outcome = outcome.says(&["is a symbolic link, which is never replaced", ".partial"]);
    check_kept(&outcome);
    assert!(fs::symlink_metadata(&out).expect("it is there").is_symlink(), "the link stays");
}

fn events_that_cannot_be_written_are_reported_and_make_it_incomplete() {
    let directory = tests::temporary_directory();
    let _mount = Mount::tmpfs(directory.path(), 4096);
    let filler = fs::write(directory.path().join("filler"), vec![0; 4 * 4096]);
    assert!(filler.is_err(), "the file system is full");
    let events = directory.path().join("events.jsonl");
    let typed = ["--events".as_ref(), events.as_os_str()];
    let outcome = Tracer::new().args(typed).command(["ls", "/"]).run().exits(3);
    let outcome = outcome.says(&["events could not be written", "incomplete: events are missing"]);
    assert!(outcome.recording().complete, "the recording lacks nothing");
}

fn older_evidence_is_kept_and_named() {
    let tracer = Tracer::new;
    let first = tracer().command(["ls", "/"]).run().exits(0);
    assert!(!first.stderr.contains(".old"), "{}", first.stderr);
    let out = first.directory().join("profile.json");
    let evidence = first.read("recording.json");
    let second = tracer().out(&out).command(["true"]).run().exits(0);
    let second = second.says(&["profile.recording.json.old: the older evidence"]);
    assert_eq!(second.read("recording.json.old"), evidence);
    let refused =
        tracer().out(first.directory().join("profile.recording.json")).command(["true"]).run();
    refused.exits(2).says(&["has the name of a recording", "hint: name the profile"]);
    assert_eq!(second.read("recording.json.old"), evidence);
}

fn a_directory_that_is_missing() {
    let directory = tests::temporary_directory();
    check_refused(directory.path(), &directory.path().join("missing/profile.json"));
}

fn a_directory_in_the_place_of_the_file() {
    let directory = tests::temporary_directory();
    let out = directory.path().join("profile.json");
    fs::create_dir(&out).expect("the directory is made");
    check_refused(directory.path(), &out);
}

fn a_symbolic_link_in_the_place_of_the_file() {
    let directory = tests::temporary_directory();
    let victim = directory.path().join("victim");
    fs::write(&victim, "precious").expect("the file is written");
    let out = directory.path().join("profile.json");
    symlink(&victim, &out).expect("the link is made");
    check_refused(directory.path(), &out);
    assert!(fs::symlink_metadata(&out).expect("it is there").is_symlink(), "the link stays");
}

fn a_symbolic_link_in_the_place_of_the_recording() {
    let directory = tests::temporary_directory();
    let victim = directory.path().join("victim");
    fs::write(&victim, "precious").expect("the file is written");
    let link = directory.path().join("profile.recording.json");
    symlink(&victim, &link).expect("the link is made");
    let before = entries(directory.path());
    let out = directory.path().join("profile.json");
    Tracer::new().out(out).command(["true"]).run().exits(1).says(&["profile.recording.json"]);
    assert_eq!(entries(directory.path()), before, "the directory stays as it was");
}

fn a_pipe_in_the_place_of_the_file() {
    let directory = tests::temporary_directory();
    let out = directory.path().join("profile.json");
    mknodat(CWD, &out, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("the pipe is made");
    check_refused(directory.path(), &out);
    let kind = fs::symlink_metadata(&out).expect("it is there").file_type();
    assert!(kind.is_fifo(), "the pipe stays");
}

fn the_null_device() {
    let directory = tests::temporary_directory();
    check_refused(directory.path(), Path::new("/dev/null"));
    let kind = fs::symlink_metadata("/dev/null").expect("it is there").file_type();
    assert!(kind.is_char_device(), "the device stays");
}

fn a_read_only_file_system() {
    let directory = tests::temporary_directory();
    fs::write(directory.path().join("profile.json"), "old").expect("the file is written");
    let _mount = Mount::read_only(directory.path());
    check_refused(directory.path(), &directory.path().join("profile.json"));
}

fn a_full_file_system_keeps_the_old_files() {
    let directory = tests::temporary_directory();
    let _mount = Mount::tmpfs(directory.path(), 16 * 4096);
    for name in written_names("profile") {
        fs::write(directory.path().join(name), "old").expect("the file is written");
    }
    // The rest is filled up, to the last byte.
    let filler = fs::write(directory.path().join("filler"), vec![0; 64 * 4096]);
    assert!(filler.is_err(), "the file system is full");
    let before = entries(directory.path());
    let out = directory.path().join("profile.json");
    let outcome = Tracer::new().out(out).command(["ls", "/"]).run().exits(1);
    outcome.says(&["error:", "no space left"]);
    assert_eq!(entries(directory.path()), before, "old files stay, nothing temporary is left");
}

fn a_file_system_that_fills_up_while_tracing_keeps_the_old_files() {
    let directory = tests::temporary_directory();
    let _mount = Mount::tmpfs(directory.path(), 64 * 4096);
    let out = directory.path().join("profile.json");
    fs::write(&out, "old").expect("the file is written");
    let cgroup = Cgroup::new("full");
    let tracing = Tracer::new().out(&out).cgroup(&cgroup).start();
    let finished =
        Running::start(&mut ground_truth([cgroup.hop(), "x86_64:getpid".into()])).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    let filler = fs::write(directory.path().join("filler"), vec![0; 256 * 4096]);
    assert!(filler.is_err(), "the file system is full");
    let outcome = tracing.stop().exits(1);
    let outcome = outcome.says(&["error:", "no space left", "the whole recording is in "]);
    check_kept(&outcome);
    assert_eq!(fs::read_to_string(&out).expect("it is there"), "old");
    let names = file_names(directory.path());
    assert!(
        !names.iter().any(|name| name.ends_with(".json") && name != "profile.json"),
        "{names:?}"
    );
}

fn old_files_are_replaced_when_all_is_well() {
    let tracer = Tracer::new();
    let old = tracer.directory().join("profile.json");
    fs::write(&old, "old").expect("the file is written");
    let outcome = tracer.command([GROUND_TRUTH, "x86_64:getpid"]).run().exits(0);
    assert!(outcome.allowed().iter().any(|name| name == "getpid"), "the new profile is there");
}

fn two_tracers_at_once_do_not_disturb_each_other() {
    let cgroups = ["one", "two"].map(Cgroup::new);
    let tracings = cgroups.each_ref().map(|cgroup| Tracer::new().cgroup(cgroup).start());
    for (cgroup, number) in cgroups.iter().zip(["39", "102"]) {
        let steps = [cgroup.hop(), format!("x86_64:{number}")];
        assert!(Running::start(&mut ground_truth(steps)).finish().status.success());
    }
    for ((tracing, cgroup), number) in tracings.into_iter().zip(&cgroups).zip([39, 102]) {
        let outcome = tracing.stop().exits(0);
        let found = tests::calls(&outcome.recording(), cgroup.name());
        let numbers: Vec<i32> = found.into_keys().map(|(_, number)| number).collect();
        assert_eq!(numbers, [number, 231], "its own cgroup's calls");
    }
}
