//! `cargo xtask test`: the one test command.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    ci::is_ci,
    cluster::{self, Cluster},
    command, ebpf,
    ebpf::Objects,
    engines::{self, Engines, Extent},
    environment::Purpose,
    program, root, system,
    tools::{self, Tool},
    vm::{self, Form, Machines},
    workspace::Workspace,
};

/// What `cargo xtask test` is given.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to test
    #[arg(value_enum, default_value_t = Selection::All)]
    selection: Selection,
    /// The kernels to test on, for vm: such as 6.12, or newest
    #[arg(value_name = "KERNEL")]
    kernels: Vec<String>,
    /// Install the tools that tests need and this machine lacks (always with CI=true)
    #[arg(long)]
    install: bool,
    /// Test with podman, Docker and containerd of other releases of Debian as well, and each more
    /// often
    #[arg(long)]
    all_engines: bool,
    /// How long each target of fuzz runs: 60 seconds, or 5 where everything is tested
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Run the tests that need root beside twenty foreign containers that start and stop each
    /// second
    #[arg(long)]
    beside_load: bool,
    /// What the test programs are given: a filter, or their options
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Selection {
    /// Format, lints, and the tests that need neither root nor eBPF
    Offline,
    /// Readers of files with random input
    Fuzz,
    /// Tests on the running kernel, as root
    Kernel,
    /// Tests with real container runtimes, as root
    Runtimes,
    /// Tests in virtual machines, on other kernels
    Vm,
    /// Tests with the pods of a Kubernetes of one node, as root
    Cluster,
    /// All of them, fuzz and vm in their short forms
    All,
}

/// A kind of test program that runs as root: a test target of the package `tests`. A new kind is a
/// new line here, and a new [`Selection`].
struct Tier {
    name: &'static str,
    tools: &'static [Tool],
    /// Whether it wants containers: the Debian system of [`system`], and engines of other releases.
    with_containers: bool,
    /// Whether it wants the static tracer, for an image or another kernel.
    with_static: bool,
    /// Whether it wants what virtual machines are made of.
    with_machines: bool,
    /// Whether it wants a Kubernetes.
    with_cluster: bool,
}

/// What is tested.
struct Programs {
    objects: Objects,
    tracer: PathBuf,
    static_tracer: Option<PathBuf>,
    machines: Option<(Machines, PathBuf)>,
    engines: Option<Engines>,
    cluster: Option<Cluster>,
}

const KERNEL: Tier = Tier {
    name: "kernel",
    tools: tools::KERNEL,
    with_containers: false,
    with_static: false,
    with_machines: false,
    with_cluster: false,
};
const RUNTIMES: Tier = Tier {
    name: "runtimes",
    tools: tools::RUNTIMES,
    with_containers: true,
    with_static: true,
    with_machines: false,
    with_cluster: false,
};
const VM: Tier = Tier {
    name: "vm",
    tools: tools::VM,
    with_containers: false,
    with_static: true,
    with_machines: true,
    with_cluster: false,
};
const CLUSTER: Tier = Tier {
    name: "cluster",
    tools: tools::CLUSTER,
    with_containers: false,
    with_static: true,
    with_machines: false,
    with_cluster: true,
};

impl Selection {
    fn with_offline(self) -> bool {
        matches!(self, Self::Offline | Self::All)
    }

    /// How long each target of fuzz runs, in seconds; None where none does.
    fn fuzz_seconds(self) -> Option<u64> {
        match self {
            Self::Fuzz => Some(60),
            Self::All => Some(5),
            _ => None,
        }
    }

    fn tiers(self) -> &'static [Tier] {
        match self {
            Self::Offline | Self::Fuzz => &[],
            Self::Kernel => &[KERNEL],
            Self::Runtimes => &[RUNTIMES],
            Self::Vm => &[VM],
            Self::Cluster => &[CLUSTER],
            Self::All => &[KERNEL, RUNTIMES, VM, CLUSTER],
        }
    }
}

/// Sets everything up, then tests, cheapest first.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let form = form(options)?;
    let mut tiers: Vec<&Tier> = options.selection.tiers().iter().collect();
    let install = options.install || is_ci();
    if options.selection.with_offline() {
        tools::set_up(workspace, tools::OFFLINE, install)?;
    }
    let mut machines = None;
    let mut engines = None;
    let mut cluster = None;
    for tier in &tiers {
        tools::set_up(workspace, tier.tools, install)?;
        if tier.with_static {
            tools::set_up(workspace, tools::STATIC, install)?;
        }
        if tier.with_containers {
            system::set_up(workspace, install)?;
            engines = Some(engines::set_up(workspace, options.extent(), install)?);
        }
        if tier.with_machines {
            machines = vm::set_up(workspace, &form, install)?;
        }
        if tier.with_cluster {
            cluster = cluster::set_up(workspace, install)?;
        }
    }
    tiers.retain(|tier| {
        (!tier.with_static || tools::are_present(tools::STATIC))
            && (machines.is_some() || !tier.with_machines)
            && (cluster.is_some() || !tier.with_cluster)
    });
    let objects = ebpf::build(workspace)?;
    if options.selection.with_offline() {
        check(workspace)?;
        run_offline(workspace, &options.arguments)?;
    }
    if let Some(seconds) = options.selection.fuzz_seconds() {
        run_fuzz(workspace, options.seconds.unwrap_or(seconds), &options.arguments)?;
    }
    if tiers.is_empty() {
        return Ok(());
    }
    let tracer = program::tracer(workspace, false)?;
    let with_static = tiers.iter().any(|tier| tier.with_static);
    let static_tracer =
        with_static.then(|| program::static_tracer(workspace, false)).transpose()?;
    let machines = match machines {
        Some(machines) => Some((machines, program::guest(workspace)?)),
        None => None,
    };
    let programs = Programs { objects, tracer, static_tracer, machines, engines, cluster };
    let _load = options.beside_load.then(|| Load::start(workspace)).transpose()?;
    for tier in tiers {
        run_as_root(workspace, tier, &programs, &options.arguments)?;
    }
    Ok(())
}

impl Options {
    fn extent(&self) -> Extent {
        if self.all_engines { Extent::All } else { Extent::LowLevel }
    }
}

/// How much is tested in virtual machines.
fn form(options: &Options) -> Result<Form> {
    match options.selection {
        Selection::Vm => Ok(Form::Whole(options.kernels.clone())),
        _ if options.kernels.is_empty() => Ok(Form::Short),
        _ => bail!("only `cargo xtask test vm` takes kernels: {}", options.kernels.join(" ")),
    }
}

fn check(workspace: &Workspace) -> Result<()> {
    let mut format = workspace.cargo(Purpose::Host);
    command::quiet("format", format.args(["fmt", "--all", "--check", "--", "--color=never"]))?;
    let mut clippy = workspace.cargo(Purpose::Host);
    clippy.args(["clippy", "--locked", "--quiet", "--workspace", "--all-targets"]);
    clippy.args(["--", "-D", "warnings"]);
    command::quiet("clippy", &mut clippy)?;
    ebpf::clippy(workspace)?;
    document(workspace)
}

/// Builds the documentation of everything, private items included, so that no link in it is broken.
fn document(workspace: &Workspace) -> Result<()> {
    let mut documentation = workspace.cargo(Purpose::Host);
    documentation
        .args(["doc", "--locked", "--quiet", "--workspace", "--no-deps"])
        .arg("--document-private-items")
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links");
    command::quiet("documentation", &mut documentation)
}

fn run_offline(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    let cargo_test = || {
        let mut command = workspace.cargo(Purpose::Host);
        command.args(["test", "--locked", "--quiet"]);
        command
    };
    let mut unit = cargo_test();
    unit.args(["--workspace", "--exclude=tracer-ebpf", "--lib", "--bins", "--"]).args(arguments);
    command::streamed("unit tests", &mut unit)?;
    let mut offline = cargo_test();
    offline.args(["--package=tests", "--test=offline", "--"]).args(arguments);
    command::streamed("offline tests", &mut offline)
}

fn run_fuzz(workspace: &Workspace, seconds: u64, arguments: &[OsString]) -> Result<()> {
    let mut fuzz = workspace.cargo(Purpose::Host);
    fuzz.args(["test", "--locked", "--quiet", "--package=tests", "--test=fuzz", "--"]);
    fuzz.args(arguments).env("TRACER_FUZZ_SECONDS", seconds.to_string());
    command::streamed("fuzz tests", &mut fuzz)
}

/// Containers of others (`tests/load`), until this value is dropped.
struct Load(Child);

impl Load {
    fn start(workspace: &Workspace) -> Result<Self> {
        let mut build = workspace.cargo(Purpose::Host);
        build.args(["build", "--locked", "--package=tests", "--bin=load"]);
        let programs = program::build("load, building", &mut build)?;
        let mut load = root::command(workspace, program::find(&programs, "load")?, [])?;
        let child = load.stdin(Stdio::piped()).spawn().context("failed to start the load")?;
        Ok(Self(child))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It ends with its standard input, and takes its cgroups with it.
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("load: {error}");
        }
    }
}

/// Builds a test program as the caller and runs it as root, as cargo would: in its package's
/// directory.
fn run_as_root(
    workspace: &Workspace,
    tier: &Tier,
    programs: &Programs,
    arguments: &[OsString],
) -> Result<()> {
    let title = format!("{} tests", tier.name);
    let program = build_test(workspace, tier.name)?;
    let mut test = test_command(workspace, &program, programs)?;
    command::streamed(&title, test.args(arguments))
}

fn build_test(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let mut build = workspace.cargo(Purpose::Host);
    build.args(["test", "--locked", "--no-run", "--package=tests", "--test", name]);
    let programs = program::build(&format!("{name} tests, building"), &mut build)?;
    program::find(&programs, name).map(Path::to_path_buf)
}

fn test_command(workspace: &Workspace, program: &Path, programs: &Programs) -> Result<Command> {
    let Programs { objects, tracer, static_tracer, machines, engines, cluster } = programs;
    let package = workspace.root().join("tests");
    let mut variables: Vec<(&str, OsString)> = vec![
        ("CARGO_MANIFEST_DIR", package.clone().into()),
        ("TRACER_BIN", tracer.into()),
        ("TRACER_EBPF_OBJECT", objects.tracer.clone().into()),
        ("TRACER_EMPTY_OBJECT", objects.empty.clone().into()),
        (system::VARIABLE, system::archive(workspace).into()),
    ];
    variables.extend(static_tracer.iter().map(|path| ("TRACER_STATIC_BIN", path.into())));
    if let Some((machines, guest)) = machines {
        variables.extend(machines.variables());
        variables.push(("TRACER_VM_GUEST", guest.into()));
    }
    if let Some(engines) = engines {
        variables.extend(engines.variables());
    }
    variables.extend(cluster.iter().map(Cluster::variable));
    // The variables of the caller that the test programs read.
    for name in ["CI", "RUST_BACKTRACE", "BLESS"] {
        variables.extend(env::var_os(name).map(|value| (name, value)));
    }
    let mut command = root::command(workspace, program, variables)?;
    command.current_dir(package);
    Ok(command)
}
