//! Containers of runc and crun, from OCI bundles.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{BOUND, CONTAINER_CAPABILITIES, GROUND_TRUTH, WORKER, temporary_directory, wait_until};

/// How a container is made.
#[derive(Clone, Copy, Debug)]
pub struct Order<'order> {
    /// The runtime's program.
    pub runtime: &'order Path,
    /// The cgroup above its own.
    pub parent: &'order str,
    /// The profile that it runs under.
    pub profile: Option<&'order Path>,
    /// Whether no_new_privs is set.
    pub no_new_privs: bool,
    /// Whether it is created first and started then.
    pub in_two_steps: bool,
}

/// A container that works and then idles. Dropping it ends and removes it.
#[derive(Debug)]
pub struct Container {
    runtime: PathBuf,
    directory: TempDir,
}

/// The one id: each container has a state of its own.
const ID: &str = "container";

impl Container {
    /// Starts it and waits until its work is done.
    pub fn start(order: &Order<'_>) -> Self {
        let directory = temporary_directory();
        let container = Self { runtime: order.runtime.to_owned(), directory };
        container.make_root();
        let mut spec = Command::new(order.runtime);
        succeed(spec.arg("spec").current_dir(container.directory.path()));
        container.configure(order);
        if order.in_two_steps {
            container.launch(&["create"]);
            succeed(&mut container.command(&["start", ID]));
        } else {
            container.launch(&["run", "--detach"]);
        }
        wait_until("the container's work is done", BOUND, || {
            container.output().lines().any(|line| line == "workload done")
        });
        container
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn make_root(&self) {
        let root = self.path("rootfs");
        for name in ["", "dev", "proc", "sys", "tmp", "etc"] {
            fs::create_dir(root.join(name)).expect("a directory of the container is made");
        }
        for (program, name) in [(WORKER, "worker"), (GROUND_TRUTH, "ground_truth")] {
            fs::copy(program, root.join(name)).expect("a program is copied");
        }
    }

    fn configure(&self, order: &Order<'_>) {
        let path = self.path("config.json");
        let text = fs::read_to_string(&path).expect("the configuration is there");
        let mut spec: Value = serde_json::from_str(&text).expect("it is JSON");
        spec["root"]["readonly"] = json!(false);
        let process = &mut spec["process"];
        process["terminal"] = json!(false);
        process["args"] = json!(["/worker", "work"]);
        process["noNewPrivileges"] = json!(order.no_new_privs);
        process["capabilities"] = json!({
            "bounding": CONTAINER_CAPABILITIES, "effective": CONTAINER_CAPABILITIES, "permitted": CONTAINER_CAPABILITIES,
        });
        let linux = &mut spec["linux"];
        linux["cgroupsPath"] = json!(format!("{}/{ID}", order.parent));
        if let Some(profile) = order.profile {
            let text = fs::read_to_string(profile).expect("the profile can be read");
            linux["seccomp"] = serde_json::from_str(&text).expect("the profile is JSON");
        }
        fs::write(&path, spec.to_string()).expect("the configuration is written");
    }

    /// Runs the command that makes the container, with the container's output in a file.
    fn launch(&self, words: &[&str]) {
        let output = File::create(self.path("output")).expect("the output file is made");
        let copy = output.try_clone().expect("the output file is opened twice");
        let mut command = self.command(words);
        command.arg("--bundle").arg(self.directory.path()).arg(ID);
        let status = command.stdin(Stdio::null()).stdout(output).stderr(copy).status();
        let ended_well = status.as_ref().is_ok_and(ExitStatus::success);
        assert!(ended_well, "{command:?}: {status:?}\n{}", self.output());
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.runtime);
        command.arg("--root").arg(self.path("state")).args(words);
        command
    }

    /// What it wrote so far.
    fn output(&self) -> String {
        fs::read_to_string(self.path("output")).unwrap_or_default()
    }

    /// Executes a command in it: what it wrote to its standard output, when it ended well.
    pub fn execute(&self, words: &[&str]) -> Result<String, String> {
        run(self.command(&["exec", ID]).args(words))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.command(&["delete", "--force", ID]).output();
    }
}

fn succeed(command: &mut Command) {
    run(command).unwrap_or_else(|story| panic!("{story}"));
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{said}{complaint}", output.status))
}
