//! The container runtime interface of Kubernetes (`runtime.v1`), as containerd, CRI-O and
//! cri-dockerd serve it: the few methods and fields of it that name containers.
//!
//! The messages are written out here because the crates that have all of them need a protobuf
//! compiler on the machine that builds. Field numbers are those of `api.proto` in `k8s.io/cri-api`.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::BoxFuture;
use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint as TonicEndpoint};
use tonic_prost::ProstCodec;

use super::interface::{Connection, Endpoint, ListError, OpenConnection, Runtime};
use crate::recording::MembershipSource;
use crate::target::cgroup::CgroupRoot;
use crate::target::membership::PodFacts;
use crate::target::names::{self, Engine, PodUid};
use crate::target::owner;
use crate::target::pod::Pod;
use crate::target::report::{Container, ContainerState, RuntimeName, RuntimeReport};
use crate::target::territory::Home;
use crate::text::escape;

/// The largest answer that is read, as the kubelet reads it (`maxMsgSize` of
/// `pkg/kubelet/cri/remote`).
const MAX_BYTES: usize = 16 << 20;

/// What the kubelet puts beside a pod's own labels (`newPodLabels` in
/// `pkg/kubelet/kuberuntime/labels.go`).
const KUBELETS_LABELS: [&str; 3] =
    ["io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid"];

/// `VersionRequest`, and requests without a filter.
#[derive(Clone, PartialEq, Message)]
struct Everything {}

/// `VersionResponse`
#[derive(Clone, PartialEq, Message)]
struct Version {
    #[prost(string, tag = "2")]
    runtime_name: String,
}

/// `ListPodSandboxResponse`
#[derive(Clone, PartialEq, Message)]
struct Sandboxes {
    #[prost(message, repeated, tag = "1")]
    items: Vec<Sandbox>,
}

/// `PodSandbox`
#[derive(Clone, PartialEq, Message)]
struct Sandbox {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "2")]
    metadata: Option<SandboxMetadata>,
    #[prost(btree_map = "string, string", tag = "5")]
    labels: BTreeMap<String, String>,
}

/// `PodSandboxMetadata`
#[derive(Clone, PartialEq, Message)]
struct SandboxMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

/// `ListContainersResponse`
#[derive(Clone, PartialEq, Message)]
struct Containers {
    #[prost(message, repeated, tag = "1")]
    containers: Vec<ListedContainer>,
}

/// `Container`
#[derive(Clone, PartialEq, Message)]
struct ListedContainer {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    pod_sandbox_id: String,
    /// `ContainerMetadata`
    #[prost(message, optional, tag = "3")]
    metadata: Option<Name>,
    /// `ImageSpec`
    #[prost(message, optional, tag = "4")]
    image: Option<Name>,
    #[prost(int32, tag = "6")]
    state: i32,
}

/// `ListImagesResponse`
#[derive(Clone, PartialEq, Message)]
struct Images {
    #[prost(message, repeated, tag = "1")]
    images: Vec<Image>,
}

/// `Image`
#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, repeated, tag = "2")]
    repo_tags: Vec<String>,
}

/// A message; tracer reads only its first field, a text.
#[derive(Clone, PartialEq, Message)]
struct Name {
    #[prost(string, tag = "1")]
    text: String,
}

/// The container runtime interface.
pub(super) struct Cri;

impl Runtime for Cri {
    fn name(&self) -> RuntimeName {
        RuntimeName::Cri
    }

    /// Those of containerd, CRI-O and cri-dockerd, and of the distributions of Kubernetes that
    /// bring a containerd of their own (k3s and RKE2, k0s, `MicroK8s`).
    fn usual_addresses(&self) -> &'static [&'static str] {
        &[
            "/run/containerd/containerd.sock",
            "/run/crio/crio.sock",
            "/run/cri-dockerd.sock",
            "/run/k3s/containerd/containerd.sock",
            "/run/k0s/containerd.sock",
            "/var/snap/microk8s/common/run/containerd.sock",
        ]
    }

    fn list_containers<'a>(
        &'a self,
        endpoint: Endpoint<'a>,
    ) -> BoxFuture<'a, Result<RuntimeReport, ListError>> {
        Box::pin(async move {
            if !endpoint.address.exists() {
                return Err(ListError::Absent);
            }
            let mut client = Client::open(endpoint.address).await.map_err(ListError::Failed)?;
            client.list().await.map_err(ListError::Failed)
        })
    }

    fn connect<'a>(&'a self, address: &'a Path) -> Option<BoxFuture<'a, Option<OpenConnection>>> {
        Some(Box::pin(async move {
            if !address.exists() {
                return None;
            }
            let client = Client::open(address).await.ok()?;
            Some(Box::new(client) as OpenConnection)
        }))
    }
}

/// A connection to a server of the interface.
struct Client {
    channel: Channel,
    engine: Engine,
    home: Option<Home>,
    /// Names of images by their ids; an empty one when the server does not name it.
    images: BTreeMap<String, String>,
}

impl Connection for Client {
    fn list_containers(&mut self) -> BoxFuture<'_, Result<RuntimeReport, String>> {
        Box::pin(self.list())
    }
}

impl Client {
    async fn open(socket: &Path) -> Result<Self, String> {
        let channel = connect(socket).await?;
        let version: Version = call(&channel, "Version").await?;
        let root = CgroupRoot::find(Path::new("/proc")).ok();
        let home = owner::home(root.as_ref(), socket).await;
        let (engine, images) = (engine(&version.runtime_name), BTreeMap::new());
        Ok(Self { channel, engine, home, images })
    }

    /// All pods and containers, those that do not run among them.
    async fn list(&mut self) -> Result<RuntimeReport, String> {
        let (sandboxes, mut containers) = tokio::try_join!(
            call::<Sandboxes>(&self.channel, "ListPodSandbox"),
            call::<Containers>(&self.channel, "ListContainers"),
        )?;
        self.name_images(&mut containers.containers).await;
        let report = assembled(self.engine, sandboxes.items, containers.containers);
        Ok(RuntimeReport { home: self.home.clone(), ..report })
    }

    /// The kubelet makes containers of images by their ids. Each is asked for once: names of
    /// containers must come soon.
    async fn name_images(&mut self, containers: &mut [ListedContainer]) {
        let image = |one: &ListedContainer| one.image.as_ref().map(|image| image.text.clone());
        let ids: Vec<String> = containers
            .iter()
            .filter_map(image)
            .filter(|text| text.starts_with("sha256:"))
            .collect();
        if ids.iter().any(|id| !self.images.contains_key(id)) {
            // A server without the image service names none.
            let images = call_service::<Images>(&self.channel, "ImageService", "ListImages").await;
            for Image { id, mut repo_tags } in images.unwrap_or_default().images {
                self.images.insert(id, repo_tags.drain(..).next().unwrap_or_default());
            }
            for id in ids {
                self.images.entry(id).or_default();
            }
        }
        for image in containers.iter_mut().filter_map(|one| one.image.as_mut()) {
            let name = self.images.get(&image.text).filter(|name| !name.is_empty());
            image.text = name.cloned().unwrap_or_else(|| std::mem::take(&mut image.text));
        }
    }
}

async fn connect(socket: &Path) -> Result<Channel, String> {
    let path = socket.to_str().ok_or("the path is not UTF-8")?;
    let endpoint = TonicEndpoint::from_shared(format!("unix://{path}"))
        .map_err(|error| escape(&error.to_string()).to_string())?;
    endpoint.connect().await.map_err(|error| story(&error))
}

async fn call<A>(channel: &Channel, method: &str) -> Result<A, String>
where
    A: Message + Default + 'static,
{
    call_service(channel, "RuntimeService", method).await
}

async fn call_service<A>(channel: &Channel, service: &str, method: &str) -> Result<A, String>
where
    A: Message + Default + 'static,
{
    let path: PathAndQuery = format!("/runtime.v1.{service}/{method}")
        .parse()
        .map_err(|_| "the method has no path".to_owned())?;
    let mut client = Grpc::new(channel.clone()).max_decoding_message_size(MAX_BYTES);
    client.ready().await.map_err(|error| story(&error))?;
    let codec = ProstCodec::<Everything, A>::default();
    let answer = client.unary(tonic::Request::new(Everything {}), path, codec).await;
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) if status.code() == tonic::Code::Unimplemented => Err(
            "it does not serve runtime.v1 of the container runtime interface: it is older, or not meant for Kubernetes"
                .to_owned(),
        ),
        Err(status) => Err(escape(&format!("{method}: {}", status.message())).into()),
    }
}

/// An error with its causes, on one line.
fn story(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    escape(&causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")).into()
}

fn engine(runtime: &str) -> Engine {
    match runtime {
        "containerd" => Engine::Containerd,
        "cri-o" => Engine::Crio,
        "docker" => Engine::Docker,
        _ => Engine::Unknown,
    }
}

/// Only ids of the right form are taken.
fn assembled(
    engine: Engine,
    sandboxes: Vec<Sandbox>,
    containers: Vec<ListedContainer>,
) -> RuntimeReport {
    let mut report = RuntimeReport::default();
    let mut known: Vec<(String, Pod)> = Vec::new();
    for Sandbox { id, metadata, mut labels } in sandboxes {
        let Some(SandboxMetadata { name, uid, namespace }) = metadata else { continue };
        if !names::is_container_id(&id) {
            continue;
        }
        labels.retain(|key, _| !KUBELETS_LABELS.contains(&key.as_str()));
        let facts = PodFacts { labels, owners: Vec::new(), source: MembershipSource::Labels };
        let uid = PodUid::parse(&uid);
        report.facts.extend(uid.clone().map(|uid| (uid, facts)));
        known.push((id, Pod { namespace, name, uid }));
    }
    let sandboxes = known;
    for container in containers {
        let pod = sandboxes.iter().find(|(id, _)| *id == container.pod_sandbox_id);
        if !names::is_container_id(&container.id) {
            continue;
        }
        report.containers.push(Container {
            engine,
            id: container.id,
            name: container.metadata.unwrap_or_default().text,
            state: state(container.state),
            pod: pod.map(|(_, pod)| pod.clone()),
            image: container.image.map(|image| image.text).filter(|image| !image.is_empty()),
        });
    }
    for (id, pod) in sandboxes {
        report.sandboxes.push(id);
        report.pods.push(pod);
    }
    report
}

/// `ContainerState`
fn state(number: i32) -> ContainerState {
    match number {
        0 => ContainerState::Created,
        1 => ContainerState::Running,
        2 => ContainerState::Exited,
        _ => ContainerState::Unknown,
    }
}
