//! The pods of a namespace: listed once, then watched.

use super::client::{Client, Lines, WATCH_SECONDS};
use super::error::ApiError;
use super::objects::{self, Metadata};
use super::owners::Owners;
use super::question::Question;
use super::request::{Request, Resource};
use crate::recording::ToldBy;
use crate::target::inventory::{Pod, Told};
use crate::target::membership::PodFacts;

/// Pods that are asked for at once.
const PAGE: &str = "500";
/// Most parts of one list.
const MAX_PAGES: usize = 400;
/// What the kubelet calls a static pod by, in the names of cgroups and of folders of logs (`pkg/kubelet/types/pod_update.go`).
const STATIC_UID: &str = "kubernetes.io/config.hash";

/// All pods, as of a version.
pub(super) struct Listed {
    pub(super) told: Told,
    pub(super) version: String,
}

pub(super) async fn list(
    client: &Client,
    question: &Question,
    namespace: &str,
    owners: &mut Owners<'_>,
) -> Result<Listed, ApiError> {
    let (mut told, mut more) = (Told::default(), String::new());
    for _ in 0..MAX_PAGES {
        let mut request =
            of_node(Request::list(Resource::PODS, namespace), question).with("limit", PAGE);
        if !more.is_empty() {
            request = request.with("continue", more);
        }
        let bytes = client.ask(&request).await?;
        let part = objects::list(&bytes).map_err(|why| client.answered(&request, &why))?;
        for object in part.items.into_iter().flatten() {
            take(client, owners, &object.metadata, &mut told).await?;
        }
        more = part.metadata.more;
        if more.is_empty() {
            return Ok(Listed { told, version: part.metadata.resource_version });
        }
    }
    Err(client.answered(&Request::list(Resource::PODS, namespace), "there are too many"))
}

/// Changes from a version on.
pub(super) async fn watch<'a>(
    client: &'a Client,
    question: &Question,
    namespace: &str,
    version: &str,
) -> Result<Lines<'a>, ApiError> {
    let request = Request { verb: "watch", ..Request::list(Resource::PODS, namespace) };
    let request = of_node(request, question)
        .with("watch", "true")
        .with("allowWatchBookmarks", "true")
        .with("timeoutSeconds", WATCH_SECONDS.to_string())
        .with("resourceVersion", version);
    client.watch(&request).await
}

/// What is known of a pod.
pub(super) async fn take(
    client: &Client,
    owners: &mut Owners<'_>,
    pod: &Metadata,
    told: &mut Told,
) -> Result<(), ApiError> {
    let labels = pod.labels.clone().unwrap_or_default();
    let owners = owners.of(client, pod).await?;
    let uid = pod.annotations.iter().flatten().find(|(key, _)| *key == STATIC_UID);
    let uid = uid.map_or(&pod.uid, |(_, hash)| hash).clone();
    told.facts.push((uid.clone(), PodFacts { labels, owners, told_by: ToldBy::Api }));
    told.pods.push(Pod { namespace: pod.namespace.clone(), name: pod.name.clone(), uid });
    Ok(())
}

fn of_node(request: Request, question: &Question) -> Request {
    match &question.node {
        Some(node) => request.with("fieldSelector", format!("spec.nodeName={node}")),
        None => request,
    }
}
