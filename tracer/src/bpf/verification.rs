//! Has the kernel verify the programs of the object: several at once, for that is most of a start.

use std::{
    collections::HashMap,
    panic::resume_unwind,
    thread::{self, ScopedJoinHandle},
};

use aya::{
    Ebpf,
    programs::{Program, ProgramError, RawTracePoint, TracePoint},
};

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
    /// each other one by its own.
    pub(super) fn by_loading(ebpf: &mut Ebpf, names: &[&'static str]) -> Self {
        thread::scope(|scope| {
            let mut threads: Vec<(_, ScopedJoinHandle<'_, _>)> = Vec::new();
            let mut first = None;
            for (name, program) in ebpf.programs_mut() {
                let Some(index) = names.iter().position(|one| *one == name) else { continue };
                if index == 0 {
                    first = Some(program);
                    continue;
                }
                let name = names[index];
                let thread = thread::Builder::new().name(name.to_owned());
                // Where there can be no thread, the program is loaded when it is attached.
                if let Ok(thread) = thread.spawn_scoped(scope, || load(program)) {
                    threads.push((name, thread));
                }
            }
            let first = first.and_then(|program| Some((names[0], load(program).err()?)));
            let others = threads.into_iter().filter_map(|(name, thread)| {
                Some((name, thread.join().unwrap_or_else(|panic| resume_unwind(panic)).err()?))
            });
            Self(others.chain(first).collect())
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
