//! `tracer list`: what can be traced here.

use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{Table, presets::NOTHING};

use super::{Exit, request, sockets};
use crate::{
    cli::List,
    message::{print, tell},
    recording::{TargetKind, json},
    target::{
        cgroup::CgroupRoot,
        listing::{Traceable, traceables},
        named::failures,
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
    sockets::tell_ignored(&addresses);
    let inventory = request::ask_all(&addresses, options.verbose)?;
    let tree = root.tree().context("the cgroups of this host could not be read")?;
    let found = traceables(&tree, &inventory);
    let text = if options.json { json::checks(&found) } else { table(&found) };
    print(&text).context("the standard output could not be written")?;
    if found.is_empty() && !options.json {
        tell(
            "nothing runs here in a cgroup of cgroup v2 that a container runtime, Kubernetes or systemd made\n\nhint: `tracer check` tells whether this host's workloads live in cgroup v2; any cgroup can be named by its path",
        );
    }
    for failure in failures(&inventory) {
        tell(&format!("warning: {failure}"));
    }
    let nameless = found.iter().filter(|one| one.is_nameless()).count();
    if nameless > 0 {
        tell(&format!(
            "names that nobody told: {nameless}; their ids are shown\n\nhint: name the sockets of their runtimes (--docker-host, --podman-host, --cri-endpoint); -v tells who was asked; the id does as well"
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
            Some(id) if *id == one.name => id.chars().take(ID_SHOWN).collect(),
            _ => escape(&one.name),
        };
        table.add_row([
            kind(one.kind).to_owned(),
            name,
            one.runtime.clone().unwrap_or_default(),
            one.processes.to_string(),
            one.seccomp.to_string(),
            escape(&one.cgroup),
        ]);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    lines.join("\n") + "\n"
}
