//! The day of docs/kubernetes.md: its commands are taken out of the file, and run one after the
//! other as they stand there. Only names are others: of the image that has a shell, and how long is
//! watched.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::PoisonError;

use libtest_mimic::Trial;
use serde_json::Value;
use tempfile::TempDir;
use tests::deployment::{DAEMONSET, PROFILES};
use tests::{Running, Stop, temporary_directory, tool};

use crate::cases::Cases;
use crate::daemonset::empty;
use crate::images::TOOLS;
use crate::node::Node;
use crate::space::Space;
use crate::workload::{controller, pod_spec, server};

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    vec![cases.trial("day::every_command_of_the_docs", every_command_of_the_docs)]
}

const DOCS: &str = include_str!("../../docs/kubernetes.md");
/// What is typed in the docs, and what is in its place here.
const NAMES: [(&str, &str); 2] = [("busybox:stable", TOOLS), ("--duration 10m", "--duration 20s")];
/// The headings with commands: each is checked.
const HEADINGS: [&str; 8] =
    ["Record", "Record", "Look", "Put it on the nodes", "Patch", "Watch", "Watch", "Take back"];
/// Pods of the workload.
const REPLICAS: u32 = 2;
const INSTALLED: &str = "/var/lib/kubelet/seccomp/profiles/web.json";
const RESULT: &str = "/var/lib/tracer/profile.recording.json";

fn every_command_of_the_docs(node: &Node) -> Result<(), Stop> {
    let steps = steps(DOCS);
    let headings: Vec<&str> = steps.iter().map(|(heading, _)| *heading).collect();
    assert_eq!(headings, HEADINGS, "what is run is checked below");
    let _turn = node.daemonset.lock().unwrap_or_else(PoisonError::into_inner);
    empty(node);
    let day = Day::new(node)?;
    let space = Space::named(node, "shop")?;
    space.apply(&controller("Deployment", "web", REPLICAS, &pod_spec(&[server("web")])))?;
    space.wait_until_rolled("deployment/web")?;
    let mut steps = steps.into_iter().map(|(_, script)| script);
    let mut next = || steps.next().expect("the headings were counted");

    day.run(&next())?;
    space.exec("deployment/web", &["date"])?;
    day.run(&next())?;
    let said = day.run(&next())?;
    assert!(said.contains("complete: nothing was lost"), "{said}");
    day.run(&next())?;
    let (made, installed) = (day.file("web.json"), fs::read(node.path(INSTALLED)));
    assert_eq!(installed.expect("the profile is on the node"), made);
    day.run(&next())?;
    assert_eq!(profile_of(&space)?, "profiles/web.json");
    day.watch(&space, &next())?;
    day.run(&next())?;
    day.run(&next())?;
    assert_eq!(profile_of(&space)?, Value::Null, "the workload is as it was");
    assert!(node.kubectl(&["get", "namespace", "tracer"]).is_err(), "all of it is gone");
    assert!(node.path(RESULT).exists(), "what was recorded stays");
    fs::remove_file(node.path(INSTALLED)).expect("it can be removed");
    Ok(())
}

/// The headings and the scripts of the blocks of shell.
fn steps(text: &str) -> Vec<(&str, String)> {
    let (mut heading, mut steps, mut script) = ("", Vec::new(), None);
    for line in text.lines() {
        match (&mut script, line) {
            (None, "```sh") => script = Some(String::new()),
            (Some(_), "```") => steps.extend(script.take().map(|script| (heading, script))),
            (Some(script), line) => *script += &format!("{line}\n"),
            (None, line) => heading = line.strip_prefix("## ").unwrap_or(heading),
        }
    }
    assert!(script.is_none(), "the last block ends");
    steps
}

/// The file that the workload's pods name.
fn profile_of(space: &Space) -> Result<Value, String> {
    let deployment = space.get(&["deployment", "web"])?;
    let context = &deployment["spec"]["template"]["spec"]["securityContext"];
    Ok(context["seccompProfile"]["localhostProfile"].clone())
}

/// Where somebody sits and types: the directory that is handed out, in the node.
struct Day<'node> {
    node: &'node Node,
    directory: TempDir,
}

impl<'node> Day<'node> {
    fn new(node: &'node Node) -> Result<Self, String> {
        let directory = temporary_directory();
        let (deploy, programs) = (directory.path().join("deploy"), directory.path().join("bin"));
        for directory in [&deploy, &programs] {
            fs::create_dir(directory).map_err(|error| error.to_string())?;
        }
        for (name, text) in [("daemonset.yaml", DAEMONSET), ("profiles.yaml", PROFILES)] {
            fs::write(deploy.join(name), adapted(text)).map_err(|error| error.to_string())?;
        }
        // The node has next to no tools.
        let busybox = programs.join("busybox");
        fs::copy(tool("busybox")?, &busybox).map_err(|error| error.to_string())?;
        for name in ["grep", "sed"] {
            std::os::unix::fs::symlink("busybox", programs.join(name)).expect("a link is made");
        }
        Ok(Self { node, directory })
    }

    fn command(&self, script: &str) -> Command {
        let directory = self.directory.path().display();
        let line =
            format!("set -e\ncd {directory}\nPATH=$PATH:{directory}/bin\n{}", adapted(script));
        let mut command = self.node.command("sh");
        command.args(["-c", &line]);
        command
    }

    /// Runs a block, and returns all that was said.
    fn run(&self, script: &str) -> Result<String, String> {
        let output = self.command(script).stdin(Stdio::null()).output();
        let Output { status, stdout, stderr } = output.map_err(|error| error.to_string())?;
        let said = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let said = said.concat();
        if status.success() { Ok(said) } else { Err(format!("{script}{status}\n{said}")) }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.directory.path().join(name)).expect("the file was made")
    }

    /// Runs the block that watches, while the workload is restarted and used as it was; then while
    /// it is used in another way.
    fn watch(&self, space: &Space, script: &str) -> Result<(), String> {
        // Pods from before the patch have no profile, and end some time after the new ones are
        // ready.
        space.wait("only pods with the profile are left", |space| {
            let pods = space.get(&["pods"]).unwrap_or_default();
            pods["items"].as_array().is_some_and(|pods| pods.len() == REPLICAS as usize)
        })?;
        let watching = self.start_watching(script)?;
        space.kubectl(&["rollout", "restart", "deployment/web"])?;
        space.wait_until_rolled("deployment/web")?;
        space.exec("deployment/web", &["date"])?;
        let (code, said) = ended(watching);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("nothing was denied"), "{said}");
        let watching = self.start_watching(script)?;
        space.exec("deployment/web", &["/worker", "probe", "symlink"])?;
        let (code, said) = ended(watching);
        assert!(code == Some(4) && said.contains("symlink"), "{code:?}: {said}");
        Ok(())
    }

    fn start_watching(&self, script: &str) -> Result<Running, String> {
        let mut watching = Running::start(&mut self.command(script));
        let says = tests::holds_within(crate::node::BOUND, || {
            watching.stderr().contains("verifying") || !watching.is_running()
        });
        if says && watching.is_running() { Ok(watching) } else { Err(watching.stderr()) }
    }
}

fn ended(watching: Running) -> (Option<i32>, String) {
    let finished = watching.finish();
    let said = [finished.stdout, finished.stderr].concat();
    (finished.status.code(), String::from_utf8_lossy(&said).into_owned())
}

impl Drop for Day<'_> {
    fn drop(&mut self) {
        let delete = ["delete", "--ignore-not-found", "--filename=-"];
        if let Err(story) = self.node.kubectl_reading(&delete, DAEMONSET) {
            eprintln!("{story}");
        }
    }
}

fn adapted(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (docs, here)| text.replace(docs, here))
}
