//! The API server of Kubernetes, where the user lets tracer ask it: which object made a pod, which
//! labels a pod has, and whether a workload exists.
//!
//! tracer asks for the metadata of pods only (`PartialObjectMetadata`), of the namespaces that
//! targets name, and of this node when its name is known. It uses `list` and `watch`, and nothing
//! else. Every answer is bounded in time and in bytes. Answers are data: a pod is tied to a cgroup
//! by its UID alone.

mod access;
mod client;
mod error;
mod kubeconfig;
mod look_up;
mod objects;
mod owners;
mod pods;
mod question;
mod request;
mod tls;
mod watch;
mod workloads;

pub use self::access::{Access, Credentials, Trust};
pub use self::error::{AccessError, ApiError};
pub use self::look_up::{ClusterState, look_up};
pub use self::question::Question;
pub use self::watch::{ClusterUpdate, watch};
