//! The end of what is watched: targets that are gone, roots that were made again, a command that has to end.

use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep, sleep_until};
use tracer_ebpf::MAX_ROOT_LEVEL;

use super::{
    Observers, Session, Stop,
    command::CommandGroup,
    ended,
    setup::root_of,
    stops::{Asked, StopSignal, Stops},
};
use crate::{
    recording::assembly::{Selection, is_at_or_below},
    target::cgroup::CgroupRoot,
    text::escape,
};

/// How long a command may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(10);
/// How long the other processes of a command may take to end after it did: most are told to by its end.
const REST: Duration = Duration::from_secs(1);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(10);
/// Most roots that the kernel side takes.
const MAX_ROOTS: usize = 64;

/// The cgroups that are watched, with everything below them.
pub(super) struct Roots(Vec<Root>);

struct Root {
    path: String,
    id: u64,
    /// Another cgroup has its path now, and is not watched.
    replaced: bool,
}

impl Roots {
    /// The roots for some targets; everything, when some may come to be anywhere.
    pub(super) fn of(root: &CgroupRoot, selections: &[Selection], anywhere: bool) -> Result<Self> {
        let mut paths: Vec<String> = Vec::new();
        for selection in selections {
            let wanted = selection.paths.iter().map(|path| root_of(path, selection.kind));
            paths.extend(wanted.map(|path| root.nearest(&path)));
        }
        if anywhere {
            paths.push("/".to_owned());
        }
        paths.sort();
        paths.dedup_by(|path, before| is_at_or_below(path, before));
        if paths.len() > MAX_ROOTS {
            bail!(
                "{} separate cgroups were named; at most {MAX_ROOTS} can be watched at once\nhint: name a cgroup above them",
                paths.len()
            );
        }
        if let Some(deep) = paths.iter().find(|path| level(path) > MAX_ROOT_LEVEL) {
            bail!(
                "the cgroup {} is at level {} of the hierarchy; at most {MAX_ROOT_LEVEL} can be watched\nhint: name a cgroup above it",
                escape(deep),
                level(deep)
            );
        }
        let roots = paths.into_iter().map(|path| {
            let id = root.id(&path)?;
            Ok(Root { path, id, replaced: false })
        });
        Ok(Self(roots.collect::<Result<_>>()?))
    }

    /// Their ids.
    pub(super) fn ids(&self) -> Vec<u64> {
        self.0.iter().map(|root| root.id).collect()
    }

    /// Looks whether one was removed and made again.
    pub(super) fn look(&mut self, root: &CgroupRoot) {
        for watched in &mut self.0 {
            watched.replaced |= root.id(&watched.path).is_ok_and(|id| id != watched.id);
        }
    }

    /// How many were.
    pub(super) fn replaced(&self) -> u64 {
        self.0.iter().filter(|root| root.replaced).count() as u64
    }
}

/// How deep a cgroup lies in the hierarchy; its root has level 0.
fn level(path: &str) -> u32 {
    path.split('/').filter(|name| !name.is_empty()).count() as u32
}

impl Session<'_> {
    /// Every target's cgroup is gone, and none of them is awaited for a start that can be recorded whole.
    pub(super) fn targets_ended(&mut self, observers: &mut Observers<'_>) -> bool {
        if self.request.wait {
            return false;
        }
        let mut paths =
            self.sightings.selecting.selections.iter().flat_map(|selection| &selection.paths);
        if paths.any(|path| self.request.root.id(path).is_ok()) {
            return false;
        }
        let selecting = &self.sightings.selecting;
        if self.late.is_pending()
            && self.removal.is_final(&selecting.selections, |path| selecting.territory(path))
        {
            observers.live.line("the target is gone for good: it will not start again");
            return true;
        }
        if self.late.is_pending() && !self.awaiting {
            self.awaiting = true;
            observers.live.line(
                "the target is gone; its start was not seen, so its next one is awaited (Ctrl-C stops)",
            );
        }
        !self.late.is_pending()
    }

    /// Makes a command that still runs end, and records that as well.
    pub(super) async fn end_command(
        &mut self,
        stop: Stop,
        stops: &mut Stops,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let Some(command) = &mut self.command else { return Ok(()) };
        if !command.is_running() {
            return Ok(());
        }
        match stop {
            Stop::Signal(stop) if stop.from_terminal => {}
            Stop::Signal(stop) => command.send(stop.signal),
            _ => command.send(Signal::SIGTERM),
        }
        let grace = Instant::now() + GRACE;
        loop {
            tokio::select! {
                status = ended(&mut self.command) => {
                    status?;
                    return Ok(());
                }
                ready = self.sightings.ready() => ready?,
                asked = stops.next() => match (asked, &self.command) {
                    // The files are about to be written anyway.
                    (Asked::Snapshot, _) => {}
                    (Asked::Stop(StopSignal { signal: Signal::SIGINT, .. }), _) | (Asked::Stop(_), None) => {
                        return self.kill_command("interrupted again: the command is killed", observers).await;
                    }
                    (Asked::Stop(again), Some(_)) if again.from_terminal => {}
                    (Asked::Stop(again), Some(command)) => command.send(again.signal),
                },
                () = sleep_until(grace) => {
                    return self.kill_command("the command did not end in time: it is killed", observers).await;
                }
            }
            self.take(observers)?;
        }
    }

    /// Waits a moment for the other processes of a command that ended by itself, and records what they do.
    pub(super) async fn await_rest(
        &mut self,
        stop: Stop,
        stops: &mut Stops,
        observers: &mut Observers<'_>,
    ) -> Result<()> {
        let patience = Instant::now() + REST;
        let left = |group: &Option<CommandGroup>| {
            group.as_ref().is_some_and(|group| group.processes().is_ok_and(|left| left > 0))
        };
        while stop == Stop::CommandEnded && left(&self.group) && Instant::now() < patience {
            tokio::select! {
                _ = stops.next() => return Ok(()),
                () = sleep(LOOK) => {}
            }
            self.take(observers)?;
        }
        Ok(())
    }

    async fn kill_command(&mut self, why: &str, observers: &mut Observers<'_>) -> Result<()> {
        observers.live.line(why);
        self.cut_off += 1;
        if let Some(group) = &self.group {
            group.kill();
        }
        ended(&mut self.command).await?;
        Ok(())
    }
}
