//! The files that containerd is started with: its configuration, and a network plug-in.

use std::path::Path;

use serde_json::Value;

use crate::command_line::IMAGE;

/// A network plug-in that gives a pod its loopback interface and claims that it has an address.
pub const NETWORK: &str = r#"#!/bin/sh
version='"cniVersion": "0.4.0"'
case $CNI_COMMAND in
VERSION) echo "{ $version, \"supportedVersions\": [\"0.3.1\", \"0.4.0\"] }" ;;
ADD)
    busybox nsenter "--net=$CNI_NETNS" busybox ifconfig lo 127.0.0.1 up || exit
    echo "{ $version, \"interfaces\": [{ \"name\": \"$CNI_IFNAME\", \"sandbox\": \"$CNI_NETNS\" }],
        \"ips\": [{ \"version\": \"4\", \"interface\": 0, \"address\": \"127.0.0.1/8\" }] }"
    ;;
esac
"#;

/// The network that uses it.
pub const NETWORK_LIST: &str =
    r#"{ "cniVersion": "0.4.0", "name": "tests", "plugins": [{ "type": "loopback" }] }"#;

/// `restrict_oom_score_adj`: the pod's own process wants a score for which the machine may lack a
/// capability.
pub fn configuration(directory: &Path, runtime: &Path) -> String {
    let path = |name: &str| Value::from(directory.join(name).display().to_string());
    let cri = r#"[plugins."io.containerd.grpc.v1.cri""#;
    format!(
        r#"version = 2
root = {}
state = {}
[grpc]
address = {}
{cri}]
sandbox_image = "{IMAGE}"
restrict_oom_score_adj = true
disable_apparmor = true
{cri}.cni]
bin_dir = {}
conf_dir = {}
{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
{cri}.containerd.runtimes.runc.options]
BinaryName = {}
"#,
        path("root"),
        path("state"),
        path("containerd.sock"),
        path("plug-ins"),
        path("network"),
        Value::from(runtime.display().to_string()),
    )
}
