//! The sockets of container runtimes, as they are typed.

use std::path::PathBuf;

use clap::Args;

use super::values::parse_socket;

/// Where container runtimes are asked for the names of their containers.
#[derive(Debug, Args)]
pub struct Sockets {
    /// Docker's socket, to ask for names of containers (default: `DOCKER_HOST`, or the usual
    /// socket)
    #[arg(long, value_name = "unix://PATH", value_parser = parse_socket)]
    pub docker_host: Option<PathBuf>,
    /// Podman's socket, to ask for names of containers (default: `CONTAINER_HOST`, or the usual
    /// socket)
    #[arg(long, value_name = "unix://PATH", value_parser = parse_socket)]
    pub podman_host: Option<PathBuf>,
    /// Socket of the container runtime of Kubernetes, to ask for names of pods (repeatable;
    /// default: `CONTAINER_RUNTIME_ENDPOINT`, or the usual sockets)
    #[arg(long, value_name = "unix://PATH", value_parser = parse_socket)]
    pub cri_endpoint: Vec<PathBuf>,
}
