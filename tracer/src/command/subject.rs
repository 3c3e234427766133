//! What makes the pods that a profile is for, by the names of targets.

use crate::{
    profile::kubernetes::{PatchSubject, WorkloadReference},
    recording::{ContainerIdentity, Target},
    target::{
        grammar::{Meaning, TargetSpec},
        membership::PodGroup,
        workload::Pods,
    },
};

/// Of everything that was recorded.
pub(super) fn of_targets(targets: &[Target]) -> PatchSubject {
    let specs: Vec<TargetSpec> = specs(targets).collect();
    let mut containers: Vec<Option<&str>> =
        specs.iter().flat_map(|spec| &spec.meanings).map(container).collect();
    containers.dedup();
    let container = match containers.as_slice() {
        [Some(only)] if specs.len() == targets.len() => Some((*only).to_owned()),
        _ => None,
    };
    PatchSubject { workloads: workloads(&specs, |_, _| true), container }
}

/// Of one container, of what these targets mean.
pub(super) fn of_container(targets: &[Target], identity: &ContainerIdentity) -> PatchSubject {
    let specs: Vec<TargetSpec> = specs(targets).collect();
    let workloads = workloads(&specs, |namespace, pods| {
        identity.namespace.as_deref() == Some(namespace)
            && identity.pod.as_deref().is_some_and(|pod| pods.hold(pod))
    });
    let name = identity.name.clone().unwrap_or_else(|| identity.id.clone());
    PatchSubject { workloads, container: Some(name) }
}

fn specs(targets: &[Target]) -> impl Iterator<Item = TargetSpec> {
    targets.iter().filter_map(|target| target.name.parse().ok())
}

fn workloads(
    specs: &[TargetSpec],
    is_meant: impl Fn(&str, &Pods) -> bool,
) -> Vec<WorkloadReference> {
    let meanings = specs.iter().flat_map(|spec| &spec.meanings);
    let found = meanings.filter_map(|meaning| match meaning {
        Meaning::Workload {
            group: PodGroup { namespace, pods: pods @ Pods::Of { kind, name }, .. },
            ..
        } if is_meant(namespace, pods) => {
            let (namespace, name) = (namespace.clone(), name.clone());
            Some(WorkloadReference { resource: kind.word(), namespace, name })
        }
        _ => None,
    });
    let mut workloads: Vec<WorkloadReference> = found.collect();
    workloads.dedup();
    workloads
}

fn container(meaning: &Meaning) -> Option<&str> {
    match meaning {
        Meaning::Workload { container, .. } => container.as_deref(),
        Meaning::PodContainer { container, .. } => Some(container),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::TargetKind;

    fn targets(names: &[&str]) -> Vec<Target> {
        let target = |name: &&str| Target {
            name: (*name).to_owned(),
            kind: TargetKind::Pod,
            runtime: None,
            image: None,
            cgroups: Vec::new(),
        };
        names.iter().map(target).collect()
    }

    fn whole(names: &[&str]) -> (Vec<String>, Option<String>) {
        described(of_targets(&targets(names)))
    }

    fn described(subject: PatchSubject) -> (Vec<String>, Option<String>) {
        let name =
            |one: WorkloadReference| format!("{}/{}/{}", one.namespace, one.resource, one.name);
        (subject.workloads.into_iter().map(name).collect(), subject.container)
    }

    #[test]
    fn a_target_s_name_tells_what_makes_its_pods() {
        let web = || vec!["shop/deployment/web".to_owned()];
        assert_eq!(whole(&["shop/deploy/web"]), (web(), None));
        assert_eq!(whole(&["shop/deployment/web/nginx"]), (web(), Some("nginx".to_owned())));
        assert_eq!(whole(&["shop/web-0/nginx"]), (Vec::new(), Some("nginx".to_owned())));
        for other in ["shop/web-0", "shop/web-*", "/system.slice", "4f2a9c", "web", "\n"] {
            assert_eq!(whole(&[other]), (Vec::new(), None), "{other:?}");
        }
        let (several, container) = whole(&["shop/deploy/web/nginx", "shop/sts/db"]);
        assert_eq!(several, ["shop/deployment/web", "shop/statefulset/db"]);
        assert_eq!(container, None, "more than one container");
    }

    #[test]
    fn a_container_is_of_the_workload_that_made_its_pod() {
        let identity = ContainerIdentity {
            engine: None,
            id: "0".repeat(64),
            name: Some("nginx".to_owned()),
            namespace: Some("shop".to_owned()),
            pod: Some("web-7696745d96-4xqh6".to_owned()),
            image: None,
            workload: None,
            user: None,
        };
        let typed = targets(&["shop/sts/db", "shop/deploy/web", "test/deploy/web"]);
        let found = described(of_container(&typed, &identity));
        assert_eq!(found, (vec!["shop/deployment/web".to_owned()], Some("nginx".to_owned())));
        let found = described(of_container(&targets(&["all containers"]), &identity));
        assert_eq!(found, (Vec::new(), Some("nginx".to_owned())));
    }
}
