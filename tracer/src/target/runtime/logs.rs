//! The folders in which the kubelet keeps the logs of a node's containers: their names tell those of pods and containers where no
//! runtime can be asked (Kubernetes `pkg/kubelet/kuberuntime/helpers.go`, `BuildPodLogsDirectory`, and `legacy.go`,
//! `legacyLogSymlink`).

use std::fs;
use std::path::Path;

use crate::target::inventory::{Container, ContainerState, Pod, Told};
use crate::target::names::{self, Engine};
use crate::target::owner;

/// The most entries of a folder that are read.
const MAX_ENTRIES: usize = 1 << 16;

/// All pods and containers. The error is None when there are no such folders.
pub(super) fn told(folder: &Path) -> Result<Told, Option<String>> {
    let (pods, containers) = (entries(&folder.join("pods")), entries(&folder.join("containers")));
    if pods.is_none() && containers.is_none() {
        return Err(None);
    }
    let pods: Vec<Pod> = pods.unwrap_or_default().iter().filter_map(|name| pod(name)).collect();
    let containers = containers.unwrap_or_default();
    let containers = containers.iter().filter_map(|name| container(name, &pods)).collect();
    let home = owner::home_of_folder(folder);
    Ok(Told { containers, pods, home, ..Told::default() })
}

fn entries(folder: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(folder).ok()?;
    let names = entries.flatten().take(MAX_ENTRIES);
    Some(names.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// `NAMESPACE_POD_UID`
fn pod(folder: &str) -> Option<Pod> {
    let mut parts = folder.split('_').map(str::to_owned);
    let pod = Pod { namespace: parts.next()?, name: parts.next()?, uid: parts.next()? };
    parts.next().is_none().then_some(pod)
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
    let uid = known.next().filter(|_| known.next().is_none()).map(|pod| pod.uid.clone());
    Some(Container {
        engine: Engine::Unknown,
        id: id.to_owned(),
        name: name.to_owned(),
        state: ContainerState::Unknown,
        pod: Some(Pod {
            namespace: namespace.to_owned(),
            name: pod.to_owned(),
            uid: uid.unwrap_or_default(),
        }),
        image: None,
    })
}
