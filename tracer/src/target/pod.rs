//! A pod, as whoever told of it names it. Pure.

/// A pod of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID as the cgroups spell it; of a static pod the hash of its configuration.
    pub uid: String,
}

impl Pod {
    /// As `--cgroup` takes it: `NAMESPACE/NAME`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}
