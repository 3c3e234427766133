//! A pod, as a runtime, the kubelet or the API server names it. Pure.

use super::names::PodUid;

/// A pod of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID as the cgroups spell it; of a static pod the hash of its configuration. None when it
    /// is not known, or has not the form of a UID: then no cgroup of the pod is found by it.
    pub uid: Option<PodUid>,
}

impl Pod {
    /// As `--cgroup` takes it: `NAMESPACE/NAME`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}
