//! Options that say which pods are meant, and who of the cluster is asked.

use std::path::PathBuf;

use clap::Args;

/// Which pods of a namespace are meant, and whether the API server of Kubernetes is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct Cluster {
    /// Watch only the pods with these labels, as for kubectl: app=web,tier!=cache. For a TARGET
    /// that means several pods (NAMESPACE/*, NAMESPACE/web-*, NAMESPACE/deployment/NAME)
    #[arg(long, short = 'l', value_name = "LABELS", requires = "targets")]
    pub selector: Option<String>,
    /// Ask the API server which pods belong to a workload. Uses --kubeconfig, KUBECONFIG, or the
    /// service account of tracer's pod
    #[arg(long, requires = "targets")]
    pub ask_api: bool,
    /// Ask the API server; FILE names it and holds the credentials
    #[arg(long, value_name = "FILE", requires = "targets")]
    pub kubeconfig: Option<PathBuf>,
    /// Context in that file (default: its current one)
    #[arg(long, value_name = "NAME", requires = "targets")]
    pub context: Option<String>,
    /// Name of this node in the cluster: ask only for its pods
    #[arg(long, value_name = "NODE", requires = "targets")]
    pub node_name: Option<String>,
}
