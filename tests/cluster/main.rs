//! Tests with the pods of a real Kubernetes: API server, controllers, scheduler, kubelet and
//! containerd, on one node.
//!
//! # The node
//!
//! It has a root file system of its own, which `cargo xtask test` made of Debian's packages, with
//! namespaces of its own for mounts and the network ([`node`]). So everything is in its usual place
//! (`/run/containerd`, `/var/lib/kubelet`, `/var/log/pods`), nothing of this machine is used or
//! changed, and no other cluster can be met: its addresses exist nowhere else. What is written
//! there goes to memory. Its processes are this machine's, and its cgroups are below one that the
//! test makes. It begins when the first test asks for it, and ends with the test program whatever
//! ends that: one process waits for the end of its standard input, and then ends everything in the
//! cgroup, and removes that.
//!
//! # The tests
//!
//! All share the node, and run side by side, each in a namespace of Kubernetes' of its own
//! ([`space`]). Those that need the `DaemonSet` take turns ([`daemonset`]). A new file of tests is
//! a module here and a line in [`trials`].

mod access;
mod api;
mod cases;
mod configuration;
mod crun;
mod daemonset;
mod day;
mod idle;
mod images;
mod interrupted;
mod kinds;
mod learned;
mod long_names;
mod node;
mod pods;
mod replicas;
mod restarts;
mod results;
mod rights;
mod rolled;
mod space;
mod started;
mod workload;
mod workloads;
mod world;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use crate::cases::Cases;
use crate::world::World;

/// Pods wait much of the time.
const THREADS: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let world = Arc::new(World::default());
    let conclusion = libtest_mimic::run(&arguments, trials(&Cases::new(&world)));
    drop(world);
    conclusion.exit_code()
}

/// All tests, the longest first.
fn trials(cases: &Cases) -> Vec<Trial> {
    let modules = [
        day::trials(cases),
        replicas::trials(cases),
        rolled::trials(cases),
        kinds::trials(cases),
        learned::trials(cases),
        crun::trials(cases),
        restarts::trials(cases),
        pods::trials(cases),
        long_names::trials(cases),
        workloads::trials(cases),
        started::trials(cases),
        api::trials(cases),
        rights::trials(cases),
        idle::trials(cases),
        interrupted::trials(cases),
    ];
    modules.into_iter().flatten().collect()
}
