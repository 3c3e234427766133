//! The programs of the object: loaded and attached, in the order that leaves no wrong impression.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya::{
    Ebpf,
    programs::{ProgramError, RawTracePoint, TracePoint, raw_trace_point::RawTracePointLinkId},
};
use tracer_ebpf::{
    ENTER, ENTER_TRACKING, EXIT, KernelProgram, MEMBER_EXIT, MEMBER_FORK, MEMBER_MOVE, TASK_EXIT,
};

use super::{
    error::KernelError,
    hook::Hook,
    load::LoadOptions,
    perf_event::PerfEvent,
    program_info,
    refusal::{Refusal, causes},
    verification::Verification,
};
use crate::recording::Attach;

/// What is attached.
pub(super) struct Programs {
    calls: OnCalls,
    task_exit: Option<Attached>,
    /// Those that know who is in a tracked cgroup; none without kernel BTF.
    members: Vec<Attached>,
    refusals: Vec<String>,
}

/// What is attached to system calls.
struct OnCalls {
    hook: Hook,
    enter: Attached,
    /// Only when denied calls are watched.
    exit: Option<Attached>,
}

/// Loads programs and attaches them.
struct Attaching<'a> {
    ebpf: &'a mut Ebpf,
    /// Where the next program is attached, when it is one that can be at either place.
    hook: Hook,
    /// The raw tracepoint takes the place of a classic one that is refused, for this program and
    /// those that follow.
    fall_back: bool,
    verification: Verification,
    refusals: Vec<String>,
}

impl Attaching<'_> {
    fn attach(&mut self, program: KernelProgram) -> Result<Attached, KernelError> {
        match self.attach_here(program) {
            Err(error @ (KernelError::PerfEvent { .. } | KernelError::Refused { .. }))
                if self.fall_back && self.hook.classic(program).is_some() =>
            {
                self.hook = Hook::Raw;
                let refusal = in_one_line(&error);
                self.refusals.push(format!("{refusal}; the raw tracepoint is used instead"));
                self.attach_here(program)
            }
            attached => attached,
        }
    }

    fn attach_here(&mut self, program: KernelProgram) -> Result<Attached, KernelError> {
        Attached::new(self.ebpf, program, self.hook, &mut self.verification)
    }

    /// Entries are watched before exits are: a call of which only the exit is seen would look
    /// refused.
    fn on_calls(&mut self, denied: bool) -> Result<OnCalls, KernelError> {
        let enter = self.attach(if denied { ENTER_TRACKING } else { ENTER })?;
        let hook = self.hook;
        let exit = denied.then(|| self.attach(EXIT)).transpose()?;
        Ok(OnCalls { hook, enter, exit })
    }

    /// Sees the threads that a filter kills. A kernel before 5.15 lacks a helper of this one.
    fn task_exit(&mut self) -> Result<Option<Attached>, KernelError> {
        match self.attach(TASK_EXIT) {
            Ok(attached) => Ok(Some(attached)),
            Err(error @ KernelError::Refused { .. }) => {
                let refusal = in_one_line(&error);
                self.refusals
                    .push(format!("{refusal}; threads that a filter kills alone are not seen"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The programs that know who is in a tracked cgroup; none when that cannot be known.
fn members(known: bool) -> &'static [KernelProgram] {
    if known { &[MEMBER_EXIT, MEMBER_FORK, MEMBER_MOVE] } else { &[] }
}

/// The names of the programs that are attached, the largest one first. `known`: who is in a tracked
/// cgroup is to be known.
pub(super) fn names(options: &LoadOptions, known: bool) -> Vec<&'static str> {
    let on_calls = if options.denied { &[ENTER_TRACKING, EXIT, TASK_EXIT][..] } else { &[ENTER] };
    let programs = on_calls.iter().chain(members(known));
    programs.map(|program| options.hook.name_of(*program)).collect()
}

impl Programs {
    /// Attaches them, and loads those that are not loaded yet.
    ///
    /// `known`: who is in a tracked cgroup is to be known. Those programs come first: whoever is
    /// seen to make a call was seen to come.
    pub(super) fn attach(
        ebpf: &mut Ebpf,
        options: &LoadOptions,
        verification: Verification,
        known: bool,
    ) -> Result<Self, KernelError> {
        let LoadOptions { hook, fall_back, denied, .. } = *options;
        let mut attaching = Attaching { ebpf, hook, fall_back, verification, refusals: Vec::new() };
        let members = members(known).iter().map(|program| attaching.attach(*program));
        let members = members.collect::<Result<Vec<_>, _>>()?;
        let task_exit = if denied { attaching.task_exit()? } else { None };
        let calls = attaching.on_calls(denied)?;
        Ok(Self { calls, task_exit, members, refusals: attaching.refusals })
    }

    /// Where the programs on system calls are attached.
    pub(super) fn attached(&self) -> Attach {
        match self.calls.hook {
            Hook::Raw => Attach::Raw,
            Hook::Classic(_) => Attach::Classic,
        }
    }

    /// What was refused, and what follows.
    pub(super) fn refusals(&self) -> &[String] {
        &self.refusals
    }

    /// Denied calls are watched, also those that kill a thread alone.
    pub(super) fn see_killed_threads(&self) -> bool {
        self.task_exit.is_some()
    }

    /// Detaches them, in the opposite order. They stay, for their statistics; those that the kernel
    /// skipped are named in the log.
    pub(super) fn detach(&mut self, ebpf: &mut Ebpf) -> Result<(), KernelError> {
        let all = [self.calls.exit.as_mut(), Some(&mut self.calls.enter), self.task_exit.as_mut()];
        let all = all.into_iter().flatten().chain(&mut self.members);
        all.into_iter().try_for_each(|program| program.detach(ebpf))?;
        for program in self.all() {
            let skipped = program.recursion_misses(ebpf)?;
            if skipped > 0 {
                log::info!("runs of {} that the kernel skipped: {skipped}", program.name);
            }
        }
        Ok(())
    }

    /// Runs that the kernel skipped, of all of them.
    pub(super) fn recursion_misses(&self, ebpf: &Ebpf) -> Result<u64, KernelError> {
        self.all().map(|program| program.recursion_misses(ebpf)).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Attached> {
        let others = [self.calls.exit.as_ref(), self.task_exit.as_ref()].into_iter().flatten();
        others.chain([&self.calls.enter]).chain(&self.members)
    }

    /// Those of the program that sees the entries alone.
    pub(super) fn entry_misses(&self, ebpf: &Ebpf) -> Result<u64, KernelError> {
        self.calls.enter.recursion_misses(ebpf)
    }
}

/// An error and its causes, in one line.
fn in_one_line(error: &KernelError) -> String {
    match error {
        KernelError::Refused { program, refusal } => {
            format!("the kernel refused the program {program}: {}", refusal.in_one_line())
        }
        KernelError::PerfEvent { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            // Debian's kernels have a level above those of upstream.
            format!(
                "{} (without CAP_SYS_ADMIN, `sysctl kernel.perf_event_paranoid` must be 2 or less)",
                causes(error)
            )
        }
        error => causes(error),
    }
}

/// A program that is loaded and attached.
struct Attached {
    program: KernelProgram,
    /// Its name in the object.
    name: &'static str,
    link: Option<Link>,
}

/// What keeps a program attached.
enum Link {
    Raw(RawTracePointLinkId),
    Classic(#[expect(dead_code, reason = "kept for its drop")] PerfEvent),
}

impl Attached {
    /// Loads the program and attaches it.
    fn new(
        ebpf: &mut Ebpf,
        program: KernelProgram,
        hook: Hook,
        verification: &mut Verification,
    ) -> Result<Self, KernelError> {
        let (name, link) = match hook.classic(program) {
            Some((name, id)) => {
                let loaded: &mut TracePoint = find(ebpf, name)?;
                verification.load(name, loaded).map_err(|error| refused(name, &error))?;
                let event = PerfEvent::attach(descriptor(ebpf, name)?, id);
                (name, Link::Classic(event.map_err(|failure| perf_event(program, failure))?))
            }
            None => {
                let loaded: &mut RawTracePoint = find(ebpf, program.name)?;
                let name = program.name;
                verification.load(name, loaded).map_err(|error| refused(name, &error))?;
                let link = loaded.attach(program.tracepoint);
                (program.name, Link::Raw(link.map_err(|error| attach(program, error))?))
            }
        };
        Ok(Self { program, name, link: Some(link) })
    }

    /// Detaches it. The program stays, for its statistics.
    fn detach(&mut self, ebpf: &mut Ebpf) -> Result<(), KernelError> {
        let Some(Link::Raw(link)) = self.link.take() else { return Ok(()) };
        let loaded: &mut RawTracePoint = find(ebpf, self.name)?;
        loaded.detach(link).map_err(|error| attach(self.program, error))
    }

    /// Runs that the kernel skipped.
    fn recursion_misses(&self, ebpf: &Ebpf) -> Result<u64, KernelError> {
        let program = descriptor(ebpf, self.name)?;
        program_info::recursion_misses(program).map_err(KernelError::ProgramInfo)
    }
}

/// A program of the object, as what it is.
pub(super) fn find<'a, T>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut T, KernelError>
where
    &'a mut T: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    let found = ebpf.program_mut(name).ok_or(KernelError::Missing(name))?;
    found.try_into().map_err(|error| refused(name, &error))
}

/// The descriptor of a program that is loaded.
fn descriptor<'a>(ebpf: &'a Ebpf, name: &'static str) -> Result<BorrowedFd<'a>, KernelError> {
    let program = ebpf.program(name).ok_or(KernelError::Missing(name))?;
    Ok(program.fd().map_err(|error| refused(name, &error))?.as_fd())
}

pub(super) fn refused(program: &'static str, error: &ProgramError) -> KernelError {
    KernelError::Refused { program, refusal: Refusal::new(program, error) }
}

fn attach(program: KernelProgram, error: ProgramError) -> KernelError {
    KernelError::Attach { tracepoint: program.tracepoint, source: Box::new(error) }
}

fn perf_event(
    program: KernelProgram,
    (operation, source): (&'static str, io::Error),
) -> KernelError {
    let category = program.classic.map_or("", |classic| classic.category);
    let tracepoint = format!("{category}/{}", program.tracepoint);
    KernelError::PerfEvent { tracepoint, operation, source }
}
