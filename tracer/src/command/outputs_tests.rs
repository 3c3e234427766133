//! Tests of [`super`], in temporary directories.

use std::fs;

use super::super::testing::{incomplete, outputs, recording, typed};
use super::*;
use crate::command::UsageError;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

fn read(path: &Path) -> Recording {
    json::from_json(&fs::read(path).expect("the file can be read")).expect("a recording")
}

/// Derives and writes what these outputs are of.
fn write(outputs: &mut Outputs, recording: &Recording) -> Vec<DerivedProfile> {
    let derived =
        outputs.derive(slice::from_ref(recording), recording).expect("a workload was recorded");
    outputs.write_files(&derived).expect("written");
    derived
}

fn allowed(derived: &DerivedProfile) -> Vec<&str> {
    let derivation = derived.derivation.as_ref().expect("a profile");
    derivation.profile.allowed.keys().map(String::as_str).collect()
}

fn labels(derived: &[DerivedProfile]) -> Vec<Option<&str>> {
    derived.iter().map(|one| one.label.as_deref()).collect()
}

#[test]
fn one_profile_is_written_with_its_evidence_and_its_patch() {
    let directory = directory();
    let mut outputs = outputs(&directory.path().join("web.json"), &[], false);
    assert!(outputs.writes_files());
    assert_eq!(listing(directory.path()), [] as [&str; 0], "nothing is written before the end");
    let derived = write(&mut outputs, &recording(&[("web", &["read", "bind"])]));
    assert_eq!(labels(&derived), [None]);
    assert_eq!(
        listing(directory.path()),
        ["web.json", "web.kubernetes.yaml", "web.recording.json"]
    );
    let files = outputs.files(&derived[0]).expect("it has files");
    assert_eq!(files.path(PROFILE), directory.path().join("web.json"));
    let evidence = read(&directory.path().join("web.recording.json"));
    assert!(evidence.derived.is_some(), "the evidence says what was derived");
    assert!(["bind", "read"].iter().all(|name| allowed(&derived[0]).contains(name)));
    assert!(!allowed(&derived[0]).contains(&"listen"));
    assert_eq!(outputs.earlier_lines().count(), 0);
}

#[test]
fn what_is_printed_has_no_files() {
    let mut outputs = outputs(Path::new("-"), &[], false);
    assert!(!outputs.writes_files());
    assert!(outputs.autosave().is_none() && outputs.whole().is_none());
    let one = recording(&[("web", &["read"])]);
    let derived = outputs.derive(slice::from_ref(&one), &one).expect("a profile");
    assert!(outputs.files(&derived[0]).is_none());
    assert_eq!(outputs.write_evidence(&one).expect("nothing to do"), None);
    let error = outputs.merge_earlier().expect_err("there is nothing to merge with");
    assert!(error.is::<UsageError>(), "{error:#}");
}

#[test]
fn each_container_with_calls_has_files_beside_the_whole() {
    let directory = directory();
    let mut outputs = outputs(&directory.path().join("all.json"), &["--per-container"], false);
    let three: [(&str, &[&str]); 3] = [("web", &["bind"]), ("db", &["fsync"]), ("idle", &[])];
    let derived = write(&mut outputs, &recording(&three));
    assert_eq!(labels(&derived), [None, Some("db"), Some("web")], "none for one without calls");
    let written = listing(directory.path());
    for stem in ["all", "all.db", "all.web"] {
        assert!(written.contains(&format!("{stem}.json")), "{stem}: {written:?}");
    }
    assert_eq!(written.len(), 9, "{written:?}");
    assert!(allowed(&derived[0]).contains(&"bind") && allowed(&derived[0]).contains(&"fsync"));
    assert!(!allowed(&derived[1]).contains(&"bind"), "each has its own calls alone");
}

#[test]
fn a_target_without_calls_is_announced_without_files() {
    let directory = directory();
    let mut outputs = outputs(&directory.path().join("profiles/"), &[], false);
    assert!(outputs.whole().is_none(), "a directory has no profile of everything");
    let two: [(&str, &[&str]); 2] = [("web", &["bind"]), ("idle", &[])];
    let derived = write(&mut outputs, &recording(&two));
    assert_eq!(labels(&derived), [Some("docker:idle"), Some("docker:web")]);
    assert!(derived[0].derivation.is_err() && outputs.files(&derived[0]).is_none());
    assert!(derived[0].recording.derived.is_none(), "nothing was derived of it");
    let written = listing(&directory.path().join("profiles"));
    let expected = ["docker_web.json", "docker_web.kubernetes.yaml", "docker_web.recording.json"];
    assert_eq!(written, expected);
}

#[test]
fn evidence_without_a_workload_is_written_alone() {
    let directory = directory();
    let mut outputs = outputs(&directory.path().join("web.json"), &[], false);
    let empty = recording(&[("web", &[])]);
    let error = outputs.derive(slice::from_ref(&empty), &empty);
    assert!(matches!(error, Err(DeriveError::NoWorkload { recordings: 1, cgroups: 1 })));
    let path = outputs.write_evidence(&empty).expect("written").expect("it has a file");
    assert_eq!(path, directory.path().join("web.recording.json"));
    assert_eq!(listing(directory.path()), ["web.recording.json"]);
    assert_eq!(read(&path), empty);
}

#[test]
fn what_is_there_of_the_same_target_is_merged() {
    let directory = directory();
    let out = directory.path().join("web.json");
    write(&mut outputs(&out, &[], false), &recording(&[("web", &["bind"])]));
    let mut second = outputs(&out, &[], false);
    assert_eq!(second.merge_earlier().expect("it writes to a file"), None, "no partial recording");
    let derived = write(&mut second, &recording(&[("web", &["listen"])]));
    assert!(["bind", "listen"].iter().all(|name| allowed(&derived[0]).contains(name)));
    let lines: Vec<&str> = second.earlier_lines().collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("merged with what ") && lines[0].ends_with("cgroups: 1"));
    // Without the option, the profile is of the last recording alone.
    let mut third = outputs(&out, &[], false);
    let derived = write(&mut third, &recording(&[("web", &["listen"])]));
    assert!(!allowed(&derived[0]).contains(&"bind"));
}

#[test]
fn what_is_there_of_another_target_is_kept_and_not_merged() {
    let directory = directory();
    let out = directory.path().join("web.json");
    write(&mut outputs(&out, &[], false), &recording(&[("db", &["fsync"])]));
    let mut second = outputs(&out, &[], false);
    second.merge_earlier().expect("it writes to a file");
    let derived = write(&mut second, &recording(&[("web", &["bind"])]));
    assert!(!allowed(&derived[0]).contains(&"fsync"));
    let lines: Vec<&str> = second.earlier_lines().collect();
    assert!(lines.len() == 1 && lines[0].contains("is not merged, and kept"), "{lines:?}");
    let kept = read(&directory.path().join("web.recording.json.1"));
    assert_eq!(kept.targets[0].name, "docker:db");
}

#[test]
fn a_partial_recording_of_a_killed_run_is_merged_and_removed() {
    let directory = directory();
    let out = directory.path().join("web.json");
    let killed = recording(&[("web", &["bind"])]);
    let first = outputs(&out, &[], false);
    let autosave = first.autosave().expect("it has a file");
    autosave.save_partial(json::to_json(&killed).as_bytes()).expect("saved");
    let mut second = outputs(&out, &[], false);
    let line = second.merge_earlier().expect("it writes to a file").expect("something was left");
    assert!(line.contains("web.recording.json.partial holds the recording of a tracer that"));
    let derived = write(&mut second, &recording(&[("web", &["listen"])]));
    assert!(["bind", "listen"].iter().all(|name| allowed(&derived[0]).contains(name)));
    second.discard_autosave();
    let written = listing(directory.path());
    assert!(!written.contains(&"web.recording.json.partial".to_owned()), "{written:?}");
}

#[test]
fn complete_evidence_stays_when_two_incomplete_recordings_follow() {
    let directory = directory();
    let out = directory.path().join("web.json");
    let [old, new] = ["web.recording.json.old", "web.recording.json"];
    let whole = recording(&[("web", &["bind", "listen"])]);
    write(&mut outputs(&out, &[], false), &whole);
    let lines = |recording: &Recording| {
        let mut outputs = outputs(&out, &[], false);
        write(&mut outputs, recording);
        outputs.earlier_lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let first = incomplete(recording(&[("web", &["bind"])]));
    assert_eq!(lines(&first), [] as [&str; 0]);
    assert!(read(&directory.path().join(old)).complete);
    let said = lines(&incomplete(recording(&[("web", &["read"])])));
    assert!(said.len() == 1 && said[0].contains("complete evidence, which stays"), "{said:?}");
    assert_eq!(read(&directory.path().join(old)).cgroups, whole.cgroups);
    assert!(!read(&directory.path().join(new)).complete);
}

#[test]
fn arguments_that_contradict_each_other_are_usage_errors() {
    let directory = directory();
    let refused = |out: &Path, options: &[&str], all_containers: bool| {
        let outputs =
            Outputs::prepare(out, &typed(options), ProfileOptions::default(), all_containers);
        let error = outputs.err().expect("they contradict each other");
        assert!(error.is::<UsageError>(), "{options:?}: {error:#}");
        format!("{error:#}")
    };
    let file = directory.path().join("web.json");
    assert!(refused(&file, &[], true).contains("name a directory"));
    assert!(refused(Path::new("-"), &["--per-container"], false).contains("prints one profile"));
    let installed = ["--per-container", "--install-localhost", "web.json"];
    assert!(refused(&file, &installed, false).contains("installs one profile"));
    assert_eq!(listing(directory.path()), [] as [&str; 0]);
}
