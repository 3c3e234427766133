//! Runs a runtime, in a mount namespace with the file system of its release.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::attempts::Process;

/// The program in the containers.
pub(crate) const PROGRAM: &str = "/program";
/// The cgroup above those of the containers.
const CGROUP: &str = "tracer-startup-errors";
/// Longer than any command takes that ends, also beside other work.
const BOUND: Duration = Duration::from_secs(60);
/// How long a started program may take to be seen.
const STARTED: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);
/// What Docker gives, so that runtimes set as much as they do there.
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];
/// Makes the namespace: cgroups of version 2 alone, an empty `/run`, and, where one is named,
/// another root file system, which stays as it is.
const HOLD: &str = r#"
set -e
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mkdir -p "/sys/fs/cgroup/$3"
mount -t tmpfs -o mode=755 tmpfs /run
if [ -n "$1" ]; then
    mkdir /run/upper /run/work /run/root
    mount -t overlay overlay -o "lowerdir=$1,upperdir=/run/upper,workdir=/run/work" /run/root
    for name in proc sys dev; do
        mount --rbind "/$name" "/run/root/$name"
    done
    mkdir -p "/run/root$2" /run/root/mnt
    mount --rbind "$2" "/run/root$2"
    mount -t tmpfs -o mode=755 tmpfs /run/root/run
    cd /run/root
    pivot_root . mnt
    umount -l /mnt
fi
echo ready
while read -r line; do :; done
"#;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A runtime that can be run. Its namespace ends with this value.
pub(crate) struct Installed {
    pub(crate) version: String,
    name: String,
    holder: Child,
    directory: PathBuf,
}

/// A container of the runtime. It is removed with this value.
pub(crate) struct Container<'runtime> {
    runtime: &'runtime Installed,
    id: String,
}

/// How a command ended.
pub(crate) struct Ended {
    /// None when it had to be killed.
    pub(crate) status: Option<u8>,
    /// What it wrote as its error; names and numbers of this container are `*`.
    pub(crate) message: String,
    /// What else it wrote that ends with an error number: engines put it into the container's log.
    pub(crate) besides: Vec<String>,
}

impl Ended {
    /// The status as the table has it.
    pub(crate) fn status(&self) -> String {
        self.status.map_or_else(|| "-".to_owned(), |status| status.to_string())
    }
}

impl Installed {
    /// Opens the runtime of the release with this root file system, or of this machine.
    pub(crate) fn open(name: &str, system: Option<&Path>, directory: &Path) -> Result<Self> {
        let mut hold = Command::new("unshare");
        hold.args(["--mount", "--propagation", "private", "sh", "-c", HOLD, "sh"]);
        hold.arg(system.unwrap_or(Path::new(""))).arg(directory).arg(CGROUP);
        hold.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = hold.spawn().context("failed to start unshare")?;
        let mut line = String::new();
        let output = holder.stdout.take().context("standard output is a pipe")?;
        BufReader::new(output).read_line(&mut line).context("failed to read from unshare")?;
        ensure!(line == "ready\n", "no namespace for {name} could be made");
        let directory = directory.to_owned();
        let mut runtime = Self { version: String::new(), name: name.to_owned(), holder, directory };
        let output = runtime.command().arg("--version").output();
        let output = output.with_context(|| format!("failed to run {name}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().nth(2).with_context(|| format!("{name}: {text}"))?;
        version.split('+').next().unwrap_or(version).clone_into(&mut runtime.version);
        Ok(runtime)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", &format!("--target={}", self.holder.id()), "--"]).arg(&self.name);
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A path as the runtime sees it.
    fn inside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.holder.id()))
    }

    /// Writes the bundle of a container.
    pub(crate) fn container(
        &self,
        process: Process,
        words: &[&str],
        profile: &Value,
    ) -> Result<Container<'_>> {
        let id = format!("attempt-{}", MADE.fetch_add(1, Ordering::Relaxed));
        let bundle = self.path("bundle");
        fs::create_dir_all(&bundle)
            .with_context(|| format!("failed to create {}", bundle.display()))?;
        let namespaces = ["pid", "network", "ipc", "uts", "mount"].map(|of| json!({ "type": of }));
        let user = process.user();
        let spec = json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false, "user": { "uid": user, "gid": user }, "args": words,
                "env": ["PATH=/usr/bin:/bin", "HOME=/"], "cwd": "/",
                "noNewPrivileges": process.has_no_new_privs(),
                "capabilities": {
                    "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES,
                },
            },
            "root": { "path": self.path("rootfs") },
            "hostname": "container",
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                  "options": ["nosuid", "mode=755"] },
                { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
                  "options": ["newinstance", "ptmxmode=0666", "mode=0620"] },
                { "destination": "/sys", "type": "sysfs", "source": "sysfs",
                  "options": ["ro", "nosuid"] },
            ],
            "linux": {
                "cgroupsPath": format!("/{CGROUP}/{id}"), "namespaces": namespaces,
                "seccomp": profile,
            },
        });
        let path = bundle.join("config.json");
        fs::write(&path, spec.to_string())
            .with_context(|| format!("failed to write {}", path.display()))?;
        Ok(Container { runtime: self, id })
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        // Its standard input ends it.
        drop(self.holder.stdin.take());
        if let Err(error) = self.holder.wait() {
            eprintln!("the namespace of {}: {error}", self.name);
        }
    }
}

impl Container<'_> {
    /// Runs a command of the runtime on the container.
    pub(crate) fn command(&self, verb: &[&str], words: &[&str]) -> Result<Ended> {
        let [log, output] = ["log.json", "output"].map(|name| self.runtime.path(name));
        // What an earlier command wrote.
        fs::write(&log, "").with_context(|| format!("failed to write {}", log.display()))?;
        let file = File::create(&output)
            .with_context(|| format!("failed to create {}", output.display()))?;
        let mut command = self.runtime.command();
        command.arg("--log").arg(&log).args(["--log-format=json", "--root=/run/state"]).args(verb);
        if ["run", "create"].contains(&verb[0]) {
            command.arg("--bundle").arg(self.runtime.path("bundle"));
        }
        if verb[0] == "create" {
            command.arg("--pid-file").arg(self.runtime.path("pid"));
        }
        command.arg(&self.id).args(words);
        let copy = file.try_clone().context("failed to copy a descriptor")?;
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = command.spawn().context("failed to start nsenter")?;
        let status = wait(child).context("failed to wait for the runtime")?;
        let read = |path| fs::read(path).map(|text| String::from_utf8_lossy(&text).into_owned());
        let text = read(&log).and_then(|log| Ok(log + &read(&output)?));
        let text = text.context("failed to read what the runtime wrote")?;
        let message = generalised(&error_in(&text), &self.id);
        let besides = text.lines().map(|line| generalised(line, &self.id));
        let besides = besides.filter(|line| has_errno(line) && *line != message).collect();
        Ok(Ended { status, message, besides })
    }

    /// Whether the created container runs the program, as soon as that can be seen.
    pub(crate) fn runs_the_program(&self, was_started: bool) -> bool {
        let Ok(pid) = fs::read_to_string(self.runtime.path("pid")) else { return false };
        let until = Instant::now() + if was_started { STARTED } else { Duration::ZERO };
        loop {
            let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", pid.trim())) else {
                return false;
            };
            if stat.contains("(program)") && !stat.contains(") Z") {
                return true;
            }
            // Nobody may have asked how it ended.
            if stat.contains(") Z") || Instant::now() > until {
                return false;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if self.runtime.inside(&format!("/run/state/{}", self.id)).exists() {
            let mut command = self.runtime.command();
            command.args(["--root=/run/state", "delete", "--force", &self.id]);
            let _ = command.stdin(Stdio::null()).output();
        }
        // What the runtime left: a command that hung left its child.
        let cgroup = self.runtime.inside(&format!("/sys/fs/cgroup/{CGROUP}/{}", self.id));
        let until = Instant::now() + BOUND;
        while cgroup.exists() && Instant::now() < until {
            let _ = fs::write(cgroup.join("cgroup.kill"), "1");
            let _ = fs::remove_dir(&cgroup);
            thread::sleep(PAUSE);
        }
    }
}

/// The status of a command that ends in time, as a shell gives it; None when it does not end.
fn wait(mut child: Child) -> std::io::Result<Option<u8>> {
    let until = Instant::now() + BOUND;
    loop {
        if let Some(status) = child.try_wait()? {
            use std::os::unix::process::ExitStatusExt as _;
            let code = status.code().or(status.signal().map(|signal| 128 + signal));
            return Ok(code.and_then(|code| u8::try_from(code).ok()));
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// The error among what a runtime wrote: the last one of its log, as engines take it; else the last
/// line.
fn error_in(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let logged = lines.iter().rev().find_map(|line| {
        let entry: Value = serde_json::from_str(line).ok()?;
        (entry["level"] == "error").then(|| entry["msg"].as_str().unwrap_or_default().to_owned())
    });
    logged.or_else(|| lines.last().map(|line| (*line).to_owned())).unwrap_or_default()
}

/// Whether a line ends with the error number of a profile.
fn has_errno(line: &str) -> bool {
    let line = line.to_lowercase();
    ["function not implemented", "operation not permitted"].iter().any(|end| line.ends_with(end))
}

/// The message without what only this container has: its id, its program, its directory, numbers,
/// and which of the standard streams it was.
fn generalised(message: &str, id: &str) -> String {
    let message = message.trim().replace(id, "*").replace("(\"/\")", "(\"*\")");
    let message = message.replace("/dev/stdin", "/dev/std*");
    let mut general = String::new();
    let mut rest = message.as_str();
    while let Some(first) = rest.chars().next() {
        let is_in_word = general.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let digits = rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len());
        let after = &rest[digits..];
        let is_number = digits > 0 && !after.starts_with(|next: char| next.is_alphabetic());
        if !is_in_word && is_number {
            general.push('*');
            rest = after;
        } else if let Some(after) = rest.strip_prefix(PROGRAM) {
            general.push('*');
            rest = after;
        } else {
            general.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    general
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_of_the_log_counts() {
        let text = "{\"level\":\"error\",\"msg\":\"first\"}\n{\"level\":\"error\",\"msg\":\"last\"}\n\
                    {\"level\":\"warning\",\"msg\":\"none\"}\nwritten by something else\n";
        assert_eq!(error_in(text), "last");
        assert_eq!(error_in("one\ntwo\n"), "two");
        assert_eq!(error_in(""), "");
    }

    #[test]
    fn what_only_one_container_has_is_a_star() {
        let general = |message: &str| generalised(message, "attempt-7");
        assert_eq!(general("container `attempt-7` is not running"), "container `*` is not running");
        assert_eq!(general("close log pipe fd 12: no"), "close log pipe fd *: no");
        assert_eq!(general("openat2 /proc/self/fd/7: no"), "openat2 /proc/self/fd/*: no");
        assert_eq!(general("exec /program: no"), "exec *: no");
        assert_eq!(general("chdir to cwd (\"/\"): no"), "chdir to cwd (\"*\"): no");
        assert_eq!(general("fstat /dev/stdin: no"), "fstat /dev/std*: no");
    }
}
