//! The files that are written: word for word those of `golden/profile`.

use tracer::profile::ProfileOptions;
use tracer::profile::kubernetes::{
    DEFAULT_KUBELET_ROOT, LocalhostProfile, PatchFiles, PatchSubject, WorkloadReference, patch,
};
use tracer::profile::oci;

use crate::golden::check;
use crate::profile::derive;
use crate::recordings::web_server;

tests::trials! {
    the_profile_of_a_web_server_is_as_agreed,
    the_kubernetes_patch_is_as_agreed,
}

fn the_profile_of_a_web_server_is_as_agreed() {
    let derivation = derive(&[web_server()], &ProfileOptions::default());
    check("profile/web.json", &oci::write(&derivation.profile));
    let added = derivation.added.iter().map(|added| format!("{}: {}\n", added.name, added.reason));
    check("profile/web.added.txt", &added.collect::<String>());
}

fn the_kubernetes_patch_is_as_agreed() {
    let localhost = LocalhostProfile::new("profiles/web.json").expect("a path");
    let files = PatchFiles {
        profile: "web.json",
        patch: "web.kubernetes.yaml",
        kubelet_root: DEFAULT_KUBELET_ROOT,
    };
    check("profile/web.kubernetes.yaml", &patch(&localhost, &files, &PatchSubject::default()));
    let web =
        WorkloadReference { resource: "deployment", namespace: "shop".into(), name: "web".into() };
    let workloads = vec![web];
    let whole = PatchSubject { workloads: workloads.clone(), container: None };
    check("profile/deployment.kubernetes.yaml", &patch(&localhost, &files, &whole));
    let container = PatchSubject { workloads, container: Some("nginx".into()) };
    check("profile/container.kubernetes.yaml", &patch(&localhost, &files, &container));
    let backup =
        WorkloadReference { resource: "cronjob", namespace: "shop".into(), name: "backup".into() };
    let cron = PatchSubject { workloads: vec![backup], container: None };
    check("profile/cronjob.kubernetes.yaml", &patch(&localhost, &files, &cron));
    let hostile = LocalhostProfile::new("p\"\n\u{2028}: {x} # \\é.json").expect("a path");
    let files = PatchFiles {
        profile: "\u{1b}[2J.json",
        patch: "\u{1b}[2J.kubernetes.yaml",
        kubelet_root: "/var/lib/kubelet/",
    };
    check("profile/hostile.kubernetes.yaml", &patch(&hostile, &files, &PatchSubject::default()));
}
