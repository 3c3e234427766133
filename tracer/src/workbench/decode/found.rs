//! What a line says, and what reads lines.

use serde::{Serialize, Serializer};

use crate::{
    audit::{AuditedCall, FilterAction},
    profile::policy::Policy,
    syscalls::{self, Abi},
    text::{Escaped, escape, escape_bytes},
};

/// The longest name of a command that the kernel keeps, in bytes (`TASK_COMM_LEN` in
/// `include/linux/sched.h`, without the byte that ends it).
const LONGEST_COMMAND: usize = 15;

/// A kind of lines.
pub trait Recogniser {
    /// What a line says; None when it is not of this kind.
    fn line(&mut self, line: &str, asked: &Asked<'_>) -> Option<DecodedLine>;

    /// What is left to say when the last line was read.
    fn end(&mut self) -> DecodedLine {
        DecodedLine::default()
    }
}

/// What was asked of a text.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The ABI of numbers and names that stand without one.
    pub abi: Abi,
    /// The meaning of the profile that [`super::under`] evaluates.
    pub profile: Option<&'a Policy>,
    /// The commands whose syscalls are asked for; none: all.
    pub commands: &'a [CommandName],
}

/// A command that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandName {
    typed: String,
    whole: Escaped,
    kept: Escaped,
}

impl CommandName {
    /// By its name: as it is, or as it is shown. Of a long one, the kernel keeps the beginning.
    pub fn new(typed: &str) -> Self {
        let kept = &typed.as_bytes()[..typed.len().min(LONGEST_COMMAND)];
        Self { typed: typed.to_owned(), whole: escape(typed), kept: escape_bytes(kept) }
    }

    /// A text calls it so.
    pub fn is(&self, command: &Escaped) -> bool {
        [&self.whole, &self.kept].contains(&command) || command.as_str() == self.typed
    }

    /// Several, as a text has them, for people.
    pub fn list(commands: &[Self]) -> String {
        let names: Vec<&str> = commands.iter().map(|command| command.kept.as_str()).collect();
        names.join(", ")
    }
}

/// What a line says. A line that belongs to a text and names no syscall says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodedLine {
    /// The syscalls that it names.
    pub calls: Vec<Sighted>,
    /// The log says that records are missing.
    pub missing: Option<Missing>,
    /// The line is a record that cannot be read as a whole.
    pub is_damaged: bool,
    /// What a reader has to know, in a sentence each. Each is printed once, in their order.
    pub remarks: Vec<String>,
}

/// Records that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How many, when the log says it.
    pub records: Option<u64>,
}

/// A syscall that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighted {
    /// The syscall.
    pub call: CallId,
    /// What a filter did with it, when the line is of a filter.
    pub action: Option<FilterEffect>,
    /// The command that made it, when the line names one.
    pub command: Option<Escaped>,
    /// How often it was made.
    pub count: u64,
    /// How often it failed, of these.
    pub failed: u64,
    /// The error number that it failed with.
    pub errno: Option<u16>,
    /// The line is a whole record of the syscall, of the kernel's audit log or of strace. A number
    /// in another line may be anything.
    pub is_record: bool,
}

/// A syscall by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallId {
    /// Of an ABI of this machine: the number in its table.
    Ours(Abi, i64),
    /// Of another machine: its `AUDIT_ARCH`, and the number.
    Foreign(u32, i64),
}

/// What happened to a syscall at a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FilterEffect {
    /// What an audit record says.
    Audited(FilterAction),
    /// SIGSYS reached the caller: the filter traps the syscall, or kills the caller.
    Signal,
}

impl DecodedLine {
    /// One syscall.
    pub fn call(call: Sighted) -> Self {
        Self { calls: vec![call], ..Self::default() }
    }
}

impl Sighted {
    /// A syscall that was made once, with nothing else known of it.
    pub fn once(call: CallId) -> Self {
        let (action, command, errno) = (None, None, None);
        Self { call, action, command, count: 1, failed: 0, errno, is_record: false }
    }

    /// The same of a line that is a whole record.
    pub fn recorded(call: CallId) -> Self {
        Self { is_record: true, ..Self::once(call) }
    }
}

impl CallId {
    /// A number as the kernel shows it, of a caller of the ABI.
    pub fn shown(number: i64, abi: Abi) -> Self {
        let Ok(small) = i32::try_from(number) else { return Self::Ours(abi, number) };
        let (shown, number) = syscalls::classify(small, abi.description().compat);
        // A list of numbers of x32 may be without the bit.
        let abi = if abi == Abi::X32 && number >= 0 { abi } else { shown };
        Self::Ours(abi, number.into())
    }

    /// The number.
    pub fn number(self) -> i64 {
        match self {
            Self::Ours(_, number) | Self::Foreign(_, number) => number,
        }
    }

    /// The name, when it has one.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Ours(abi, number) => syscalls::name(abi, i32::try_from(number).ok()?),
            Self::Foreign(..) => None,
        }
    }
}

impl From<AuditedCall> for CallId {
    fn from(call: AuditedCall) -> Self {
        match call {
            AuditedCall::Known(abi, number) => Self::Ours(abi, number.into()),
            AuditedCall::Foreign(arch, number) => Self::Foreign(arch, number),
        }
    }
}

impl std::fmt::Display for FilterEffect {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Audited(action) => action.fmt(formatter),
            Self::Signal => formatter.pad("SIGSYS"),
        }
    }
}

impl Serialize for FilterEffect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
