//! Has the kernel verify the programs of the object: several at once, for that is most of a start.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

use aya::{
    Ebpf,
    programs::{Program, ProgramError, RawTracePoint, TracePoint},
};

use super::job::{Work, joined};

/// A program of the object that can be loaded.
pub(super) trait Loadable {
    /// The kernel has it.
    fn is_loaded(&self) -> bool;

    /// Hands it to the kernel, which verifies it.
    fn load(&mut self) -> Result<(), ProgramError>;
}

impl Loadable for RawTracePoint {
    fn is_loaded(&self) -> bool {
        self.fd().is_ok()
    }

    fn load(&mut self) -> Result<(), ProgramError> {
        self.load()
    }
}

impl Loadable for TracePoint {
    fn is_loaded(&self) -> bool {
        self.fd().is_ok()
    }

    fn load(&mut self) -> Result<(), ProgramError> {
        self.load()
    }
}

/// What the kernel said of the programs that it refused, by name.
#[derive(Default)]
pub(super) struct Verification(HashMap<&'static str, ProgramError>);

impl Verification {
    /// Loads the programs of these names, as far as there are any: the first one by this thread,
    /// the others by as many threads as there are CPUs for. One of those does `meanwhile` before.
    pub(super) fn by_loading<T: Send>(
        ebpf: &mut Ebpf,
        names: &[&'static str],
        meanwhile: impl FnOnce() -> T + Send,
    ) -> (Self, T) {
        let mut programs: Vec<Option<&mut Program>> = names.iter().map(|_| None).collect();
        for (name, program) in ebpf.programs_mut() {
            if let Some(place) = names.iter().position(|one| *one == name) {
                programs[place] = Some(program);
            }
        }
        let programs = names.iter().copied().zip(programs);
        let queue = Queue { programs: Mutex::new(programs.collect()), refused: Mutex::default() };
        let first = queue.next();
        let meanwhile = Work::new(meanwhile);
        let done = thread::scope(|scope| {
            let start = |name: &str| thread::Builder::new().name(name.to_owned());
            let done = start("tables").spawn_scoped(scope, || {
                let done = meanwhile.run();
                queue.drain();
                done
            });
            let cpus = thread::available_parallelism().map_or(1, NonZero::get);
            for _ in 2..cpus.min(names.len()) {
                // Where there can be no thread, the others do its part.
                let _ = start("verification").spawn_scoped(scope, || queue.drain());
            }
            if let Some((name, program)) = first {
                queue.load(name, program);
            }
            queue.drain();
            done.map_or_else(|_| meanwhile.run(), |done| joined(done.join()))
        });
        (Self(queue.refused.into_inner().unwrap_or_else(PoisonError::into_inner)), done)
    }

    /// Loads a program, unless that was done before.
    pub(super) fn load(
        &mut self,
        name: &'static str,
        program: &mut impl Loadable,
    ) -> Result<(), ProgramError> {
        match self.0.remove(name) {
            Some(error) => Err(error),
            None if program.is_loaded() => Ok(()),
            None => program.load(),
        }
    }
}

/// The programs that are still to be loaded, and what the kernel said of those that it refused.
struct Queue<'a> {
    programs: Mutex<VecDeque<(&'static str, Option<&'a mut Program>)>>,
    refused: Mutex<HashMap<&'static str, ProgramError>>,
}

impl<'a> Queue<'a> {
    /// The next program that the object has.
    fn next(&self) -> Option<(&'static str, &'a mut Program)> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((name, program)) = programs.pop_front() {
            if let Some(program) = program {
                return Some((name, program));
            }
        }
        None
    }

    /// Loads programs until none is left.
    fn drain(&self) {
        while let Some((name, program)) = self.next() {
            self.load(name, program);
        }
    }

    fn load(&self, name: &'static str, program: &mut Program) {
        if let Err(error) = load(program) {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.insert(name, error);
        }
    }
}

fn load(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::RawTracePoint(program) => program.load(),
        Program::TracePoint(program) => program.load(),
        _ => Ok(()),
    }
}
