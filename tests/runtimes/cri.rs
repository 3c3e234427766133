//! containerd through the interface that Kubernetes uses, with profiles of the node (`Localhost`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tests::{BOUND, Running, holds_within, temporary_folder};

use crate::command_line::IMAGE;
use crate::cri_api::{self as api, call};
use crate::engine::{Container, Engine, Order, succeed};
use crate::namespace::Namespace;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A containerd of its own.
pub struct Containerd {
    socket: PathBuf,
    daemon: Running,
    folder: TempDir,
}

/// A pod. Dropping it ends and removes it with its containers.
pub struct Pod<'a> {
    containerd: &'a Containerd,
    id: String,
    config: api::PodConfig,
}

/// A container in a pod of its own.
struct Started<'a> {
    pod: Pod<'a>,
    container: String,
    name: String,
}

/// A network plug-in that gives a pod its loopback interface and claims that it has an address.
const NETWORK: &str = r#"#!/bin/sh
version='"cniVersion": "0.4.0"'
case $CNI_COMMAND in
VERSION) echo "{ $version, \"supportedVersions\": [\"0.3.1\", \"0.4.0\"] }" ;;
ADD)
    nsenter "--net=$CNI_NETNS" busybox ifconfig lo 127.0.0.1 up || exit
    echo "{ $version, \"interfaces\": [{ \"name\": \"$CNI_IFNAME\", \"sandbox\": \"$CNI_NETNS\" }],
        \"ips\": [{ \"version\": \"4\", \"interface\": 0, \"address\": \"127.0.0.1/8\" }] }"
    ;;
esac
"#;

const NETWORK_LIST: &str =
    r#"{ "cniVersion": "0.4.0", "name": "tests", "plugins": [{ "type": "loopback" }] }"#;

impl Containerd {
    /// Starts it with this low-level runtime, and loads the image.
    pub fn new(
        [containerd, ctr, runtime]: [&Path; 3],
        namespace: &Arc<Namespace>,
        image: &Path,
    ) -> Result<Self, String> {
        let folder = temporary_folder();
        let path = |name: &str| folder.path().join(name);
        for name in ["network", "plug-ins", "logs"] {
            fs::create_dir(path(name)).expect("a folder is made");
        }
        let plug_in = path("plug-ins").join("loopback");
        fs::write(&plug_in, NETWORK).expect("the plug-in is written");
        fs::set_permissions(&plug_in, fs::Permissions::from_mode(0o755)).expect("executable");
        fs::write(path("network").join("tests.conflist"), NETWORK_LIST).expect("written");
        let configuration = configuration(folder.path(), runtime);
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
        let mut import = namespace.command(ctr);
        import.arg("--address").arg(&socket).args(["--namespace=k8s.io", "images", "import"]);
        succeed(import.arg(image))?;
        Ok(Self { socket, daemon, folder })
    }

    fn call<Q, A>(&self, method: &str, request: Q) -> Result<A, String>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        call(&self.socket, method, request)
    }
}

/// `restrict_oom_score_adj`: the pod's own process wants a score for which the machine may lack a capability.
fn configuration(folder: &Path, runtime: &Path) -> String {
    let path = |name: &str| Value::from(folder.join(name).display().to_string());
    let cri = r#"[plugins."io.containerd.grpc.v1.cri""#;
    format!(
        r#"version = 2
root = {}
state = {}
[grpc]
address = {}
{cri}]
sandbox_image = "{IMAGE}"
restrict_oom_score_adj = true
disable_apparmor = true
{cri}.cni]
bin_dir = {}
conf_dir = {}
{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
{cri}.containerd.runtimes.runc.options]
BinaryName = {}
"#,
        path("root"),
        path("state"),
        path("containerd.sock"),
        path("plug-ins"),
        path("network"),
        Value::from(runtime.display().to_string()),
    )
}

impl Containerd {
    /// A pod in a namespace that nothing else uses, with a UID as Kubernetes makes them.
    pub fn pod(&self, cgroup_parent: impl FnOnce(&str) -> String) -> Result<Pod<'_>, String> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let uid = format!("{:08x}-0000-4000-8000-{number:012x}", std::process::id());
        let config = api::PodConfig {
            metadata: Some(api::PodMetadata {
                name: format!("pod-{number}"),
                uid: uid.clone(),
                namespace: "tracer-tests".into(),
            }),
            log_directory: self.folder.path().join("logs").display().to_string(),
            linux: Some(api::LinuxPodConfig { cgroup_parent: cgroup_parent(&uid) }),
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
        let request = api::CreateContainer {
            pod: self.id.clone(),
            config: Some(container_config(order, name, attempt)),
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

    /// The state of a container: 1 running, 2 ended.
    pub fn state(&self, container: &str) -> Option<i32> {
        let request = api::Id { id: container.to_owned() };
        let answer: Result<api::StatusResponse, _> =
            self.containerd.call("ContainerStatus", request);
        Some(answer.ok()?.status?.state)
    }

    /// Starts a container, waits until it has ended, and removes it.
    pub fn run_to_its_end(&self, container: &str) -> Result<(), String> {
        self.start(container)?;
        if !holds_within(BOUND, || self.state(container) == Some(2)) {
            return Err(format!("the container {container} does not end"));
        }
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
        let pod = self.pod(|uid| format!("{}/pod{uid}", order.parent))?;
        let name = pod.metadata().name.clone();
        // From here on the pod is removed whatever happens.
        let container = pod.create(&name, 0, order)?;
        pod.start(&container)?;
        Ok(Box::new(Started { pod, container, name }))
    }

    fn socket(&self) -> Option<&str> {
        self.socket.to_str()
    }

    fn executes_as_user(&self) -> bool {
        false
    }
}

fn container_config(order: &Order, name: &str, attempt: u32) -> api::ContainerConfig {
    let unconfined = api::SecurityProfile { profile_type: 1, localhost_ref: String::new() };
    let seccomp = order.profile.map_or(unconfined, |path| api::SecurityProfile {
        profile_type: 2,
        localhost_ref: path.display().to_string(),
    });
    let user = Some(api::Number { value: order.user.into() });
    let security_context = api::SecurityContext {
        run_as_user: user,
        run_as_group: user,
        no_new_privs: order.no_new_privs,
        seccomp: Some(seccomp),
    };
    api::ContainerConfig {
        metadata: Some(api::ContainerMetadata { name: name.into(), attempt }),
        image: Some(api::Name { name: IMAGE.into() }),
        command: order.words.iter().map(|&word| word.to_owned()).collect(),
        log_path: format!("{name}-{attempt}.log"),
        linux: Some(api::LinuxContainerConfig { security_context: Some(security_context) }),
    }
}

impl Container for Started<'_> {
    fn output(&self) -> String {
        let log = Path::new(&self.pod.config.log_directory).join(format!("{}-0.log", self.name));
        fs::read_to_string(log).unwrap_or_default()
    }

    fn is_running(&self) -> bool {
        self.pod.state(&self.container) == Some(1)
    }

    fn exec(&self, user: Option<u32>, words: &[&str]) -> Result<String, String> {
        assert_eq!(user, None, "the interface takes no user");
        self.pod.exec(&self.container, words)
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
