//! The lines of the documents that need an engine, as they are typed there: a container runs under
//! its learned profile and under no less, one that does not start is understood, and a default is
//! amended.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use libtest_mimic::Trial;
use tests::typed::{ENGINES, POD, workspace};
use tests::{Cgroup, Stop, tracer_program};

use crate::cases::Cases;
use crate::command_line::CommandLine;
use crate::desk::{Desk, Said};
use crate::does_not_start::write_few;
use crate::engine::{Engine, Order, succeed};
use crate::names::with_storage;
use crate::world::{Kind, World};

/// What the image does, until it reads the end of its input.
const PROGRAM: &str = "/program barrier say:started";
/// Something else: it ends when the filter that it loads is refused.
const OTHER: &str = "/program allow-all say:other";
/// A call that the defaults of engines refuse.
const REFUSED: &str = "/program x86_64:request_key say:started";
const UNDER_WEB: &str = "docker run --rm --name web --security-opt seccomp=web.json IMAGE";
/// What the containers are found by.
const LABEL: &str = "tracer-tests=typed";

/// The cases that nothing else may run beside. The lines name no engine, so that a container of an
/// engine that tracer cannot ask, and that is gone at once, may be the one that is meant.
pub fn alone(cases: &Cases) -> Vec<Trial> {
    let kinds = [Kind::Docker, Kind::PodmanRunc, Kind::PodmanCrun];
    let trial =
        |kind: Kind| cases.trial(format!("typed::{}", kind.name()), move |world| day(world, kind));
    let mut trials: Vec<Trial> = kinds.into_iter().map(trial).collect();
    trials.push(cases.trial("typed::pod".into(), pod));
    trials
}

/// tracer, with a variable that names where an engine is.
fn asking(variable: &str, socket: &str) -> Command {
    let mut tracer = Command::new(tracer_program());
    tracer.env(variable, socket);
    tracer
}

/// What somebody types who has this engine.
struct Day<'engine> {
    engine: &'engine CommandLine,
    /// Its program.
    name: &'static str,
    desk: Desk,
    /// Above the containers' cgroups.
    _parent: Cgroup,
    /// The lines of the documents that were typed.
    typed: RefCell<BTreeSet<&'static str>>,
}

impl Drop for Day<'_> {
    fn drop(&mut self) {
        let filter = format!("--filter=label={LABEL}");
        let found = succeed(&mut self.engine.command(&["ps", "--all", "--quiet", &filter]));
        for id in found.unwrap_or_default().lines() {
            // It may be gone.
            let _ = self.engine.command(&["rm", "--force", id]).output();
        }
    }
}

impl<'engine> Day<'engine> {
    fn new(engine: &'engine CommandLine, name: &'static str) -> Self {
        let launcher = with_storage(engine.directory());
        let tracer = if let Some(socket) = engine.socket() {
            asking("DOCKER_HOST", socket)
        } else {
            let mut tracer = Command::new(&launcher[0]);
            tracer.args(&launcher[1..]).arg(tracer_program());
            tracer
        };
        let (desk, parent) = (Desk::new(&tracer), Cgroup::new("typed"));
        let options = format!("--network=none --cgroup-parent={} --label={LABEL}", parent.name());
        let before = format!("[ \"$1\" != run ] || {{ shift; set -- run {options} \"$@\"; }}\n");
        desk.install(name, &engine.program_in(desk.directory()), &before);
        symlink(workspace().join("profiles"), desk.path("profiles")).expect("a link");
        Self { engine, name, desk, _parent: parent, typed: RefCell::default() }
    }

    /// A line that the documents have with Docker, as they have it with this engine.
    fn line(&self, line: &str) -> String {
        let own = line.replace("docker ", &format!("{} ", self.name));
        let bare = |line: &str| line.trim_start_matches("sudo ").to_owned();
        let documented = ENGINES.into_iter().find(|typed| bare(typed) == bare(&own));
        self.typed.borrow_mut().extend(documented);
        assert!(documented.is_some() || ENGINES.contains(&line), "the documents have it: {line}");
        documented.map_or(own, str::to_owned)
    }

    /// The same, with an image that runs this program.
    fn with_image(&self, line: &str, program: &str) -> String {
        let image = self.engine.image().join(" ");
        self.line(line).replace("IMAGE", &format!("{image} {program}"))
    }

    fn run(&self, line: &str, program: &str) -> Said {
        self.desk.run(&self.with_image(line, program))
    }

    /// Types the second line in another terminal, while tracer watches.
    fn watched(&self, watching: &str, line: &str, program: &str) -> (Said, Said) {
        let line = self.with_image(line, program);
        self.desk.watched(&self.line(watching), || self.desk.run(&line))
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.desk.path(from), self.desk.path(to)).expect("it was written");
    }
}

fn day(world: &World, kind: Kind) -> Result<(), Stop> {
    world.root()?;
    let engine = world.command_line(kind).map_err(Stop::Skip)?;
    let day = Day::new(engine, if kind == Kind::Docker { "docker" } else { "podman" });
    records_and_enforces(&day);
    uses_the_profile(&day)?;
    finds_out_why_it_does_not_start(&day);
    begins_with_the_default(&day);
    let of_another = if kind == Kind::Docker { "podman " } else { "docker " };
    let missing: Vec<&str> = ENGINES
        .into_iter()
        .filter(|line| !line.contains(of_another) && !day.typed.borrow().contains(line))
        .collect();
    assert!(missing.is_empty(), "nobody typed: {missing:?}");
    Ok(())
}

fn records_and_enforces(day: &Day) {
    let run = "docker run --rm --name web IMAGE";
    let (recorded, ran) =
        day.watched("sudo tracer --wait --cgroup web --out web.json", run, PROGRAM);
    ran.exits(0).says(&["started"]);
    recorded.exits(0).says(&["web: 1 start recorded whole", "complete: nothing was lost"]);
    day.run(UNDER_WEB, PROGRAM).exits(0).says(&["started"]);
    day.run(run, OTHER).exits(0).says(&["other"]);
    day.run(UNDER_WEB, OTHER).fails().says_not("other");
}

fn uses_the_profile(day: &Day) -> Result<(), Stop> {
    fs::copy(day.desk.path("web.json"), day.desk.path("profile.json")).expect("it was written");
    let run = "docker run --security-opt seccomp=profile.json IMAGE";
    day.run(run, PROGRAM).exits(0).says(&["started"]);
    day.run("docker run --security-opt seccomp=profiles/learn.json IMAGE", OTHER)
        .exits(0)
        .says(&["other"]);
    // It goes on as long as its input is open.
    let start = day.with_image(run, PROGRAM).replace(" run ", " run --detach --interactive ");
    let started = day.desk.run(&start).exits(0).text;
    let is_id = |line: &&str| line.len() == 64 && !line.contains(' ');
    let id = started.lines().find(is_id).expect("the engine prints its id");
    let watching = day.line("sudo tracer verify profile.json --cgroup 4f2a9c");
    let (denied, executed) = day.desk.watched(&watching.replace("4f2a9c", &id[..12]), || {
        succeed(&mut day.engine.command(&["exec", id, "/program", "x86_64:getitimer"]))
    });
    executed?;
    denied.exits(4).says(&["denied: ", "getitimer("]);
    Ok(())
}

fn finds_out_why_it_does_not_start(day: &Day) {
    write_few(day.desk.directory());
    day.rename("few.json", "p.json");
    let said = day.run(
        "docker run --rm --security-opt seccomp=p.json IMAGE 2>&1 | tracer decode --profile p.json",
        PROGRAM,
    );
    said.exits(0).says(&["failed while it created the container", "add to the profile: "]);
    day.desk.run(&day.line("tracer lint p.json")).exits(4).says(&["capset"]);
    let (denied, failed) = day.watched(
        "sudo tracer verify p.json --wait --cgroup web --amend q.json",
        "docker run --name web --security-opt seccomp=p.json IMAGE",
        PROGRAM,
    );
    failed.fails().says_not("started");
    denied.exits(4).says(&["(container-init)", "q.json: the profile with the denied calls"]);
    day.desk.run(&day.line("docker rm web")).exits(0);
    day.rename("q.json", "web.json");
    day.run(UNDER_WEB, PROGRAM).exits(0).says(&["started"]);
}

fn begins_with_the_default(day: &Day) {
    day.desk.run(&day.line("tracer convert docker-default --to docker --out base.json")).exits(0);
    let (denied, ran) = day.watched(
        "sudo tracer verify base.json --wait --cgroup web --amend web.json",
        "docker run --rm --name web --security-opt seccomp=base.json IMAGE",
        REFUSED,
    );
    ran.exits(0).says(&["started"]);
    denied.exits(4).says(&["request_key("]);
    day.desk.run("tracer diff base.json web.json --json").exits(0).says(&["request_key"]);
    day.run(UNDER_WEB, REFUSED).exits(0).says(&["started"]);
}

/// The line with a pod, whose name is another one here.
fn pod(world: &World) -> Result<(), Stop> {
    world.root()?;
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let above = Cgroup::new("typed-pod");
    let socket = format!("unix://{}", containerd.socket().expect("it has one"));
    let desk = Desk::new(&asking("CONTAINER_RUNTIME_ENDPOINT", &socket));
    let line = POD.replace("shop/", "tracer-tests/");
    let (recorded, ran) = desk.watched(&line, || -> Result<(), String> {
        let pod =
            containerd.pod_of("web", "0", |uid| format!("{}/kubepods/pod{uid}", above.name()))?;
        let words = ["/program", "x86_64:getitimer"];
        let parent = above.name();
        let order = Order { words: &words, user: 0, no_new_privs: false, profile: None, parent };
        let container = pod.create("app", 0, &order)?;
        pod.run_to_its_end(&container)
    });
    ran?;
    recorded.exits(0).says(&["web-0/app: 1 start recorded whole"]);
    for name in ["web.json", "web.app.json"] {
        let profile = fs::read_to_string(desk.path(name)).expect("it was written");
        assert!(profile.contains("\"getitimer\""), "{name}: {profile}");
    }
    Ok(())
}
