//! What was learned with an engine starts under it, and lets programs be executed: with and without
//! a terminal, as root and as a user, with and without no_new_privs, also when every other call
//! kills. Under the engines of this machine and of other releases of Debian; a table says how
//! often.

use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use tests::{Cgroup, Outcome, Stop, Tracer, temporary_directory, tool, tracer_program};

use crate::cases::Cases;
use crate::command_line::CommandLine;
use crate::counter::learning_profile;
use crate::engine::{Container, Engine, Order, succeed, wait_until_done};
use crate::matrix::{SOMEBODY, refuses};
use crate::table::Tally;
use crate::workloads::{self, Workload};
use crate::world::{Kind, World};

/// Calls by which containers are made, broken out of or watched; no workload here makes one.
pub const NEVER: [&str; 17] = [
    "mount",
    "umount2",
    "pivot_root",
    "unshare",
    "setns",
    "sethostname",
    "keyctl",
    "seccomp",
    "bpf",
    "ptrace",
    "open_by_handle_at",
    "fsopen",
    "fsconfig",
    "fsmount",
    "open_tree",
    "move_mount",
    "execveat",
];
/// Workloads that are tested when nothing more is asked for.
const FEW: [&str; 4] = ["busybox", "nginx", "rust", USER_NAMESPACE];
/// Not a workload of its own: busybox in a user namespace.
const USER_NAMESPACE: &str = "user_namespace";
/// How often a container is started under a profile that refuses, and under one that kills.
const STARTS: [usize; 2] = [2, 2];
/// The same when everything is asked for.
const MANY_STARTS: [usize; 2] = [2, 10];
/// The same, of an engine that takes its time.
const SLOW_STARTS: [usize; 2] = [1, 3];
/// Executions for each start.
const EXECUTIONS: usize = 2;

/// An engine to test.
#[derive(Clone, Copy)]
pub struct Candidate {
    /// The place of its root file system among those that were given; this machine's without one.
    pub release: Option<usize>,
    /// What it is.
    pub kind: Kind,
}

/// How a program is executed in a container.
#[derive(Clone, Copy, Debug)]
struct Way {
    user: Option<u32>,
    terminal: bool,
}

/// All cases.
pub fn trials(cases: &Cases, world: &World) -> Vec<Trial> {
    let given = &world.given;
    if given.releases.is_empty() {
        let reason = "needs engines of other releases: run `cargo xtask test runtimes --install`";
        return vec![cases.trial("starts::engines".into(), |_| Err(Stop::Skip(reason.into())))];
    }
    let mut trials = Vec::new();
    for candidate in candidates(world) {
        for workload in names(given.whole) {
            if workload == USER_NAMESPACE && !candidate.is_low_level() {
                continue;
            }
            for no_new_privs in [false, true] {
                let suffix = if no_new_privs { "_no_new_privs" } else { "" };
                let name = format!("starts::{}::{workload}{suffix}", candidate.label(world));
                let test = move |world: &World| hold(world, candidate, workload, no_new_privs);
                trials.push(cases.trial(name, test));
            }
        }
    }
    trials
}

/// The engines that are tested, of this machine and of the releases that were given.
pub fn candidates(world: &World) -> Vec<Candidate> {
    let kinds: &[Kind] = if world.given.whole { &Kind::ALL } else { &[Kind::Runc, Kind::Crun] };
    let here = kinds.iter().copied().map(Candidate::here);
    let releases = world.given.releases.iter().enumerate();
    let others = releases.flat_map(|(place, release)| {
        release.kinds.iter().map(move |&kind| Candidate { release: Some(place), kind })
    });
    here.chain(others).collect()
}

fn names(whole: bool) -> Vec<&'static str> {
    if !whole {
        return FEW.into();
    }
    let all = workloads::ALL.iter().chain(&workloads::ON_REQUEST).map(|workload| workload.name);
    all.chain([USER_NAMESPACE]).collect()
}

impl Candidate {
    /// This machine's.
    pub fn here(kind: Kind) -> Self {
        Self { release: None, kind }
    }

    fn is_low_level(self) -> bool {
        matches!(self.kind, Kind::Runc | Kind::Crun)
    }

    /// Where it is from, and its name, as part of a test's name.
    pub fn label(self, world: &World) -> String {
        let release =
            self.release.map_or("here", |place| world.given.releases[place].name.as_str());
        format!("{release}_{}", self.kind.name())
    }

    fn engine(self, world: &World) -> Result<&dyn Engine, String> {
        match self.release {
            None => world.engine(self.kind),
            Some(place) => world.given.releases[place].engine(world, self.kind),
        }
    }

    /// The engine with its whole command line: podman or Docker.
    pub fn command_line(self, world: &World) -> Result<&CommandLine, String> {
        match self.release {
            None => world.command_line(self.kind),
            Some(place) => world.given.releases[place].command_line(world, self.kind),
        }
    }

    /// Its name, where it is from, and its version.
    pub fn description(self, world: &World) -> Result<String, String> {
        let (release, version) = match self.release {
            None => ("this machine", version_here(self.kind)?),
            Some(place) => {
                let release = &world.given.releases[place];
                (release.name.as_str(), release.version(self.kind))
            }
        };
        Ok(format!("{} {version} ({release})", self.kind.name()))
    }

    fn starts(self, world: &World) -> [usize; 2] {
        match (world.given.whole, self.is_low_level()) {
            (false, _) => STARTS,
            (true, true) => MANY_STARTS,
            (true, false) => SLOW_STARTS,
        }
    }
}

/// What an engine of this machine says.
fn version_here(kind: Kind) -> Result<String, String> {
    let program = match kind {
        Kind::Runc | Kind::Crun | Kind::Containerd => kind.name(),
        Kind::PodmanRunc | Kind::PodmanCrun => "podman",
        Kind::Docker => "dockerd",
    };
    let said = succeed(Command::new(tool(program)?).arg("--version"))?;
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let version = said.split([' ', ',', '\n']).find(is_version);
    Ok(version.unwrap_or("?").to_owned())
}

fn hold(
    world: &World,
    candidate: Candidate,
    workload: &'static str,
    no_new_privs: bool,
) -> Result<(), Stop> {
    let engine = candidate.engine(world).map_err(Stop::Skip)?;
    let in_namespace = (workload == USER_NAMESPACE).then(|| engine.with_user_namespace()).flatten();
    let engine = in_namespace.as_deref().unwrap_or(engine);
    let program = if workload == USER_NAMESPACE { "busybox" } else { workload };
    let (words, user) = Workload::named(program).order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = Cgroup::new(workload);
    let order = Order { words: &words, user, no_new_privs, profile: None, parent: parent.name() };
    let learned = learn(engine, &order)?;
    // A filter that allows everything separates the phases exactly.
    let allowing = temporary_directory();
    let profile = allowing.path().join("learn.json");
    fs::copy(learning_profile(), &profile).expect("the profile is copied");
    learn(engine, &Order { profile: Some(&profile), ..order })?;
    let kill = learned.directory().join("kill.json");
    write_killing_profile(&learned, &kill)?;
    let mut counted = Tally::default();
    let mut stories = Vec::new();
    let profiles = [learned.directory().join("profile.json"), kill];
    let ways = ways(engine);
    for (profile, starts) in profiles.iter().zip(candidate.starts(world)) {
        let order = Order { profile: Some(profile), ..order };
        // In turn, so that each way is taken.
        let turns = ways.chunks(EXECUTIONS).cycle().take(starts);
        for ways in turns {
            stories.extend(start(engine, &order, ways, &mut counted));
        }
    }
    world.table.add(&candidate.description(world)?, workload, counted);
    let order = Order { profile: Some(&profiles[0]), ..order };
    stories.extend(refuse(engine, &order, &learned.allowed()).err());
    if stories.is_empty() { Ok(()) } else { Err(Stop::Fail(table(&counted, &stories))) }
}

/// Each story once, with how often it happened.
fn table(counted: &Tally, stories: &[String]) -> String {
    let shown = 6;
    let some = stories.iter().take(shown).map(String::as_str).collect::<Vec<_>>().join("\n");
    format!("starts and executions: {counted}; {} failures, the first:\n{some}", stories.len())
}

fn ways(engine: &dyn Engine) -> Vec<Way> {
    let way = |user, terminal| Way { user, terminal };
    let mut ways = vec![way(None, false), way(Some(SOMEBODY), true), way(None, true)];
    ways.extend(engine.executes_as_user().then(|| way(Some(SOMEBODY), false)));
    ways
}

fn execute(container: &dyn Container, way: Way) -> Result<(), String> {
    let words = ["/worker", "probe"];
    let said = if way.terminal {
        container.exec_in_terminal(way.user, &words)
    } else {
        container.exec(way.user, &words)
    };
    match said {
        Ok(said) if said.lines().any(|line| line.trim_end().ends_with("probed")) => Ok(()),
        Ok(said) => Err(format!("{way:?}: said {said:?}")),
        Err(story) => Err(format!("{way:?}: {story}")),
    }
}

/// Records one start, and a program executed in each way.
fn learn(engine: &dyn Engine, order: &Order) -> Result<Outcome, String> {
    let tracing = Tracer::new().args(["--cgroup", order.parent]).start();
    let container = engine.start(order)?;
    wait_until_done(&*container)?;
    for way in ways(engine) {
        execute(&*container, way).map_err(|story| format!("while learning: {story}"))?;
    }
    drop(container);
    let outcome = tracing.stop().exits(0);
    let allowed = outcome.allowed();
    let held: Vec<_> = NEVER.iter().filter(|name| allowed.iter().any(|a| a == *name)).collect();
    if held.is_empty() {
        Ok(outcome)
    } else {
        Err(format!("the profile holds {held:?}\n{}", outcome.read("recording.json")))
    }
}

fn write_killing_profile(learned: &Outcome, path: &Path) -> Result<(), String> {
    let mut command = Command::new(tracer_program());
    command.arg("profile").arg(learned.directory().join("profile.recording.json"));
    command.arg("--default-action=kill-process").arg("-o").arg(path);
    succeed(&mut command).map(drop)
}

/// One start under the profile with its executions: what failed.
fn start(engine: &dyn Engine, order: &Order, ways: &[Way], counted: &mut Tally) -> Vec<String> {
    let profile = order.profile.and_then(Path::file_stem).unwrap_or_default().display();
    counted.starts += 1;
    let started = engine.start(order).and_then(|container| {
        wait_until_done(&*container)?;
        Ok(container)
    });
    let container = match started {
        Ok(container) => container,
        Err(story) => return vec![format!("{profile}: {story}")],
    };
    counted.started += 1;
    let mut stories = Vec::new();
    for &way in ways {
        counted.executions += 1;
        match execute(&*container, way) {
            Ok(()) => counted.executed += 1,
            Err(story) => stories.push(format!("{profile}: {story}")),
        }
    }
    stories
}

/// What was not learned is refused.
fn refuse(engine: &dyn Engine, order: &Order, allowed: &[String]) -> Result<(), String> {
    let container = engine.start(order)?;
    wait_until_done(&*container)?;
    refuses(&*container, None, allowed, engine.refusal())
}
