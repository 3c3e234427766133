//! The pods of a namespace: listed once, then watched.

use super::client::{Client, Lines, WATCH_SECONDS};
use super::error::ApiError;
use super::objects::{self, Metadata};
use super::owners::Owners;
use super::question::Question;
use super::request::{Request, Resource};
use crate::recording::MembershipSource;
use crate::target::membership::PodFacts;
use crate::target::names::PodUid;
use crate::target::pod::Pod;
use crate::target::report::RuntimeReport;

/// Pods that are asked for at once.
const PAGE: &str = "500";
/// Most parts of one list.
const MAX_PAGES: usize = 400;
/// The annotation whose value the kubelet uses in place of a static pod's UID, in the names of
/// cgroups and of directories of logs (`pkg/kubelet/types/pod_update.go`).
const STATIC_UID: &str = "kubernetes.io/config.hash";

/// All pods, as of a version.
pub(super) struct PodList {
    pub(super) report: RuntimeReport,
    pub(super) version: String,
}

pub(super) async fn list(
    client: &Client,
    question: &Question,
    namespace: &str,
    owners: &mut Owners<'_>,
) -> Result<PodList, ApiError> {
    let (mut report, mut more) = (RuntimeReport::default(), String::new());
    for _ in 0..MAX_PAGES {
        let mut request =
            of_node(Request::list(Resource::PODS, namespace), question).with("limit", PAGE);
        if !more.is_empty() {
            request = request.with("continue", more);
        }
        let bytes = client.ask(&request).await?;
        let part = objects::list(&bytes).map_err(|why| client.answered(&request, &why))?;
        for object in part.items.into_iter().flatten() {
            add_to(client, owners, &object.metadata, &mut report).await?;
        }
        more = part.metadata.more;
        if more.is_empty() {
            return Ok(PodList { report, version: part.metadata.resource_version });
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

/// Adds a pod, with its labels and owners, to a report.
pub(super) async fn add_to(
    client: &Client,
    owners: &mut Owners<'_>,
    pod: &Metadata,
    report: &mut RuntimeReport,
) -> Result<(), ApiError> {
    let labels = pod.labels.clone().unwrap_or_default();
    let owners = owners.of(client, pod).await?;
    let uid = pod.annotations.iter().flatten().find(|(key, _)| *key == STATIC_UID);
    let uid = PodUid::parse(uid.map_or(&pod.uid, |(_, hash)| hash));
    let facts = PodFacts { labels, owners, source: MembershipSource::Api };
    report.facts.extend(uid.clone().map(|uid| (uid, facts)));
    report.pods.push(Pod { namespace: pod.namespace.clone(), name: pod.name.clone(), uid });
    Ok(())
}

fn of_node(request: Request, question: &Question) -> Request {
    match &question.node {
        Some(node) => request.with("fieldSelector", format!("spec.nodeName={node}")),
        None => request,
    }
}
