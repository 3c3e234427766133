//! Reads the events of new cgroups on a thread of its own, and asks for the names of new containers
//! at once.
//!
//! A runtime forgets a container that is removed right after its end. The session may be busy at
//! that moment: it saves what was recorded, or handles what a storm of processes left.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::sync::Notify;
use tracer_ebpf::CgroupEvent;

use crate::{bpf::EventBuffer, cgroup_name, target::runtime::Poller, text::until_nul};

/// Most events that wait in memory; the others wait in the kernel's buffer. An event has some 800
/// bytes.
const MOST_WAITING: usize = 1 << 12;
/// How long the thread leaves the kernel's buffer alone when so many wait.
const PAUSE: Duration = Duration::from_millis(10);

/// The events of new cgroups, as far as the session did not read them.
pub(super) struct NewCgroups {
    shared: Arc<Shared>,
    /// The thread ends when the other end of its pipe is closed.
    _running: OwnedFd,
}

struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

struct Waiting {
    buffer: EventBuffer<CgroupEvent>,
    events: Vec<CgroupEvent>,
}

impl NewCgroups {
    /// Begins to read. `poller` asks the runtimes for their containers; without it, no name
    /// matters.
    ///
    /// # Errors
    /// A descriptor or the thread could not be made.
    pub(super) fn read(
        buffer: EventBuffer<CgroupEvent>,
        poller: Option<Poller>,
    ) -> io::Result<Self> {
        let descriptor = buffer.as_fd().try_clone_to_owned()?;
        let (ended, running) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let waiting = Mutex::new(Waiting { buffer, events: Vec::new() });
        let shared = Arc::new(Shared { waiting, arrived: Notify::new() });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("new cgroups".to_owned()).spawn(move || {
            while is_readable(&descriptor, &ended) {
                if !of_thread.read_more(poller.as_ref()) {
                    thread::sleep(PAUSE);
                }
            }
        })?;
        Ok(Self { shared, _running: running })
    }

    /// Waits until there are events that were not drained.
    pub(super) async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }

    /// Takes all events that the kernel sent until now.
    pub(super) fn drain(&self) -> Vec<CgroupEvent> {
        let mut waiting = self.shared.lock();
        let mut events = std::mem::take(&mut waiting.events);
        events.extend(std::iter::from_fn(|| waiting.buffer.poll()));
        events
    }
}

impl Shared {
    /// A panic leaves whole events behind.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the kernel's buffer holds, and asks for the names of containers. False when no
    /// more events can wait.
    fn read_more(&self, poller: Option<&Poller>) -> bool {
        let mut waiting = self.lock();
        let room = MOST_WAITING.saturating_sub(waiting.events.len());
        let Waiting { buffer, events } = &mut *waiting;
        let before = events.len();
        events.extend(std::iter::from_fn(|| buffer.poll()).take(room));
        let is_container = |event: &CgroupEvent| {
            let name = String::from_utf8_lossy(until_nul(&event.name));
            cgroup_name::container(&name).is_some()
        };
        if let Some(poller) = poller
            && events[before..].iter().any(is_container)
        {
            poller.poll();
        }
        drop(waiting);
        if room > 0 {
            self.arrived.notify_one();
        }
        room > 0
    }
}

/// Waits until the buffer has events. False when the reading shall end.
fn is_readable(buffer: &OwnedFd, ended: &OwnedFd) -> bool {
    loop {
        let mut descriptors =
            [PollFd::new(buffer, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        match poll(&mut descriptors, None) {
            Ok(_) => return descriptors[1].revents().is_empty(),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
