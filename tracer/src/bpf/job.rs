//! Work that a thread does; or that is done where it is needed, when no thread could be started.

use std::{
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use nix::sys::signal::{SigSet, SigmaskHow};

/// Work that one of two may do: a thread that is not started does not give its work back.
pub(super) struct Work<F>(Mutex<Option<F>>);

impl<T, F: FnOnce() -> T> Work<F> {
    pub(super) fn new(work: F) -> Self {
        Self(Mutex::new(Some(work)))
    }

    /// Does it.
    ///
    /// # Panics
    /// It was done before.
    pub(super) fn run(&self) -> T {
        let work = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.expect("the work is done once")()
    }
}

/// Work of a thread that outlives its caller.
pub(super) enum Job<T> {
    Running(thread::JoinHandle<T>),
    /// No thread could be started.
    Undone(Box<dyn FnOnce() -> T + Send>),
}

impl<T: Send + 'static> Job<T> {
    /// Begins it.
    pub(super) fn begin(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Self {
        let work = Arc::new(Work::new(work));
        let of_thread = Arc::clone(&work);
        let thread = thread::Builder::new().name(name.to_owned());
        let started = without_signals(|| thread.spawn(move || of_thread.run()));
        match started {
            Ok(thread) => Self::Running(thread),
            Err(_) => Self::Undone(Box::new(move || work.run())),
        }
    }

    /// Waits for its end; does it, where no thread does.
    pub(super) fn finish(self) -> T {
        match self {
            Self::Running(thread) => joined(thread.join()),
            Self::Undone(work) => work(),
        }
    }
}

/// Starts something that inherits this thread's signal mask. The kernel gives a signal to any
/// thread that does not block it: such a thread would let it end the process, also after the main
/// thread has begun to hold signals back.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let started = start();
    if let Ok(before) = before {
        // It was in force a moment ago.
        let _ = before.thread_set_mask();
    }
    started
}

/// The result of a thread; its panic goes on in this one.
pub(super) fn joined<T>(result: thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn a_job_takes_no_signal_and_its_caller_goes_on_to() {
        let mask = || SigSet::thread_get_mask().expect("the mask of this thread");
        let before = mask();
        let of_job = Job::begin("test", mask).finish();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1] {
            assert!(of_job.contains(signal), "{signal}");
        }
        assert_eq!(mask(), before);
    }

    #[test]
    fn work_that_no_thread_does_is_done_when_it_is_needed() {
        let job = Job::Undone(Box::new(|| 7));
        assert_eq!(job.finish(), 7);
    }
}
