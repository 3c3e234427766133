//! The programs of the object: loaded and attached, in the order that leaves no wrong impression.

use std::os::fd::AsFd;

use aya::{
    Ebpf,
    programs::{ProgramError, RawTracePoint, raw_trace_point::RawTracePointLinkId},
};
use tracer_ebpf::{ENTER, ENTER_NOTING, EXIT, Program, TASK_EXIT};

use super::{KernelError, program_info};

/// What is attached.
pub(super) struct Programs {
    enter: Attached,
    denied: Option<Denied>,
}

/// What is attached besides when denied calls are watched.
struct Denied {
    exit: Attached,
    task_exit: Option<Attached>,
}

impl Programs {
    /// Loads and attaches them.
    ///
    /// Entries are watched before exits are: a call of which only the exit is seen would look refused.
    pub(super) fn attach(ebpf: &mut Ebpf, denied: bool) -> Result<Self, KernelError> {
        if !denied {
            return Ok(Self { enter: Attached::new(ebpf, ENTER)?, denied: None });
        }
        // A kernel before 5.15 lacks a helper of this one, and then threads that a filter kills alone are not seen.
        let task_exit = match Attached::new(ebpf, TASK_EXIT) {
            Ok(attached) => Some(attached),
            Err(KernelError::Refused { .. }) => None,
            Err(error) => return Err(error),
        };
        let enter = Attached::new(ebpf, ENTER_NOTING)?;
        let exit = Attached::new(ebpf, EXIT)?;
        Ok(Self { enter, denied: Some(Denied { exit, task_exit }) })
    }

    /// Denied calls are watched, also those that kill a thread alone.
    pub(super) fn see_killed_threads(&self) -> bool {
        self.denied.as_ref().is_some_and(|denied| denied.task_exit.is_some())
    }

    /// Detaches them, in the opposite order. They stay, for their statistics.
    pub(super) fn detach(&mut self, ebpf: &mut Ebpf) -> Result<(), KernelError> {
        if let Some(denied) = &mut self.denied {
            denied.exit.detach(ebpf)?;
        }
        self.enter.detach(ebpf)?;
        match self.denied.as_mut().and_then(|denied| denied.task_exit.as_mut()) {
            Some(task_exit) => task_exit.detach(ebpf),
            None => Ok(()),
        }
    }

    /// Runs that the kernel skipped, of all of them.
    pub(super) fn recursion_misses(&self, ebpf: &mut Ebpf) -> Result<u64, KernelError> {
        let denied =
            self.denied.iter().flat_map(|denied| [Some(&denied.exit), denied.task_exit.as_ref()]);
        let programs = [&self.enter].into_iter().chain(denied.flatten());
        programs.map(|program| program.recursion_misses(ebpf)).sum()
    }
}

/// A program that is loaded and attached.
struct Attached {
    program: Program,
    link: Option<RawTracePointLinkId>,
}

impl Attached {
    /// Loads the program and attaches it.
    fn new(ebpf: &mut Ebpf, program: Program) -> Result<Self, KernelError> {
        let loaded = find(ebpf, program)?;
        loaded.load().map_err(|error| refused(program, error))?;
        let link = loaded.attach(program.tracepoint).map_err(|error| attach(program, error))?;
        Ok(Self { program, link: Some(link) })
    }

    /// Detaches it. The program stays, for its statistics.
    fn detach(&mut self, ebpf: &mut Ebpf) -> Result<(), KernelError> {
        let Some(link) = self.link.take() else { return Ok(()) };
        find(ebpf, self.program)?.detach(link).map_err(|error| attach(self.program, error))
    }

    /// Runs that the kernel skipped.
    fn recursion_misses(&self, ebpf: &mut Ebpf) -> Result<u64, KernelError> {
        let fd = find(ebpf, self.program)?.fd().map_err(|error| refused(self.program, error))?;
        program_info::recursion_misses(fd.as_fd()).map_err(KernelError::ProgramInfo)
    }
}

pub(super) fn find(ebpf: &mut Ebpf, program: Program) -> Result<&mut RawTracePoint, KernelError> {
    let found = ebpf.program_mut(program.name).ok_or(KernelError::Missing(program.name))?;
    found.try_into().map_err(|error| refused(program, error))
}

pub(super) fn refused(program: Program, error: ProgramError) -> KernelError {
    KernelError::Refused { program: program.name, source: Box::new(error) }
}

fn attach(program: Program, error: ProgramError) -> KernelError {
    KernelError::Attach { tracepoint: program.tracepoint, source: Box::new(error) }
}
