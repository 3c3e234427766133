//! Asks the API server once, before recording begins.

use super::client::Client;
use super::error::ApiError;
use super::owners::Owners;
use super::question::Question;
use super::{pods, workloads};
use crate::target::membership::{PodGroup, WorkloadState};
use crate::target::report::RuntimeReport;

/// What the API server reports before recording begins.
#[derive(Debug, Default)]
pub struct ClusterState {
    /// The pods.
    pub report: RuntimeReport,
    /// The state of each workload that the targets name by kind and name.
    pub states: Vec<(PodGroup, WorkloadState)>,
}

/// Asks once for everything, and makes sure that tracer is allowed to ask what it asks later.
///
/// # Errors
/// The API server cannot be reached or does not answer in time, or something is forbidden: what.
pub async fn look_up(question: &Question) -> Result<ClusterState, ApiError> {
    let client = Client::new(&question.access)?;
    let mut found = ClusterState::default();
    for (group, kind, name) in question.workloads() {
        let state = workloads::state(&client, &group.namespace, kind, name).await?;
        found.states.push((group.clone(), state));
    }
    let mut owners = Owners::new(question);
    for namespace in question.namespaces() {
        owners.check(&client, namespace).await?;
        let list = pods::list(&client, question, namespace, &mut owners).await?;
        pods::watch(&client, question, namespace, &list.version).await?;
        found.report.pods.extend(list.report.pods);
        found.report.facts.extend(list.report.facts);
    }
    Ok(found)
}
