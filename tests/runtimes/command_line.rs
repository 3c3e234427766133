//! podman and Docker: the same command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;
use tempfile::TempDir;
use tests::{BOUND, Running, holds_within, temporary_directory};

use crate::engine::{Container, ENOSYS, Engine, Order, in_terminal, succeed};
use crate::namespace::Namespace;

static MADE: AtomicU32 = AtomicU32::new(0);

/// The name of the image with the root file system.
pub const IMAGE: &str = "localhost/tracer-tests:1";

/// The last Docker that does not know `defaultErrnoRet`.
const LAST_DOCKER_WITHOUT_ERRNO: u32 = 20;
const EPERM: i32 = 1;

/// An engine with the command line of Docker.
pub struct CommandLine {
    namespace: Arc<Namespace>,
    /// The program with the options that make it a private one.
    words: Vec<String>,
    environment: Vec<(&'static str, PathBuf)>,
    /// What stands for the image.
    image: Vec<String>,
    /// The error number of a call that a profile does not allow.
    refusal: i32,
    /// dockerd; podman has no daemon.
    daemon: Option<Running>,
    directory: TempDir,
}

/// A container that was started in the background.
struct Started<'a> {
    engine: &'a CommandLine,
    name: String,
}

/// Rather strict: the default limits cannot be set without a capability that the machine may not
/// have.
const PODMAN_CONFIGURATION: &str = r#"
[containers]
pids_limit = 0
log_driver = "k8s-file"
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"#;

impl CommandLine {
    /// podman with this low-level runtime.
    pub fn podman(podman: &Path, runtime: &Path, namespace: Arc<Namespace>, root: &Path) -> Self {
        let directory = temporary_directory();
        let path = |name: &str| directory.path().join(name);
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\nrunroot = \"{}\"\ngraphroot = \"{}\"\n",
            path("run").display(),
            path("storage").display()
        );
        fs::write(path("containers.conf"), PODMAN_CONFIGURATION).expect("written");
        fs::write(path("storage.conf"), storage).expect("written");
        let words = [podman, Path::new("--runtime"), runtime];
        let environment = vec![
            ("CONTAINERS_CONF", path("containers.conf")),
            ("CONTAINERS_STORAGE_CONF", path("storage.conf")),
        ];
        Self {
            namespace,
            words: words.map(|word| word.display().to_string()).to_vec(),
            environment,
            image: vec!["--rootfs".into(), format!("{}:O", root.display())],
            refusal: ENOSYS,
            daemon: None,
            directory,
        }
    }

    /// A dockerd of its own, with the image loaded.
    pub fn docker(
        [dockerd, docker]: [&Path; 2],
        namespace: Arc<Namespace>,
        image: &Path,
    ) -> Result<Self, String> {
        let directory = temporary_directory();
        let path = |name: &str| directory.path().join(name);
        let socket = format!("unix://{}", path("docker.sock").display());
        let mut command = namespace.command(dockerd);
        command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
        command.arg("--pidfile").arg(path("docker.pid")).args(["--host", &socket]);
        command.args(["--iptables=false", "--ip6tables=false", "--bridge=none"]);
        command.args(["--ip-forward=false", "--ip-masq=false", "--storage-driver=overlay2"]);
        command.args(["--exec-opt", "native.cgroupdriver=cgroupfs"]);
        let daemon = Running::start(&mut command);
        let mut engine = Self {
            namespace,
            words: vec![docker.display().to_string(), "--host".into(), socket],
            environment: vec![("DOCKER_CONFIG", path("config"))],
            image: vec![IMAGE.into()],
            refusal: ENOSYS,
            daemon: Some(daemon),
            directory,
        };
        let mut version = String::new();
        let answers = || {
            let mut ask = engine.command(&["version", "--format={{.Server.Version}}"]);
            succeed(&mut ask).map(|answer| version = answer).is_ok()
        };
        if !holds_within(BOUND, answers) {
            let said = engine.daemon.as_ref().map(Running::stderr).unwrap_or_default();
            return Err(format!("dockerd does not answer; it said:\n{said}"));
        }
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major <= LAST_DOCKER_WITHOUT_ERRNO) {
            engine.refusal = EPERM;
        }
        succeed(engine.command(&["load", "--input"]).arg(image))?;
        Ok(engine)
    }

    /// The directory that holds the directory `storage` of podman's containers, as
    /// `/var/lib/containers` does.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The words that stand for the image of a container.
    pub fn image(&self) -> &[String] {
        &self.image
    }

    /// A command of the engine.
    pub fn command(&self, verb: &[&str]) -> Command {
        let mut command = self.namespace.command(&self.words[0]);
        command.args(&self.words[1..]).args(verb);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The engine's program, which finds files from this directory.
    pub fn program_in(&self, directory: &Path) -> Command {
        let mut command = self.namespace.command("env");
        command.arg("--chdir").arg(directory).args(&self.words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Engine for CommandLine {
    fn start(&self, order: &Order) -> Result<Box<dyn Container + '_>, String> {
        let name = format!("tracer-tests-{}", MADE.fetch_add(1, Ordering::Relaxed));
        // The workload need not hear that it is asked to end.
        let mut command =
            self.command(&["run", "--detach", "--network=none", "--stop-signal=KILL"]);
        command.arg(format!("--name={name}")).arg(format!("--cgroup-parent={}", order.parent));
        command.arg(format!("--user={0}:{0}", order.user));
        if order.no_new_privs {
            command.arg("--security-opt=no-new-privileges");
        }
        let profile = order.profile.map_or("unconfined".into(), |path| path.display().to_string());
        command.arg(format!("--security-opt=seccomp={profile}"));
        command.args(&self.image).args(order.words);
        // Made first: a container that could not be started is removed as well.
        let started = Started { engine: self, name };
        succeed(&mut command)?;
        Ok(Box::new(started))
    }

    fn socket(&self) -> Option<&str> {
        self.words.iter().map(String::as_str).find(|word| word.starts_with("unix://"))
    }

    fn refusal(&self) -> i32 {
        self.refusal
    }
}

impl Started<'_> {
    fn executing(&self, verb: &[&str], user: Option<u32>) -> Command {
        let mut command = self.engine.command(verb);
        command.args(user.map(|user| format!("--user={user}:{user}")));
        command
    }
}

impl Container for Started<'_> {
    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn output(&self) -> String {
        let output = self.engine.command(&["logs"]).arg(&self.name).output();
        output.map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    }

    fn is_running(&self) -> bool {
        let mut command = self.engine.command(&["inspect", "--format={{.State.Running}}"]);
        succeed(command.arg(&self.name)).is_ok_and(|answer| answer.trim() == "true")
    }

    fn exec(&self, user: Option<u32>, words: &[&str]) -> Result<String, String> {
        succeed(self.executing(&["exec"], user).arg(&self.name).args(words))
    }

    fn exec_in_terminal(&self, user: Option<u32>, words: &[&str]) -> Result<String, String> {
        let mut command = self.executing(&["exec", "--tty"], user);
        succeed(&mut in_terminal(command.arg(&self.name).args(words)))
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if let Err(error) = succeed(self.engine.command(&["rm", "--force"]).arg(&self.name)) {
            eprintln!("{error}");
        }
    }
}

impl Drop for CommandLine {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.signal(Signal::TERM);
            holds_within(BOUND, || !daemon.is_running());
        }
    }
}
