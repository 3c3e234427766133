//! `tracer profile`, from what is typed to the files: recordings made by hand, and files that are
//! none.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;
use tests::{file_names, temporary_directory};
use tracer::cli::Cli;
use tracer::command::{self, UsageError};
use tracer::recording::contribution::Contributions;
use tracer::recording::json::{from_json, to_json};
use tracer::recording::{Phase, Recording};

use crate::recordings::{call, calls, recording};

tests::trials! {
    three_recordings_give_one_profile_and_one_recording,
    one_recording_gives_the_same_again,
    a_late_start_is_incomplete_until_a_start_is_merged,
    other_losses_are_never_made_up_for,
    calls_of_few_recordings_are_left_out_on_request,
    what_each_recording_brings_is_known,
    the_options_of_a_recording_apply,
    alternatives_are_added_on_request_alone,
    streams_of_another_c_library_follow_from_those_that_were_seen,
    error_paths_are_added_on_request_alone,
    what_happened_before_the_filter_has_no_alternatives,
    without_a_workload_nothing_is_written,
    a_profile_that_is_printed_leaves_no_file,
    a_profile_is_installed_below_the_kubelets_root,
}

/// A directory with recordings in it.
pub struct Directory(pub TempDir);

impl Directory {
    pub fn new() -> Self {
        Self(temporary_directory())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and gives its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("a file can be written");
        self.path(name).to_str().expect("the path is text").to_owned()
    }

    pub fn recording(&self, name: &str, recording: &Recording) -> String {
        self.file(&format!("{name}.recording.json"), &to_json(recording))
    }

    fn out(&self) -> String {
        self.path("out.json").to_str().expect("the path is text").to_owned()
    }

    /// Runs `tracer profile ARGUMENTS -o out.json`: its exit code, and the message of an error.
    pub fn derive(&self, arguments: &[&str]) -> (u8, String) {
        let out = self.out();
        run(&[arguments, &["-o", &out]].concat())
    }

    /// Runs it, and expects the exit code.
    fn exits(&self, code: u8, arguments: &[&str]) -> &Self {
        let (found, message) = self.derive(arguments);
        assert_eq!(found, code, "{arguments:?}: {message}");
        self
    }

    fn merged(&self) -> Recording {
        let bytes = fs::read(self.path("out.recording.json")).expect("the evidence is written");
        from_json(&bytes).expect("it can be read again")
    }

    fn profile(&self) -> Value {
        let text = fs::read_to_string(self.path("out.json")).expect("the profile is written");
        serde_json::from_str(&text).expect("JSON")
    }

    fn allowed(&self) -> Vec<String> {
        let names = self.profile()["syscalls"][0]["names"].clone();
        serde_json::from_value(names).expect("names")
    }

    fn allows(&self, name: &str) -> bool {
        self.allowed().iter().any(|allowed| allowed == name)
    }

    fn reason(&self, name: &str) -> Option<String> {
        let derived = self.merged().derived.expect("it says what was derived");
        derived.added.into_iter().find(|added| added.name == name).map(|added| added.reason)
    }
}

/// Runs `tracer profile`, as its main function does.
pub fn run(arguments: &[&str]) -> (u8, String) {
    let words = ["tracer", "profile"].iter().chain(arguments);
    let typed = match Cli::try_parse_from(words) {
        Ok(typed) => typed,
        Err(error) => {
            return (u8::try_from(error.exit_code()).expect("a code"), error.to_string());
        }
    };
    match command::run(&typed) {
        Ok(exit) => (exit.code(), String::new()),
        Err(error) => (if error.is::<UsageError>() { 2 } else { 1 }, format!("{error:#}")),
    }
}

/// The arguments are refused with that exit code, the message has the parts, and nothing is
/// written.
pub fn check_refused(directory: &Directory, code: u8, arguments: &[&str], parts: &[&str]) {
    let before = file_names(directory.0.path());
    let (found, message) = directory.derive(arguments);
    assert_eq!(found, code, "{arguments:?}: {message}");
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in: {message}");
    }
    assert_eq!(file_names(directory.0.path()), before, "something was written");
}

pub fn of(names: &[&str]) -> Recording {
    recording(vec![calls(Phase::Workload, names)])
}

/// A recording that began late in its only cgroup.
fn late(names: &[&str]) -> Recording {
    let mut recording = of(names);
    recording.cgroups[0].late_start = true;
    recording.late_starts = vec![recording.cgroups[0].path.clone()];
    recording.losses.late_start = 1;
    recording.complete = false;
    recording.incomplete_reasons = vec!["late start".into()];
    recording
}

fn three_recordings_give_one_profile_and_one_recording() {
    let directory = Directory::new();
    let mut other = of(&["listen"]);
    other.cgroups[0].calls.push(call(tracer::syscalls::Abi::I386, "socketcall", Phase::Workload));
    let one = directory.recording("one", &of(&["read"]));
    let two = directory.recording("two", &of(&["accept4", "read"]));
    let three = directory.recording("three", &other);
    directory.exits(0, &["--quiet", "--runtime", "none", &one, &two, &three]);
    for name in ["read", "accept4", "listen", "socketcall"] {
        assert!(directory.allows(name), "{name}");
    }
    assert!(!directory.allows("bind") && !directory.allows("openat2"));
    assert_eq!(
        directory.profile()["architectures"],
        serde_json::json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]),
        "the union of the ABIs"
    );
    let merged = directory.merged();
    assert_eq!((merged.cgroups.len(), merged.targets.len()), (3, 3));
    assert_eq!(merged.targets[2].cgroups, [2]);
    assert!(merged.complete && merged.derived.is_some());
    assert!(directory.path("out.kubernetes.yaml").exists());
}

fn one_recording_gives_the_same_again() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read"]));
    directory.exits(0, &["-q", &one]);
    let (profile, merged) = (directory.allowed(), directory.merged());
    let again = directory.path("out.recording.json");
    directory.exits(0, &["-q", again.to_str().expect("the path is text")]);
    assert_eq!((directory.allowed(), directory.merged()), (profile, merged), "in its own place");
}

fn a_late_start_is_incomplete_until_a_start_is_merged() {
    let directory = Directory::new();
    let lost = directory.recording("late", &late(&["read"]));
    let start = directory.recording("start", &of(&["execve", "brk"]));
    let mut elsewhere = of(&["brk"]);
    elsewhere.cgroups[0].path = "/docker/elsewhere".into();
    elsewhere.targets[0].name = "docker:db".into();
    let elsewhere = directory.recording("elsewhere", &elsewhere);

    directory.exits(3, &["-q", &lost]);
    let merged = directory.merged();
    assert!(!merged.complete && merged.losses.late_start == 1, "{merged:?}");
    assert!(merged.incomplete_reasons[0].contains("/docker/0"), "{merged:?}");
    assert!(directory.allows("read"), "a profile is written all the same");
    directory.exits(3, &["-q", &lost, &elsewhere]);
    directory.exits(0, &["-q", &lost, &start]);
    let merged = directory.merged();
    assert!(merged.complete && merged.losses.late_start == 0 && merged.late_starts.is_empty());
    assert!(directory.allows("read") && directory.allows("brk"));
    directory.exits(0, &["-q", &lost, "--accept-late-start"]);
    assert_eq!(directory.merged().losses.late_start, 1, "it is accepted, and still counted");
    // What was accepted once is accepted again by nobody but the person.
    let again = directory.path("out.recording.json");
    directory.exits(3, &["-q", again.to_str().expect("the path is text")]);
}

fn other_losses_are_never_made_up_for() {
    let directory = Directory::new();
    let mut lossy = of(&["read"]);
    lossy.losses.table_full = 3;
    lossy.complete = false;
    let lossy = directory.recording("lossy", &lossy);
    let whole = directory.recording("whole", &of(&["read", "write"]));
    directory.exits(3, &["-q", &lossy, &whole, "--accept-late-start"]);
    assert_eq!(directory.merged().losses.table_full, 3);
    directory.exits(0, &["-q", &whole]);
}

fn calls_of_few_recordings_are_left_out_on_request() {
    let directory = Directory::new();
    let mut one = calls(Phase::Workload, &["inotify_init1", "mincore", "openat2", "read"]);
    one.extend(calls(Phase::ContainerInit, &["keyctl"]));
    let one = directory.recording("one", &recording(vec![one]));
    let mut other = of(&["mincore", "read"]);
    other.started = "2026-01-03T03:04:05Z".into();
    let (two, again) = (directory.recording("two", &other), directory.recording("again", &other));
    directory.exits(0, &["-q", &one, &two, "--min-runs", "1"]);
    assert!(directory.allows("inotify_init1") && directory.allows("mincore"));
    directory.exits(0, &["-q", &one, &two, &again, "--min-runs", "2"]);
    assert!(!directory.allows("inotify_init1"), "one recording has it");
    assert!(directory.allows("mincore") && directory.allows("read"), "two recordings have them");
    assert!(directory.allows("openat2") && directory.allows("keyctl"), "a runtime needs them");
    let derived = directory.merged().derived.expect("it says what was derived");
    assert_eq!(derived.excluded, ["inotify_init1"], "openat2 is still allowed");
    let names: Vec<_> = directory.merged().cgroups[0].calls.iter().map(|one| one.number).collect();
    assert_eq!(names.len(), 5, "the evidence stays");
    directory.exits(0, &["-q", &one, &two, "--min-runs", "2", "--include", "inotify_init1"]);
    assert!(directory.allows("inotify_init1"), "asked for by name");
    assert_eq!(directory.merged().derived.expect("derived").excluded, [""; 0]);
    let files = [one.as_str(), &two, &again];
    check_refused(&directory, 2, &[&files[..], &["--min-runs", "3"]].concat(), &["at most 2"]);
    check_refused(&directory, 2, &[&files[..], &["--min-runs", "0"]].concat(), &["--min-runs"]);
}

fn what_each_recording_brings_is_known() {
    let mut lossy = late(&["listen", "read"]);
    lossy.losses.table_full = 2;
    let again = lossy.clone();
    let mut start = of(&["brk", "read"]);
    start.started = "2026-01-03T03:04:05Z".into();
    let brought = Contributions::of(&[of(&["read"]), lossy.clone(), again, start.clone()], false);
    let part = |index: usize| &brought.parts[index];
    assert_eq!((part(0).syscalls, part(0).new.as_slice()), (1, &["read"][..]));
    assert_eq!((part(1).syscalls, part(1).new.as_slice()), (2, &["listen"][..]));
    assert_eq!((part(2).same_as, part(2).missing.len()), (Some(1), 0), "it counts once");
    assert_eq!(part(3).new, ["brk"]);
    assert_eq!(brought.recordings(), 3);
    assert_eq!(brought.rarer_than(3).collect::<Vec<_>>(), [("brk", 1), ("listen", 1)]);
    assert!(part(0).missing.is_empty() && part(3).missing.is_empty());
    // A complete start makes up for the late one, and nothing does for a full map.
    assert_eq!(part(1).missing.len(), 1, "{:?}", part(1).missing);
    assert!(part(1).missing[0].contains("map was full: 2"), "{:?}", part(1).missing);
    let alone = Contributions::of(&[lossy.clone(), late(&["read"])], false);
    let of_late = |index: usize| {
        alone.parts[index].missing.iter().any(|reason| reason.starts_with("late start: "))
    };
    assert!(of_late(0) && of_late(1), "{:?}", alone.parts);
    assert!(Contributions::of(&[late(&["read"])], true).parts[0].missing.is_empty(), "accepted");
}

fn the_options_of_a_recording_apply() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read", "ptrace"]));
    directory.exits(0, &["-q", &one]);
    assert_eq!(directory.profile()["defaultErrnoRet"], 38);
    assert!(directory.allows("openat2") && directory.allows("ptrace") && !directory.allows("bpf"));
    let options = ["--errno", "eperm", "--runtime", "none", "--all-arches"];
    let names = ["--include", "bpf", "--exclude", "ptrace"];
    directory.exits(0, &[&["-q", &one], &options[..], &names[..]].concat());
    let profile = directory.profile();
    assert_eq!(profile["defaultErrnoRet"], 1);
    assert_eq!(profile["architectures"].as_array().map(Vec::len), Some(3));
    assert!(!directory.allows("openat2") && !directory.allows("ptrace") && directory.allows("bpf"));
    assert_eq!(directory.merged().derived.expect("derived").excluded, ["ptrace"]);
    directory.exits(0, &["-q", &one, "--default-action", "kill-process"]);
    assert_eq!(directory.profile()["defaultAction"], "SCMP_ACT_KILL_PROCESS");
}

fn alternatives_are_added_on_request_alone() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["epoll_wait", "getpid"]));
    let plain = ["-q", "--runtime", "none", &one];
    directory.exits(0, &plain);
    let before = directory.allowed();
    directory.exits(0, &[&plain[..], &["--alternatives"]].concat());
    let added: Vec<_> =
        directory.allowed().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(added, ["epoll_pwait", "epoll_pwait2"], "the forms of epoll_wait, and nothing else");
    let reason = directory.reason("epoll_pwait2").expect("it says why");
    assert!(reason.contains("inferred") && reason.contains("epoll_wait"), "{reason}");
    assert!(directory.reason("epoll_wait").is_none(), "it was seen");
}

fn streams_of_another_c_library_follow_from_those_that_were_seen() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["fdatasync", "openat", "read", "write"]));
    let plain = ["-q", "--runtime", "none", &one];
    directory.exits(0, &plain);
    for name in ["fadvise64", "open", "readv", "writev"] {
        assert!(!directory.allows(name), "{name}");
    }
    directory.exits(0, &[&plain[..], &["--alternatives"]].concat());
    for name in ["fadvise64", "open", "readv", "writev"] {
        assert!(directory.allows(name), "{name}");
    }
    for name in ["connect", "execveat", "sched_setaffinity", "socket"] {
        assert!(!directory.allows(name), "{name}");
    }
    let reason = directory.reason("writev").expect("it says why");
    for part in ["inferred", "write", "musl 1.2"] {
        assert!(reason.contains(part), "{reason}");
    }
}

fn error_paths_are_added_on_request_alone() {
    let directory = Directory::new();
    let one = directory.recording("one", &of(&["read"]));
    let plain = ["-q", "--runtime", "none", &one];
    directory.exits(0, &plain);
    assert!(!directory.allows("tgkill") && !directory.allows("sendto"));
    directory.exits(0, &[&plain[..], &["--error-paths"]].concat());
    assert!(
        directory.allows("tgkill") && directory.allows("sendto") && !directory.allows("epoll_wait")
    );
    let reason = directory.reason("tgkill").expect("it says why");
    assert!(reason.contains("inferred") && reason.contains("abort"), "{reason}");
    directory.exits(0, &[&plain[..], &["--error-paths", "--exclude", "tgkill"]].concat());
    assert!(!directory.allows("tgkill") && directory.allows("sendto"));
}

fn what_happened_before_the_filter_has_no_alternatives() {
    let directory = Directory::new();
    let mut all = calls(Phase::Setup, &["rename"]);
    all.extend(calls(Phase::Workload, &["read"]));
    let one = directory.recording("one", &recording(vec![all]));
    directory.exits(0, &["-q", &one, "--alternatives"]);
    assert!(!directory.allows("rename") && !directory.allows("renameat2"));
}

fn without_a_workload_nothing_is_written() {
    let directory = Directory::new();
    let idle = recording(vec![calls(Phase::Setup, &["mount"])]);
    let (idle, more) =
        (directory.recording("idle", &idle), directory.recording("more", &of(&["read"])));
    check_refused(&directory, 1, &[&idle], &["no call of a workload", "recordings: 1"]);
    directory.exits(0, &["-q", &idle, &more]);
    assert!(!directory.allows("mount"));
}

fn a_profile_that_is_printed_leaves_no_file() {
    let directory = Directory::new();
    let one = directory.recording("one", &late(&["read"]));
    let before = file_names(directory.0.path());
    assert_eq!(run(&["-q", &one, "--out", "-"]).0, 3);
    assert_eq!(run(&["-q", &one, "-o", "-", "--accept-late-start"]).0, 0);
    assert_eq!(file_names(directory.0.path()), before);
    assert!(!Path::new("-").exists());
}

fn a_profile_is_installed_below_the_kubelets_root() {
    let (directory, kubelet) = (Directory::new(), temporary_directory());
    let one = directory.recording("one", &of(&["read"]));
    let root = kubelet.path().to_str().expect("the path is text");
    let install = |name: &str, root: &str| {
        let name = format!("--install-localhost={name}");
        directory.derive(&["-q", &one, &name, "--kubelet-root", root])
    };
    let (code, message) = install("../web.json", root);
    assert!(code == 2 && message.contains("'..'"), "{code}: {message}");
    let (code, message) = install("web.json", "/nonexistent");
    assert!(code == 1 && message.contains("--kubelet-root"), "{code}: {message}");
    assert_eq!(file_names(directory.0.path()), ["one.recording.json"], "nothing is written");
    assert_eq!(install("profiles/web.json", root).0, 0);
    let installed = fs::read(kubelet.path().join("seccomp/profiles/web.json"));
    let written = fs::read(directory.path("out.json")).expect("the profile is written");
    assert_eq!(installed.expect("it is installed"), written);
    let patch = fs::read_to_string(directory.path("out.kubernetes.yaml")).expect("a patch");
    assert!(patch.contains("localhostProfile: \"profiles/web.json\""), "{patch}");
}
