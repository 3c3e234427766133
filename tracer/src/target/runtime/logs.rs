//! The directories in which the kubelet keeps the logs of a node's containers. The names in them
//! are those of pods and containers, for nodes where no runtime can be asked (Kubernetes
//! `pkg/kubelet/kuberuntime/helpers.go`, `BuildPodLogsDirectory`, and `legacy.go`,
//! `legacyLogSymlink`).

use std::fs;
use std::path::Path;

use futures_util::future::{BoxFuture, ready};

use super::interface::{Endpoint, ListError, Runtime};
use crate::target::names::{self, Engine, PodUid};
use crate::target::owner;
use crate::target::pod::Pod;
use crate::target::report::{Container, ContainerState, RuntimeName, RuntimeReport};

/// The most entries of a directory that are read.
const MAX_ENTRIES: usize = 1 << 16;

/// The kubelet's log files, where no container runtime interface answers.
pub(super) struct KubeletLogs;

impl Runtime for KubeletLogs {
    fn name(&self) -> RuntimeName {
        RuntimeName::KubeletLogs
    }

    fn usual_addresses(&self) -> &'static [&'static str] {
        &["/var/log"]
    }

    fn stands_in_for(&self) -> Option<RuntimeName> {
        Some(RuntimeName::Cri)
    }

    fn list_containers<'a>(
        &'a self,
        endpoint: Endpoint<'a>,
    ) -> BoxFuture<'a, Result<RuntimeReport, ListError>> {
        Box::pin(ready(list(endpoint.address)))
    }
}

fn list(logs: &Path) -> Result<RuntimeReport, ListError> {
    let (pods, containers) = (entries(&logs.join("pods")), entries(&logs.join("containers")));
    if pods.is_none() && containers.is_none() {
        return Err(ListError::Absent);
    }
    let pods: Vec<Pod> = pods.unwrap_or_default().iter().filter_map(|name| pod(name)).collect();
    let containers = containers.unwrap_or_default();
    let containers = containers.iter().filter_map(|name| container(name, &pods)).collect();
    let home = owner::home_of_directory(logs);
    Ok(RuntimeReport { containers, pods, home, ..RuntimeReport::default() })
}

fn entries(directory: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(directory).ok()?;
    let names = entries.flatten().take(MAX_ENTRIES);
    Some(names.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// `NAMESPACE_POD_UID`
fn pod(directory: &str) -> Option<Pod> {
    let mut parts = directory.split('_');
    let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then(|| Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: PodUid::parse(uid),
    })
}

/// `POD_NAMESPACE_CONTAINER-ID.log`
fn container(link: &str, pods: &[Pod]) -> Option<Container> {
    let (name, id) = link.strip_suffix(".log")?.rsplit_once('-')?;
    let mut parts = name.split('_');
    let (pod, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !names::is_container_id(id) {
        return None;
    }
    let mut known = pods.iter().filter(|one| one.name == pod && one.namespace == namespace);
    // Of a pod that was made again under its name, the logs of the old one may be there as well.
    let uid = known.next().filter(|_| known.next().is_none()).and_then(|pod| pod.uid.clone());
    Some(Container {
        engine: Engine::Unknown,
        id: id.to_owned(),
        name: name.to_owned(),
        state: ContainerState::Unknown,
        pod: Some(Pod { namespace: namespace.to_owned(), name: pod.to_owned(), uid }),
        image: None,
    })
}
