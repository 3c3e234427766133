//! Recordings and outputs for unit tests.

use std::path::Path;

use clap::Parser as _;

use super::{derivation, outputs::Outputs};
use crate::{
    cli::{self, Cli, Subcommand},
    recording::{
        Call, Cgroup, ContainerIdentity, Host, Losses, Phase, Recording, Target, TargetKind,
        VERSION,
    },
    syscalls::{self, Abi},
};

/// A complete recording of containers, each with the calls of its workload: a target each.
pub(super) fn recording(containers: &[(&str, &[&str])]) -> Recording {
    let cgroups = containers.iter().enumerate().map(|(index, (name, calls))| {
        let id = format!("{index:064x}");
        Cgroup {
            id: 7 + index as u64,
            path: format!("/docker/{id}"),
            late_start: false,
            exact: true,
            ambiguous: false,
            no_new_privs: false,
            filtered: false,
            exec_sessions: false,
            container: Some(identity(name, id)),
            calls: calls.iter().map(|name| call(name)).collect(),
        }
    });
    let targets = containers.iter().enumerate().map(|(index, (name, _))| Target {
        name: format!("docker:{name}"),
        kind: TargetKind::Container,
        runtime: None,
        image: None,
        cgroups: vec![index],
    });
    Recording {
        version: VERSION,
        tracer: "0".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        duration_seconds: 2.5,
        host: Host {
            kernel: "6.18.44".to_owned(),
            arch: "x86_64".to_owned(),
            cpus: 2,
            btf: true,
            attach: None,
        },
        targets: targets.collect(),
        cgroups: cgroups.collect(),
        losses: Losses::default(),
        late_starts: Vec::new(),
        contested: Vec::new(),
        departures: Vec::new(),
        complete: true,
        incomplete_reasons: Vec::new(),
        command: None,
        derived: None,
    }
}

/// The same recording, which lacks something that no other recording can add.
pub(super) fn incomplete(mut recording: Recording) -> Recording {
    recording.losses.table_full = 3;
    recording.complete = false;
    recording.incomplete_reasons = vec!["a map was full: 3".to_owned()];
    recording
}

fn identity(name: &str, id: String) -> ContainerIdentity {
    ContainerIdentity {
        engine: Some("docker".to_owned()),
        id,
        name: Some(name.to_owned()),
        namespace: None,
        pod: None,
        workload: None,
        image: None,
        user: None,
    }
}

fn call(name: &str) -> Call {
    Call {
        abi: Abi::X86_64,
        number: syscalls::number(Abi::X86_64, name).expect("a call"),
        name: Some(name.to_owned()),
        phase: Phase::Workload,
        count: Some(1),
        other_phases: Vec::new(),
        first_seen_seconds: Some(0.5),
        command: None,
        ambiguous: false,
        outcome: None,
        denied_in_phase: None,
        doubtful: false,
        circumstances: None,
        arguments: Vec::new(),
    }
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
