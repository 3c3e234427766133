//! tracer as docs/kubernetes.md says: the `DaemonSet`, unchanged but for the target, and what it
//! leaves on the node.
//!
//! There is one on a node, as its results are in one directory: who starts one waits for the one
//! before.

use std::fs;
use std::process::Stdio;
use std::sync::{MutexGuard, PoisonError};

use serde_json::Value;
use tests::deployment::DAEMONSET;
use tests::{Running, holds_within};

use crate::images::TRACER;
use crate::node::{BOUND, Node};
use crate::results::Results;

const NAMESPACE: &str = "tracer";
/// Where the manifest lets it write.
const RESULTS: &str = "/var/lib/tracer";
/// The target in the file that is shipped.
const TARGET: &str = "            - NAMESPACE/POD\n";

/// A `DaemonSet` that records. Dropping it deletes it.
pub struct DaemonSet<'node> {
    node: &'node Node,
    manifest: String,
    /// Says what tracer says.
    log: Running,
    /// Says what becomes of every container of the node.
    events: Running,
    /// The id of its own.
    container: String,
    is_deleted: bool,
    _turn: MutexGuard<'node, ()>,
}

/// What a recording by the `DaemonSet` left.
pub struct Recorded {
    /// What tracer said.
    pub log: String,
    /// Its exit status.
    pub status: i64,
    /// The files that it left on the node.
    pub results: Results,
}

impl<'node> DaemonSet<'node> {
    /// Starts one that is given these arguments after its target, and waits until it records.
    pub fn start(node: &'node Node, target: &str, arguments: &[&str]) -> Result<Self, String> {
        // A test that failed while it held the lock has deleted its own.
        let turn = node.daemonset.lock().unwrap_or_else(PoisonError::into_inner);
        let manifest = manifest(target, arguments);
        empty(node);
        let events = Running::start(node.command("ctr").args(["--namespace=k8s.io", "events"]));
        node.kubectl_reading(&["apply", "--filename=-"], &manifest)?;
        let log = Running::start(&mut node.command("true"));
        let container = String::new();
        let mut started =
            Self { node, manifest, log, events, container, is_deleted: false, _turn: turn };
        started.wait_until_recording()?;
        Ok(started)
    }

    fn wait_until_recording(&mut self) -> Result<(), String> {
        let rolled = ["--namespace", NAMESPACE, "rollout", "status", "daemonset/tracer"];
        let timeout = format!("--timeout={}s", BOUND.as_secs());
        self.node.kubectl(&[&rolled[..], &[&timeout]].concat())?;
        let pods = self.node.get(&["--namespace", NAMESPACE, "pods"])?;
        let id = pods["items"][0]["status"]["containerStatuses"][0]["containerID"].as_str();
        let id = id.and_then(|id| id.strip_prefix("containerd://"));
        self.container = id.ok_or("the pod has no container")?.to_owned();
        let mut follow = self.node.command("kubectl");
        follow.args(["--namespace", NAMESPACE, "logs", "--follow", "daemonset/tracer"]);
        self.log = Running::start(follow.stdin(Stdio::null()));
        let says = || self.log.stdout().lines().any(|line| line.starts_with("recording"));
        if holds_within(BOUND, says) {
            return Ok(());
        }
        Err(format!("tracer does not record; it said:\n{}", self.log.stdout()))
    }

    /// Deletes it, which ends the recording, and collects what is there.
    pub fn delete(mut self) -> Result<Recorded, String> {
        self.remove()?;
        let log = &mut self.log;
        holds_within(BOUND, || !log.is_running());
        let log = self.log.stdout();
        // The pod may be gone before the API server hears how it ended; its runtime knows it in any
        // case.
        let mut status = None;
        holds_within(BOUND, || {
            status = exit_status(&self.events.stdout(), &self.container);
            status.is_some()
        });
        let status = status.ok_or_else(|| format!("no exit status; tracer said:\n{log}"))?;
        Ok(Recorded { log, status, results: Results::read(&self.node.path(RESULTS)) })
    }

    fn remove(&mut self) -> Result<(), String> {
        self.is_deleted = true;
        self.node.kubectl_reading(&["delete", "--filename=-"], &self.manifest).map(drop)
    }
}

impl Drop for DaemonSet<'_> {
    fn drop(&mut self) {
        if !self.is_deleted
            && let Err(story) = self.remove()
        {
            eprintln!("{story}");
        }
    }
}

impl Recorded {
    /// Asserts that tracer ended with this status.
    pub fn exits(self, status: i64) -> Self {
        assert_eq!(self.status, status, "tracer said:\n{}", self.log);
        self
    }

    /// Asserts that tracer said every one of the parts.
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.log.contains(part), "no {part:?} in what tracer said:\n{}", self.log);
        }
        self
    }
}

/// The file that is shipped, with another target, and arguments after it.
fn manifest(target: &str, arguments: &[&str]) -> String {
    assert!(DAEMONSET.contains(TARGET), "the manifest names its target in one line");
    assert!(DAEMONSET.contains(TRACER), "the manifest names the image of the tests");
    let words = [target].into_iter().chain(arguments.iter().copied());
    let lines: String = words.map(|word| format!("            - {word:?}\n")).collect();
    DAEMONSET.replace(TARGET, &lines)
}

/// Removes what an earlier one left.
pub fn empty(node: &Node) {
    let directory = node.path(RESULTS);
    for name in tests::file_names(&directory) {
        fs::remove_file(directory.join(name)).expect("it can be removed");
    }
}

/// The exit status of a container's first process among the lines `TIME NAMESPACE TOPIC JSON` of
/// containerd's events. None that is 0 is in the JSON.
fn exit_status(events: &str, container: &str) -> Option<i64> {
    let ends = events.lines().filter_map(|line| line.split_once(" /tasks/exit "));
    let mut ends = ends.filter_map(|(_, json)| serde_json::from_str::<Value>(json).ok());
    let end = ends.find(|end| end["id"] == container)?;
    Some(end["exit_status"].as_i64().unwrap_or(0))
}
