//! Has the kernel verify the programs of the object: several at once, for that is most of a start.

use std::{
    collections::HashMap,
    thread::{self, ScopedJoinHandle},
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
    /// each other one by its own. One more thread does `meanwhile`.
    pub(super) fn by_loading<T: Send>(
        ebpf: &mut Ebpf,
        names: &[&'static str],
        meanwhile: impl FnOnce() -> T + Send,
    ) -> (Self, T) {
        let place = |name: &str| names.iter().position(|one| *one == name);
        let programs = ebpf.programs_mut();
        let mut programs: Vec<_> =
            programs.filter_map(|(name, program)| Some((place(name)?, program))).collect();
        programs.sort_by_key(|(place, _)| *place);
        let meanwhile = Work::new(meanwhile);
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("tables".to_owned());
            let done = thread.spawn_scoped(scope, || meanwhile.run());
            let mut threads: Vec<(_, ScopedJoinHandle<'_, _>)> = Vec::new();
            let mut first = None;
            for (place, program) in programs {
                if place == 0 {
                    first = Some(program);
                    continue;
                }
                let thread = thread::Builder::new().name(names[place].to_owned());
                // Where there can be no thread, the program is loaded when it is attached.
                if let Ok(thread) = thread.spawn_scoped(scope, || load(program)) {
                    threads.push((names[place], thread));
                }
            }
            let first = first.and_then(|program| Some((names[0], load(program).err()?)));
            let others = threads
                .into_iter()
                .filter_map(|(name, thread)| Some((name, joined(thread.join()).err()?)));
            let refused = others.chain(first).collect();
            (Self(refused), done.map_or_else(|_| meanwhile.run(), |done| joined(done.join())))
        })
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

fn load(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::RawTracePoint(program) => program.load(),
        Program::TracePoint(program) => program.load(),
        _ => Ok(()),
    }
}
