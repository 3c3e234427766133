//! Tests in temporary directories.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use rustix::fs::{FileType, Mode};

use super::formats::{FORMATS, PATCH, PROFILE, RECORDING};
use super::*;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn listing(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn all(bytes: &[u8]) -> Vec<(&'static Format, &[u8])> {
    FORMATS.iter().map(|format| (*format, bytes)).collect()
}

#[test]
fn three_files_are_written_and_replaced() {
    let directory = directory();
    let destination =
        Destination::prepare(&directory.path().join("web.json"), None).expect("a destination");
    assert!(listing(directory.path()).is_empty());
    destination.save_partial(b"half").expect("saved");
    assert_eq!(listing(directory.path()), ["web.recording.json.partial"]);
    destination.write(&all(b"first")).expect("written");
    assert_eq!(fs::read(directory.path().join("web.recording.json.partial")).expect("it"), b"half");
    destination.remove_partial().expect("removed");
    let names = ["web.json", "web.kubernetes.yaml", "web.recording.json"];
    assert_eq!(listing(directory.path()), names);
    let before = File::open(directory.path().join("web.json")).expect("the old file");
    destination.write(&all(b"second")).expect("written");
    assert_eq!(listing(directory.path()), names);
    for name in names {
        let path = directory.path().join(name);
        assert_eq!(fs::read(&path).expect("a file"), b"second");
        let expected = if name == "web.recording.json" { 0o600 } else { 0o644 };
        let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o7777;
        assert_eq!(mode, expected, "{name}");
    }
    // Replaced, not written over: who has the old file open still reads the old one.
    assert_eq!(std::io::read_to_string(before).expect("the old file"), "first");
}

#[test]
fn one_file_alone_and_relative_names() {
    let directory = directory();
    let destination =
        Destination::prepare(&directory.path().join("a.b.json"), None).expect("a destination");
    destination.write(&[(RECORDING, b"x")]).expect("written");
    assert_eq!(listing(directory.path()), ["a.b.recording.json"]);
    let here =
        Destination::prepare(Path::new("profile.json"), None).expect("the current directory");
    assert_eq!(here.path(PATCH), Path::new("profile.kubernetes.yaml"));
}

#[test]
fn evidence_of_another_run_is_kept_once() {
    let directory = directory();
    let path = directory.path().join("x.json");
    let prepare = || Destination::prepare(&path, None).expect("a destination");
    let content = |name: &str| fs::read(directory.path().join(name)).expect("a file");
    let first = prepare();
    first.save_partial(b"1").expect("saved");
    first.write(&all(b"1")).expect("written");
    first.write(&all(b"2")).expect("written");
    assert_eq!(first.old_of(RECORDING), None, "it is this run's own");
    assert_eq!(listing(directory.path()).len(), 4, "a partial one and three files");
    let second = prepare();
    second.write(&all(b"3")).expect("written");
    second.write(&all(b"4")).expect("written");
    let old = directory.path().join("x.recording.json.old");
    assert_eq!(second.old_of(RECORDING), Some(old));
    assert_eq!(
        (content("x.recording.json.old"), content("x.recording.json")),
        (b"2".into(), b"4".into())
    );
    second.remove_partial().expect("removed");
    assert_eq!(content("x.recording.json.partial"), b"1", "another run left it");
    second.save_partial(b"5").expect("saved");
    assert_eq!(content("x.recording.json.partial.old"), b"1");
    second.remove_partial().expect("removed");
    let names = [
        "x.json",
        "x.kubernetes.yaml",
        "x.recording.json",
        "x.recording.json.old",
        "x.recording.json.partial.old",
    ];
    assert_eq!(listing(directory.path()), names);
    let third = prepare().keeping_profiles().expect("a destination");
    third.write(&[(PROFILE, b"6")]).expect("written");
    assert_eq!((content("x.json.old"), content("x.json")), (b"4".into(), b"6".into()));
}

#[test]
fn a_link_in_the_place_of_what_is_kept_is_not_replaced() {
    let directory = directory();
    symlink("/etc/passwd", directory.path().join("x.recording.json.old")).expect("a link");
    let error = Destination::prepare(&directory.path().join("x.json"), None).expect_err("refused");
    assert!(matches!(error, OutputError::NotAFile { .. }), "{error}");
}

#[test]
fn the_name_of_a_recording_is_no_output() {
    let error = Destination::prepare(Path::new("web.recording.json"), None).expect_err("refused");
    assert!(error.to_string().ends_with("for example web.json"), "{error}");
}

#[test]
fn a_directory_that_was_removed_is_made_again_as_it_was() {
    let above = directory();
    let path = above.path().join("o");
    fs::create_dir(&path).expect("made");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).expect("set");
    let destination = Destination::prepare(&path.join("x.json"), None).expect("a destination");
    for _ in 0..2 {
        fs::remove_dir_all(&path).expect("removed");
        destination.write(&all(b"x")).expect("written");
        assert_eq!(listing(&path).len(), 3);
        assert_eq!(fs::metadata(&path).expect("it").permissions().mode() & 0o7777, 0o750);
    }
    fs::remove_dir_all(&path).expect("removed");
    fs::create_dir(above.path().join("other")).expect("made");
    symlink("other", &path).expect("a link");
    assert!(destination.write(&all(b"x")).is_err(), "a link is no directory");
    assert!(listing(&above.path().join("other")).is_empty());
    fs::remove_file(&path).expect("removed");
    fs::remove_dir_all(above.path()).expect("removed");
    assert!(matches!(destination.write(&all(b"x")), Err(OutputError::Io { .. })));
    let elsewhere = directory();
    let directories = [path, elsewhere.path().to_owned()];
    let kept = keep(&directories, None, b"x").expect("kept");
    assert_eq!(fs::read(&kept).expect("it"), b"x");
    assert_eq!(fs::metadata(&kept).expect("it").permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_directory_that_was_renamed_is_named_as_it_is() {
    let above = directory();
    let path = above.path().join("first");
    fs::create_dir(&path).expect("made");
    let destination = Destination::prepare(&path.join("x.json"), None).expect("a destination");
    assert_eq!(destination.path(PROFILE), path.join("x.json"));
    fs::rename(&path, above.path().join("second")).expect("renamed");
    destination.write(&all(b"x")).expect("written");
    let second = above.path().canonicalize().expect("a path").join("second/x.json");
    assert_eq!(destination.path(PROFILE), second);
}

#[test]
fn what_killed_runs_left_is_removed_and_what_others_write_is_not() {
    let directory = directory();
    let old = |name: &str| {
        let path = directory.path().join(name);
        let file = File::create(&path).expect("made");
        let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        file.set_modified(hour_ago).expect("set");
        file
    };
    drop(old(".tracer-0123456789abcdef.tmp"));
    drop(old(".tracer-mine.tmp"));
    let written = old(".tracer-1123456789abcdef.tmp");
    rustix::fs::flock(&written, rustix::fs::FlockOperation::LockExclusive).expect("locked");
    File::create(directory.path().join(".tracer-2123456789abcdef.tmp")).expect("made");
    fs::create_dir(directory.path().join(".tracer-3123456789abcdef.tmp")).expect("made");
    symlink("/etc/passwd", directory.path().join(".tracer-4123456789abcdef.tmp")).expect("a link");
    let before = listing(directory.path());
    Destination::prepare(&directory.path().join("x.json"), None).expect("a destination");
    let after = listing(directory.path());
    let gone: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
    assert_eq!(gone, [".tracer-0123456789abcdef.tmp"]);
}

#[test]
fn a_name_that_cannot_be_taken_is_named_with_what_was_replaced() {
    let directory = directory();
    let destination =
        Destination::prepare(&directory.path().join("x.json"), None).expect("a destination");
    let staged = destination.stage(&all(b"new")).expect("staged");
    fs::create_dir(directory.path().join("x.kubernetes.yaml")).expect("made");
    let error = staged.commit().expect_err("a directory is in the way").to_string();
    let path = |name: &str| directory.path().join(name).display().to_string();
    assert!(error.starts_with(&path("x.kubernetes.yaml")), "{error}");
    assert!(error.ends_with(&format!("replaced before: {}", path("x.recording.json"))), "{error}");
    assert_eq!(listing(directory.path()), ["x.kubernetes.yaml", "x.recording.json"]);
}

#[test]
fn names_that_cannot_be_used() {
    let wrong = |path: &str| Destination::prepare(Path::new(path), None).expect_err(path);
    for path in ["", "/", "profile", "profile.JSON", ".json", "x.json/", "a/..", "profile.yaml"] {
        assert!(matches!(wrong(path), OutputError::NotAJsonName { .. }), "{path}");
    }
    let long = format!("{}.json", "x".repeat(240));
    assert!(matches!(wrong(&long), OutputError::NameTooLong { excess: 12, .. }));
    assert!(matches!(wrong("/nonexistent/x.json"), OutputError::NoDirectory { .. }));
    assert!(matches!(wrong("/dev/null/x.json"), OutputError::NotADirectory { .. }));
    let message = wrong("/none\u{1b}[2J/x.json").to_string();
    assert!(message.starts_with(r"there is no directory /none\x1b[2J"), "{message}");
}

/// Puts something at a path.
type Make = fn(&Path);

#[test]
fn what_is_not_a_regular_file_is_never_replaced() {
    let make: [(&str, Make); 3] = [
        ("a symbolic link", |path| symlink("/etc/passwd", path).expect("a link")),
        ("a directory", |path| fs::create_dir(path).expect("a directory")),
        ("a named pipe", |path| {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                path,
                FileType::Fifo,
                Mode::from_raw_mode(0o600),
                0,
            )
            .expect("a pipe");
        }),
    ];
    for (what, make) in make {
        for name in ["x.json", "x.recording.json", "x.kubernetes.yaml", "x.recording.json.partial"]
        {
            let directory = directory();
            make(&directory.path().join(name));
            let error =
                Destination::prepare(&directory.path().join("x.json"), None).expect_err(what);
            assert!(matches!(error, OutputError::NotAFile { .. }), "{error}");
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(listing(directory.path()), [name]);
        }
    }
}

#[test]
fn a_device_is_never_replaced() {
    let found =
        FileTypeFound(FileType::from_raw_mode(fs::metadata("/dev/null").expect("it").mode()));
    assert_eq!(found.to_string(), "a device");
    let directory = directory();
    let path = directory.path().join("x.json");
    let device = rustix::fs::makedev(1, 3);
    let mode = Mode::from_raw_mode(0o600);
    if rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::CharacterDevice, mode, device).is_err()
    {
        return skip("making a device needs CAP_MKNOD");
    }
    assert!(matches!(Destination::prepare(&path, None), Err(OutputError::NotAFile { .. })));
}

#[test]
fn a_link_that_turns_up_while_tracing_is_not_followed_and_nothing_is_replaced() {
    let directory = directory();
    let destination =
        Destination::prepare(&directory.path().join("x.json"), None).expect("a destination");
    destination.write(&all(b"old")).expect("written");
    fs::remove_file(directory.path().join("x.json")).expect("removed");
    let victim = directory.path().join("victim");
    fs::write(&victim, "precious").expect("a victim");
    symlink(&victim, directory.path().join("x.json")).expect("a link");
    assert!(matches!(destination.write(&all(b"new")), Err(OutputError::NotAFile { .. })));
    assert_eq!(fs::read(&victim).expect("it"), b"precious");
    assert_eq!(fs::read(directory.path().join("x.recording.json")).expect("it"), b"old");
    assert_eq!(listing(directory.path()).len(), 4);
}

#[test]
fn the_directory_is_the_one_that_was_opened() {
    let directory = directory();
    let first = directory.path().join("first");
    fs::create_dir(&first).expect("a directory");
    fs::create_dir(directory.path().join("second")).expect("a directory");
    let destination = Destination::prepare(&first.join("x.json"), None).expect("a destination");
    fs::rename(&first, directory.path().join("moved")).expect("moved");
    symlink("second", &first).expect("a link");
    destination.write(&all(b"x")).expect("written");
    assert!(listing(&directory.path().join("second")).is_empty());
    assert_eq!(listing(&directory.path().join("moved")).len(), 3);
}

#[test]
fn files_belong_to_the_user_when_the_directory_does() {
    if !rustix::process::geteuid().is_root() {
        return skip("giving files away needs root");
    }
    let owner = Owner { user: 12345, group: 54321 };
    for (theirs, expected) in [(true, (12345, 54321)), (false, (0, 0))] {
        let directory = directory();
        if theirs {
            std::os::unix::fs::chown(directory.path(), Some(12345), None).expect("given away");
        }
        let path = directory.path().join("x.json");
        let destination = Destination::prepare(&path, Some(owner)).expect("a destination");
        destination.write(&all(b"x")).expect("written");
        let file = fs::metadata(&path).expect("a file");
        assert_eq!((file.uid(), file.gid()), expected);
    }
}

#[test]
fn directories_that_cannot_be_written_to() {
    // Not even root can create files in these.
    let error = Destination::prepare(Path::new("/proc/x.json"), None).expect_err("not writable");
    assert!(matches!(
        error,
        OutputError::NoDirectory { .. } | OutputError::Io { .. } | OutputError::Denied { .. }
    ));
    if !rustix::process::geteuid().is_root() {
        let error = Destination::prepare(Path::new("/x.json"), None).expect_err("not writable");
        assert!(matches!(error, OutputError::Denied { .. } | OutputError::ReadOnly { .. }));
    }
}

/// A small tmpfs, unmounted at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let directory = directory();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", size, "tracer-test"])
            .arg(directory.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(directory)),
            other => {
                skip(&format!("a small disk cannot be mounted: {other:?}"));
                None
            }
        }
    }

    fn remount_read_only(&self) {
        let status = std::process::Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.0.path())
            .status()
            .expect("mount");
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_leaves_the_old_files_alone() {
    let Some(disk) = SmallDisk::mount("size=128k") else { return };
    let directory = disk.0.path();
    let destination = Destination::prepare(&directory.join("x.json"), None).expect("a destination");
    destination.write(&all(b"old")).expect("written");
    let large = vec![b'x'; 200_000];
    let result = destination.write(&[(RECORDING, b"new"), (PROFILE, &large)]);
    assert!(matches!(result, Err(OutputError::Full { .. })), "{result:?}");
    assert_eq!(listing(directory), ["x.json", "x.kubernetes.yaml", "x.recording.json"]);
    for name in listing(directory) {
        assert_eq!(fs::read(directory.join(name)).expect("a file"), b"old");
    }
}

#[test]
fn a_read_only_disk_is_found_out_before_tracing() {
    let Some(disk) = SmallDisk::mount("size=64k") else { return };
    disk.remount_read_only();
    let error = Destination::prepare(&disk.0.path().join("x.json"), None).expect_err("read-only");
    assert!(matches!(error, OutputError::ReadOnly { .. }), "{error}");
}

/// Says why a test was not run; in CI it must run.
pub(super) fn skip(reason: &str) {
    assert!(!crate::ci::is_ci(), "not run: {reason}");
    eprintln!("skipped: {reason}");
}
