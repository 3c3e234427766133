//! Work that a thread does; or that is done where it is needed, when no thread could be started.

use std::{
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

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
        match thread::Builder::new().name(name.to_owned()).spawn(move || of_thread.run()) {
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

/// The result of a thread; its panic goes on in this one.
pub(super) fn joined<T>(result: thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| resume_unwind(panic))
}
