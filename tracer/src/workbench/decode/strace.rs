//! The output of strace: plain, of several processes (`-f`, `-ff`), with times, numbers or names of
//! commands (`-t`, `-r`, `-T`, `-n`, `-i`, `-Y`), and the table of `-c`.
//!
//! What a call returned may stand in another line than the call, and that a filter killed the
//! caller always does. So the last call of each process is kept until its next one.

mod line;
mod table;

use std::collections::BTreeMap;

use self::line::{Event, Outcome, Prefix};
use super::{
    found::{Asked, CallId, DecodedLine, FilterEffect, Recogniser, Sighted},
    numbers::number,
};
use crate::{
    syscalls::{self, Abi, HOST},
    text::{Escaped, escape},
};

/// What strace cannot show.
const NO_FILTER: &str = "strace does not show filters: the kernel itself may have given the error numbers, and a call that got SIGSYS was refused";

/// See the module.
#[derive(Debug, Default)]
pub struct Strace {
    /// The last call of each process. None stands for lines without a process.
    last: BTreeMap<Option<u32>, Sighted>,
    /// The ABI of each process whose ABI was shown.
    modes: BTreeMap<Option<u32>, Abi>,
    /// The ABI of the table of `-c` that is being read.
    table: Option<Abi>,
}

impl Recogniser for Strace {
    fn line(&mut self, text: &str, asked: &Asked<'_>) -> Option<DecodedLine> {
        let abi = asked.abi;
        if let Some(row) = table::row(text) {
            return self.row(row, abi).map(found);
        }
        let (prefix, event) = line::read(text)?;
        let pid = prefix.pid;
        let finished = match event {
            Event::Mode { pid, name } => {
                let abi = mode(name)?;
                self.modes.extend([(None, abi), (Some(pid), abi)]);
                Vec::new()
            }
            Event::Begun { name, outcome } => {
                let call = self.call(&prefix, name, abi)?;
                self.last.insert(pid, sighted(call, &prefix, outcome)).into_iter().collect()
            }
            Event::Resumed { name, outcome } => self.resumed(&prefix, name, outcome, abi)?,
            Event::BadSyscall { name, arch } => self.refused(&prefix, name, arch, abi)?,
            Event::Ended { by_sigsys } => {
                let last = self.last.remove(&pid).into_iter();
                last.map(|last| if by_sigsys { refused(last) } else { last }).collect()
            }
            Event::Other => Vec::new(),
        };
        Some(found(finished))
    }

    fn end(&mut self) -> DecodedLine {
        found(std::mem::take(&mut self.last).into_values().collect())
    }
}

impl Strace {
    fn row(&mut self, row: table::StraceRow<'_>, abi: Abi) -> Option<Vec<Sighted>> {
        match row {
            table::StraceRow::Mode(name) => self.table = Some(mode(name)?),
            table::StraceRow::Other => {}
            table::StraceRow::Call { name, count, failed } => {
                let call = of_name(name, self.table.unwrap_or(abi))?;
                return Some(vec![Sighted { count, failed, ..Sighted::recorded(call) }]);
            }
        }
        Some(Vec::new())
    }

    /// The call that a line is of: by its number when the line shows it, else by its name.
    fn call(&self, prefix: &Prefix<'_>, name: &str, abi: Abi) -> Option<CallId> {
        let abi = self.modes.get(&prefix.pid).copied().unwrap_or(abi);
        let named = of_name(name, abi)?;
        let numbered = prefix.number.map(|number| CallId::shown(number, abi));
        Some(numbered.filter(|call| call.name().is_some()).unwrap_or(named))
    }

    /// The end of a call whose beginning was in another line, unless the text begins behind it.
    fn resumed(
        &mut self,
        prefix: &Prefix<'_>,
        name: &str,
        outcome: Outcome,
        abi: Abi,
    ) -> Option<Vec<Sighted>> {
        let call = self.call(prefix, name, abi)?;
        let known = self.last.get_mut(&prefix.pid);
        if let Some(last) = known.filter(|last| last.call.name() == call.name()) {
            last.failed = outcome.failed.into();
            last.errno = outcome.errno;
            return Some(Vec::new());
        }
        Some(self.last.insert(prefix.pid, sighted(call, prefix, outcome)).into_iter().collect())
    }

    /// A filter sent SIGSYS: it refused the last call of the process, where that is shown.
    fn refused(
        &mut self,
        prefix: &Prefix<'_>,
        name: &str,
        arch: &str,
        abi: Abi,
    ) -> Option<Vec<Sighted>> {
        let shown = HOST.abis.iter().find(|known| audit_name(known.abi) == arch);
        let abi = shown.map_or(abi, |known| known.abi);
        let numbered = number(name).map(|number| CallId::shown(number, abi));
        let call = numbered.or_else(|| of_name(name, abi))?;
        Some(match self.last.remove(&prefix.pid) {
            Some(last) if last.call.name() == call.name() => vec![refused(last)],
            other => other.into_iter().chain([refused(Sighted::recorded(call))]).collect(),
        })
    }
}

/// What was returned to the caller is the number of the call.
fn refused(call: Sighted) -> Sighted {
    Sighted { action: Some(FilterEffect::Signal), failed: 0, errno: None, ..call }
}

fn found(calls: Vec<Sighted>) -> DecodedLine {
    let shows_failures = calls.iter().any(|call| call.failed > 0);
    let remarks = if shows_failures { vec![NO_FILTER.to_owned()] } else { Vec::new() };
    DecodedLine { calls, remarks, ..DecodedLine::default() }
}

fn sighted(call: CallId, prefix: &Prefix<'_>, outcome: Outcome) -> Sighted {
    let command: Option<Escaped> = prefix.command.map(escape);
    let Outcome { failed, errno } = outcome;
    Sighted { command, failed: failed.into(), errno, ..Sighted::recorded(call) }
}

/// The call of a name, in the ABI or in the only one that has it. strace writes a number that it
/// does not know as `syscall_0x3e7`.
fn of_name(name: &str, abi: Abi) -> Option<CallId> {
    if let Some(digits) = name.strip_prefix("syscall_0x") {
        return Some(CallId::shown(i64::from_str_radix(digits, 16).ok()?, abi));
    }
    let in_abi = |abi| Some(CallId::Ours(abi, syscalls::number(abi, name)?.into()));
    in_abi(abi).or_else(|| Abi::ALL.into_iter().find_map(in_abi))
}

/// The ABI as strace calls it (`personality_names` in its `syscall.c`).
fn mode(name: &str) -> Option<Abi> {
    match name {
        "64 bit" => Some(Abi::X86_64),
        "32 bit" => Some(Abi::I386),
        "x32" => Some(Abi::X32),
        _ => None,
    }
}

/// The architecture as strace writes it. x32 has the one of x86_64.
fn audit_name(abi: Abi) -> &'static str {
    match abi {
        Abi::X86_64 | Abi::X32 => "AUDIT_ARCH_X86_64",
        Abi::I386 => "AUDIT_ARCH_I386",
    }
}
