//! The container runtimes that tracer knows.

use super::cri::Cri;
use super::docker_api::{DOCKER, PODMAN};
use super::interface::Runtime;
use super::logs::KubeletLogs;
use super::storage::PodmanStorage;

/// All of them. For a container that several report, those that stand first win.
pub(super) static RUNTIMES: [&dyn Runtime; 5] =
    [&Cri, &DOCKER, &PODMAN, &PodmanStorage, &KubeletLogs];
