//! Options that say which pods are meant, and who of the cluster is asked.

use std::path::PathBuf;

use clap::Args;

/// Which pods of a namespace are meant, and whether the API server of Kubernetes is asked.
#[derive(Clone, Debug, Default, Args)]
pub struct Cluster {
    /// Of the pods that each TARGET means (NAMESPACE/*, NAMESPACE/web-*, NAMESPACE/deployment/NAME), only those with these labels, as
    /// for kubectl: app=web,tier!=cache
    #[arg(long, short = 'l', value_name = "LABELS", requires = "targets")]
    pub selector: Option<String>,
    /// Ask the API server which pods are a workload's: as --kubeconfig or KUBECONFIG says, else as the service account of the
    /// pod that tracer runs in
    #[arg(long, requires = "targets")]
    pub ask_api: bool,
    /// Ask the API server, and find it and the credentials in this file
    #[arg(long, value_name = "FILE", requires = "targets")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of that file, when it is not the current one
    #[arg(long, value_name = "NAME", requires = "targets")]
    pub context: Option<String>,
    /// The name that this node has in the cluster: only its pods are asked for
    #[arg(long, value_name = "NODE", requires = "targets")]
    pub node_name: Option<String>,
}
