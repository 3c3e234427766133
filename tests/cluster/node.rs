//! The node: its namespaces, its components, and what tests do there.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tests::{Cgroup, Running, Tracer, holds_when_asked_each, holds_within, succeed};

use crate::configuration::{self, KUBECONFIG, NODE_NAME};
use crate::images;

/// How long a test waits for what the node's components do, on a busy machine: a container alone
/// may take half a minute there.
pub const BOUND: Duration = Duration::from_secs(240);
/// How long nothing is asked between two questions to the API server, each of which starts a
/// program.
pub const PAUSE: Duration = Duration::from_millis(250);
/// How long ending everything may take.
const END: Duration = Duration::from_secs(60);
/// How many lines of a component's log are shown when the start fails.
const LINES: usize = 25;
/// Where tracer is in the node.
const TRACER: &str = "/usr/local/bin/tracer";

/// Holds the namespaces. `$1` is the root file system, which stays as it is; `$2` the directory for
/// temporary files, shared with the host; `$3` the name of the cgroup.
const HOLD: &str = r#"
set -e
trap '' HUP INT TERM
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    hierarchy=${hierarchy%/}
    [ -f "$hierarchy/cgroup.procs" ] || continue
    mkdir -p "$hierarchy$3"
    for name in cpuset.cpus cpuset.mems; do
        # Version 1 alone wants them written.
        [ ! -f "$hierarchy/tasks" ] || [ ! -f "$hierarchy/$name" ] || cat "$hierarchy/$name" > "$hierarchy$3/$name"
    done
done
# Version 2 alone wants controllers switched on for cgroups below. One that the machine lacks is an error of its own.
if [ -f /sys/fs/cgroup/cgroup.subtree_control ]; then
    for name in cpu cpuset memory pids; do
        echo "+$name" > /sys/fs/cgroup/cgroup.subtree_control || :
    done
fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/upper /run/work /run/root
mount -t overlay overlay -o "lowerdir=$1,upperdir=/run/upper,workdir=/run/work" /run/root
for name in proc sys dev; do
    mount --rbind "/$name" "/run/root/$name"
done
mkdir -p "/run/root$2" /run/root/mnt
mount --rbind "$2" "/run/root$2"
cd /run/root
# Overlays of containers can not be on an overlay.
for name in run var; do
    mount -t tmpfs -o mode=755 tmpfs "$name"
done
mkdir -p usr/local/bin etc/cni/net.d etc/containerd etc/kubernetes/pki etc/kubernetes/manifests run/sysctl
mkdir -p var/lib/kubelet/seccomp/profiles var/lib/tracer var/log/pods var/log/containers var/tmp
# A system's own, which no package has.
echo 127.0.0.1 localhost > etc/hosts
: > etc/resolv.conf
# The kubelet writes these; the host's stay as they are.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1; do
    file=run/sysctl/$(basename "${setting%=*}")
    echo "${setting#*=}" > "$file"
    mount --bind "$file" "proc/sys/${setting%=*}"
done
# crun takes version 2 beside version 1 for a machine's that is not set up when it has a controller, whatever for.
if [ -f sys/fs/cgroup/unified/cgroup.controllers ]; then
    : > run/no-controllers
    mount --bind run/no-controllers sys/fs/cgroup/unified/cgroup.controllers
fi
pivot_root . mnt
umount -l /mnt
set +e
echo ready
while read -r line; do :; done

# The end: ends what is in a cgroup and below, and removes it.
clear() {
    for below in "$1"/*/; do
        [ ! -d "$below" ] || clear "${below%/}"
    done
    while read -r id; do kill -KILL "$id"; done < "$1/cgroup.procs"
    rmdir "$1"
}
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    left=
    for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*/; do
        [ ! -d "${hierarchy%/}$3" ] || { left=yes; clear "${hierarchy%/}$3"; }
    done 2>/dev/null
    [ -n "$left" ] || exit 0
    sleep 0.1
done
"#;

/// The cgroup of everything but the pods, below the node's.
const COMPONENTS: &str = "components";
/// Joins a cgroup, and becomes a program.
const JOIN: &str = r#"echo $$ > "$0" && exec "$@""#;
/// Becomes a program that finds no socket of a runtime.
const WITHOUT_SOCKETS: &str = r#"mount -t tmpfs none /run && exec "$0" "$@""#;

/// What `cargo xtask test` made.
pub struct Made {
    /// The node's root file system.
    pub root: PathBuf,
    /// The directory with the programs of Kubernetes.
    pub programs: PathBuf,
    /// The static tracer.
    pub tracer: PathBuf,
}

/// See the module. Everything ends with it.
pub struct Node {
    holder: Running,
    /// By the names of their programs.
    components: Mutex<BTreeMap<String, Running>>,
    /// Held by who uses the one `DaemonSet`.
    pub daemonset: Mutex<()>,
    /// Its processes, and all pods.
    cgroup: Cgroup,
}

impl Node {
    /// Starts everything, and returns when pods can be made, or with the story of what did not
    /// start.
    pub fn start(made: &Made) -> Result<Self, String> {
        let node = Self::hold(&made.root);
        node.fill(made)?;
        let started = node.start_components();
        started.map_err(|story| format!("{story}\n{}", node.logs()))?;
        for archive in images::archives(&made.tracer)? {
            let archive = archive.path().join("image.tar");
            let mut import = node.command("ctr");
            import.args(["--namespace=k8s.io", "images", "import"]).arg(archive);
            succeed(&mut import)?;
        }
        Ok(node)
    }

    fn hold(root: &Path) -> Self {
        let cgroup = Cgroup::new("node");
        fs::create_dir(cgroup.directory().join(COMPONENTS)).expect("a cgroup is made");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--net", "--propagation", "private", "sh", "-c", HOLD, "sh"]);
        command.arg(root).arg(env::temp_dir()).arg(cgroup.name());
        let mut holder = Running::start(&mut command);
        holder.wait_for_line("ready");
        Self { holder, components: Mutex::default(), daemonset: Mutex::new(()), cgroup }
    }

    /// Copies programs and files to their places.
    fn fill(&self, made: &Made) -> Result<(), String> {
        let copy = |from: PathBuf, to: &str| {
            let copied = fs::copy(&from, self.path(to)).map(drop);
            copied.map_err(|error| format!("cannot copy {} to {to}: {error}", from.display()))
        };
        for component in configuration::second().iter().chain(&configuration::first()[2..]) {
            let program = &component[0];
            copy(made.programs.join(program), &format!("/usr/local/bin/{program}"))?;
        }
        copy(made.tracer.clone(), TRACER)?;
        for (path, text) in configuration::files(self.cgroup.name()) {
            fs::write(self.path(path), text).map_err(|error| format!("{path}: {error}"))?;
        }
        succeed(self.command("sh").args(["-c", &configuration::set_up()])).map(drop)
    }

    fn start_components(&self) -> Result<(), String> {
        for words in configuration::first() {
            self.start_component(words);
        }
        self.wait("the API server is ready", |node| {
            node.kubectl(&["get", "--raw=/readyz"]).is_ok_and(|answer| answer == "ok")
        })?;
        for words in configuration::second() {
            self.start_component(words);
        }
        self.wait("the node is ready", Self::is_ready)
    }

    fn start_component(&self, words: Vec<String>) {
        let mut command = self.command(&words[0]);
        command.args(&words[1..]);
        let running = Running::start(&mut command);
        let name = words.into_iter().next().expect("a program");
        self.components().insert(name, running);
    }

    fn components(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops containerd where it is: whoever asks it gets no answer.
    pub fn suspend_containerd(&self) {
        self.components()["containerd"].signal(Signal::STOP);
    }

    /// Kills containerd, starts another one, and waits until pods can be made again.
    pub fn restart_containerd(&self) -> Result<(), String> {
        let before = self.components().remove("containerd").expect("it was started");
        before.signal(Signal::KILL);
        drop(before);
        let [containerd, ..] = configuration::first();
        self.start_component(containerd);
        self.wait("containerd is ready", |node| {
            succeed(node.command("ctr").arg("version")).is_ok() && node.is_ready()
        })
    }

    fn is_ready(&self) -> bool {
        let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
        self.kubectl(&["get", "node", NODE_NAME, "-o", path]).is_ok_and(|word| word == "True")
    }

    /// Waits for a condition of the start, as long as every component runs.
    fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<(), String> {
        let mut ended = None;
        let holds = holds_when_asked_each(PAUSE, BOUND, || {
            let mut components = self.components();
            let mut all = components.iter_mut();
            ended = all.find_map(|(name, running)| (!running.is_running()).then(|| name.clone()));
            drop(components);
            ended.is_some() || condition(self)
        });
        match ended {
            Some(name) => Err(format!("{name} ended before {what}")),
            None if holds => Ok(()),
            None => Err(format!("waited {BOUND:?} in vain: {what}")),
        }
    }

    /// The last lines of what each component said.
    pub fn logs(&self) -> String {
        let part = |(name, running): (&String, &Running)| {
            let said = running.stderr();
            let lines: Vec<&str> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
            format!("--- {name} said at last:\n{last}\n")
        };
        self.components().iter().map(part).collect()
    }

    /// Where a file of the node is for this process.
    pub fn path(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.holder.id()).into()
    }

    /// The words of a command line that runs what follows them in namespaces of the node, and in
    /// its cgroup, so that it ends with it.
    fn enter(&self, namespaces: &[&str]) -> Vec<OsString> {
        let processes = self.cgroup.directory().join(COMPONENTS).join("cgroup.procs");
        let target = format!("--target={}", self.holder.id());
        let words = ["nsenter"].into_iter().chain(namespaces.iter().copied());
        let words = words.chain([&target, "--", "sh", "-c", JOIN]).map(OsString::from);
        words.chain([processes.into()]).collect()
    }

    /// A command that works in the node.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let words = self.enter(&["--mount", "--net"]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program);
        // The host's may lack directories of the node.
        command.env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("KUBECONFIG", KUBECONFIG).env_remove("TMPDIR");
        command
    }

    /// Runs kubectl, and returns what it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        succeed(self.command("kubectl").args(arguments).stdin(Stdio::null()))
    }

    /// Runs kubectl with something to read.
    pub fn kubectl_reading(&self, arguments: &[&str], text: &str) -> Result<String, String> {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("it is written");
        std::io::Seek::rewind(&mut file).expect("it is a file");
        succeed(self.command("kubectl").args(arguments).stdin(file))
    }

    /// What kubectl says in JSON.
    pub fn get(&self, arguments: &[&str]) -> Result<Value, String> {
        let text = self.kubectl(&[&["get", "-o", "json"], arguments].concat())?;
        serde_json::from_str(&text).map_err(|error| format!("kubectl printed no JSON: {error}"))
    }

    /// Waits until no pod is left of tests that have ended.
    pub fn wait_until_empty(&self) -> Result<(), String> {
        let mut left = String::new();
        let is_empty = holds_when_asked_each(PAUSE, BOUND, || {
            left = self
                .kubectl(&["get", "pods", "--all-namespaces", "-o", "name"])
                .unwrap_or_default();
            left.is_empty()
        });
        if is_empty {
            Ok(())
        } else {
            Err(format!("pods of tests that have ended are left: {left}"))
        }
    }

    /// tracer on the node, as its administrator runs it, in the host's network.
    pub fn tracer(&self) -> Tracer {
        Tracer::new().launcher(self.enter(&["--mount"])).program(TRACER.into())
    }

    /// The same where no runtime can be asked, as in tracer's own pod.
    pub fn tracer_without_socket(&self) -> Tracer {
        let words = ["unshare", "--mount", "sh", "-c", WITHOUT_SOCKETS];
        self.tracer().launcher(words)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.holder.close_stdin();
        if !holds_within(END, || !self.holder.is_running()) {
            eprintln!("the node does not end: its cgroup is {}", self.cgroup.name());
        }
    }
}
