//! Asks whether a workload exists, and whether it wants any pods.

use super::client::Client;
use super::error::ApiError;
use super::objects::{self, Object};
use super::request::{Request, Resource};
use crate::target::membership::WorkloadState;
use crate::target::workload::WorkloadKind;

/// Names that are read to find one that is alike.
const NAMES: &str = "500";

pub(super) async fn state(
    client: &Client,
    namespace: &str,
    kind: WorkloadKind,
    name: &str,
) -> Result<WorkloadState, ApiError> {
    let [newest, older @ ..] = Resource::of(kind) else { return Ok(WorkloadState::Present) };
    let mut state = of_resource(client, *newest, namespace, name).await;
    for resource in older {
        if let Err(ApiError::NotServed { .. }) = &state {
            state = of_resource(client, *resource, namespace, name).await;
        }
    }
    state
}

async fn of_resource(
    client: &Client,
    resource: Resource,
    namespace: &str,
    name: &str,
) -> Result<WorkloadState, ApiError> {
    let named =
        Request::list(resource, namespace).with("fieldSelector", format!("metadata.name={name}"));
    let found = ask(client, &Request { is_partial: false, ..named }).await?;
    if let Some(found) = found.first() {
        return Ok(if wants_none(found) { WorkloadState::Idle } else { WorkloadState::Present });
    }
    let others = ask(client, &Request::list(resource, namespace).with("limit", NAMES)).await?;
    Ok(WorkloadState::Absent(others.into_iter().map(|one| one.metadata.name).collect()))
}

async fn ask(client: &Client, request: &Request) -> Result<Vec<Object>, ApiError> {
    let bytes = client.ask(request).await?;
    let list = objects::list(&bytes).map_err(|why| client.answered(request, &why))?;
    Ok(list.items.unwrap_or_default())
}

/// It is scaled to 0, suspended, or fits no node.
fn wants_none(object: &Object) -> bool {
    let spec = object.spec.as_ref();
    let status = object.status.as_ref();
    spec.is_some_and(|spec| spec.replicas == Some(0) || spec.suspend == Some(true))
        || status.is_some_and(|status| status.desired_number_scheduled == Some(0))
}
