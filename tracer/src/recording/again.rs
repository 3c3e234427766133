//! Whether a container is another one started again: under its name, or by the workload that its
//! pod is a replica of.

use super::{
    generated_names::workload,
    identity::{ContainerIdentity, MembershipSource},
    model::{Cgroup, Recording, ran},
};
use crate::cgroup_name::container_above;

/// A late cgroup was started again in this recording, in a complete start of a cgroup of its own.
pub(super) fn has_started_again(cgroups: &[Cgroup], late_starts: &[String], path: &str) -> bool {
    let is_complete_start =
        |cgroup: &&Cgroup| !cgroup.late_start && ran(cgroup) && !late_starts.contains(&cgroup.path);
    late(cgroups, path).any(|late| {
        cgroups.iter().filter(is_complete_start).any(|started| is_started_again(late, started))
    })
}

/// A cgroup holds what a late one of another recording does.
pub(super) fn is_late_one_of(late_recording: &Recording, path: &str, started: &Cgroup) -> bool {
    late(&late_recording.cgroups, path).any(|late| is_started_again(late, started))
}

fn late<'a>(cgroups: &'a [Cgroup], path: &'a str) -> impl Iterator<Item = &'a Cgroup> {
    cgroups.iter().filter(move |cgroup| cgroup.late_start && cgroup.path == path)
}

/// The same container of the same thing, and the same place below it.
pub(super) fn is_started_again(late: &Cgroup, started: &Cgroup) -> bool {
    let place =
        |cgroup: &'_ Cgroup| container_above(&cgroup.path).map(|(_, below)| below.to_owned());
    let containers = late.container.as_ref().zip(started.container.as_ref());
    containers.is_some_and(|(late, started)| is_same(late, started))
        && place(late).is_some()
        && place(late) == place(started)
}

/// The same name, of the same image as far as images are known. What a user named is that user's
/// word.
fn is_same(one: &ContainerIdentity, other: &ContainerIdentity) -> bool {
    let agree = |one: &Option<String>, other: &Option<String>| {
        one.is_none() || other.is_none() || one == other
    };
    one.name.is_some()
        && one.name == other.name
        && one.namespace == other.namespace
        && is_of_same(one, other)
        && agree(&one.engine, &other.engine)
        && agree(&one.image, &other.image)
        && one.user.is_none()
        && other.user.is_none()
}

/// Whether two pods have one name, or one owner. Where the API server reported only one of them,
/// their names decide.
fn is_of_same(one: &ContainerIdentity, other: &ContainerIdentity) -> bool {
    let is_told = |one: &ContainerIdentity| {
        one.workload.as_ref().is_some_and(|workload| workload.source == MembershipSource::Api)
    };
    let by_name = |one: &ContainerIdentity| one.pod.as_deref().map(workload).map(str::to_owned);
    if is_told(one) && is_told(other) {
        let kind = |one: &ContainerIdentity| one.workload.as_ref()?.kind.clone();
        return one.made_by() == other.made_by() && kind(one) == kind(other);
    }
    by_name(one) == by_name(other)
}

#[cfg(test)]
mod tests {
    use super::super::Workload;
    use super::super::testing::{container, recording};
    use super::*;

    fn in_pod(digit: &str, pod: &str) -> Cgroup {
        let mut found = container(&format!("/kubepods/pod{digit}/{}", digit.repeat(64)), "nginx");
        let identity = found.container.as_mut().expect("a container");
        identity.namespace = Some("shop".to_owned());
        identity.pod = Some(pod.to_owned());
        identity.image = Some("nginx:1".to_owned());
        found
    }

    fn late_and(started: Cgroup, late: &str) -> bool {
        let late = Cgroup { late_start: true, ..in_pod("a", late) };
        let path = late.path.clone();
        has_started_again(&[late, started], std::slice::from_ref(&path), &path)
    }

    #[test]
    fn generated_suffixes_are_no_part_of_a_workload_s_name() {
        for (pod, owner) in [
            ("web-7696745d96-4xqh6", "web"),
            ("fluentd-9v5kc", "fluentd"),
            ("shop-web-5d9c8b7f4-zz2xw", "shop-web"),
            ("web-0", "web-0"),
            ("web", "web"),
            ("my-nginx", "my-nginx"),
            ("-4xqh6", "-4xqh6"),
            ("web-4xqh61", "web-4xqh61"),
            ("é-4xqh6", "é"),
        ] {
            assert_eq!(workload(pod), owner);
        }
    }

    #[test]
    fn a_late_container_is_started_again_under_its_name() {
        assert!(late_and(in_pod("b", "web-0"), "web-0"));
        assert!(late_and(in_pod("b", "web-69b7d4c6f8-x7k2p"), "web-7696745d96-4xqh6"), "a replica");
        assert!(!late_and(in_pod("b", "web-1"), "web-0"), "another pod");
        assert!(!late_and(in_pod("b", "api-69b7d4c6f8-x7k2p"), "web-7696745d96-4xqh6"));
    }

    #[test]
    fn what_the_api_server_told_counts_more_than_names() {
        let of_workload = |pod: &str, owner: Option<(&str, &str)>| {
            let mut found = in_pod(if owner.is_some() { "a" } else { "b" }, pod);
            let workload = Workload {
                kind: owner.map(|(kind, _)| kind.to_owned()),
                name: owner.map(|(_, name)| name.to_owned()),
                source: MembershipSource::Api,
            };
            found.container.as_mut().expect("a container").workload = Some(workload);
            found
        };
        let again = |late: Cgroup, started: Cgroup| {
            let late = Cgroup { late_start: true, ..late };
            let path = late.path.clone();
            has_started_again(&[late, started], std::slice::from_ref(&path), &path)
        };
        let [one, other] = ["web-7696745d96-4xqh6", "web-7696745d96-x7k2p"];
        let web = Some(("Deployment", "web"));
        let moved = |mut cgroup: Cgroup| {
            cgroup.path = format!("/kubepods/podc/{}", "c".repeat(64));
            cgroup
        };
        assert!(again(of_workload(one, web), moved(of_workload(other, web))));
        assert!(again(of_workload("web-0", web), moved(of_workload("web-1", web))), "replicas");
        assert!(
            !again(of_workload(one, web), of_workload(other, None)),
            "a bare pod that is named so"
        );
        assert!(!again(
            of_workload(one, web),
            moved(of_workload(other, Some(("DaemonSet", "web"))))
        ));
        assert!(again(of_workload(one, web), in_pod("b", other)), "reported of one only");
    }

    #[test]
    fn another_container_is_no_start_of_it() {
        let other = |change: fn(&mut ContainerIdentity)| {
            let mut started = in_pod("b", "web-0");
            change(started.container.as_mut().expect("a container"));
            late_and(started, "web-0")
        };
        assert!(other(|_| {}));
        assert!(other(|identity| identity.image = None), "not reported");
        assert!(!other(|identity| identity.image = Some("nginx:2".to_owned())));
        assert!(!other(|identity| identity.name = Some("side".to_owned())));
        assert!(!other(|identity| identity.name = None));
        assert!(!other(|identity| identity.namespace = Some("test".to_owned())));
        assert!(!other(|identity| identity.user = Some(1000)), "a user's word");
    }

    #[test]
    fn a_start_that_is_not_complete_is_none() {
        let mut failed = in_pod("b", "web-0");
        failed.calls.clear();
        assert!(!late_and(failed, "web-0"));
        assert!(!late_and(Cgroup { late_start: true, ..in_pod("b", "web-0") }, "web-0"));
        let mut below = in_pod("b", "web-0");
        below.path.push_str("/inner");
        assert!(!late_and(below, "web-0"), "another place");
    }

    #[test]
    fn a_recording_of_another_replica_holds_its_start() {
        let late = Cgroup { late_start: true, ..in_pod("a", "web-7696745d96-4xqh6") };
        let path = late.path.clone();
        let late = recording(vec![late]);
        assert!(is_late_one_of(&late, &path, &in_pod("b", "web-7696745d96-zzzzz")));
        assert!(!is_late_one_of(&late, "/other", &in_pod("b", "web-7696745d96-zzzzz")));
    }
}
