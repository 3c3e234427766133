//! `tracer profile`, from what is typed to the files: recordings made by hand, and files that are none.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;
use tests::{file_names, temporary_folder};
use tracer::cli::Cli;
use tracer::command::{self, UsageError};
use tracer::recording::json::{from_json, to_json};
use tracer::recording::{Phase, Recording};

use crate::recordings::{call, calls, recording};

tests::trials! {
    three_recordings_give_one_profile_and_one_recording,
    one_recording_gives_the_same_again,
    a_late_start_is_incomplete_until_a_start_is_merged,
    other_losses_are_never_made_up_for,
    the_options_of_a_recording_apply,
    alternatives_are_added_on_request_alone,
    streams_of_another_c_library_follow_from_those_that_were_seen,
    error_paths_are_added_on_request_alone,
    what_happened_before_the_filter_has_no_alternatives,
    without_a_workload_nothing_is_written,
    files_that_are_no_recordings_are_refused,
    what_is_no_file_is_refused,
    a_hostile_name_is_told_escaped,
    wrong_usage_writes_nothing,
    a_profile_that_is_printed_leaves_no_file,
    a_profile_is_installed_below_the_kubelets_root,
}

/// A folder with recordings in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(temporary_folder())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and gives its path.
    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("a file can be written");
        self.path(name).to_str().expect("the path is text").to_owned()
    }

    fn recording(&self, name: &str, recording: &Recording) -> String {
        self.file(&format!("{name}.recording.json"), &to_json(recording))
    }

    fn out(&self) -> String {
        self.path("out.json").to_str().expect("the path is text").to_owned()
    }

    /// Runs `tracer profile ARGUMENTS -o out.json`: its exit code, and the message of an error.
    fn derive(&self, arguments: &[&str]) -> (u8, String) {
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
fn run(arguments: &[&str]) -> (u8, String) {
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

fn of(names: &[&str]) -> Recording {
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
    let folder = Folder::new();
    let mut other = of(&["listen"]);
    other.cgroups[0].calls.push(call(tracer::syscalls::Abi::I386, "socketcall", Phase::Workload));
    let one = folder.recording("one", &of(&["read"]));
    let two = folder.recording("two", &of(&["accept4", "read"]));
    let three = folder.recording("three", &other);
    folder.exits(0, &["--quiet", "--runtime", "none", &one, &two, &three]);
    for name in ["read", "accept4", "listen", "socketcall"] {
        assert!(folder.allows(name), "{name}");
    }
    assert!(!folder.allows("bind") && !folder.allows("openat2"));
    assert_eq!(
        folder.profile()["architectures"],
        serde_json::json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]),
        "the union of the ABIs"
    );
    let merged = folder.merged();
    assert_eq!((merged.cgroups.len(), merged.targets.len()), (3, 3));
    assert_eq!(merged.targets[2].cgroups, [2]);
    assert!(merged.complete && merged.derived.is_some());
    assert!(folder.path("out.kubernetes.yaml").exists());
}

fn one_recording_gives_the_same_again() {
    let folder = Folder::new();
    let one = folder.recording("one", &of(&["read"]));
    folder.exits(0, &["-q", &one]);
    let (profile, merged) = (folder.allowed(), folder.merged());
    let again = folder.path("out.recording.json");
    folder.exits(0, &["-q", again.to_str().expect("the path is text")]);
    assert_eq!((folder.allowed(), folder.merged()), (profile, merged), "in its own place");
}

fn a_late_start_is_incomplete_until_a_start_is_merged() {
    let folder = Folder::new();
    let lost = folder.recording("late", &late(&["read"]));
    let start = folder.recording("start", &of(&["execve", "brk"]));
    let mut elsewhere = of(&["brk"]);
    elsewhere.cgroups[0].path = "/docker/elsewhere".into();
    elsewhere.targets[0].name = "docker:db".into();
    let elsewhere = folder.recording("elsewhere", &elsewhere);

    folder.exits(3, &["-q", &lost]);
    let merged = folder.merged();
    assert!(!merged.complete && merged.losses.late_start == 1, "{merged:?}");
    assert!(merged.incomplete_reasons[0].contains("/docker/0"), "{merged:?}");
    assert!(folder.allows("read"), "a profile is written all the same");
    folder.exits(3, &["-q", &lost, &elsewhere]);
    folder.exits(0, &["-q", &lost, &start]);
    let merged = folder.merged();
    assert!(merged.complete && merged.losses.late_start == 0 && merged.late_starts.is_empty());
    assert!(folder.allows("read") && folder.allows("brk"));
    folder.exits(0, &["-q", &lost, "--accept-late-start"]);
    assert_eq!(folder.merged().losses.late_start, 1, "it is accepted, and still told");
    // What was accepted once is accepted again by nobody but the person.
    let again = folder.path("out.recording.json");
    folder.exits(3, &["-q", again.to_str().expect("the path is text")]);
}

fn other_losses_are_never_made_up_for() {
    let folder = Folder::new();
    let mut lossy = of(&["read"]);
    lossy.losses.table_full = 3;
    lossy.complete = false;
    let lossy = folder.recording("lossy", &lossy);
    let whole = folder.recording("whole", &of(&["read", "write"]));
    folder.exits(3, &["-q", &lossy, &whole, "--accept-late-start"]);
    assert_eq!(folder.merged().losses.table_full, 3);
    folder.exits(0, &["-q", &whole]);
}

fn the_options_of_a_recording_apply() {
    let folder = Folder::new();
    let one = folder.recording("one", &of(&["read", "ptrace"]));
    folder.exits(0, &["-q", &one]);
    assert_eq!(folder.profile()["defaultErrnoRet"], 38);
    assert!(folder.allows("openat2") && folder.allows("ptrace") && !folder.allows("bpf"));
    let options = ["--errno", "eperm", "--runtime", "none", "--all-arches"];
    let names = ["--include", "bpf", "--exclude", "ptrace"];
    folder.exits(0, &[&["-q", &one], &options[..], &names[..]].concat());
    let profile = folder.profile();
    assert_eq!(profile["defaultErrnoRet"], 1);
    assert_eq!(profile["architectures"].as_array().map(Vec::len), Some(3));
    assert!(!folder.allows("openat2") && !folder.allows("ptrace") && folder.allows("bpf"));
    assert_eq!(folder.merged().derived.expect("derived").excluded, ["ptrace"]);
    folder.exits(0, &["-q", &one, "--default-action", "kill-process"]);
    assert_eq!(folder.profile()["defaultAction"], "SCMP_ACT_KILL_PROCESS");
}

fn alternatives_are_added_on_request_alone() {
    let folder = Folder::new();
    let one = folder.recording("one", &of(&["epoll_wait", "getpid"]));
    let plain = ["-q", "--runtime", "none", &one];
    folder.exits(0, &plain);
    let before = folder.allowed();
    folder.exits(0, &[&plain[..], &["--alternatives"]].concat());
    let added: Vec<_> =
        folder.allowed().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(added, ["epoll_pwait", "epoll_pwait2"], "the forms of epoll_wait, and nothing else");
    let reason = folder.reason("epoll_pwait2").expect("it says why");
    assert!(reason.contains("inferred") && reason.contains("epoll_wait"), "{reason}");
    assert!(folder.reason("epoll_wait").is_none(), "it was seen");
}

fn streams_of_another_c_library_follow_from_those_that_were_seen() {
    let folder = Folder::new();
    let one = folder.recording("one", &of(&["fdatasync", "openat", "read", "write"]));
    let plain = ["-q", "--runtime", "none", &one];
    folder.exits(0, &plain);
    for name in ["fadvise64", "open", "readv", "writev"] {
        assert!(!folder.allows(name), "{name}");
    }
    folder.exits(0, &[&plain[..], &["--alternatives"]].concat());
    for name in ["fadvise64", "open", "readv", "writev"] {
        assert!(folder.allows(name), "{name}");
    }
    for name in ["connect", "execveat", "sched_setaffinity", "socket"] {
        assert!(!folder.allows(name), "{name}");
    }
    let reason = folder.reason("writev").expect("it says why");
    for part in ["inferred", "write", "musl 1.2"] {
        assert!(reason.contains(part), "{reason}");
    }
}

fn error_paths_are_added_on_request_alone() {
    let folder = Folder::new();
    let one = folder.recording("one", &of(&["read"]));
    let plain = ["-q", "--runtime", "none", &one];
    folder.exits(0, &plain);
    assert!(!folder.allows("tgkill") && !folder.allows("sendto"));
    folder.exits(0, &[&plain[..], &["--error-paths"]].concat());
    assert!(folder.allows("tgkill") && folder.allows("sendto") && !folder.allows("epoll_wait"));
    let reason = folder.reason("tgkill").expect("it says why");
    assert!(reason.contains("inferred") && reason.contains("abort"), "{reason}");
    folder.exits(0, &[&plain[..], &["--error-paths", "--exclude", "tgkill"]].concat());
    assert!(!folder.allows("tgkill") && folder.allows("sendto"));
}

fn what_happened_before_the_filter_has_no_alternatives() {
    let folder = Folder::new();
    let mut all = calls(Phase::Setup, &["rename"]);
    all.extend(calls(Phase::Workload, &["read"]));
    let one = folder.recording("one", &recording(vec![all]));
    folder.exits(0, &["-q", &one, "--alternatives"]);
    assert!(!folder.allows("rename") && !folder.allows("renameat2"));
}

fn without_a_workload_nothing_is_written() {
    let folder = Folder::new();
    let idle = recording(vec![calls(Phase::Setup, &["mount"])]);
    let (idle, more) = (folder.recording("idle", &idle), folder.recording("more", &of(&["read"])));
    check_refused(&folder, 1, &[&idle], &["no call of a workload", "recordings: 1"]);
    folder.exits(0, &["-q", &idle, &more]);
    assert!(!folder.allows("mount"));
}

/// The arguments are refused with that exit code, the message has the parts, and nothing is written.
fn check_refused(folder: &Folder, code: u8, arguments: &[&str], parts: &[&str]) {
    let before = file_names(folder.0.path());
    let (found, message) = folder.derive(arguments);
    assert_eq!(found, code, "{arguments:?}: {message}");
    for part in parts {
        assert!(message.contains(part), "expected {part:?} in: {message}");
    }
    assert_eq!(file_names(folder.0.path()), before, "something was written");
}

fn files_that_are_no_recordings_are_refused() {
    let folder = Folder::new();
    let good = folder.recording("good", &of(&["read"]));
    let text = to_json(&of(&["read"]));
    let lines = text.lines().take(9).collect::<Vec<_>>().join("\n");
    let newer = text.replacen("\"version\": 1", "\"version\": 2", 1);
    let wrong = text.replacen("\"read\"", "\"write\"", 1);
    let cases: [(&str, &str, &[&str]); 7] = [
        ("cut.json", &lines, &["truncated", "line 9", "hint:"]),
        ("newer.json", &newer, &["version 2", "this program reads 1"]),
        ("list.json", "[]", &["not a recording", "a list"]),
        (
            "profile.json",
            "{\"defaultAction\":\"SCMP_ACT_LOG\"}",
            &["not a recording", "version", "NAME.recording.json"],
        ),
        ("text.json", "{\n  version\n}", &["not JSON", "line 2"]),
        ("empty.json", "", &["empty", "hint:"]),
        ("changed.json", &wrong, &["\"write\"", "\"read\""]),
    ];
    for (name, text, parts) in cases {
        let bad = folder.file(name, text);
        check_refused(&folder, 1, &[&good, &bad], &[&[bad.as_str()], parts].concat());
    }
}

fn what_is_no_file_is_refused() {
    let folder = Folder::new();
    let missing = folder.path("missing.json");
    let missing = missing.to_str().expect("the path is text");
    check_refused(&folder, 1, &[missing], &[missing, "No such file", "hint:"]);
    let inner = folder.0.path().to_str().expect("the path is text");
    check_refused(&folder, 1, &[inner], &[inner, "is a folder", "*.recording.json"]);
    let below = folder.file("file", "");
    let below = format!("{below}/x.json");
    check_refused(&folder, 1, &[&below], &[&below, "Not a directory"]);
}

fn a_hostile_name_is_told_escaped() {
    let folder = Folder::new();
    let hostile = folder.file("\u{1b}[2J.json", "[]");
    check_refused(&folder, 1, &[&hostile], &[r"\x1b[2J.json"]);
}

fn wrong_usage_writes_nothing() {
    let folder = Folder::new();
    let one = folder.recording("one", &of(&["read"]));
    check_refused(&folder, 2, &[], &["RECORDING"]);
    check_refused(&folder, 2, &[&one, "--include", "opnat"], &["opnat", "openat"]);
    check_refused(&folder, 2, &[&one, "--exclude", "read", "--include", "read"], &["read"]);
    check_refused(&folder, 2, &[&one, "--errno", "einval"], &["einval"]);
    let before = file_names(folder.0.path());
    let (code, message) = run(&[&one]);
    assert!(code == 2 && message.contains("--out"), "{code}: {message}");
    let text = folder.path("out.txt");
    let (code, message) = run(&[&one, "-o", text.to_str().expect("the path is text")]);
    assert!(code == 2 && message.contains(".json"), "{code}: {message}");
    assert_eq!(file_names(folder.0.path()), before);
}

fn a_profile_that_is_printed_leaves_no_file() {
    let folder = Folder::new();
    let one = folder.recording("one", &late(&["read"]));
    let before = file_names(folder.0.path());
    assert_eq!(run(&["-q", &one, "--out", "-"]).0, 3);
    assert_eq!(run(&["-q", &one, "-o", "-", "--accept-late-start"]).0, 0);
    assert_eq!(file_names(folder.0.path()), before);
    assert!(!Path::new("-").exists());
}

fn a_profile_is_installed_below_the_kubelets_root() {
    let (folder, kubelet) = (Folder::new(), temporary_folder());
    let one = folder.recording("one", &of(&["read"]));
    let root = kubelet.path().to_str().expect("the path is text");
    let install = |name: &str, root: &str| {
        let name = format!("--install-localhost={name}");
        folder.derive(&["-q", &one, &name, "--kubelet-root", root])
    };
    let (code, message) = install("../web.json", root);
    assert!(code == 2 && message.contains("'..'"), "{code}: {message}");
    let (code, message) = install("web.json", "/nonexistent");
    assert!(code == 1 && message.contains("--kubelet-root"), "{code}: {message}");
    assert_eq!(file_names(folder.0.path()), ["one.recording.json"], "nothing is written");
    assert_eq!(install("profiles/web.json", root).0, 0);
    let installed = fs::read(kubelet.path().join("seccomp/profiles/web.json"));
    let written = fs::read(folder.path("out.json")).expect("the profile is written");
    assert_eq!(installed.expect("it is installed"), written);
    let patch = fs::read_to_string(folder.path("out.kubernetes.yaml")).expect("a patch");
    assert!(patch.contains("localhostProfile: \"profiles/web.json\""), "{patch}");
}
