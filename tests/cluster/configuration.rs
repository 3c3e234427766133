//! The configuration of the node's components: files, and the words of their command lines.

use serde_json::json;

/// The address of the node, which its pods can reach.
const NODE: &str = "10.87.0.1";
/// The first address of services is that of the API server. It is the node's as well, so that no
/// proxy is needed.
const API_SERVER: &str = "10.96.0.1";
const SERVICES: &str = "10.96.0.0/24";
const PODS: &str = "10.88.0.0/24";
/// Who has it is the administrator. Nobody else reaches the network that it is good for.
const TOKEN: &str = "administrator";

/// The image of the container that holds a pod's namespaces.
pub const PAUSE: &str = "localhost/pause:1";
/// The name of the node.
pub const NODE_NAME: &str = "node1";
/// Where containerd is asked: its usual place.
pub const SOCKET: &str = "/run/containerd/containerd.sock";
/// What `kubectl` and the components find the API server with.
pub const KUBECONFIG: &str = "/etc/kubernetes/admin.conf";
const KEYS: &str = "/etc/kubernetes/pki";

/// Makes the addresses and keys; run in the node.
pub fn set_up() -> String {
    format!(
        "set -e
ip link set lo up
ip addr add {API_SERVER}/32 dev lo
ip link add node0 type bridge
ip addr add {NODE}/24 dev node0
ip link set node0 up
openssl genrsa -out {KEYS}/sa.key 2048
openssl rsa -in {KEYS}/sa.key -pubout -out {KEYS}/sa.pub
"
    )
}

/// The files, by their paths. `cgroup` is that of all pods.
pub fn files(cgroup: &str) -> Vec<(&'static str, String)> {
    let client = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "tests", "cluster": {
            "server": format!("https://{API_SERVER}"), "insecure-skip-tls-verify": true } }],
        "users": [{ "name": "admin", "user": { "token": TOKEN } }],
        "contexts": [{ "name": "tests", "context": { "cluster": "tests", "user": "admin" } }],
        "current-context": "tests",
    });
    let network = json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false,
            "ipam": {
                "type": "host-local",
                "ranges": [[{ "subnet": PODS }]],
                "routes": [{ "dst": "0.0.0.0/0" }],
            },
        }],
    });
    vec![
        (KUBECONFIG, client.to_string()),
        ("/etc/kubernetes/pki/tokens.csv", format!("{TOKEN},admin,1,\"system:masters\"\n")),
        ("/etc/kubernetes/kubelet.yaml", kubelet(cgroup)),
        ("/etc/cni/net.d/10-pods.conflist", network.to_string()),
        ("/etc/containerd/config.toml", containerd()),
    ]
}

/// A kubelet that takes no more than it must: the scores of the memory killer and higher limits
/// need a capability that this machine may lack.
fn kubelet(cgroup: &str) -> String {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "authentication": { "anonymous": { "enabled": true }, "webhook": { "enabled": false } },
        "authorization": { "mode": "AlwaysAllow" },
        "failSwapOn": false,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "makeIPTablesUtilChains": false,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%",
        },
        "staticPodPath": "/etc/kubernetes/manifests",
        "nodeStatusUpdateFrequency": "1s",
        "maxPods": 200,
    })
    .to_string()
}

fn containerd() -> String {
    let interface = r#"[plugins."io.containerd.grpc.v1.cri""#;
    format!(
        r#"version = 2
{interface}]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
disable_apparmor = true
{interface}.cni]
bin_dir = "/usr/lib/cni"
{interface}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
{interface}.containerd.runtimes.runc.options]
BinaryName = "/usr/sbin/runc"
{interface}.containerd.runtimes.crun]
runtime_type = "io.containerd.runc.v2"
{interface}.containerd.runtimes.crun.options]
BinaryName = "/usr/bin/crun"
"#
    )
}

/// The components that need nothing of each other, in the form `PROGRAM ARGUMENT...`.
pub fn first() -> [Vec<String>; 3] {
    let etcd = "http://127.0.0.1:2379";
    [
        words("containerd", &[]),
        words(
            "etcd",
            &[
                ("data-dir", "/var/lib/etcd"),
                ("listen-client-urls", etcd),
                ("advertise-client-urls", etcd),
                ("listen-peer-urls", "http://127.0.0.1:2380"),
            ],
        ),
        words(
            "kube-apiserver",
            &[
                ("etcd-servers", etcd),
                ("bind-address", "0.0.0.0"),
                ("secure-port", "443"),
                ("cert-dir", KEYS),
                ("advertise-address", NODE),
                ("endpoint-reconciler-type", "none"),
                ("service-cluster-ip-range", SERVICES),
                ("token-auth-file", "/etc/kubernetes/pki/tokens.csv"),
                ("authorization-mode", "RBAC"),
                ("service-account-key-file", "/etc/kubernetes/pki/sa.pub"),
                ("service-account-signing-key-file", "/etc/kubernetes/pki/sa.key"),
                ("service-account-issuer", "https://kubernetes.default.svc"),
                ("allow-privileged", "true"),
                ("kubelet-preferred-address-types", "InternalIP"),
            ],
        ),
    ]
}

/// Those that want an API server that answers.
pub fn second() -> [Vec<String>; 3] {
    let socket = format!("unix://{SOCKET}");
    [
        words(
            "kube-controller-manager",
            &[
                ("kubeconfig", KUBECONFIG),
                ("service-account-private-key-file", "/etc/kubernetes/pki/sa.key"),
                ("root-ca-file", "/etc/kubernetes/pki/apiserver.crt"),
                ("leader-elect", "false"),
                ("bind-address", "127.0.0.1"),
                ("port", "0"),
                ("allocate-node-cidrs", "false"),
                ("controllers", "*,-nodeipam"),
                ("cert-dir", "/etc/kubernetes/controllers"),
            ],
        ),
        words(
            "kube-scheduler",
            &[
                ("kubeconfig", KUBECONFIG),
                ("leader-elect", "false"),
                ("bind-address", "127.0.0.1"),
                ("port", "0"),
                ("cert-dir", "/etc/kubernetes/scheduler"),
            ],
        ),
        words(
            "kubelet",
            &[
                ("config", "/etc/kubernetes/kubelet.yaml"),
                ("kubeconfig", KUBECONFIG),
                ("hostname-override", NODE_NAME),
                ("node-ip", NODE),
                ("container-runtime", "remote"),
                ("container-runtime-endpoint", &socket),
                ("image-service-endpoint", &socket),
                ("pod-infra-container-image", PAUSE),
            ],
        ),
    ]
}

fn words(program: &str, options: &[(&str, &str)]) -> Vec<String> {
    let options = options.iter().map(|(name, value)| format!("--{name}={value}"));
    [program.to_owned()].into_iter().chain(options).collect()
}
