//! Lines of the kernel's audit log that tell of syscalls.
//!
//! The kernel writes a filter's decisions in `audit_seccomp` and the syscalls that a rule of auditd
//! watches in `audit_log_exit` (`kernel/auditsc.c`), as `key=value` pairs that security modules may
//! add to. They reach a reader as lines of the kernel log, of a system log, of `audit.log`, or as
//! messages of the audit socket. What a line calls a name was chosen by a workload: it is escaped
//! here.

use std::{fmt, time::Duration};

use crate::{
    syscalls::{self, Abi},
    text::{Escaped, escape_bytes},
};

/// The type of these records (`AUDIT_SECCOMP` in `include/uapi/linux/audit.h`).
pub const SECCOMP: u16 = 1326;
/// How the type of a record of a filter's decision stands in a line: in the kernel log, in
/// `audit.log`, and in systemd's journal.
const OF_SECCOMP: [&str; 3] = ["type=1326 ", "type=SECCOMP ", "]: SECCOMP "];
/// The same of a watched syscall (`AUDIT_SYSCALL`).
const OF_SYSCALL: [&str; 3] = ["type=1300 ", "type=SYSCALL ", "]: SYSCALL "];
/// What the kernel says when it leaves records out, on one of these ways (`kernel/audit.c`,
/// `lib/ratelimit.c`), and what the journal says when it cannot follow the kernel log
/// (systemd's `journald-kmsg.c`).
const LOSSES: [&str; 6] = [
    "audit: backlog limit exceeded",
    "audit: audit_lost=",
    "audit: audit_backlog=",
    "audit: kauditd hold queue overflow",
    "audit: rate limit exceeded",
    "/dev/kmsg buffer overrun",
];
/// The highest error number that a syscall returns (`MAX_ERRNO` in `include/linux/err.h`).
const MAX_ERRNO: i64 = 4095;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditLine {
    /// A filter's decision.
    Seccomp(AuditRecord),
    /// A syscall that a rule of auditd watches.
    Syscall(SyscallRecord),
    /// Records are missing: how many, when the line says it.
    Lost(Option<u64>),
    /// A line of this kind that cannot be read as a whole, and what it still tells.
    Malformed(Option<SyscallRecord>),
    /// Something else.
    Other,
}

/// A filter's decision on one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// When: seconds and milliseconds since 1970.
    pub time: (u64, u16),
    /// Number of the record.
    pub serial: u64,
    /// Process id in the initial pid namespace: that of the thread group.
    pub pid: u32,
    /// Command name, escaped.
    pub command: Escaped,
    /// Path of the executable, escaped; None when the kernel could not tell it.
    pub executable: Option<Escaped>,
    /// What was decided.
    pub action: FilterAction,
    /// The call.
    pub call: AuditedCall,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyscallRecord {
    /// The call.
    pub call: AuditedCall,
    /// Command name, escaped.
    pub command: Option<Escaped>,
    /// The error number that it returned.
    pub errno: Option<u16>,
}

/// A call as the audit log knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditedCall {
    /// A call of this machine's ABIs.
    Known(Abi, i32),
    /// A call of another machine: its `AUDIT_ARCH` and number.
    Foreign(u32, i64),
}

impl AuditedCall {
    /// The call's name, when it has one.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Known(abi, number) => syscalls::name(abi, number),
            Self::Foreign(..) => None,
        }
    }
}

/// What a filter decided (`SECCOMP_RET_*` in `include/uapi/linux/seccomp.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FilterAction {
    /// The process is killed.
    KillProcess,
    /// The thread is killed.
    KillThread,
    /// The thread gets SIGSYS.
    Trap,
    /// The call fails; the record does not tell the error number.
    Errno,
    /// Another process decides.
    Notify,
    /// A tracer decides.
    Trace,
    /// The call is made.
    Log,
    /// An action that this program does not know.
    Other(u32),
}

impl FilterAction {
    fn from_code(code: u32) -> Self {
        match code {
            0x8000_0000 => Self::KillProcess,
            0 => Self::KillThread,
            0x0003_0000 => Self::Trap,
            0x0005_0000 => Self::Errno,
            0x7fc0_0000 => Self::Notify,
            0x7ff0_0000 => Self::Trace,
            0x7ffc_0000 => Self::Log,
            other => Self::Other(other),
        }
    }
}

/// The action as the kernel spells it (`/proc/sys/kernel/seccomp/actions_avail`).
impl fmt::Display for FilterAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::KillProcess => "kill_process",
            Self::KillThread => "kill_thread",
            Self::Trap => "trap",
            Self::Errno => "errno",
            Self::Notify => "user_notif",
            Self::Trace => "trace",
            Self::Log => "log",
            Self::Other(code) => return write!(formatter, "code=0x{code:x}"),
        })
    }
}

/// Reads a line of a log, with whatever the log puts in front of it.
pub fn parse(line: &str) -> AuditLine {
    if let Some(lost) = lost(line) {
        return AuditLine::Lost(lost);
    }
    if let Some(text) = after(line, &OF_SECCOMP) {
        return match parse_record(text) {
            Some(record) => AuditLine::Seccomp(record),
            None => AuditLine::Malformed(parse_syscall(text)),
        };
    }
    match after(line, &OF_SYSCALL) {
        Some(text) => parse_syscall(text).map_or(AuditLine::Malformed(None), AuditLine::Syscall),
        None => AuditLine::Other,
    }
}

/// How many records a line says are missing, when it says so.
fn lost(line: &str) -> Option<Option<u64>> {
    let count_before = |text: &str| text.rsplit(' ').next().and_then(|count| count.parse().ok());
    if let Some((before, _)) = line.split_once(" callbacks suppressed")
        && (before.contains("kauditd_printk_skb:") || before.contains("audit_printk_skb:"))
    {
        return Some(count_before(before));
    }
    if let Some((before, _)) = line.split_once(" kernel messages")
        && before.contains("Missed ")
    {
        return count_before(before).map(Some);
    }
    LOSSES.iter().any(|loss| line.contains(loss)).then_some(None)
}

/// What follows the type of a record. The journal's own field begins with it.
fn after<'a>(line: &'a str, marks: &[&str; 3]) -> Option<&'a str> {
    let start = marks.iter().find_map(|mark| Some(line.find(mark)? + mark.len()));
    let name = marks[2].trim_start_matches("]: ");
    let alone = || {
        let text = line.trim_start().strip_prefix(name)?;
        (text.starts_with("auid=") || text.starts_with("arch=")).then_some(text)
    };
    start.map(|start| &line[start..]).or_else(alone)
}

/// Reads what follows the type of a record: also the text of a message of the audit socket.
pub fn parse_record(text: &str) -> Option<AuditRecord> {
    // Behind this byte auditd repeats fields in words.
    let text = text.split('\u{1d}').next().unwrap_or(text).trim_end();
    let (time, serial) = stamp(text).unwrap_or(((0, 0), 0));
    let field = |name: &str| field(text, name);
    let arch = u32::from_str_radix(field("arch")?, 16).ok()?;
    let number: i64 = field("syscall")?.parse().ok()?;
    let written = field("code")?;
    let action = FilterAction::from_code(u32::from_str_radix(code(written)?, 16).ok()?);
    // A code at the very end may lack digits: then it is none that the kernel has.
    if matches!(action, FilterAction::Other(_)) && text.ends_with(written) {
        return None;
    }
    let executable = field("exe")?;
    Some(AuditRecord {
        time,
        serial,
        pid: field("pid")?.parse().ok()?,
        command: name(field("comm")?),
        executable: (executable != "(null)").then(|| name(executable)),
        action,
        call: call(arch, number)?,
    })
}

/// Reads the call of a record, also of one that is cut off behind it.
fn parse_syscall(text: &str) -> Option<SyscallRecord> {
    let text = text.split('\u{1d}').next().unwrap_or(text);
    let arch = u32::from_str_radix(field(text, "arch")?, 16).ok()?;
    let written = field(text, "syscall")?;
    // A number at the very end may lack digits.
    if text.ends_with(written) {
        return None;
    }
    let result = field(text, "exit").and_then(|result| result.parse::<i64>().ok());
    let errno = result.filter(|result| (-MAX_ERRNO..0).contains(result));
    Some(SyscallRecord {
        call: call(arch, written.parse().ok()?)?,
        command: field(text, "comm").map(name),
        errno: errno.and_then(|result| u16::try_from(-result).ok()),
    })
}

/// The digits of a code. Where the byte before auditd's words was lost, as in a text that was
/// copied from a terminal, or was written in digits by a system log, the words follow them.
fn code(value: &str) -> Option<&str> {
    let digits = value.strip_prefix("0x")?;
    let digits = digits.split("AUID=").next().unwrap_or(digits);
    Some(digits.strip_suffix("#035").unwrap_or(digits))
}

/// When a record of any kind was made, since 1970.
pub fn time(text: &str) -> Option<Duration> {
    let ((seconds, millis), _) = stamp(text)?;
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_millis(millis.into())))
}

/// `audit(SECONDS.MILLISECONDS:SERIAL):`
fn stamp(text: &str) -> Option<((u64, u16), u64)> {
    let (_, rest) = text.split_once("audit(")?;
    let (stamp, _) = rest.split_once(')')?;
    let (time, serial) = stamp.split_once(':')?;
    let (seconds, millis) = time.split_once('.')?;
    Some(((seconds.parse().ok()?, millis.parse().ok()?), serial.parse().ok()?))
}

/// The value of a key. A key stands at the beginning or behind a space. A quoted value holds neither
/// spaces nor quotes, as the kernel writes one that does in hexadecimal digits: what a workload
/// chose is no place for keys.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let starts = |at: usize| at == 0 || text[..at].ends_with(' ');
    let mut places = text.match_indices(name).map(|(at, _)| at).filter(|at| starts(*at));
    let value = places.find_map(|at| text[at + name.len()..].strip_prefix('='))?;
    match value.strip_prefix('"') {
        Some(quoted) => Some(&value[..quoted.find('"')? + 2]),
        None => value.split(' ').next(),
    }
}

/// A name as the kernel writes it: quoted, or in hexadecimal digits when it holds a space, a quote,
/// a control character or a byte outside ASCII (`audit_log_untrustedstring`).
fn name(value: &str) -> Escaped {
    let bytes = match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) => plain.as_bytes().to_vec(),
        None => hex(value).unwrap_or_else(|| value.as_bytes().to_vec()),
    };
    escape_bytes(&bytes)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let bytes = (0..digits.len()).step_by(2);
    bytes.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

fn call(arch: u32, number: i64) -> Option<AuditedCall> {
    let Some(abi) = syscalls::HOST.abis.iter().find(|abi| abi.audit_arch == arch) else {
        return Some(AuditedCall::Foreign(arch, number));
    };
    let (abi, number) = syscalls::classify(i32::try_from(number).ok()?, abi.compat);
    Some(AuditedCall::Known(abi, number))
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
