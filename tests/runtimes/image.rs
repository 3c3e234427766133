//! tracer as an image, with the capabilities that the DaemonSet gives it: what it records there is
//! what it records on the host.
//!
//! Podman builds it, and runs it in a cgroup namespace of its own; containerd runs it as a pod's.
//! Docker 20.10 does not know the two capabilities.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use tests::deployment::{CONTAINERFILE, capabilities};
use tests::{BOUND, Cgroup, Outcome, Tracer, Tracing, holds_within, names, temporary_directory};
use tracer::recording::{self, Phase, Recording};

use crate::cases::Cases;
use crate::command_line::CommandLine;
use crate::cri_containers::Confined;
use crate::engine::{Container, Order, succeed, wait_until_done};
use crate::matrix::SOMEBODY;
use crate::workloads::Workload;
use crate::world::{Kind, World};
use tests::Stop;

const IMAGE: &str = "localhost/tracer-tests-image:1";
/// The host's cgroups, as the DaemonSet mounts them.
const HIERARCHY: &str = "/sys/fs/cgroup:/sys/fs/cgroup:ro";
/// A call that the workload does not make.
const EXECUTED: &str = "mkdir";

/// With hybrid cgroups, and with v2 alone.
const KINDS: [Kind; 2] = [Kind::PodmanRunc, Kind::PodmanCrun];

/// All cases.
pub fn trials(cases: &Cases) -> Vec<Trial> {
    let mut trials = vec![cases.trial("image::containerd".into(), records_as_a_pod)];
    let trial = |kind: Kind| {
        let name = format!("image::{}", kind.name());
        cases.trial(name, move |world| records_as_on_the_host(world, kind))
    };
    trials.extend(KINDS.map(trial));
    trials
}

/// The starts of two containers, one made by the host's runc, one by the engine that tracer's own
/// is of.
fn records_as_on_the_host(world: &World, kind: Kind) -> Result<(), Stop> {
    let podman = world.command_line(kind).map_err(Stop::Skip)?;
    build(podman)?;
    let [own, targets] = ["image", "image-targets"].map(Cgroup::new);
    learns_what_is_missing(podman, &own, &targets);
    learns_that_it_sees_a_part(podman, &own, &targets);
    let tracers = [from_image(podman, &own, &capabilities(), &[HIERARCHY]), Tracer::new()];
    let tracings = tracers.map(|tracer| tracer.cgroup(&targets).start());
    work(world, [Kind::Runc, kind], &targets)?;
    let [image, host] = tracings.map(Tracing::stop).map(|outcome| outcome.exits(0));
    check(&host)?;
    compare(&image.recording(), &host.recording())
}

/// The same through the interface that the kubelet uses, under the runtime's default filter, as the
/// DaemonSet says.
fn records_as_a_pod(world: &World) -> Result<(), Stop> {
    let containerd = world.containerd().map_err(Stop::Skip)?;
    let podman = world.command_line(Kind::PodmanRunc).map_err(Stop::Skip)?;
    build(podman)?;
    let [own, targets] = ["image", "image-targets"].map(Cgroup::new);
    let results = temporary_directory();
    let archive = results.path().join("image.tar");
    succeed(podman.command(&["save", "--quiet", IMAGE, "--output"]).arg(&archive))?;
    containerd.import(&archive)?;
    let arguments = ["--cgroup", targets.name(), "--out", "/var/lib/tracer/profile.json"];
    let hierarchy = Path::new("/sys/fs/cgroup");
    let inside = containerd.start_confined(&Confined {
        image: IMAGE,
        arguments: &arguments,
        capabilities: &capabilities(),
        mounts: &[(hierarchy, "/sys/fs/cgroup", true), (results.path(), "/var/lib/tracer", false)],
        parent: own.name(),
    })?;
    let records = || inside.output().contains(&format!("recording {}", targets.name()));
    if !holds_within(BOUND, || records() || !inside.is_running()) || !records() {
        return Err(Stop::Fail(format!("tracer does not record; it said:\n{}", inside.output())));
    }
    let host = Tracer::new().cgroup(&targets).start();
    work(world, [Kind::Runc, Kind::Containerd], &targets)?;
    let code = inside.stop()?;
    assert_eq!(code, 0, "tracer said:\n{}", inside.output());
    let host = host.stop().exits(0);
    let text = fs::read_to_string(results.path().join("profile.recording.json"));
    let image = serde_json::from_str(&text.expect("it wrote the recording")).expect("it is one");
    compare(&image, &host.recording())
}

/// Starts a container of each engine, lets it do its work, executes another program in it, and ends
/// it.
fn work(world: &World, engines: [Kind; 2], targets: &Cgroup) -> Result<(), Stop> {
    let (words, user) = Workload::named("busybox").order(world.root()?).map_err(Stop::Skip)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parent = targets.name();
    let order = Order { words: &words, user, no_new_privs: false, profile: None, parent };
    for kind in engines {
        let engine = world.engine(kind).map_err(Stop::Skip)?;
        let container = engine.start(&order)?;
        wait_until_done(&*container)?;
        let user = engine.executes_as_user().then_some(SOMEBODY);
        container.exec(user, &["/worker", "probe", EXECUTED])?;
    }
    targets.wait_until_empty();
    Ok(())
}

/// Both hold the same.
fn compare(image: &Recording, host: &Recording) -> Result<(), Stop> {
    let [image, host] = [image, host].map(evidence);
    if image == host {
        return Ok(());
    }
    let only = |these: &BTreeSet<_>, those: &BTreeSet<_>| format!("{:#?}", these - those);
    let [image, host] = [only(&image, &host), only(&host, &image)];
    Err(Stop::Fail(format!("only from the image: {image}\nonly on the host: {host}")))
}

/// Builds the image from the shipped file, as somebody would who has what `cargo xtask dist` makes.
fn build(podman: &CommandLine) -> Result<(), Stop> {
    let program = env::var_os("TRACER_STATIC_BIN").ok_or_else(|| {
        Stop::Skip("TRACER_STATIC_BIN names no static tracer: run `cargo xtask test`".into())
    })?;
    let context = temporary_directory();
    fs::copy(program, context.path().join("tracer")).expect("the program is copied");
    let mut command = podman.command(&["build", "--quiet", "--network=none", "--tag", IMAGE]);
    command.arg("--file").arg(Path::new(CONTAINERFILE)).arg(context.path());
    Ok(succeed(&mut command).map(drop)?)
}

/// tracer from the image, in a cgroup namespace of its own, as the DaemonSet runs it. Its results
/// are in the directory of this value, as those of a tracer on the host are.
///
/// Without the default filter: Podman's refuses bpf(2) to these capabilities.
fn from_image(
    podman: &CommandLine,
    own: &Cgroup,
    capabilities: &[String],
    volumes: &[&str],
) -> Tracer {
    let mut command = podman.command(&["run", "--rm", "--network=none", "--cgroupns=private"]);
    command.args(["--read-only", "--security-opt=no-new-privileges", "--cap-drop=ALL"]);
    command.args(capabilities.iter().map(|name| format!("--cap-add={name}")));
    command.arg("--security-opt=seccomp=unconfined");
    command.args(volumes.iter().map(|volume| format!("--volume={volume}")));
    command.arg(format!("--cgroup-parent={}", own.name()));
    let tracer = Tracer::new();
    command.arg(format!("--volume={}:/var/lib/tracer", tracer.directory().display()));
    let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let tracer = variables.fold(tracer, |tracer, (name, value)| {
        tracer.environment(&name.to_string_lossy(), &value.to_string_lossy())
    });
    let tracer = tracer.launcher([command.get_program()]).launcher(command.get_args());
    // Relative: to the image's working directory, and to that of this value.
    tracer.program(IMAGE.into()).out("profile.json")
}

fn learns_what_is_missing(podman: &CommandLine, own: &Cgroup, target: &Cgroup) {
    for missing in capabilities() {
        let others: Vec<_> = capabilities().into_iter().filter(|name| *name != missing).collect();
        let outcome = from_image(podman, own, &others, &[HIERARCHY]).cgroup(target).run().exits(1);
        let outcome = outcome.says(&["error:", &format!("no CAP_{missing}"), "hint:"]);
        outcome.writes_nothing();
    }
}

/// Without the host's cgroups: a target that cannot be seen is not awaited in vain without a word.
fn learns_that_it_sees_a_part(podman: &CommandLine, own: &Cgroup, target: &Cgroup) {
    let outcome = from_image(podman, own, &capabilities(), &[]).cgroup(target).run().exits(1);
    outcome.says(&["error:", "mount the host's /sys/fs/cgroup"]).writes_nothing();
}

/// The host's recording is what it should be, so that another like it is right as well.
fn check(host: &Outcome) -> Result<(), Stop> {
    let recording = host.recording();
    let containers = recording.cgroups.iter().filter(|cgroup| {
        let [set_up, workload] = [Phase::Setup, Phase::Workload].map(|phase| names(cgroup, phase));
        let distinguished = set_up.contains("pivot_root") && !workload.contains("pivot_root");
        distinguished && workload.contains(EXECUTED)
    });
    let (containers, all) = (containers.count(), recording.cgroups.len());
    let allowed = host.allowed();
    let allows = |call: &str| allowed.iter().any(|name| name == call);
    if containers == 2 && all == 2 && allows(EXECUTED) && !allows("pivot_root") {
        return Ok(());
    }
    let text = host.read("recording.json");
    Err(Stop::Fail(format!("{containers} of {all} cgroups are the containers'\n{text}")))
}

/// A line for each call of each cgroup, with its phase and count; one for what else is known of the
/// cgroup.
fn evidence(recording: &Recording) -> BTreeSet<String> {
    assert!(recording.complete, "{:?}", recording.losses);
    let lines = recording.cgroups.iter().flat_map(|cgroup| {
        let recording::Cgroup { path, exact, ambiguous, no_new_privs, .. } = cgroup;
        let calls = cgroup.calls.iter().map(move |call| {
            let (name, count) = (call.name.as_deref(), call.count);
            format!("{path} {:?} {} {name:?} {:?} {count:?}", call.abi, call.number, call.phase)
        });
        calls.chain([format!("{path} {exact} {ambiguous} {no_new_privs}")])
    });
    lines.collect()
}
