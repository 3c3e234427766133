//! Where the files go: what cannot be written is refused before tracing, and old files stay as they are.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tests::{Cgroup, GROUND_TRUTH, Mount, Running, Tracer, entries, ground_truth};

tests::trials! {
    a_folder_that_is_missing,
    a_folder_in_the_place_of_the_file,
    a_symbolic_link_in_the_place_of_the_file,
    a_symbolic_link_in_the_place_of_the_recording,
    a_pipe_in_the_place_of_the_file,
    the_null_device,
    a_read_only_file_system,
    a_full_file_system_keeps_the_old_files,
    a_file_system_that_fills_up_while_tracing_keeps_the_old_files,
    old_files_are_replaced_when_all_is_well,
    two_tracers_at_once_do_not_disturb_each_other,
}

/// The place is refused before the command runs: exit 1 or 2, the messages name it, the folder stays as it was.
fn check_refused(folder: &Path, out: &Path) {
    let before = entries(folder);
    let tracer = Tracer::new().out(out);
    let marker = tracer.folder().join("ran");
    let outcome = tracer.command([Path::new("touch"), &marker]).run();
    let code = outcome.status.code();
    assert!(matches!(code, Some(1 | 2)), "{} is refused: {outcome:?}", out.display());
    assert!(!marker.exists(), "refused before the command ran");
    let place = out.parent().expect("the path has a folder").to_string_lossy();
    assert!(outcome.stderr.contains(&*place), "the place is named: {}", outcome.stderr);
    assert_eq!(entries(folder), before, "the folder stays as it was");
}

fn a_folder_that_is_missing() {
    let folder = tests::temporary_folder();
    check_refused(folder.path(), &folder.path().join("missing/profile.json"));
}

fn a_folder_in_the_place_of_the_file() {
    let folder = tests::temporary_folder();
    let out = folder.path().join("profile.json");
    fs::create_dir(&out).expect("the folder is made");
    check_refused(folder.path(), &out);
}

fn a_symbolic_link_in_the_place_of_the_file() {
    let folder = tests::temporary_folder();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").expect("the file is written");
    let out = folder.path().join("profile.json");
    symlink(&victim, &out).expect("the link is made");
    check_refused(folder.path(), &out);
    assert!(fs::symlink_metadata(&out).expect("it is there").is_symlink(), "the link stays");
}

fn a_symbolic_link_in_the_place_of_the_recording() {
    let folder = tests::temporary_folder();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").expect("the file is written");
    let link = folder.path().join("profile.recording.json");
    symlink(&victim, &link).expect("the link is made");
    let before = entries(folder.path());
    let out = folder.path().join("profile.json");
    Tracer::new().out(out).command(["true"]).run().exits(1).says(&["profile.recording.json"]);
    assert_eq!(entries(folder.path()), before, "the folder stays as it was");
}

fn a_pipe_in_the_place_of_the_file() {
    let folder = tests::temporary_folder();
    let out = folder.path().join("profile.json");
    mknodat(CWD, &out, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("the pipe is made");
    check_refused(folder.path(), &out);
    let kind = fs::symlink_metadata(&out).expect("it is there").file_type();
    assert!(kind.is_fifo(), "the pipe stays");
}

fn the_null_device() {
    let folder = tests::temporary_folder();
    check_refused(folder.path(), Path::new("/dev/null"));
    let kind = fs::symlink_metadata("/dev/null").expect("it is there").file_type();
    assert!(kind.is_char_device(), "the device stays");
}

fn a_read_only_file_system() {
    let folder = tests::temporary_folder();
    fs::write(folder.path().join("profile.json"), "old").expect("the file is written");
    let _mount = Mount::read_only(folder.path());
    check_refused(folder.path(), &folder.path().join("profile.json"));
}

fn a_full_file_system_keeps_the_old_files() {
    let folder = tests::temporary_folder();
    let _mount = Mount::tmpfs(folder.path(), 16 * 4096);
    for name in ["profile.json", "profile.recording.json", "profile.kubernetes.yaml"] {
        fs::write(folder.path().join(name), "old").expect("the file is written");
    }
    // The rest is filled up, to the last byte.
    let filler = fs::write(folder.path().join("filler"), vec![0; 64 * 4096]);
    assert!(filler.is_err(), "the file system is full");
    let before = entries(folder.path());
    let out = folder.path().join("profile.json");
    let outcome = Tracer::new().out(out).command(["ls", "/"]).run().exits(1);
    outcome.says(&["error:", "no space left"]);
    assert_eq!(entries(folder.path()), before, "old files stay, nothing temporary is left");
}

fn a_file_system_that_fills_up_while_tracing_keeps_the_old_files() {
    let folder = tests::temporary_folder();
    let _mount = Mount::tmpfs(folder.path(), 64 * 4096);
    let out = folder.path().join("profile.json");
    fs::write(&out, "old").expect("the file is written");
    let cgroup = Cgroup::new("full");
    let tracing = Tracer::new().out(&out).cgroup(&cgroup).start();
    let finished = Running::start(&mut ground_truth([cgroup.hop(), "x86_64:39".into()])).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
    let filler = fs::write(folder.path().join("filler"), vec![0; 256 * 4096]);
    assert!(filler.is_err(), "the file system is full");
    tracing.stop().exits(1).says(&["error:", "no space left"]);
    assert_eq!(fs::read_to_string(&out).expect("it is there"), "old");
    let names = tests::file_names(folder.path());
    assert!(
        !names.iter().any(|name| name.ends_with(".json") && name != "profile.json"),
        "{names:?}"
    );
}

fn old_files_are_replaced_when_all_is_well() {
    let tracer = Tracer::new();
    let old = tracer.folder().join("profile.json");
    fs::write(&old, "old").expect("the file is written");
    let outcome = tracer.command([GROUND_TRUTH, "x86_64:39"]).run().exits(0);
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
