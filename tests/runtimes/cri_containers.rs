//! What the container runtime interface takes for a container.

use std::path::Path;

use crate::command_line::IMAGE;
use crate::cri_api as api;
use crate::engine::Order;

/// What a pod's specification says of a container that is given little: all capabilities are
/// dropped but these, the root file system is read-only, no privileges can be gained, and the
/// runtime's default filter is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Confined<'a> {
    /// The image, whose program is run.
    pub image: &'a str,
    /// What the program is given.
    pub arguments: &'a [&'a str],
    /// The capabilities.
    pub capabilities: &'a [String],
    /// Directories of the host, the places where they are mounted, and whether they are read-only.
    pub mounts: &'a [(&'a Path, &'a str, bool)],
    /// The cgroup below which the container's own will be.
    pub parent: &'a str,
}

/// What the interface takes for an order.
pub fn container_config(order: &Order, name: &str, attempt: u32) -> api::ContainerConfig {
    let unconfined = api::SecurityProfile { profile_type: 1, localhost_ref: String::new() };
    let seccomp = order.profile.map_or(unconfined, |path| api::SecurityProfile {
        profile_type: 2,
        localhost_ref: path.display().to_string(),
    });
    let user = Some(api::Number { value: order.user.into() });
    let security_context = api::SecurityContext {
        run_as_user: user,
        run_as_group: user,
        no_new_privs: order.no_new_privs,
        seccomp: Some(seccomp),
        ..api::SecurityContext::default()
    };
    api::ContainerConfig {
        metadata: Some(api::ContainerMetadata { name: name.into(), attempt }),
        image: Some(api::Name { name: IMAGE.into() }),
        command: order.words.iter().map(|&word| word.to_owned()).collect(),
        log_path: format!("{name}-{attempt}.log"),
        linux: Some(api::LinuxContainerConfig { security_context: Some(security_context) }),
        ..api::ContainerConfig::default()
    }
}

/// The same for a container that is given little.
pub fn confined_config(wanted: &Confined, name: &str) -> api::ContainerConfig {
    let capabilities =
        api::Capabilities { add: wanted.capabilities.to_vec(), drop: vec!["ALL".into()] };
    let runtimes_default = api::SecurityProfile::default();
    let security_context = api::SecurityContext {
        capabilities: Some(capabilities),
        read_only_root: true,
        no_new_privs: true,
        seccomp: Some(runtimes_default),
        ..api::SecurityContext::default()
    };
    let mounts = wanted.mounts.iter().map(|&(host, place, read_only)| api::Mount {
        container_path: place.into(),
        host_path: host.display().to_string(),
        read_only,
    });
    api::ContainerConfig {
        metadata: Some(api::ContainerMetadata { name: name.into(), attempt: 0 }),
        image: Some(api::Name { name: wanted.image.into() }),
        arguments: wanted.arguments.iter().map(|&word| word.to_owned()).collect(),
        mounts: mounts.collect(),
        log_path: format!("{name}-0.log"),
        linux: Some(api::LinuxContainerConfig { security_context: Some(security_context) }),
        ..api::ContainerConfig::default()
    }
}
