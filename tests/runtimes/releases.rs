//! Engines of other releases of Debian, each in a root file system of its release that `cargo xtask
//! test` made.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Cgroup, temporary_directory};

use crate::bundle::{self, Runtime, Start};
use crate::command_line::CommandLine;
use crate::cri::Containerd;
use crate::engine::Engine;
use crate::namespace::Namespace;
use crate::world::{Kind, World, without_limits};

/// The variable with their paths and versions, in JSON.
const VARIABLE: &str = "TRACER_TEST_ENGINES";
/// Where Debian has the low-level runtimes.
const PROGRAMS: &str = "/usr/bin";

type Made = OnceLock<Result<Working, String>>;

/// An engine that works.
enum Working {
    Runtime(Runtime),
    CommandLine(CommandLine),
    Containerd(Containerd),
}

/// What was made for the tests.
#[derive(Default)]
pub struct Given {
    /// Whether everything is tested that can be, and often.
    pub whole: bool,
    /// The root file systems.
    pub releases: Vec<Release>,
}

/// A root file system with engines.
pub struct Release {
    /// The release, such as `sid`.
    pub name: String,
    /// The engines.
    pub kinds: Vec<Kind>,
    // Dropped in this order: what works in a namespace before the namespace.
    made: Vec<Made>,
    shims: OnceLock<TempDir>,
    namespace: OnceLock<Arc<Namespace>>,
    root: PathBuf,
    versions: BTreeMap<String, String>,
}

/// What the environment names; nothing is there without it.
pub fn given() -> Given {
    let text = env::var(VARIABLE).unwrap_or_else(|_| "{}".into());
    let value: Value = serde_json::from_str(&text).expect("xtask writes JSON");
    let roots = value["roots"].as_array().into_iter().flatten();
    Given { whole: value["whole"] == true, releases: roots.map(Release::new).collect() }
}

impl Release {
    fn new(entry: &Value) -> Self {
        let text = |name: &str| entry[name].as_str().expect("xtask names it").to_owned();
        let engines = entry["engines"].as_array().expect("xtask lists them").iter();
        let kinds: Vec<Kind> = engines.filter_map(Value::as_str).flat_map(kinds).copied().collect();
        Self {
            name: text("release"),
            made: kinds.iter().map(|_| Made::default()).collect(),
            kinds,
            shims: OnceLock::new(),
            namespace: OnceLock::new(),
            root: text("root").into(),
            versions: serde_json::from_value(entry["versions"].clone()).expect("xtask lists them"),
        }
    }

    /// The versions of an engine's packages.
    pub fn version(&self, kind: Kind) -> String {
        let versions = packages(kind).iter().map(|name| {
            let version = self.versions.get(*name).map_or("?", String::as_str);
            if *name == kind.name() { version.to_owned() } else { format!("{name} {version}") }
        });
        versions.collect::<Vec<_>>().join(", ")
    }

    /// The engine, or why it does not work.
    pub fn engine(&self, world: &World, kind: Kind) -> Result<&dyn Engine, String> {
        Ok(match self.working(world, kind)? {
            Working::Runtime(engine) => engine,
            Working::CommandLine(engine) => engine,
            Working::Containerd(engine) => engine,
        })
    }

    /// podman or Docker, or why it does not work.
    pub fn command_line(&self, world: &World, kind: Kind) -> Result<&CommandLine, String> {
        match self.working(world, kind)? {
            Working::CommandLine(engine) => Ok(engine),
            _ => Err(format!("{} has no command line like Docker's", kind.name())),
        }
    }

    fn working(&self, world: &World, kind: Kind) -> Result<&Working, String> {
        let place = self.kinds.iter().position(|&known| known == kind);
        let place = place.ok_or_else(|| format!("{} has no {}", self.name, kind.name()))?;
        let made = self.made[place].get_or_init(|| self.make(world, kind));
        made.as_ref().map_err(|story| format!("{} of {}: {story}", kind.name(), self.name))
    }

    fn make(&self, world: &World, kind: Kind) -> Result<Working, String> {
        let root = world.known_root()?.path();
        let namespace = self.namespace.get_or_init(|| Arc::new(Namespace::with_root(&self.root)));
        let namespace = Arc::clone(namespace);
        let path = Path::new;
        Ok(match kind {
            Kind::Runc | Kind::Crun => Working::Runtime(runtime(kind, namespace, root)?),
            Kind::PodmanRunc | Kind::PodmanCrun => {
                let shim = self.shim(if kind == Kind::PodmanRunc { "runc" } else { "crun" });
                Working::CommandLine(CommandLine::podman(path("podman"), &shim, namespace, root))
            }
            Kind::Docker => {
                let programs = [path("dockerd"), path("docker")];
                Working::CommandLine(CommandLine::docker(programs, namespace, &world.image()?)?)
            }
            Kind::Containerd => {
                let programs = [path("containerd"), path("ctr"), &self.shim("runc")];
                Working::Containerd(Containerd::new(programs, &namespace, &world.image()?)?)
            }
        })
    }

    /// A low-level runtime that sets no limits.
    fn shim(&self, runtime: &str) -> PathBuf {
        without_limits(runtime, self.shims.get_or_init(temporary_directory).path())
    }
}

fn runtime(kind: Kind, namespace: Arc<Namespace>, root: &Path) -> Result<Runtime, String> {
    let program = Path::new(PROGRAMS).join(kind.name());
    let root = root.to_owned();
    let runtime = Runtime { program, namespace, root, start: Start::Run, under_filter: false };
    let above = Cgroup::new("probe");
    bundle::probe(&runtime, above.name())?;
    Ok(runtime)
}

/// The engines that a name of xtask's stands for.
fn kinds(name: &str) -> &'static [Kind] {
    match name {
        "runc" => &[Kind::Runc],
        "crun" => &[Kind::Crun],
        "podman" => &[Kind::PodmanRunc, Kind::PodmanCrun],
        "docker" => &[Kind::Docker],
        "containerd" => &[Kind::Containerd],
        _ => &[],
    }
}

/// The packages of which an engine consists.
fn packages(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Runc => &["runc"],
        Kind::Crun => &["crun"],
        Kind::PodmanRunc => &["podman", "runc"],
        Kind::PodmanCrun => &["podman", "crun"],
        Kind::Docker => &["docker.io", "runc"],
        Kind::Containerd => &["containerd", "runc"],
    }
}
