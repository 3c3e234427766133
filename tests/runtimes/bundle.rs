//! runc and crun by themselves, with OCI bundles.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{CONTAINER_CAPABILITIES, WORKER, temporary_directory};

use crate::engine::{Container, Engine, Order, in_terminal, succeed};
use crate::namespace::Namespace;

static MADE: AtomicU32 = AtomicU32::new(0);

/// How a container comes to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// `run`
    Run,
    /// `create`, then `start`
    CreateAndStart,
}

/// A low-level runtime.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The program.
    pub program: PathBuf,
    /// Where it works.
    pub namespace: Arc<Namespace>,
    /// The file system of its containers; they do not change it.
    pub root: PathBuf,
    /// How it starts them.
    pub start: Start,
    /// Whether it runs under a filter that allows everything.
    pub under_filter: bool,
}

/// A container of a [`Runtime`], with its bundle.
#[derive(Debug)]
pub struct Bundle {
    runtime: Runtime,
    directory: TempDir,
    id: String,
}

impl Engine for Runtime {
    fn start(&self, order: &Order) -> Result<Box<dyn Container + '_>, String> {
        let bundle = self.bundle(order)?;
        bundle.start()?;
        Ok(Box::new(bundle))
    }

    fn with_user_namespace(&self) -> Option<Box<dyn Engine + '_>> {
        Some(Box::new(InUserNamespace(self)))
    }
}

/// A low-level runtime whose containers have a user namespace each.
struct InUserNamespace<'a>(&'a Runtime);

impl Engine for InUserNamespace<'_> {
    fn start(&self, order: &Order) -> Result<Box<dyn Container + '_>, String> {
        let bundle = self.0.bundle(order)?;
        bundle.edit(|spec| {
            let linux = &mut spec["linux"];
            let namespaces = linux["namespaces"].as_array_mut().expect("namespaces");
            namespaces.push(json!({ "type": "user" }));
            let mapping = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
            linux["uidMappings"] = mapping.clone();
            linux["gidMappings"] = mapping;
        });
        bundle.start()?;
        Ok(Box::new(bundle))
    }
}

impl Runtime {
    /// A bundle for the container, not started yet.
    pub fn bundle(&self, order: &Order) -> Result<Bundle, String> {
        let directory = temporary_directory();
        let id = format!("container-{}", MADE.fetch_add(1, Ordering::Relaxed));
        for name in ["rootfs", "upper", "work"] {
            fs::create_dir(directory.path().join(name)).expect("a directory of the bundle is made");
        }
        let mut spec = self.namespace.command(&self.program);
        succeed(spec.args(["spec", "--bundle"]).arg(directory.path()))?;
        let bundle = Bundle { runtime: self.clone(), directory, id };
        bundle.edit(|spec| fill(spec, order, &bundle.id));
        bundle.mount()?;
        Ok(bundle)
    }
}

/// Writes the order into a configuration that `spec` made.
fn fill(spec: &mut Value, order: &Order, id: &str) {
    spec["root"]["readonly"] = json!(false);
    let process = &mut spec["process"];
    process["terminal"] = json!(false);
    process["args"] = json!(order.words);
    process["user"] = json!({ "uid": order.user, "gid": order.user });
    process["noNewPrivileges"] = json!(order.no_new_privs);
    process["capabilities"] = json!({ "bounding": CONTAINER_CAPABILITIES, "effective": CONTAINER_CAPABILITIES, "permitted": CONTAINER_CAPABILITIES });
    process.as_object_mut().expect("an object").remove("rlimits");
    let linux = &mut spec["linux"];
    linux["cgroupsPath"] = json!(format!("{}/{id}", order.parent));
    // Limits need controllers and capabilities that the machine may not have.
    linux.as_object_mut().expect("an object").remove("resources");
    if let Some(profile) = order.profile {
        let text = fs::read_to_string(profile).expect("the profile can be read");
        linux["seccomp"] = serde_json::from_str(&text).expect("the profile is JSON");
    }
}

impl Bundle {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Changes its configuration.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path("config.json");
        let text = fs::read_to_string(&path).expect("the configuration is there");
        let mut spec = serde_json::from_str(&text).expect("it is JSON");
        change(&mut spec);
        fs::write(&path, spec.to_string()).expect("the configuration is written");
    }

    /// Where the configuration is.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs a program on the root file system's directory, where the runtime works.
    pub fn run_on_root(&self, program: &str, words: &[&str]) -> Result<(), String> {
        let mut command = self.runtime.namespace.command(program);
        succeed(command.args(words).arg(self.path("rootfs"))).map(drop)
    }

    fn mount(&self) -> Result<(), String> {
        let [upper, work, target] = ["upper", "work", "rootfs"].map(|name| self.path(name));
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.runtime.root.display(),
            upper.display(),
            work.display()
        );
        let mut command = self.runtime.namespace.command("mount");
        command.args(["-t", "overlay", "overlay", "-o", &layers]).arg(target);
        succeed(&mut command).map(drop)
    }

    /// Starts the container.
    pub fn start(&self) -> Result<(), String> {
        match self.runtime.start {
            Start::Run => self.launch(&["run", "--detach"]),
            Start::CreateAndStart => {
                self.launch(&["create"])?;
                succeed(self.command(&["start"]).arg(&self.id)).map(drop)
            }
        }
    }

    /// Runs the command that makes the container, with the container's output in a file.
    fn launch(&self, verb: &[&str]) -> Result<(), String> {
        let mut command = self.command(verb);
        command.arg("--bundle").arg(self.directory.path()).arg(&self.id);
        let output = File::create(self.path("output")).expect("the output file is made");
        let copy = output.try_clone().expect("the output file is opened twice");
        let status = command.stdin(Stdio::null()).stdout(output).stderr(copy).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("{command:?}: {other:?}\n{}", self.output())),
        }
    }

    fn command(&self, verb: &[&str]) -> Command {
        let Runtime { namespace, program, under_filter, .. } = &self.runtime;
        let mut command = if *under_filter {
            let mut command = namespace.command(WORKER);
            command.arg("filtered").arg(program);
            command
        } else {
            namespace.command(program)
        };
        command.arg("--root").arg(self.path("state")).args(verb);
        command
    }
}

impl Bundle {
    fn executing(&self, verb: &[&str], user: Option<u32>) -> Command {
        let mut command = self.command(verb);
        command.args(user.map(|user| format!("--user={user}:{user}")));
        command
    }
}

impl Container for Bundle {
    fn output(&self) -> String {
        fs::read(self.path("output"))
            .map_or_else(|_| String::new(), |text| String::from_utf8_lossy(&text).into_owned())
    }

    fn is_running(&self) -> bool {
        let state = succeed(self.command(&["state"]).arg(&self.id)).unwrap_or_default();
        let state: Value = serde_json::from_str(&state).unwrap_or_default();
        state["status"] == "running"
    }

    fn exec(&self, user: Option<u32>, words: &[&str]) -> Result<String, String> {
        succeed(self.executing(&["exec"], user).arg(&self.id).args(words))
    }

    fn exec_in_terminal(&self, user: Option<u32>, words: &[&str]) -> Result<String, String> {
        let mut command = self.executing(&["exec", "--tty"], user);
        succeed(&mut in_terminal(command.arg(&self.id).args(words)))
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = self.command(&["delete"]).args(["--force", &self.id]).output();
        let unmounted = succeed(self.runtime.namespace.command("umount").arg(self.path("rootfs")));
        if let Err(error) = unmounted {
            eprintln!("{error}");
        }
    }
}

/// Whether the runtime can start a container here.
pub fn probe(runtime: &Runtime, parent: &str) -> Result<(), String> {
    let order =
        Order { words: &["/worker", "probe"], user: 0, no_new_privs: true, profile: None, parent };
    runtime
        .start(&order)
        .map(drop)
        .map_err(|error| format!("{} cannot start a container: {error}", name(&runtime.program)))
}

fn name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
