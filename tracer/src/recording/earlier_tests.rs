//! Which recordings are of one thing, and what of an earlier one a later one holds as well.

use super::super::testing::{container, recording};
use super::*;

fn of(name: &str, kind: TargetKind, cgroups: Vec<Cgroup>) -> Recording {
    let mut made = recording(cgroups);
    made.targets[0].name = name.to_owned();
    made.targets[0].kind = kind;
    made
}

fn nginx(path: &str, pod: &str, image: Option<&str>) -> Cgroup {
    let mut made = container(path, "nginx");
    let identity = made.container.as_mut().expect("a container");
    identity.namespace = Some("shop".to_owned());
    identity.pod = Some(pod.to_owned());
    identity.image = image.map(str::to_owned);
    made
}

fn pod(image: Option<&str>) -> Recording {
    of("shop/web-0", TargetKind::Pod, vec![nginx("/a", "web-0", image)])
}

#[test]
fn recordings_of_one_target_and_image_are_of_one_thing() {
    assert_eq!(difference(&pod(Some("nginx:1")), &pod(Some("nginx:1"))), None);
    assert_eq!(difference(&pod(None), &pod(Some("nginx:1"))), None, "images need not be known");
    let empty = of("shop/web-0", TargetKind::Pod, Vec::new());
    assert_eq!(difference(&pod(Some("nginx:1")), &empty), None, "it did not come");
    let workload =
        |pod: &str| of("shop/deploy/web", TargetKind::Pod, vec![nginx("/a", pod, Some("nginx:1"))]);
    let [one, other] = ["web-7696745d96-4xqh6", "web-69b7d4c6f8-x7k2p"].map(workload);
    assert_eq!(difference(&one, &other), None, "replicas");
}

#[test]
fn another_target_or_image_or_process_is_another_thing() {
    let text_of = |earlier: &Recording, later: &Recording| {
        difference(earlier, later).expect("they differ").to_string()
    };
    let other = of("shop/web-1\u{1b}", TargetKind::Pod, Vec::new());
    assert_eq!(
        text_of(&pod(None), &other),
        r"it is of shop/web-0, and this recording of shop/web-1\x1b"
    );
    assert_eq!(
        text_of(&pod(Some("nginx:1")), &pod(Some("nginx:2"))),
        "the image of shop/web-0/nginx was nginx:1, and is nginx:2"
    );
    let process = of("pid:7", TargetKind::Process, Vec::new());
    assert!(text_of(&process, &process).contains("process id"));
    let by_id = |name: &str| of("4f2a", TargetKind::Container, vec![container("/a", name)]);
    assert_eq!(
        text_of(&by_id("web"), &by_id("db")),
        "its container is web, and that of this recording db"
    );
    assert_eq!(difference(&by_id("web"), &by_id("web")), None);
}

#[test]
fn a_part_of_one_image_among_several_is_of_the_same_container() {
    let mut alone = pod(Some("nginx:1"));
    alone.targets[0].kind = TargetKind::Container;
    alone.targets[0].image = Some("nginx:1".to_owned());
    let mut among = alone.clone();
    among.targets[0].name = "shop/web-0 of nginx:1".to_owned();
    assert_eq!(difference(&alone, &among), None);
}

#[test]
fn what_was_saved_of_a_run_that_went_on_is_dropped_and_nothing_else() {
    let mut other = container("/b", "db");
    other.calls[0].count = Some(3);
    let earlier = recording(vec![container("/a", "web"), other.clone()]);
    let mut grown = other.clone();
    grown.calls[0].count = Some(2);
    let mut more = container("/a", "web");
    more.calls.push(Call { number: 0, name: Some("read".to_owned()), ..more.calls[0].clone() });
    let later = recording(vec![more, grown]);
    let left = less_repeated(&earlier, &later);
    let paths: Vec<&str> = left.cgroups.iter().map(|cgroup| cgroup.path.as_str()).collect();
    assert_eq!(paths, ["/b"], "it was counted more often");
    assert_eq!(left.targets[0].cgroups, [0]);
    for change in [
        |cgroup: &mut Cgroup| cgroup.id = 2,
        |cgroup: &mut Cgroup| cgroup.late_start = true,
        |cgroup: &mut Cgroup| cgroup.calls.clear(),
    ] {
        let mut changed = container("/a", "web");
        change(&mut changed);
        let later = recording(vec![changed]);
        assert_eq!(less_repeated(&earlier, &later), earlier);
    }
}

#[test]
fn what_somebody_accepted_is_not_all() {
    let mut accepted = pod(None);
    assert!(knows_all(&accepted));
    accepted.losses.late_start = 1;
    assert!(!knows_all(&accepted));
    accepted.losses.late_start = 0;
    accepted.complete = false;
    assert!(!knows_all(&accepted));
}

#[test]
fn what_broke_off_is_made_up_for_though_all_of_it_is_repeated() {
    let mut left = pod(None);
    left.losses.unfinished = 1;
    left.complete = false;
    left.incomplete_reasons = vec!["it broke off".to_owned()];
    let mut later = pod(None);
    later.started = "2026-02-01T00:00:00Z".to_owned();
    let both = joined(&left, &later, false);
    assert_eq!((both.losses.unfinished, both.complete, both.cgroups.len()), (0, true, 1));
    assert_eq!((both.targets.len(), &both.started), (1, &left.started));
    later.cgroups[0].late_start = true;
    later.late_starts = vec!["/a".to_owned()];
    later.losses.late_start = 1;
    let both = joined(&left, &later, false);
    assert_eq!((both.losses.unfinished, both.losses.late_start), (1, 0), "it went on meanwhile");
}
