//! `tracer list`: what can be traced here.

use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{Table, presets::NOTHING};

use super::{exit::Exit, sockets, targets};
use crate::{
    cli::List,
    json,
    message::{print, print_err},
    recording::TargetKind,
    target::{
        cgroup::CgroupRoot,
        listing::{Traceable, traceables},
        not_found::failures,
    },
    text::escape,
};

/// Digits of a container's id that are shown: as many as `docker ps` shows.
const ID_SHOWN: usize = 12;

/// Prints the pods, containers and units that hold processes.
///
/// # Errors
/// The cgroups cannot be read, or nothing can be printed.
pub fn run(options: &List) -> Result<Exit> {
    let root = CgroupRoot::find(Path::new("/proc"))?;
    let addresses = sockets::addresses(&options.sockets)?;
    sockets::warn_of_ignored(&addresses);
    let inventory = targets::ask_all(&addresses, options.verbose)?;
    let tree = root.tree().context("the cgroups of this host could not be read")?;
    let found = traceables(&tree, &inventory);
    let text = if options.json { json::pretty(&found) } else { table(&found) };
    print(&text).context("the standard output could not be written")?;
    if found.is_empty() && !options.json {
        print_err(
            "no cgroup of cgroup v2 that a container runtime, Kubernetes or systemd made holds a process\n\nhint: `tracer check` reports whether this host's workloads are in cgroup v2; the path of any cgroup works as a target",
        );
    }
    for failure in failures(&inventory) {
        print_err(&format!("warning: {failure}"));
    }
    let nameless = found.iter().filter(|one| one.is_nameless()).count();
    if nameless > 0 {
        print_err(&format!(
            "containers that no runtime reported: {nameless}; their ids are shown\n\nhint: pass --docker-host, --podman-host or --cri-endpoint; -v lists the runtimes that were asked; an id works as a target, too"
        ));
    }
    Ok(Exit::Complete)
}

fn kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Path => "cgroup",
        TargetKind::Process => "process",
        TargetKind::Pod => "pod",
        TargetKind::Container => "container",
        TargetKind::Unit => "unit",
        TargetKind::Command => "command",
    }
}

/// A line for each; nothing when there is none.
fn table(found: &[Traceable]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["KIND", "NAME", "RUNTIME", "PROCESSES", "SECCOMP", "CGROUP"]);
    for one in found {
        let name = match &one.id {
            Some(id) if *id == one.name => escape(&id.chars().take(ID_SHOWN).collect::<String>()),
            _ => escape(&one.name),
        };
        table.add_row([
            kind(one.kind).to_owned(),
            name.into(),
            one.runtime.clone().unwrap_or_default(),
            one.processes.to_string(),
            one.seccomp.to_string(),
            escape(&one.cgroup).into(),
        ]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n") + "\n"
}
