//! The question to the API server: which pods, and with which access. Pure.

use super::access::Access;
use crate::target::membership::PodGroup;
use crate::target::workload::{Pods, WorkloadKind};

/// A question to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The API server, and the credentials for it.
    pub access: Access,
    /// The pods of the targets.
    pub groups: Vec<PodGroup>,
    /// The name of this node; without it, pods of all nodes are asked for.
    pub node: Option<String>,
}

impl Question {
    /// The namespaces that are asked for, each once.
    pub fn namespaces(&self) -> Vec<&str> {
        let mut namespaces: Vec<&str> =
            self.groups.iter().map(|group| group.namespace.as_str()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces
    }

    /// What made pods of a kind has to be looked up in a namespace: names and labels do not prove
    /// it.
    pub(super) fn needs(&self, namespace: &str, wanted: WorkloadKind) -> bool {
        self.workloads().any(|(group, kind, _)| kind == wanted && group.namespace == namespace)
    }

    /// The workloads that the targets name by kind and name.
    pub(super) fn workloads(&self) -> impl Iterator<Item = (&PodGroup, WorkloadKind, &str)> {
        self.groups.iter().filter_map(|group| match &group.pods {
            Pods::Of { kind, name } => Some((group, *kind, name.as_str())),
            Pods::Beginning(_) => None,
        })
    }
}
