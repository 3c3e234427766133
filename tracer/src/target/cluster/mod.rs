//! The API server of Kubernetes, where the user lets it be asked: what made a pod, which labels it has, and whether a workload
//! is there at all.
//!
//! Only the metadata of pods are asked for (`PartialObjectMetadata`), of the namespaces that targets name, and of this node when
//! its name is known. Whatever is asked is asked with `list` or `watch`. Every answer is bounded in time and in bytes, and what
//! it says is data: a pod is tied to a cgroup by its UID alone.

mod access;
mod client;
mod error;
mod follow;
mod kubeconfig;
mod objects;
mod owners;
mod pods;
mod question;
mod request;
mod tls;
mod workloads;

pub use self::access::{Access, Credentials, Trust};
pub use self::error::{AccessError, ApiError};
pub use self::follow::{Heard, follow};
pub use self::question::Question;

use self::client::Client;
use self::owners::Owners;
use super::inventory::Told;
use super::membership::{Group, WorkloadState};

/// What the API server said before recording begins.
#[derive(Debug, Default)]
pub struct Found {
    /// The pods.
    pub told: Told,
    /// What is known of the workloads that are meant by kind and name.
    pub states: Vec<(Group, WorkloadState)>,
}

/// Asks once for everything, and makes sure that all that will be asked later is allowed.
///
/// # Errors
/// The API server cannot be reached or does not answer in time, or something is forbidden: what.
pub async fn look_up(question: &Question) -> Result<Found, ApiError> {
    let client = Client::new(&question.access)?;
    let mut found = Found::default();
    for (group, kind, name) in question.workloads() {
        let state = workloads::state(&client, &group.namespace, kind, name).await?;
        found.states.push((group.clone(), state));
    }
    let mut owners = Owners::new(question);
    for namespace in question.namespaces() {
        owners.check(&client, namespace).await?;
        let list = pods::list(&client, question, namespace, &mut owners).await?;
        pods::watch(&client, question, namespace, &list.version).await?;
        found.told.pods.extend(list.told.pods);
        found.told.facts.extend(list.told.facts);
    }
    Ok(found)
}
