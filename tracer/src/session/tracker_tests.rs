//! Tests of following targets: on cgroups that exist in a table only, at moments of the test's
//! choice.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use super::*;
use crate::{
    session::pending::{ANSWERS, PATIENCE},
    target::{
        names::PodUid,
        report::{AskedRuntime, Container, ContainerState, RuntimeReport, RuntimeResponse},
        territory::Territory,
    },
};

const UID: &str = "123e4567-e89b-12d3-a456-426614174000";
const SECOND: Duration = Duration::from_secs(1);

/// The cgroups that exist, with their ids. User 1000 makes those below `/home`.
#[derive(Clone, Default)]
struct FakeHierarchy(Rc<RefCell<BTreeMap<String, u64>>>);

impl Hierarchy for FakeHierarchy {
    fn id(&self, path: &str) -> Option<u64> {
        self.0.borrow().get(path).copied()
    }

    fn territory(&self, path: &str) -> Territory {
        Territory::new(path, path.starts_with("/home/").then_some(1000))
    }
}

/// A tracker, and the world around it.
struct Scene {
    tracker: TargetTracker,
    hierarchy: FakeHierarchy,
    polls: Rc<Cell<u32>>,
    start: Instant,
}

impl Scene {
    /// Targets that are followed, with what is known at the beginning.
    fn new(targets: &[&str], inventory: Inventory) -> Self {
        let matcher = |text: &&str| match *text {
            "all" => TargetMatcher::all_containers(),
            text => TargetMatcher::new(&text.parse().expect("a target")).expect("no path"),
        };
        let matchers: Vec<TargetMatcher> = targets.iter().map(matcher).collect();
        let selection = |matcher: &TargetMatcher| Selection {
            name: matcher.name.clone(),
            kind: matcher.kind(),
            paths: Vec::new(),
            without: Vec::new(),
        };
        let selections = matchers.iter().map(selection).collect();
        let (hierarchy, polls) = (FakeHierarchy::default(), Rc::new(Cell::new(0)));
        let count = Rc::clone(&polls);
        let tracker = TargetTracker::new(
            selections,
            matchers,
            inventory,
            Box::new(hierarchy.clone()),
            Some(Box::new(move || count.set(count.get() + 1))),
        );
        Self { tracker, hierarchy, polls, start: Instant::now() }
    }

    /// A cgroup is made. Returns the lines that say what became of it.
    fn make(&mut self, id: u64, path: &str) -> Vec<String> {
        self.hierarchy.0.borrow_mut().insert(path.to_owned(), id);
        self.tracker.on_cgroup(id, path, self.start)
    }

    /// A cgroup is removed.
    fn remove(&self, path: &str) {
        self.hierarchy.0.borrow_mut().remove(path);
    }

    /// A runtime reports something at once.
    fn report(&mut self, report: RuntimeReport) -> Vec<String> {
        self.tracker.on_update(RuntimeUpdate::Report(report), self.start)
    }

    /// All runtimes answer, so long after the start, and know nothing new.
    fn answer(&mut self, after: Duration) -> Vec<String> {
        self.answer_to(self.start + after, after)
    }

    /// The same, to a poll that began then.
    fn answer_to(&mut self, began: Instant, after: Duration) -> Vec<String> {
        let all = RuntimeUpdate::All(Inventory::default(), began);
        self.tracker.on_update(all, self.start + after)
    }

    fn paths(&self) -> &[CgroupPath] {
        &self.tracker.selections[0].paths
    }
}

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn docker(digit: char) -> String {
    format!("/docker/{}", id(digit))
}

fn container(engine: Engine, digit: char, name: &str, pod: Option<Pod>) -> Container {
    let state = ContainerState::Running;
    Container { engine, id: id(digit), name: name.to_owned(), state, pod, image: None }
}

fn reported(container: Container) -> RuntimeReport {
    RuntimeReport { containers: vec![container], ..RuntimeReport::default() }
}

fn web(digit: char) -> RuntimeReport {
    reported(container(Engine::Docker, digit, "web", None))
}

/// The pod shop/web-0, whose container `c` is app and whose pause container is `d`.
fn pod() -> RuntimeReport {
    let uid = PodUid::parse(UID);
    let pod = Pod { namespace: "shop".to_owned(), name: "web-0".to_owned(), uid };
    RuntimeReport {
        containers: vec![container(Engine::Containerd, 'c', "app", Some(pod.clone()))],
        pods: vec![pod],
        sandboxes: vec![id('d')],
        ..RuntimeReport::default()
    }
}

#[test]
fn a_new_container_is_asked_for_and_selected_when_its_name_is_the_targets() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    let path = docker('a');
    assert_eq!(scene.make(10, &path), [""; 0]);
    assert_eq!(scene.polls.get(), 1);
    assert!(scene.tracker.is_undecided(&path) && !scene.tracker.is_selected(&path));
    assert_eq!(scene.report(web('a')), [format!("web is {path}")]);
    assert!(scene.tracker.is_selected(&format!("{path}/deep")) && scene.tracker.is_top(&path));
    assert!(!scene.tracker.is_undecided(&path) && !scene.tracker.is_any_pending());
    assert_eq!(scene.tracker.unresolved(), 0);
}

#[test]
fn a_container_with_another_name_is_foreign_once_it_is_reported() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    let path = docker('a');
    scene.make(10, &path);
    assert!(!scene.tracker.is_foreign(&path), "it may be the target");
    scene.report(reported(container(Engine::Docker, 'a', "db", None)));
    assert!(scene.tracker.is_foreign(&path) && !scene.tracker.is_undecided(&path));
    assert_eq!((scene.paths(), scene.tracker.unresolved()), (&[][..], 0));
}

#[test]
fn a_container_that_docker_creates_is_known_without_an_answer() {
    let mut scene = Scene::new(&["docker:web"], Inventory::default());
    let created = container(Engine::Docker, 'a', "web", None);
    let created = RuntimeUpdate::Created(created, None);
    assert_eq!(scene.tracker.on_update(created, scene.start), [""; 0], "no cgroup yet");
    assert_eq!(scene.make(10, &docker('a')), [format!("docker:web is {}", docker('a'))]);
    assert_eq!(scene.polls.get(), 0);
}

#[test]
fn a_pending_container_is_asked_for_again_until_the_answers_and_the_time_are_up() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    scene.make(10, &docker('a'));
    scene.remove(&docker('a'));
    let late = scene.start + PATIENCE * 2;
    for answers in 1..=ANSWERS {
        assert!(scene.tracker.is_any_pending(), "{answers}");
        scene.tracker.poll_again(late);
        assert_eq!(scene.polls.get(), 1 + answers);
        scene.answer(SECOND);
    }
    assert!(!scene.tracker.is_any_pending(), "it is waited for no longer at the end");
    scene.tracker.poll_again(late);
    assert_eq!(scene.polls.get(), 1 + ANSWERS, "nor asked for");
    scene.tracker.poll_again(late - SECOND);
    assert_eq!(scene.polls.get(), 2 + ANSWERS, "unless it is young");
}

#[test]
fn a_container_that_ended_without_a_report_is_unresolved() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    scene.make(10, &docker('a'));
    assert_eq!(scene.tracker.unresolved(), 0, "it runs: its report may come");
    scene.remove(&docker('a'));
    scene.answer(PATIENCE + SECOND);
    assert_eq!(scene.tracker.unresolved(), 1);
    let line = format!("warning: no runtime reported the name of the container {}", docker('a'));
    assert_eq!(scene.tracker.unresolved_lines(), [line]);
    assert!(scene.tracker.is_undecided(&docker('a')));
}

#[test]
fn a_running_container_that_no_runtime_knows_becomes_unmanaged() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    let path = docker('a');
    scene.make(10, &path);
    scene.answer(PATIENCE);
    assert!(scene.tracker.is_undecided(&path), "not yet");
    scene.answer(PATIENCE + SECOND);
    assert!(!scene.tracker.is_undecided(&path) && !scene.tracker.is_selected(&path));
    scene.remove(&path);
    assert_eq!(scene.tracker.unresolved(), 0, "nor when it ends");
    assert!(!scene.tracker.is_foreign(&path), "a runtime may still report it");
    scene.make(11, &format!("{path}/deep"));
    assert_eq!(scene.polls.get(), 1, "what is below it is not asked for again");
}

#[test]
fn an_unmanaged_container_is_selected_when_it_is_reported_after_all() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    scene.make(10, &docker('a'));
    scene.answer(PATIENCE + SECOND);
    assert_eq!(scene.report(web('a')), [format!("web is {}", docker('a'))]);
    assert!(scene.tracker.is_selected(&docker('a')));
}

/// What all answered when Podman did not.
fn failed() -> Inventory {
    let mut all = Inventory::default();
    all.asked.push(AskedRuntime {
        name: RuntimeName::Podman,
        user: None,
        address: crate::text::Escaped::default(),
        answer: RuntimeResponse::Failed("no".to_owned()),
        time: Duration::ZERO,
    });
    all
}

#[test]
fn a_runtime_that_failed_leaves_a_running_container_unresolved() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    scene.make(10, &docker('a'));
    scene.tracker.on_update(RuntimeUpdate::All(failed(), scene.start), scene.start);
    assert_eq!(scene.tracker.unresolved(), 1);
}

#[test]
fn the_answer_of_all_does_not_count_while_a_runtime_fails() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    scene.make(10, &docker('a'));
    for _ in 0..=ANSWERS {
        scene.tracker.on_update(RuntimeUpdate::All(failed(), scene.start), scene.start);
    }
    assert!(scene.tracker.is_any_pending(), "the one that failed may know it");
    for _ in 0..ANSWERS {
        scene.answer(SECOND);
    }
    assert!(!scene.tracker.is_any_pending());
}

#[test]
fn the_answer_to_a_poll_from_before_a_container_does_not_count() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    scene.make(10, &docker('a'));
    let before = scene.start.checked_sub(SECOND).expect("the clock runs");
    for _ in 0..=ANSWERS {
        scene.answer_to(before, SECOND);
    }
    assert!(scene.tracker.is_any_pending(), "nothing was said of it");
}

#[test]
fn docker_reports_what_it_creates_as_long_as_it_is_watched() {
    let mut scene = Scene::new(&["docker:web"], Inventory::default());
    scene.make(10, &docker('a'));
    scene.remove(&docker('a'));
    assert_eq!(scene.tracker.unresolved(), 0, "Docker would have reported it");
    let podman = RuntimeUpdate::EventsEnded(RuntimeName::Podman);
    scene.tracker.on_update(podman, scene.start);
    assert_eq!(scene.tracker.unresolved(), 0);
    let ended = RuntimeUpdate::EventsEnded(RuntimeName::Docker);
    scene.tracker.on_update(ended, scene.start);
    assert_eq!(scene.tracker.unresolved(), 1);
}

#[test]
fn a_name_that_a_running_container_has_is_no_other_containers() {
    let mut scene = Scene::new(&["docker:web"], Inventory::default());
    scene.report(web('a'));
    scene.make(10, &docker('a'));
    scene.make(20, &docker('b'));
    assert_eq!(scene.polls.get(), 1, "it is asked for all the same");
    assert!(!scene.tracker.is_undecided(&docker('b')));
    scene.remove(&docker('a'));
    scene.make(30, &docker('c'));
    assert!(scene.tracker.is_undecided(&docker('c')), "the name is free again");
}

#[test]
fn a_name_that_one_engine_gave_is_followed_among_its_containers() {
    let mut scene = Scene::new(&["web"], Inventory::default());
    let podmans = format!("/machine.slice/libpod-{}.scope", id('b'));
    scene.make(10, &podmans);
    scene.make(11, &docker('a'));
    assert!(scene.tracker.is_undecided(&podmans));
    scene.report(web('a'));
    assert!(!scene.tracker.is_undecided(&podmans), "the target is Docker's");
}

#[test]
fn of_two_cgroups_with_one_id_the_hosts_is_the_target() {
    let mut scene = Scene::new(&["aaaaaaaaaaaa"], Inventory::default());
    let (users, hosts) = (format!("/home/x/{}", id('a')), docker('a'));
    let remark = " (in a tree of user 1000)";
    assert_eq!(scene.make(10, &users), [format!("aaaaaaaaaaaa is {users}{remark}")]);
    let lines = scene.make(20, &hosts);
    assert_eq!(lines[0], format!("aaaaaaaaaaaa is {hosts}"));
    let why = "carries the name of aaaaaaaaaaaa and is not recorded under it: another cgroup is";
    assert_eq!(lines[1..], [format!("warning: {users}{remark} {why}")]);
    assert_eq!(scene.paths(), [CgroupPath::from(hosts)]);
    assert!(scene.tracker.identities.contested().is_empty());
}

#[test]
fn when_it_is_not_known_which_of_two_cgroups_is_the_target_none_is_recorded() {
    let mut scene = Scene::new(&["aaaaaaaaaaaa"], Inventory::default());
    let [one, other] = [docker('a'), format!("/elsewhere/{}", id('a'))];
    scene.make(10, &one);
    let lines = scene.make(20, &other);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.ends_with("nothing shows which cgroup is the right one")));
    assert_eq!(scene.paths(), [""; 0]);
    let contested = scene.tracker.identities.contested();
    assert_eq!(contested, BTreeMap::from([(id('a'), vec![one.into(), other.into()])]));
}

#[test]
fn lines_about_rivals_have_an_end() {
    let mut scene = Scene::new(&["aaaaaaaaaaaa"], Inventory::default());
    scene.make(1, &docker('a'));
    let rivals = (2..=20).map(|at| (at, format!("/home/{at}/{}", id('a'))));
    let lines: usize = rivals.map(|(at, path)| scene.make(at, &path).len()).sum();
    assert_eq!(lines, RIVALS_SHOWN);
}

#[test]
fn pause_containers_and_monitors_are_left_out_of_a_target() {
    let mut scene = Scene::new(&["shop/web-0", "eeeeeeeeeeee"], Inventory::default());
    scene.report(pod());
    let (kubelets, podmans) =
        (format!("/kubepods/pod{UID}"), format!("/libpod_parent/{}", id('e')));
    let pause = format!("{kubelets}/{}", id('d'));
    let (app, monitor) = (format!("{kubelets}/{}", id('c')), format!("{podmans}/conmon"));
    for (cgroup, path) in (10..).zip([&kubelets, &pause, &app, &podmans, &monitor]) {
        scene.make(cgroup, path);
    }
    for (path, is_selected) in [(&app, true), (&pause, false), (&podmans, true), (&monitor, false)]
    {
        assert_eq!(scene.tracker.is_selected(path), is_selected, "{path}");
    }
    assert_eq!(scene.tracker.selections[0].without, [CgroupPath::from(pause)]);
}

#[test]
fn a_pod_that_the_api_server_does_not_report_in_time_is_decided_by_its_name() {
    for is_end in [false, true] {
        let mut inventory = Inventory::default();
        inventory.members.ask_of("shop");
        let mut scene = Scene::new(&["shop/sts/web"], inventory);
        let (cgroup, container) =
            (format!("/kubepods/pod{UID}"), format!("/kubepods/pod{UID}/{}", id('c')));
        scene.report(pod());
        scene.make(10, &container);
        assert_eq!(scene.answer(PATIENCE), [""; 0]);
        assert!(scene.tracker.is_undecided(&container), "the API server will report it");
        let lines = if is_end {
            scene.tracker.decide_without_api(scene.start + SECOND)
        } else {
            scene.answer(PATIENCE + SECOND)
        };
        let warning = "warning: the API server did not report the pod shop/web-0: its name and \
                       labels decide";
        assert_eq!(lines, [warning.to_owned(), format!("shop/sts/web is {cgroup}")]);
        assert!(scene.tracker.is_selected(&container));
    }
}

#[test]
fn without_a_name_no_runtime_is_asked() {
    let mut scene = Scene::new(&["web.service"], Inventory::default());
    scene.tracker.poll = None;
    let unit = "/system.slice/web.service";
    assert_eq!(scene.make(10, unit), [format!("web.service is {unit}")]);
    scene.make(11, &format!("{unit}/docker-{}.scope", id('a')));
    assert!(!scene.tracker.is_any_pending() && scene.tracker.is_foreign("/system.slice/x.service"));
}
