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
    pipe::PipeFlags,
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
    /// Why poll(2) failed, as long as no line said so.
    problem: Option<Errno>,
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
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (ended, running) = rustix::pipe::pipe_with(flags)?;
        let waiting = Mutex::new(Waiting { buffer, events: Vec::new(), problem: None });
        let shared = Arc::new(Shared { waiting, arrived: Notify::new() });
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("new cgroups".to_owned()).spawn(move || {
            let read = || of_thread.read_more(poller.as_ref());
            follow(|| wait(&descriptor, &ended), read, |problem| of_thread.report(problem));
        })?;
        Ok(Self { shared, _running: running })
    }

    /// A line about why the thread cannot wait for events; once.
    pub(super) fn problem(&self) -> Option<String> {
        self.shared.lock().problem.take().map(warning)
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

    fn report(&self, problem: Errno) {
        self.lock().problem = Some(problem);
        self.arrived.notify_one();
    }

    /// Reads what the kernel's buffer holds, and asks for the names of containers. False when no
    /// more events can wait.
    fn read_more(&self, poller: Option<&Poller>) -> bool {
        let mut waiting = self.lock();
        let room = MOST_WAITING.saturating_sub(waiting.events.len());
        let Waiting { buffer, events, .. } = &mut *waiting;
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

/// Why the thread goes on.
enum Woken {
    /// The buffer has events.
    Events,
    /// poll(2) failed: there may be events.
    Failure(Errno),
}

/// Reads until `wait` says that it is over, and reports the first failure to wait. Whoever cannot
/// wait looks now and then.
fn follow(wait: impl Fn() -> Option<Woken>, read: impl Fn() -> bool, report: impl FnOnce(Errno)) {
    let mut report = Some(report);
    while let Some(woken) = wait() {
        let failure = match woken {
            Woken::Events => None,
            Woken::Failure(problem) => Some(problem),
        };
        if let Some((problem, report)) = failure.and_then(|one| Some((one, report.take()?))) {
            report(problem);
        }
        if !read() || failure.is_some() {
            thread::sleep(PAUSE);
        }
    }
}

/// Waits until the buffer has events. None when the reading shall end.
fn wait(buffer: &OwnedFd, ended: &OwnedFd) -> Option<Woken> {
    loop {
        let mut descriptors =
            [PollFd::new(buffer, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        return match poll(&mut descriptors, None) {
            Ok(_) => descriptors[1].revents().is_empty().then_some(Woken::Events),
            Err(Errno::INTR) => continue,
            Err(problem) => is_open(ended).then_some(Woken::Failure(problem)),
        };
    }
}

/// The other end of a pipe that nobody writes to is open.
fn is_open(pipe: &OwnedFd) -> bool {
    rustix::io::read(pipe, &mut [0; 1]) != Ok(0)
}

fn warning(problem: Errno) -> String {
    format!(
        "warning: tracer cannot wait for new cgroups (poll: {problem}) and looks for them every {} ms: it may be too late for the names of containers that end at once\nhint: free memory; when the result says that names are missing, record again",
        PAUSE.as_millis()
    )
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn who_cannot_wait_says_so_once_and_reads_all_the_same() {
        let wakings = RefCell::new(vec![
            Some(Woken::Events),
            Some(Woken::Failure(Errno::NOMEM)),
            Some(Woken::Failure(Errno::NOMEM)),
            Some(Woken::Events),
            None,
        ]);
        let (read, reported) = (Cell::new(0), RefCell::new(Vec::new()));
        follow(
            || wakings.borrow_mut().remove(0),
            || {
                read.set(read.get() + 1);
                true
            },
            |problem| reported.borrow_mut().push(problem),
        );
        assert_eq!(read.get(), 4, "nothing waits for ever");
        assert_eq!(*reported.borrow(), [Errno::NOMEM]);
    }

    #[test]
    fn the_end_is_seen_without_poll_as_well() {
        let (ended, running) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK).expect("a pipe");
        assert!(is_open(&ended));
        drop(running);
        assert!(!is_open(&ended));
        let (buffer, _writer) = rustix::pipe::pipe().expect("a pipe");
        assert!(wait(&buffer, &ended).is_none());
    }

    #[test]
    fn the_warning_has_the_reason_and_the_remedy() {
        let text = warning(Errno::NOMEM);
        assert!(text.contains("(poll: ") && text.contains("every 10 ms"), "{text}");
        assert!(text.contains("\nhint: free memory"), "{text}");
    }
}
