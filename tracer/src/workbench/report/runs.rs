//! Where a report comes from: targets, containers and recordings.

use super::evidence::ReportSources;
use crate::{
    recording::{Attach, CommandOutcome, Host, Recording, Target, TargetKind, starts::StartCount},
    text::{Escaped, escape},
};

/// What the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetEntry {
    /// As the user typed it.
    pub name: Escaped,
    /// What kind of thing it is.
    pub kind: &'static str,
    /// The container engine, where it is known.
    pub runtime: Option<Escaped>,
    /// The container's image, where it is known.
    pub image: Option<Escaped>,
}

/// How often a container was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartEntry {
    /// What it is called.
    pub label: Escaped,
    /// Starts that were recorded whole.
    pub complete: usize,
    /// It also ran before tracing began.
    pub late: bool,
    /// Exec sessions or probes are among its calls.
    pub exec_sessions: bool,
}

/// One recording.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEntry {
    /// Its file.
    pub name: Escaped,
    /// When it began: RFC 3339, UTC.
    pub started: Escaped,
    /// How long it lasted, in seconds.
    pub seconds: f64,
    /// The version of tracer.
    pub tracer: Escaped,
    /// The machine, in words.
    pub host: Escaped,
    /// The command that tracer started, and how it ended.
    pub command: Option<Escaped>,
    /// What it brings, in words; nothing when it is the only one.
    pub brought: Option<String>,
    /// It lacks nothing, or what it lacks is in another one.
    pub complete: bool,
}

/// The targets of a recording, each once.
pub(super) fn targets(recording: &Recording) -> Vec<TargetEntry> {
    let mut found: Vec<TargetEntry> = Vec::new();
    for entry in recording.targets.iter().map(TargetEntry::of) {
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    found
}

/// What targets are called together.
pub(super) fn title(targets: &[TargetEntry]) -> Escaped {
    match targets {
        [] => escape("no target"),
        [only] => only.name.clone(),
        [first, rest @ ..] if rest.iter().all(|other| other.name == first.name) => {
            first.name.clone()
        }
        [first, rest @ ..] => Escaped::joined(&format!("{} and {} more", first.name, rest.len())),
    }
}

/// The recordings, in the order in which they were named.
pub(super) fn list(sources: &ReportSources<'_>) -> Vec<RunEntry> {
    let all = sources.recordings.iter().zip(sources.names).zip(&sources.contributions.parts);
    all.enumerate()
        .map(|(index, ((recording, name), part))| RunEntry {
            name: name.clone(),
            started: escape(&recording.started),
            seconds: recording.duration_seconds,
            tracer: escape(&recording.tracer),
            host: host(&recording.host),
            command: recording.command.as_ref().map(command),
            brought: (sources.recordings.len() > 1).then(|| match (part.same_as, index) {
                (Some(_), _) => "the same as another one".to_owned(),
                (None, 0) => format!("{} syscalls", part.syscalls),
                (None, _) => format!("{} new", part.new.len()),
            }),
            complete: part.missing.is_empty(),
        })
        .collect()
}

fn host(host: &Host) -> Escaped {
    let attach = match host.attach {
        Some(Attach::Classic) => ", classic tracepoints",
        Some(Attach::Raw) => ", raw tracepoints",
        None => "",
    };
    let btf = if host.btf { "" } else { ", no BTF" };
    let plural = if host.cpus == 1 { "" } else { "s" };
    let Host { kernel, arch, cpus, .. } = host;
    escape(&format!("Linux {kernel}, {arch}, {cpus} CPU{plural}{btf}{attach}"))
}

fn command(command: &CommandOutcome) -> Escaped {
    let words: Vec<&str> = command.arguments.iter().map(Escaped::as_str).collect();
    let more = match command.arguments_left_out {
        0 => String::new(),
        1 => " (1 argument left out)".to_owned(),
        more => format!(" ({more} arguments left out)"),
    };
    let end = match (command.exit_code, command.signal) {
        (Some(code), _) => format!(": exited with {code}"),
        (None, Some(signal)) => format!(": ended by signal {signal}"),
        (None, None) => String::new(),
    };
    Escaped::joined(&format!("{}{more}{end}", words.join(" ")))
}

impl TargetEntry {
    fn of(target: &Target) -> Self {
        Self {
            name: escape(&target.name),
            kind: match target.kind {
                TargetKind::Path => "cgroup",
                TargetKind::Process => "process",
                TargetKind::Pod => "pod",
                TargetKind::Container => "container",
                TargetKind::Unit => "unit",
                TargetKind::Command => "command",
            },
            runtime: target.runtime.as_deref().map(escape),
            image: target.image.as_deref().map(escape),
        }
    }
}

impl StartEntry {
    pub(super) fn of(start: StartCount) -> Self {
        let StartCount { label, complete, late, exec_sessions } = start;
        Self { label: escape(&label), complete, late, exec_sessions }
    }
}
