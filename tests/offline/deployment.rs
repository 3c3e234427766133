//! The shipped DaemonSet: well-formed, with the least privileges, and in line with the program and
//! the image.

use std::collections::BTreeMap;
use std::fs;

use clap::Parser;
use tests::deployment::{
    CONTAINERFILE, DAEMONSET, Fields, PROFILES, capabilities, documents, items,
};
use tracer::cli::Cli;

tests::trials! {
    the_container_has_two_capabilities_and_no_more,
    the_service_account_reads_and_changes_nothing,
    only_the_results_can_be_written,
    the_hosts_tracefs_is_there_and_never_keeps_the_pod_from_starting,
    the_arguments_and_the_image_are_of_this_version,
    the_profiles_are_brought_with_no_more_than_that_takes,
}

const POD: &str = "spec.template.spec";
const CONTAINER: &str = "spec.template.spec.containers.0";

fn daemon_set() -> Fields {
    let [namespace, account, _, _, daemon_set] = all();
    assert_eq!(namespace["kind"], "Namespace");
    assert_eq!(daemon_set["kind"], "DaemonSet");
    assert_eq!(daemon_set["metadata.namespace"], namespace["metadata.name"]);
    assert_eq!(daemon_set[&format!("{POD}.serviceAccountName")], account["metadata.name"]);
    daemon_set
}

fn all() -> [Fields; 5] {
    let documents = documents(DAEMONSET).expect("it is well-formed");
    <[Fields; 5]>::try_from(documents).expect("five documents")
}

/// The items of a list of mappings, by their names: one field of each, empty where it has none.
fn list<'a>(fields: &'a Fields, path: &str, field: &str) -> BTreeMap<&'a str, &'a str> {
    let items = (0..).map(|index| format!("{path}.{index}"));
    let named = items.map_while(|item| Some((fields.get(&format!("{item}.name"))?, item)));
    named
        .map(|(name, item)| {
            let value = fields.get(&format!("{item}.{field}")).map_or("", String::as_str);
            (name.as_str(), value)
        })
        .collect()
}

fn the_container_has_two_capabilities_and_no_more() {
    let fields = daemon_set();
    assert_eq!(capabilities(), ["BPF", "PERFMON"]);
    let context = |field: &str| fields[&format!("{CONTAINER}.securityContext.{field}")].as_str();
    let dropped = items(&fields, &format!("{CONTAINER}.securityContext.capabilities.drop"));
    assert_eq!(dropped, ["ALL"]);
    assert_eq!(context("privileged"), "false");
    assert_eq!(context("allowPrivilegeEscalation"), "false");
    assert_eq!(context("readOnlyRootFilesystem"), "true");
    assert_eq!(context("seccompProfile.type"), "RuntimeDefault");
    assert_eq!(fields[&format!("{POD}.hostPID")], "false");
    for more in ["hostNetwork", "hostIPC", "containers.1.name", "initContainers.0.name"] {
        assert_eq!(fields.get(&format!("{POD}.{more}")), None, "{more}");
    }
}

fn the_service_account_reads_and_changes_nothing() {
    let [_, account, role, binding, daemon_set] = all();
    assert_eq!(account["kind"], "ServiceAccount");
    assert_eq!(role["kind"], "ClusterRole");
    assert_eq!(binding["kind"], "ClusterRoleBinding");
    assert_eq!(binding["roleRef.name"], role["metadata.name"]);
    for field in ["name", "namespace"] {
        let subject = &binding[&format!("subjects.0.{field}")];
        assert_eq!(*subject, account[&format!("metadata.{field}")]);
    }
    assert_eq!(binding.get("subjects.1.kind"), None);
    let rules: Vec<Vec<String>> = (0..)
        .map(|index| items(&role, &format!("rules.{index}.verbs")))
        .take_while(|verbs| !verbs.is_empty())
        .collect();
    assert_eq!(rules, [vec!["list", "watch"], vec!["list"], vec!["list"]]);
    let resources = |index: u32| items(&role, &format!("rules.{index}.resources"));
    assert_eq!(resources(0), ["pods"]);
    assert_eq!(resources(1), ["deployments", "replicasets", "statefulsets", "daemonsets"]);
    assert_eq!(resources(2), ["jobs", "cronjobs"]);
    // The token is mounted by the pod that uses it, and by no other one of that account.
    assert_eq!(account["automountServiceAccountToken"], "false");
    assert_eq!(daemon_set[&format!("{POD}.automountServiceAccountToken")], "true");
}

fn only_the_results_can_be_written() {
    let fields = daemon_set();
    let volumes = list(&fields, &format!("{POD}.volumes"), "hostPath.path");
    let places = list(&fields, &format!("{CONTAINER}.volumeMounts"), "mountPath");
    // Each at the path that it has on the node, so that paths in messages are those of the node.
    assert_eq!(volumes, places);
    assert_eq!(volumes["cgroup"], "/sys/fs/cgroup");
    for (name, read_only) in list(&fields, &format!("{CONTAINER}.volumeMounts"), "readOnly") {
        assert_eq!(read_only, if name == "results" { "" } else { "true" }, "{name}");
    }
    for path in volumes.values() {
        let is_runtimes = ["/run", "/var/run"].iter().any(|run| path.starts_with(run));
        assert!(!is_runtimes && !path.ends_with(".sock"), "{path}: a runtime's socket is root");
    }
}

fn the_hosts_tracefs_is_there_and_never_keeps_the_pod_from_starting() {
    let fields = daemon_set();
    let places = list(&fields, &format!("{CONTAINER}.volumeMounts"), "mountPath");
    // Where tracer looks for the numbers of tracepoints. Below it there is only something where
    // tracefs is mounted.
    assert_eq!(places["tracefs"], "/sys/kernel/tracing");
    let types = list(&fields, &format!("{POD}.volumes"), "hostPath.type");
    // The kernel makes the directory itself; nothing can be created in sysfs.
    assert_eq!(types["tracefs"], "Directory");
}

fn the_arguments_and_the_image_are_of_this_version() {
    let fields = daemon_set();
    let arguments = (0..).map_while(|index| fields.get(&format!("{CONTAINER}.args.{index}")));
    let arguments: Vec<&str> = arguments.map(String::as_str).collect();
    let typed = Cli::try_parse_from([&["tracer"], &arguments[..]].concat());
    let typed = typed.expect("tracer takes them").record;
    assert!(typed.merge && typed.stay, "Kubernetes starts the pod again whenever it ends");
    let places = list(&fields, &format!("{CONTAINER}.volumeMounts"), "mountPath");
    let results = format!("{}/profile.json", places["results"]);
    assert!(arguments.ends_with(&["--out", &results]), "{arguments:?}");
    let image = format!("localhost/tracer:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(fields[&format!("{CONTAINER}.image")], image);
    let containerfile = fs::read_to_string(CONTAINERFILE).expect("it is there");
    assert!(containerfile.contains(&format!("--tag {image} ")), "{containerfile}");
    assert!(containerfile.lines().any(|line| line == format!("WORKDIR {}", places["results"])));
    assert!(containerfile.lines().any(|line| line == "FROM scratch"), "{containerfile}");
}

fn the_profiles_are_brought_with_no_more_than_that_takes() {
    let documents = documents(PROFILES).expect("it is well-formed");
    let [fields] = <[Fields; 1]>::try_from(documents).expect("one document");
    assert_eq!(fields["kind"], "DaemonSet");
    assert_eq!(fields["metadata.namespace"], daemon_set()["metadata.namespace"]);
    assert_eq!(fields[&format!("{POD}.automountServiceAccountToken")], "false");
    for more in ["hostPID", "hostNetwork", "hostIPC", "serviceAccountName"] {
        assert_eq!(fields.get(&format!("{POD}.{more}")), None, "{more}");
    }
    let containers = ["initContainers.0", "containers.0"];
    for container in containers {
        let context = format!("{POD}.{container}.securityContext");
        let field = |name: &str| fields[&format!("{context}.{name}")].as_str();
        let capabilities = |list: &str| items(&fields, &format!("{context}.capabilities.{list}"));
        assert_eq!(capabilities("drop"), ["ALL"]);
        assert!(capabilities("add").is_empty());
        assert_eq!(field("allowPrivilegeEscalation"), "false");
        assert_eq!(field("readOnlyRootFilesystem"), "true");
        assert_eq!(field("seccompProfile.type"), "RuntimeDefault");
    }
    let [copy, results] = containers
        .map(|container| list(&fields, &format!("{POD}.{container}.volumeMounts"), "readOnly"));
    assert_eq!(copy, BTreeMap::from([("profiles", "true"), ("kubelet", "")]));
    assert_eq!(results, BTreeMap::from([("results", "true")]));
    let volumes = list(&fields, &format!("{POD}.volumes"), "hostPath.path");
    assert_eq!(volumes["kubelet"], "/var/lib/kubelet/seccomp/profiles");
    assert_eq!(
        volumes["results"],
        list(&daemon_set(), &format!("{POD}.volumes"), "hostPath.path")["results"]
    );
}
