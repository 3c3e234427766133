//! Which container a cgroup is, and what its pod is one of.

use serde::{Deserialize, Serialize};

use super::generated_names;

/// How many digits of an id people see.
const ID_SHOWN: usize = 12;

/// A container, by what its cgroup's name says and what its runtime reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerIdentity {
    /// What made it: `docker`, `podman`, `containerd`, `cri-o`, `nerdctl`; absent when no runtime
    /// reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// 64 hexadecimal digits.
    pub id: String,
    /// As its runtime calls it, in a pod as the pod does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace of its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The workload that its pod is of. Of a target that means a number of pods, and where the API
    /// server reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// The image that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The user other than root who may make cgroups where this one is: its name is that user's
    /// word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
}

/// What a pod is one of, and the source that said so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Workload {
    /// What made the pod, as the API server names such things: `Deployment`. Absent when it did not
    /// tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The source that said so.
    #[serde(rename = "told_by")]
    pub source: MembershipSource,
}

/// The source that says that a pod is a target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MembershipSource {
    /// By its name.
    Names,
    /// By the labels that the container runtime reported.
    Labels,
    /// By the API server.
    Api,
}

impl ContainerIdentity {
    /// What it is called: `NAMESPACE/POD/CONTAINER`, a name, or the id. Not escaped.
    pub fn label(&self) -> String {
        let name = self.name.clone().unwrap_or_else(|| self.id.clone());
        match (&self.namespace, &self.pod) {
            (Some(namespace), Some(pod)) => format!("{namespace}/{pod}/{name}"),
            _ => name,
        }
    }

    /// The same for a line of its own in a list: with an id of 12 digits, as `tracer list` shows it.
    pub fn short_label(&self) -> String {
        let mut id = self.id.clone();
        id.truncate(ID_SHOWN);
        Self { id, ..self.clone() }.label()
    }

    /// What it is called together with those of the other replicas of its pod:
    /// `NAMESPACE/WORKLOAD/CONTAINER`, or as it is by itself. Not escaped.
    pub fn workload_label(&self) -> String {
        let pod = self.made_by().map(str::to_owned);
        Self { pod, ..self.clone() }.label()
    }

    /// The name of what made its pod: as the API server reported, else by the pod's name.
    pub fn made_by(&self) -> Option<&str> {
        let pod = self.pod.as_deref();
        match &self.workload {
            Some(Workload { name: Some(name), .. }) => Some(name),
            // Nothing made it.
            Some(Workload { source: MembershipSource::Api, .. }) => pod,
            _ => pod.map(generated_names::workload),
        }
    }
}
