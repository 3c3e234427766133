//! Recordings and outputs for unit tests.

use std::path::Path;

use clap::Parser as _;

use super::{derivation, outputs::Outputs};
use crate::{
    cli::{self, Cli, Subcommand},
    recording::{Call, Cgroup, ContainerIdentity, Recording, TargetKind, testing},
};

/// A complete recording of containers, each with the calls of its workload: a target each.
pub(super) fn recording(containers: &[(&str, &[&str])]) -> Recording {
    let cgroups = containers.iter().enumerate().map(|(index, (name, calls))| {
        let id = format!("{index:064x}");
        let path = format!("/docker/{id}");
        let engine = Some("docker".to_owned());
        let container = Some(ContainerIdentity { engine, ..testing::identity(name, &id) });
        let call = |name: &&str| Call { first_seen_seconds: Some(0.5), ..testing::call(name) };
        let calls = calls.iter().map(call).collect();
        Cgroup { id: 7 + index as u64, container, ..testing::cgroup(&path, calls) }
    });
    let targets = containers.iter().enumerate().map(|(index, (name, _))| {
        testing::target(TargetKind::Container, &format!("docker:{name}"), &[index])
    });
    Recording { targets: targets.collect(), ..testing::recording(cgroups.collect()) }
}

/// The same recording, which lacks something that no other recording can add.
pub(super) fn incomplete(mut recording: Recording) -> Recording {
    recording.losses.table_full = 3;
    recording.complete = false;
    recording.incomplete_reasons = vec!["a map was full: 3".to_owned()];
    recording
}

/// What these options of `tracer profile` mean.
pub(super) fn typed(options: &[&str]) -> cli::DerivationOptions {
    let words = ["tracer", "profile", "a.recording.json", "--out", "profile.json"];
    let cli = Cli::try_parse_from(words.iter().chain(options)).expect("it can be understood");
    match cli.subcommand {
        Some(Subcommand::Profile(rederive)) => rederive.derivation,
        other => panic!("another command: {other:?}"),
    }
}

/// Outputs that go there.
pub(super) fn outputs(out: &Path, options: &[&str], all_containers: bool) -> Outputs {
    let typed = typed(options);
    let derived = derivation::options(&typed).expect("they can be meant");
    let outputs = Outputs::prepare(out, &typed, derived, all_containers);
    outputs.unwrap_or_else(|error| panic!("{options:?}: {error:#}"))
}
