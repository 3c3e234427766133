//! A namespace of Kubernetes' for one test, with what is in it. All of it is deleted with this
//! value.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tests::{Stop, holds_when_asked_each};

use crate::node::{BOUND, Node, PAUSE};

static MADE: AtomicU32 = AtomicU32::new(0);

/// See the module.
pub struct Space<'node> {
    /// The node that it is on.
    pub node: &'node Node,
    /// Its name.
    pub name: String,
}

impl<'node> Space<'node> {
    /// Makes it, and waits until pods can be made in it.
    pub fn new(node: &'node Node, label: &str) -> Result<Self, Stop> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Self::named(node, &format!("{label}-{number}"))
    }

    /// The same of a name that no other test gives.
    pub fn named(node: &'node Node, name: &str) -> Result<Self, Stop> {
        node.kubectl(&["create", "namespace", name])?;
        let space = Self { node, name: name.to_owned() };
        space.wait("its service account is there", |space| {
            space.kubectl(&["get", "serviceaccount", "default"]).is_ok()
        })?;
        Ok(space)
    }

    /// `NAMESPACE/REST`
    pub fn target(&self, rest: &str) -> String {
        format!("{}/{rest}", self.name)
    }

    /// kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.node.kubectl(&[&["--namespace", &self.name], arguments].concat())
    }

    /// What `kubectl get` says in JSON.
    pub fn get(&self, arguments: &[&str]) -> Result<Value, String> {
        self.node.get(&[&["--namespace", &self.name], arguments].concat())
    }

    /// Makes or changes what the document describes.
    pub fn apply(&self, document: &Value) -> Result<(), String> {
        let arguments = ["--namespace", &self.name, "apply", "--filename=-"];
        self.node.kubectl_reading(&arguments, &document.to_string()).map(drop)
    }

    /// Deletes something, such as `pod/web-0`, and waits until it is gone.
    pub fn delete(&self, what: &str) -> Result<(), String> {
        self.kubectl(&["delete", what, "--wait"]).map(drop)
    }

    /// Waits for a condition.
    pub fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) -> Result<(), String> {
        if holds_when_asked_each(PAUSE, BOUND, || condition(self)) {
            return Ok(());
        }
        let pods = self.kubectl(&["describe", "pods"]).unwrap_or_else(|story| story);
        Err(format!("waited {BOUND:?} in vain in the namespace {}: {what}\n{pods}", self.name))
    }

    /// Executes a program in a pod of a workload, and returns what it said. kubectl may choose a
    /// pod that is about to end: it is tried again then.
    pub fn exec(&self, workload: &str, program: &[&str]) -> Result<String, String> {
        let said = RefCell::new(Err(String::new()));
        self.wait(&format!("{program:?} is executed in {workload}"), |space| {
            *said.borrow_mut() = space.kubectl(&[&["exec", workload, "--"], program].concat());
            said.borrow().is_ok()
        })?;
        said.into_inner()
    }

    /// Waits until a pod is ready.
    pub fn wait_until_ready(&self, pod: &str) -> Result<(), String> {
        self.wait(&format!("{pod} is ready"), |space| space.is_ready(pod))
    }

    /// Waits until the only container of a pod has printed a word. Without a probe it is ready as
    /// soon as its runtime has begun to start it, and on a busy machine its program may run much
    /// later.
    pub fn wait_until_it_says(&self, pod: &str, word: &str) -> Result<(), String> {
        self.wait(&format!("{pod} says {word:?}"), |space| {
            space.kubectl(&["logs", pod]).is_ok_and(|said| said.contains(word))
        })
    }

    /// Whether a pod is ready now.
    pub fn is_ready(&self, pod: &str) -> bool {
        self.get(&["pod", pod]).is_ok_and(|pod| is_ready(&pod))
    }

    /// How often the containers of a pod were restarted.
    pub fn restarts(&self, pod: &str) -> u64 {
        let pod = self.get(&["pod", pod]).unwrap_or_default();
        let containers = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
        containers.filter_map(|container| container["restartCount"].as_u64()).sum()
    }

    /// Waits until all pods of a workload, such as `deployment/web`, are of its newest description
    /// and ready.
    pub fn wait_until_rolled(&self, workload: &str) -> Result<(), String> {
        let timeout = format!("--timeout={}s", BOUND.as_secs());
        self.kubectl(&["rollout", "status", workload, &timeout]).map(drop).map_err(|story| {
            let pods = self.kubectl(&["describe", "pods"]).unwrap_or_else(|story| story);
            format!("{story}\n{pods}")
        })
    }
}

impl Drop for Space<'_> {
    fn drop(&mut self) {
        let deleted = self.node.kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
        if let Err(story) = deleted {
            eprintln!("{story}");
        }
    }
}

/// Whether the pod says that it is ready.
fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == json!("True"))
}
