//! What the tests share: the root file system, namespaces, and one engine of each kind. Made when
//! first asked for; all of it ends with this value.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use tests::{Cgroup, Stop, kernel_tier, temporary_directory, tool};

use crate::bundle::{self, Runtime, Start};
use crate::command_line::{CommandLine, IMAGE};
use crate::cri::Containerd;
use crate::engine::Engine;
use crate::namespace::{Namespace, Place};
use crate::releases::{Given, given};
use crate::root::Root;
use crate::table::Table;

/// A kind of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// runc by itself.
    Runc,
    /// crun by itself.
    Crun,
    /// podman with runc.
    PodmanRunc,
    /// podman with crun.
    PodmanCrun,
    /// Docker with runc.
    Docker,
    /// containerd with runc, as Kubernetes uses it.
    Containerd,
}

/// See the module.
#[derive(Default)]
pub struct World {
    // Dropped in this order: what works in a namespace before the namespace.
    runc: OnceLock<Result<Runtime, String>>,
    crun: OnceLock<Result<Runtime, String>>,
    podman_runc: OnceLock<Result<CommandLine, String>>,
    podman_crun: OnceLock<Result<CommandLine, String>>,
    docker: OnceLock<Result<CommandLine, String>>,
    containerd: OnceLock<Result<Containerd, String>>,
    host: OnceLock<Arc<Namespace>>,
    private: OnceLock<Arc<Namespace>>,
    version_2: OnceLock<Arc<Namespace>>,
    shim: OnceLock<TempDir>,
    image: OnceLock<TempDir>,
    /// Engines of other releases.
    pub given: Given,
    /// How often containers started.
    pub table: Table,
    root: OnceLock<Result<Root, String>>,
}

/// Takes the limits out of a bundle before the runtime sees it: they need controllers and
/// capabilities that the machine may not have.
const WITHOUT_LIMITS: &str = r#"#!/bin/sh
previous=
bundle=.
for word; do
    case $previous in --bundle|-b) bundle=$word ;; esac
    case $word in --bundle=*) bundle=${word#--bundle=} ;; esac
    previous=$word
done
case " $* " in *" create "*|*" run "*)
    changed=$(jq -c 'del(.linux.resources)' "$bundle/config.json") || exit
    printf '%s' "$changed" > "$bundle/config.json" || exit
esac
exec RUNTIME "$@"
"#;

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Runc,
        Self::Crun,
        Self::PodmanRunc,
        Self::PodmanCrun,
        Self::Docker,
        Self::Containerd,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::PodmanRunc => "podman_runc",
            Self::PodmanCrun => "podman_crun",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
        }
    }
}

/// A program in the directory that runs this runtime without limits.
pub fn without_limits(runtime: &str, directory: &Path) -> PathBuf {
    let program = directory.join(runtime);
    let script = WITHOUT_LIMITS.replace("RUNTIME", runtime);
    tests::write_program(&program, script);
    program
}

impl World {
    /// With what the environment names.
    pub fn new() -> Self {
        Self { given: given(), ..Self::default() }
    }

    /// The root file system, or what it lacks.
    pub fn known_root(&self) -> Result<&Root, String> {
        self.root.get_or_init(Root::new).as_ref().map_err(Clone::clone)
    }

    /// The root file system.
    pub fn root(&self) -> Result<&Root, Stop> {
        self.known_root().map_err(Stop::Skip)
    }

    /// A namespace that everybody shares.
    fn namespace(&self, place: Place) -> Arc<Namespace> {
        let cell = match place {
            Place::Host => &self.host,
            Place::Private => &self.private,
            Place::Version2 => &self.version_2,
        };
        Arc::clone(cell.get_or_init(|| Arc::new(Namespace::new(place))))
    }

    /// The archive of an image of the root file system.
    pub fn image(&self) -> Result<PathBuf, String> {
        let root = self.known_root()?;
        Ok(self.image.get_or_init(|| root.image(IMAGE)).path().join("image.tar"))
    }

    /// An engine, or why there is none.
    pub fn engine(&self, kind: Kind) -> Result<&dyn Engine, String> {
        kernel_tier()?;
        match kind {
            Kind::Runc | Kind::Crun => Ok(self.runtime(kind)?),
            Kind::Containerd => Ok(self.containerd()?),
            Kind::PodmanRunc | Kind::PodmanCrun | Kind::Docker => Ok(self.command_line(kind)?),
        }
    }

    /// podman or Docker, or why there is none.
    pub fn command_line(&self, kind: Kind) -> Result<&CommandLine, String> {
        kernel_tier()?;
        let made = match kind {
            Kind::PodmanRunc => self.podman_runc.get_or_init(|| {
                let runc = tool("runc")?;
                self.podman(&runc, Place::Private)
            }),
            Kind::PodmanCrun => self.podman_crun.get_or_init(|| {
                let shim = self.crun_without_limits()?;
                self.podman(&shim, Place::Version2)
            }),
            Kind::Docker => self.docker.get_or_init(|| self.start_docker()),
            Kind::Runc | Kind::Crun | Kind::Containerd => {
                return Err(format!("{} has no command line like Docker's", kind.name()));
            }
        };
        made.as_ref().map_err(Clone::clone)
    }

    /// containerd, or why there is none.
    pub fn containerd(&self) -> Result<&Containerd, String> {
        kernel_tier()?;
        let made = self.containerd.get_or_init(|| self.start_containerd());
        made.as_ref().map_err(Clone::clone)
    }

    /// A low-level runtime, or why there is none.
    pub fn runtime(&self, kind: Kind) -> Result<&Runtime, String> {
        kernel_tier()?;
        let (cell, place) = match kind {
            Kind::Crun => (&self.crun, Place::Version2),
            _ => (&self.runc, Place::Host),
        };
        let made = cell.get_or_init(|| self.make_runtime(tool(kind.name())?, place));
        made.as_ref().map_err(Clone::clone)
    }

    fn make_runtime(&self, program: PathBuf, place: Place) -> Result<Runtime, String> {
        let root = self.known_root()?.path().to_owned();
        let namespace = self.namespace(place);
        let runtime = Runtime { program, namespace, root, start: Start::Run, under_filter: false };
        let above = Cgroup::new("probe");
        bundle::probe(&runtime, above.name())?;
        Ok(runtime)
    }

    fn podman(&self, runtime: &Path, place: Place) -> Result<CommandLine, String> {
        let podman = tool("podman")?;
        tool("conmon")?;
        Ok(CommandLine::podman(&podman, runtime, self.namespace(place), self.known_root()?.path()))
    }

    fn crun_without_limits(&self) -> Result<PathBuf, String> {
        tool("crun")?;
        tool("jq")?;
        let directory = self.shim.get_or_init(temporary_directory);
        Ok(without_limits("crun", directory.path()))
    }

    fn start_containerd(&self) -> Result<Containerd, String> {
        self.containerd_with(&tool("runc")?)
    }

    /// One of its own, with this low-level runtime.
    pub fn containerd_with(&self, runtime: &Path) -> Result<Containerd, String> {
        kernel_tier()?;
        let programs = [tool("containerd")?, tool("ctr")?, runtime.to_owned()];
        let programs = programs.each_ref().map(PathBuf::as_path);
        Containerd::new(programs, &self.namespace(Place::Private), &self.image()?)
    }

    fn start_docker(&self) -> Result<CommandLine, String> {
        let [dockerd, docker] = [tool("dockerd")?, tool("docker")?];
        tool("containerd")?;
        tool("runc")?;
        CommandLine::docker([&dockerd, &docker], self.namespace(Place::Private), &self.image()?)
    }
}
