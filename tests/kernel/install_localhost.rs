//! `--install-localhost`: the profile where a kubelet looks for it, below a root in a temporary
//! directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;
use tests::{
    Cgroup, GROUND_TRUTH, Mount, Outcome, Tracer, call_in, entries, file_names, temporary_directory,
};

tests::trials! {
    the_profile_is_where_the_patch_says,
    an_installed_profile_is_replaced_and_its_neighbours_stay,
    without_the_option_nothing_is_installed_and_nothing_of_it_printed,
    names_that_kubernetes_refuses,
    links_below_the_root_are_not_followed,
    a_link_that_turns_up_while_tracing_is_not_followed_and_old_files_stay,
    what_is_in_the_way_is_reported_before_tracing,
    no_space_at_the_kubelets_loses_no_old_file,
    a_snapshot_is_installed_too_also_when_the_profile_is_printed,
}

/// fchmodat2 and cachestat: in no base set.
const FIRST: i32 = 452;
const SECOND: i32 = 451;

/// Stands for the kubelet's root.
struct Kubelet(TempDir);

impl Kubelet {
    fn new() -> Self {
        Self(temporary_directory())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).expect("the profile is installed")
    }

    /// A tracer that installs under that name.
    fn tracer(&self, name: &str) -> Tracer {
        installing(self.0.path(), name)
    }
}

fn installing(root: &Path, name: &str) -> Tracer {
    let root = root.to_str().expect("the path is text");
    Tracer::new().args([&format!("--install-localhost={name}"), "--kubelet-root", root])
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// It is refused with that exit code before the command runs, nothing is written, and the messages
/// hold the parts.
fn check_refused(tracer: Tracer, code: i32, parts: &[&str]) {
    let marker = tracer.directory().join("ran");
    let outcome = tracer.command([Path::new("touch"), &marker]).run();
    outcome.exits(code).writes_nothing().says(parts);
}

/// Runs a command, and expects the profile to be installed there as it was written.
fn check_installed(kubelet: &Kubelet, tracer: Tracer, name: &str) -> Outcome {
    let outcome = tracer.command([GROUND_TRUTH, "x86_64:getpid"]).run().exits(0);
    let installed = kubelet.read(&format!("seccomp/{name}"));
    assert_eq!(installed, outcome.read("json"), "the same as beside the recording");
    assert!(outcome.allowed().iter().any(|allowed| allowed == "getpid"), "the new profile");
    outcome
}

fn the_profile_is_where_the_patch_says() {
    let kubelet = Kubelet::new();
    let tracer =
        kubelet.tracer("a/b/c.json").launcher(["sh", "-c", "umask 077; exec \"$@\"", "sh"]);
    let outcome = check_installed(&kubelet, tracer, "a/b/c.json");
    let file = kubelet.path("seccomp/a/b/c.json");
    assert_eq!(mode(&file), 0o644, "everybody may read it, whatever the umask is");
    for directory in ["seccomp", "seccomp/a", "seccomp/a/b"] {
        assert_eq!(mode(&kubelet.path(directory)), 0o755, "{directory}");
    }
    assert_eq!(mode(&outcome.directory().join("profile.json")), 0o600, "as the umask says");
    assert_eq!(file_names(&kubelet.path("seccomp/a/b")), ["c.json"], "nothing else is left");
    let patch = outcome.read("kubernetes.yaml");
    let context = "securityContext:\n  seccompProfile:\n    type: Localhost\n    localhostProfile: \"a/b/c.json\"\n";
    let indented = context.lines().map(|line| format!("      {line}\n")).collect::<String>();
    assert!(patch.ends_with(&format!("spec:\n  template:\n    spec:\n{indented}")), "{patch}");
    let place = file.to_str().expect("the path is text");
    assert!(patch.contains(place) && patch.contains("\"profile.json\""), "{patch}");
    let context = "securityContext: { seccompProfile: { type: Localhost, localhostProfile: \"a/b/c.json\" } }\n";
    outcome.says(&[place, context]);
}

fn an_installed_profile_is_replaced_and_its_neighbours_stay() {
    let kubelet = Kubelet::new();
    fs::create_dir_all(kubelet.path("seccomp/profiles")).expect("the directories are made");
    for name in ["web.json", "db.json"] {
        fs::write(kubelet.path("seccomp/profiles").join(name), "old").expect("a profile");
    }
    check_installed(&kubelet, kubelet.tracer("profiles/web.json"), "profiles/web.json");
    assert_eq!(kubelet.read("seccomp/profiles/db.json"), "old");
    assert_eq!(file_names(&kubelet.path("seccomp/profiles")), ["db.json", "web.json"]);
}

fn without_the_option_nothing_is_installed_and_nothing_of_it_printed() {
    let outcome = Tracer::new().command(["true"]).run().exits(0);
    assert!(!outcome.stderr.contains("securityContext"), "{}", outcome.stderr);
    assert!(outcome.read("kubernetes.yaml").contains("\"profiles/profile.json\""));
    let only_root = Tracer::new().args(["--kubelet-root", "/tmp"]);
    check_refused(only_root, 2, &["--install-localhost"]);
}

fn names_that_kubernetes_refuses() {
    let kubelet = Kubelet::new();
    for (name, part) in [
        ("", "is empty"),
        ("..", "must not contain '..'"),
        ("../web.json", "must not contain '..'"),
        ("a/../../../web.json", "must not contain '..'"),
        ("/etc/web.json", "must be a relative path"),
        ("profiles/", "names no file"),
    ] {
        check_refused(kubelet.tracer(name), 2, &["--install-localhost", part]);
    }
    assert!(entries(kubelet.0.path()).is_empty());
}

fn links_below_the_root_are_not_followed() {
    for (link, name) in [
        ("seccomp", "web.json"),
        ("seccomp/profiles", "profiles/web.json"),
        ("seccomp/profiles", "profiles/a/web.json"),
        ("seccomp/web.json", "web.json"),
    ] {
        let (kubelet, elsewhere) = (Kubelet::new(), temporary_directory());
        fs::write(elsewhere.path().join("web.json"), "precious").expect("the file is written");
        let victim = match link {
            "seccomp/web.json" => elsewhere.path().join("web.json"),
            _ => elsewhere.path().to_owned(),
        };
        let before = entries(elsewhere.path());
        let link = kubelet.path(link);
        fs::create_dir_all(link.parent().expect("one")).expect("the directories are made");
        symlink(&victim, &link).expect("the link is made");
        let path = link.to_str().expect("the path is text");
        check_refused(kubelet.tracer(name), 1, &[path, "is a symbolic link", "hint:"]);
        assert_eq!(entries(elsewhere.path()), before);
        assert_eq!(fs::read_link(&link).expect("the link stays"), victim);
    }
}

fn a_link_that_turns_up_while_tracing_is_not_followed_and_old_files_stay() {
    let (kubelet, elsewhere) = (Kubelet::new(), temporary_directory());
    let target = Cgroup::new("install-link");
    let tracer = kubelet.tracer("web.json").cgroup(&target);
    fs::write(tracer.directory().join("profile.json"), "old").expect("the file is written");
    let tracing = tracer.start();
    call_in(&target, FIRST);
    symlink(elsewhere.path(), kubelet.path("seccomp")).expect("the link is made");
    let outcome = tracing.stop().exits(1).says(&["error:", "is a symbolic link"]);
    assert_eq!(outcome.read("json"), "old");
    assert!(entries(elsewhere.path()).is_empty(), "nothing is written through it");
}

fn what_is_in_the_way_is_reported_before_tracing() {
    let kubelet = Kubelet::new();
    fs::create_dir_all(kubelet.path("seccomp/directory")).expect("the directories are made");
    fs::write(kubelet.path("seccomp/file"), "precious").expect("the file is written");
    check_refused(kubelet.tracer("directory"), 1, &["seccomp/directory is a directory", "hint:"]);
    check_refused(kubelet.tracer("file/web.json"), 1, &["seccomp/file is not a directory"]);
    let missing = installing(&kubelet.path("missing"), "web.json");
    check_refused(missing, 1, &["there is no directory", "/missing", "--kubelet-root"]);
    let _mount = Mount::read_only(kubelet.0.path());
    check_refused(kubelet.tracer("web.json"), 1, &["read-only", "--kubelet-root"]);
    assert_eq!(file_names(&kubelet.path("seccomp")), ["directory", "file"]);
    assert_eq!(kubelet.read("seccomp/file"), "precious");
}

fn no_space_at_the_kubelets_loses_no_old_file() {
    let kubelet = Kubelet::new();
    let _mount = Mount::tmpfs(kubelet.0.path(), 16 * 4096);
    fs::create_dir(kubelet.path("seccomp")).expect("the directory is made");
    fs::write(kubelet.path("seccomp/web.json"), "old").expect("the file is written");
    let target = Cgroup::new("install-full");
    let tracer = kubelet.tracer("web.json").cgroup(&target);
    fs::write(tracer.directory().join("profile.json"), "old").expect("the file is written");
    let tracing = tracer.start();
    call_in(&target, FIRST);
    let filler = fs::write(kubelet.path("filler"), vec![0; 64 * 4096]);
    assert!(filler.is_err(), "the file system is full");
    let outcome = tracing.stop().exits(1).says(&["error:", "no space left", "--kubelet-root"]);
    assert_eq!(outcome.read("json"), "old");
    assert_eq!(kubelet.read("seccomp/web.json"), "old");
    assert_eq!(file_names(&kubelet.path("seccomp")), ["web.json"], "nothing temporary is left");
}

fn a_snapshot_is_installed_too_also_when_the_profile_is_printed() {
    let kubelet = Kubelet::new();
    let target = Cgroup::new("install-snapshot");
    let tracer = kubelet.tracer("web.json").cgroup(&target).without_out().args(["--out", "-"]);
    let tracing = tracer.start();
    call_in(&target, FIRST);
    tracing.process.signal(Signal::USR1);
    tracing.wait_for_message("the recording goes on");
    let snapshot = kubelet.read("seccomp/web.json");
    assert!(snapshot.contains("\"fchmodat2\"") && !snapshot.contains("\"cachestat\""));
    assert_eq!(tracing.process.stdout(), "", "the standard output takes one profile");
    call_in(&target, SECOND);
    let outcome = tracing.stop().exits(0).says(&["snapshot: ", "localhostProfile: \"web.json\""]);
    let installed = kubelet.read("seccomp/web.json");
    assert!(installed.contains("\"fchmodat2\"") && installed.contains("\"cachestat\""));
    assert_eq!(outcome.stdout, installed, "the profile alone is printed");
}
