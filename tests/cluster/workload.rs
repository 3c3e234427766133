//! Descriptions of pods, and of what makes pods.

use serde_json::{Value, json};

use crate::images::TOOLS;

/// A pod's `spec` with these containers, which ends within a second when it is asked to.
pub fn pod_spec(containers: &[Value]) -> Value {
    json!({ "terminationGracePeriodSeconds": 1, "dnsPolicy": "Default", "containers": containers })
}

/// A container that runs a line of the shell.
pub fn shell(name: &str, line: &str) -> Value {
    json!({ "name": name, "image": TOOLS, "command": ["sh", "-c", line] })
}

/// A container that serves its `/etc`, with a probe that executes another program in it.
pub fn server(name: &str) -> Value {
    json!({
        "name": name,
        "image": TOOLS,
        "command": ["httpd", "-f", "-h", "/etc"],
        "readinessProbe": {
            "exec": { "command": ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1/passwd"] },
            "periodSeconds": 1,
            "timeoutSeconds": 20,
        },
    })
}

/// A pod of that name.
pub fn pod(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": spec })
}

/// What makes so many such pods: a `Deployment`, `StatefulSet` or `DaemonSet`.
pub fn controller(kind: &str, name: &str, replicas: u32, spec: &Value) -> Value {
    let labels = json!({ "app": name });
    let mut document = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": { "name": name },
        "spec": {
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": spec },
        },
    });
    if kind != "DaemonSet" {
        document["spec"]["replicas"] = json!(replicas);
    }
    if kind == "StatefulSet" {
        document["spec"]["serviceName"] = json!(name);
    }
    document
}

/// A `Job` of so many pods, some at a time.
pub fn job(name: &str, pods: usize, spec: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": name },
        "spec": { "completions": pods, "parallelism": 5, "template": { "spec": spec } },
    })
}

/// A pod's `spec` under a seccomp profile: RuntimeDefault, or a file below the kubelet's directory.
pub fn under(mut spec: Value, profile: Profile) -> Value {
    spec["securityContext"]["seccompProfile"] = match profile {
        Profile::None => return spec,
        Profile::RuntimeDefault => json!({ "type": "RuntimeDefault" }),
        Profile::Localhost(file) => json!({ "type": "Localhost", "localhostProfile": file }),
    };
    spec
}

/// What a pod asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile<'file> {
    /// Nothing: this kubelet leaves its containers unconfined.
    None,
    /// The runtime's own.
    RuntimeDefault,
    /// A file of the node.
    Localhost(&'file str),
}
