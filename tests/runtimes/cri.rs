//! containerd through the interface that Kubernetes uses, with profiles of the node (`Localhost`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;
use tempfile::TempDir;
use tests::{BOUND, Running, holds_within, temporary_directory};

use crate::cri_api::{self as api, call};
use crate::cri_containers::{Confined, confined_config, container_config};
use crate::cri_files::{NETWORK, NETWORK_LIST, configuration};
use crate::engine::{Container, Engine, Order, in_terminal, succeed};
use crate::namespace::Namespace;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A containerd of its own.
pub struct Containerd {
    ctr: PathBuf,
    namespace: Arc<Namespace>,
    socket: PathBuf,
    daemon: Running,
    directory: TempDir,
}

/// A pod. Dropping it ends and removes it with its containers.
pub struct Pod<'a> {
    containerd: &'a Containerd,
    id: String,
    config: api::PodConfig,
}

/// A container in a pod of its own.
pub struct Started<'a> {
    pod: Pod<'a>,
    container: String,
    name: String,
}

impl Containerd {
    /// Starts it with this low-level runtime, and loads the image.
    pub fn new(
        [containerd, ctr, runtime]: [&Path; 3],
        namespace: &Arc<Namespace>,
        image: &Path,
    ) -> Result<Self, String> {
        let directory = temporary_directory();
        let path = |name: &str| directory.path().join(name);
        for name in ["network", "plug-ins", "logs"] {
            fs::create_dir(path(name)).expect("a directory is made");
        }
        let plug_in = path("plug-ins").join("loopback");
        tests::write_program(&plug_in, NETWORK);
        fs::write(path("network").join("tests.conflist"), NETWORK_LIST).expect("written");
        let configuration = configuration(directory.path(), runtime);
        fs::write(path("config.toml"), configuration).expect("the configuration is written");
        let mut command = namespace.command(containerd);
        command.arg("--config").arg(path("config.toml"));
        let socket = path("containerd.sock");
        let mut daemon = Running::start(&mut command);
        let answers = || call::<_, api::Empty>(&socket, "Version", api::Empty {}).is_ok();
        let alive = holds_within(BOUND, || answers() || !daemon.is_running());
        if !alive || !daemon.is_running() {
            return Err(format!("containerd does not answer; it said:\n{}", daemon.stderr()));
        }
        let (ctr, namespace) = (ctr.to_owned(), Arc::clone(namespace));
        let made = Self { ctr, namespace, socket, daemon, directory };
        made.import(image)?;
        Ok(made)
    }

    /// Loads an image from an archive.
    pub fn import(&self, archive: &Path) -> Result<(), String> {
        let mut import = self.namespace.command(&self.ctr);
        import.arg("--address").arg(&self.socket).args(["--namespace=k8s.io", "images", "import"]);
        succeed(import.arg(archive)).map(drop)
    }

    /// Starts a container as the kubelet starts one that is given little.
    pub fn start_confined(&self, wanted: &Confined) -> Result<Started<'_>, String> {
        self.launch(|_| wanted.parent.to_owned(), |name| confined_config(wanted, name))
    }

    /// Starts a container in a pod of its own, both with this name.
    fn launch(
        &self,
        cgroup_parent: impl FnOnce(&str) -> String,
        config: impl FnOnce(&str) -> api::ContainerConfig,
    ) -> Result<Started<'_>, String> {
        // From here on the pod is removed whatever happens.
        let pod = self.pod(cgroup_parent)?;
        let name = pod.metadata().name.clone();
        let container = pod.create_as(config(&name))?;
        pod.start(&container)?;
        Ok(Started { pod, container, name })
    }

    fn call<Q, A>(&self, method: &str, request: Q) -> Result<A, String>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        call(&self.socket, method, request)
    }
}

impl Containerd {
    /// A pod in a namespace that nothing else uses, with a UID as Kubernetes makes them.
    pub fn pod(&self, cgroup_parent: impl FnOnce(&str) -> String) -> Result<Pod<'_>, String> {
        self.pod_of("pod", "", cgroup_parent)
    }

    /// The same, named after what made it: `WORKLOAD-SUFFIX`, with a number in the place of an
    /// empty suffix.
    pub fn pod_of(
        &self,
        workload: &str,
        suffix: &str,
        cgroup_parent: impl FnOnce(&str) -> String,
    ) -> Result<Pod<'_>, String> {
        self.make_pod(workload, suffix, cgroup_parent, None)
    }

    /// The same, with its pause container under the runtime's default filter, as every kubelet
    /// wants it.
    pub fn pod_under_default(
        &self,
        workload: &str,
        suffix: &str,
        cgroup_parent: impl FnOnce(&str) -> String,
    ) -> Result<Pod<'_>, String> {
        let context = api::PodSecurityContext { seccomp: Some(api::SecurityProfile::default()) };
        self.make_pod(workload, suffix, cgroup_parent, Some(context))
    }

    fn make_pod(
        &self,
        workload: &str,
        suffix: &str,
        cgroup_parent: impl FnOnce(&str) -> String,
        security_context: Option<api::PodSecurityContext>,
    ) -> Result<Pod<'_>, String> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let uid = format!("{:08x}-0000-4000-8000-{number:012x}", std::process::id());
        let config = api::PodConfig {
            metadata: Some(api::PodMetadata {
                name: if suffix.is_empty() {
                    format!("{workload}-{number}")
                } else {
                    format!("{workload}-{suffix}")
                },
                uid: uid.clone(),
                namespace: "tracer-tests".into(),
            }),
            log_directory: self.directory.path().join("logs").display().to_string(),
            linux: Some(api::LinuxPodConfig {
                cgroup_parent: cgroup_parent(&uid),
                security_context,
            }),
        };
        let request = api::RunPod { config: Some(config.clone()) };
        let pod: api::Id = self.call("RunPodSandbox", request)?;
        Ok(Pod { containerd: self, id: pod.id, config })
    }
}

impl Pod<'_> {
    fn metadata(&self) -> &api::PodMetadata {
        self.config.metadata.as_ref().expect("it has a name")
    }

    /// `NAMESPACE/NAME`
    pub fn path(&self) -> String {
        format!("{}/{}", self.metadata().namespace, self.metadata().name)
    }

    /// Its UID.
    pub fn uid(&self) -> &str {
        &self.metadata().uid
    }

    /// The id of its pause container.
    pub fn sandbox(&self) -> &str {
        &self.id
    }

    /// Makes a container, the so manieth of that name, and does not start it; its id.
    pub fn create(&self, name: &str, attempt: u32, order: &Order) -> Result<String, String> {
        self.create_as(container_config(order, name, attempt))
    }

    /// The same, under the runtime's default filter.
    pub fn create_under_default(
        &self,
        name: &str,
        attempt: u32,
        order: &Order,
    ) -> Result<String, String> {
        let mut config = container_config(order, name, attempt);
        let linux = config.linux.as_mut().and_then(|linux| linux.security_context.as_mut());
        linux.expect("it has one").seccomp = Some(api::SecurityProfile::default());
        self.create_as(config)
    }

    /// What the so manieth container of that name wrote so far.
    pub fn log(&self, name: &str, attempt: u32) -> String {
        let log = Path::new(&self.config.log_directory).join(format!("{name}-{attempt}.log"));
        fs::read_to_string(log).unwrap_or_default()
    }

    /// The kubelet names an image by its id.
    fn create_as(&self, mut config: api::ContainerConfig) -> Result<String, String> {
        let found: api::Images = self.containerd.call("ImageService/ListImages", api::Empty {})?;
        if let Some(image) = &mut config.image {
            let mut known = found.images.iter();
            let known = known.find(|known| known.repo_tags.contains(&image.name));
            image.name = known.ok_or_else(|| format!("no image {}", image.name))?.id.clone();
        }
        let request = api::CreateContainer {
            pod: self.id.clone(),
            config: Some(config),
            pod_config: Some(self.config.clone()),
        };
        let container: api::Id = self.containerd.call("CreateContainer", request)?;
        Ok(container.id)
    }

    /// Starts a container.
    pub fn start(&self, container: &str) -> Result<(), String> {
        let request = api::Id { id: container.to_owned() };
        self.containerd.call::<_, api::Empty>("StartContainer", request).map(drop)
    }

    fn status(&self, container: &str) -> Result<api::Status, String> {
        let request = api::Id { id: container.to_owned() };
        let answer: api::StatusResponse = self.containerd.call("ContainerStatus", request)?;
        answer.status.ok_or_else(|| "the container has no status".into())
    }

    /// The state of a container: 1 running, 2 ended.
    pub fn state(&self, container: &str) -> Option<i32> {
        self.status(container).ok().map(|status| status.state)
    }

    /// Starts a container, waits until it has ended, and removes it.
    pub fn run_to_its_end(&self, container: &str) -> Result<(), String> {
        self.run(container)?;
        self.remove(container)
    }

    /// Starts a container, and waits until it has ended.
    pub fn run(&self, container: &str) -> Result<(), String> {
        self.start(container)?;
        if holds_within(BOUND, || self.state(container) == Some(2)) {
            return Ok(());
        }
        Err(format!("the container {container} does not end"))
    }

    /// Removes a container that has ended.
    pub fn remove(&self, container: &str) -> Result<(), String> {
        let request = api::Id { id: container.to_owned() };
        self.containerd.call::<_, api::Empty>("RemoveContainer", request).map(drop)
    }

    /// Executes a program in a container.
    pub fn exec(&self, container: &str, words: &[&str]) -> Result<String, String> {
        let request = api::ExecSync {
            container: container.to_owned(),
            command: words.iter().map(|&word| word.to_owned()).collect(),
            timeout: BOUND.as_secs().cast_signed(),
        };
        let answer: api::ExecSyncResponse = self.containerd.call("ExecSync", request)?;
        let [stdout, stderr] =
            [answer.stdout, answer.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        match answer.exit_code {
            0 => Ok(stdout),
            code => Err(format!("{words:?}: exit code {code}\n{stdout}{stderr}")),
        }
    }
}

impl Engine for Containerd {
    fn start(&self, order: &Order) -> Result<Box<dyn Container + '_>, String> {
        let cgroup = |uid: &str| format!("{}/pod{uid}", order.parent);
        let started = self.launch(cgroup, |name| container_config(order, name, 0))?;
        Ok(Box::new(started))
    }

    fn socket(&self) -> Option<&str> {
        self.socket.to_str()
    }

    fn executes_as_user(&self) -> bool {
        false
    }
}

impl Started<'_> {
    /// Asks it to end, as the kubelet does, and returns its exit code.
    pub fn stop(&self) -> Result<i32, String> {
        let container = self.container.clone();
        let request = api::StopContainer { container, timeout: BOUND.as_secs().cast_signed() };
        self.pod.containerd.call::<_, api::Empty>("StopContainer", request)?;
        self.pod.status(&self.container).map(|status| status.exit_code)
    }
}

impl Container for Started<'_> {
    fn output(&self) -> String {
        self.pod.log(&self.name, 0)
    }

    fn is_running(&self) -> bool {
        self.pod.state(&self.container) == Some(1)
    }

    fn exec(&self, user: Option<u32>, words: &[&str]) -> Result<String, String> {
        assert_eq!(user, None, "the interface takes no user");
        self.pod.exec(&self.container, words)
    }

    /// With containerd's own client: the interface serves terminals over the network.
    fn exec_in_terminal(&self, user: Option<u32>, words: &[&str]) -> Result<String, String> {
        let containerd = self.pod.containerd;
        let mut command = containerd.namespace.command(&containerd.ctr);
        command.arg("--address").arg(&containerd.socket).arg("--namespace=k8s.io");
        command.args(["tasks", "exec", "--tty"]);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        command.arg(format!("--exec-id=terminal-{number}"));
        command.args(user.map(|user| format!("--user={user}:{user}")));
        succeed(&mut in_terminal(command.arg(&self.container).args(words)))
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        for method in ["StopPodSandbox", "RemovePodSandbox"] {
            let request = api::Id { id: self.id.clone() };
            if let Err(error) = self.containerd.call::<_, api::Empty>(method, request) {
                eprintln!("{error}");
            }
        }
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.daemon.signal(Signal::TERM);
        holds_within(BOUND, || !self.daemon.is_running());
    }
}
