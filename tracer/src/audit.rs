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
mod tests {
    use super::*;
    use crate::text::escape;

    const LOG: &str = r#"[ 1096.788970] audit: type=1326 audit(1795455772.245:21): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25572 comm="t" exe="/opt/probe/t" sig=0 arch=c000003e syscall=140 compat=0 ip=0x7f15db7fb829 code=0x7ffc0000"#;
    const KILL: &str = r#"[ 1030.155936] audit: type=1326 audit(1795455705.613:11): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=22352 comm="mkdir" exe="/bin/busybox" sig=31 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x80000000"#;
    const I386: &str = r#"[ 1097.272987] audit: type=1326 audit(1795455772.729:26): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25614 comm="t" exe="/opt/probe/t" sig=0 arch=40000003 syscall=96 compat=1 ip=0x55fc40be3395 code=0x7ffc0000"#;
    const X32: &str = r#"[ 1097.433191] audit: type=1326 audit(1795455772.889:27): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25628 comm="t" exe="/opt/probe/t" sig=0 arch=c000003e syscall=1073741964 compat=0 ip=0x7f188c54a829 code=0x7ffc0000"#;
    const HEX: &str = r"[ 1539.677550] audit: type=1326 audit(1795456215.133:223): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=24748 comm=742078 exe=2F6F70742F70726F62652F742078 sig=0 arch=c000003e syscall=140 compat=0 ip=0x7fd94bef3829 code=0x7ffc0000";
    const ERRNO: &str = r#"[ 1096.714044] audit: type=1326 audit(1795455772.169:20): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25565 comm="t" exe="/opt/probe/t" sig=0 arch=c000003e syscall=140 compat=0 ip=0x7fd5cd676829 code=0x50000"#;
    const SYSTEM_LOG: &str = r#"Jul  6 15:37:40 my-machine kernel: [369128.669452] audit: type=1326 audit(1594067860.484:14536): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=29064 comm="http-echo" exe="/http-echo" sig=0 arch=c000003e syscall=51 compat=0 ip=0x46fe1f code=0x7ffc0000"#;
    const AUDITD: &str = r#"type=SECCOMP msg=audit(1594067860.484:14537): auid=4294967295 uid=1000 gid=1000 ses=3 subj=system_u:system_r:container_t:s0:c1,c2 pid=29064 comm="nginx" exe="/usr/sbin/nginx" sig=0 arch=c000003e syscall=288 compat=0 ip=0x7f0a1c2d3e4f code=0x7ffc0000"#;

    fn record(line: &str) -> AuditRecord {
        match parse(line) {
            AuditLine::Seccomp(record) => record,
            other => panic!("{other:?}: {line}"),
        }
    }

    #[test]
    fn the_time_of_any_record_is_known() {
        let time_of_cwd = time(r#"audit(1795455772.045:21): cwd="/""#);
        assert_eq!(time_of_cwd, Some(Duration::from_millis(1_795_455_772_045)));
        for text in ["", "audit(", "audit(1.2)", "audit(x.1:2):", "audit(1.70000:2):"] {
            assert_eq!(time(text), None, "{text}");
        }
        assert!(time("audit(18446744073709551615.999:1):").is_some(), "no overflow");
    }

    #[test]
    fn names_are_resolved_in_the_abi_of_the_call() {
        let expected = [
            (LOG, Abi::X86_64, "getpriority", FilterAction::Log),
            (KILL, Abi::X86_64, "mkdir", FilterAction::KillProcess),
            (I386, Abi::I386, "getpriority", FilterAction::Log),
            (X32, Abi::X32, "getpriority", FilterAction::Log),
            (HEX, Abi::X86_64, "getpriority", FilterAction::Log),
            (ERRNO, Abi::X86_64, "getpriority", FilterAction::Errno),
            (SYSTEM_LOG, Abi::X86_64, "getsockname", FilterAction::Log),
            (AUDITD, Abi::X86_64, "accept4", FilterAction::Log),
        ];
        for (line, abi, name, action) in expected {
            let record = record(line);
            assert_eq!((record.call.name(), record.action), (Some(name), action), "{line}");
            assert!(matches!(record.call, AuditedCall::Known(found, _) if found == abi), "{line}");
        }
    }

    #[test]
    fn every_field_is_read() {
        let expected = AuditRecord {
            time: (1_795_455_772, 245),
            serial: 21,
            pid: 25572,
            command: escape("t"),
            executable: Some(escape("/opt/probe/t")),
            action: FilterAction::Log,
            call: AuditedCall::Known(Abi::X86_64, 140),
        };
        assert_eq!(record(LOG), expected);
        // A message of the audit socket is the same without what stands in front.
        let (_, message) = LOG.split_once("type=1326 ").expect("the type");
        assert_eq!(parse_record(message), Some(expected));
    }

    #[test]
    fn names_in_digits_are_read_and_escaped() {
        let spaced = record(HEX);
        assert_eq!(spaced.command, "t x");
        assert_eq!(spaced.executable.as_deref(), Some("/opt/probe/t x"));
        assert_eq!(record(&HEX.replace("742078", "1b5b324a")).command, r"\x1b[2J");
        assert_eq!(record(&LOG.replace("\"/opt/probe/t\"", "(null)")).executable, None);
    }

    #[test]
    fn enriched_and_extended_lines_are_read() {
        let enriched = format!("{AUDITD}\u{1d}AUID=\"unset\" ARCH=x86_64 SYSCALL=accept4");
        assert_eq!(record(&enriched), record(AUDITD));
        let extended = format!("{AUDITD} extra=1 other=two words");
        assert_eq!(record(&extended), record(AUDITD));
        let context = AUDITD.replace("container_t:s0", "spaced out label");
        assert_eq!(record(&context).pid, 29064);
        let journal = AUDITD
            .replace("type=SECCOMP msg=audit(1594067860.484:14537):", "audit[29064]: SECCOMP");
        assert_eq!(record(&journal).call.name(), Some("accept4"));
    }

    #[test]
    fn words_behind_the_code_are_no_part_of_it() {
        // The byte 0x1d is invisible in a terminal, and written in octal digits by rsyslog.
        for between in ["\u{1d}", "", "#035"] {
            let enriched = format!("{AUDITD}{between}AUID=\"unset\" ARCH=x86_64 SYSCALL=accept4");
            assert_eq!(record(&enriched), record(AUDITD), "{between:?}");
        }
    }

    #[test]
    fn the_journals_own_field_is_read() {
        let (_, rest) = AUDITD.split_once("): ").expect("the stamp");
        assert_eq!(record(&format!("SECCOMP {rest}")).call.name(), Some("accept4"));
        assert_eq!(parse("SECCOMP is a part of the kernel"), AuditLine::Other);
    }

    #[test]
    fn a_record_that_is_cut_off_still_names_the_call() {
        let whole = SyscallRecord {
            call: AuditedCall::Known(Abi::X86_64, 140),
            command: Some(escape("t")),
            errno: None,
        };
        for end in [" compat=0", " compat=0 ip=0x7f", " "] {
            let (before, _) = LOG.split_once(" compat").expect("the field");
            assert_eq!(parse(&format!("{before}{end}")), AuditLine::Malformed(Some(whole.clone())));
        }
        // The number may lack digits.
        let (before, _) = LOG.split_once("0 compat").expect("the field");
        assert_eq!(parse(before), AuditLine::Malformed(None));
    }

    #[test]
    fn what_a_workload_chose_is_no_place_for_keys() {
        let keys = ["code=0x7ffc0000AUID=x", "arch=40000003", "syscall=1", "pid=1", "comm=root"];
        for key in keys {
            let name = key.split('=').next().unwrap_or_default();
            for chosen in [key.to_owned(), format!("{name}{key}"), format!("{name}x{name}{key}")] {
                let line = KILL.replace("/bin/busybox", &format!("/tmp/{chosen}"));
                let expected = AuditRecord {
                    executable: Some(escape(&format!("/tmp/{chosen}"))),
                    ..record(KILL)
                };
                assert_eq!(record(&line), expected, "{chosen}");
            }
        }
    }

    #[test]
    fn a_code_that_is_cut_off_is_no_code() {
        let cut = |length: usize| &KILL[..KILL.len() - length];
        for length in 1..8 {
            assert!(matches!(parse(cut(length)), AuditLine::Malformed(Some(_))), "{}", cut(length));
        }
        let unknown = format!("{} extra=1", KILL.replace("0x80000000", "0x12340000"));
        assert_eq!(record(&unknown).action, FilterAction::Other(0x1234_0000));
    }

    #[test]
    fn syscalls_that_auditd_watches_are_read() {
        let line = r#"type=SYSCALL msg=audit(1594067860.484:14540): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c a1=7ffd a2=0 a3=0 items=1 ppid=1 pid=29064 auid=1000 comm="cat" exe="/bin/cat" key="x""#;
        let call = AuditedCall::Known(Abi::X86_64, 257);
        let expected = SyscallRecord { call, command: Some(escape("cat")), errno: Some(13) };
        assert_eq!(parse(line), AuditLine::Syscall(expected.clone()));
        let made = line.replace("success=no exit=-13", "success=yes exit=3");
        assert_eq!(parse(&made), AuditLine::Syscall(SyscallRecord { errno: None, ..expected }));
    }

    #[test]
    fn actions_are_spelled_as_the_kernel_does() {
        let spelled = |code| FilterAction::from_code(code).to_string();
        // `/proc/sys/kernel/seccomp/actions_avail` of Linux 6.18, without allow.
        let kernels = "kill_process kill_thread trap errno user_notif trace log";
        let codes = [0x8000_0000, 0, 0x3_0000, 0x5_0000, 0x7fc0_0000, 0x7ff0_0000, 0x7ffc_0000];
        assert_eq!(codes.map(spelled).join(" "), kernels);
        assert_eq!(spelled(0x1234_0000), "code=0x12340000");
    }

    #[test]
    fn losses_are_told() {
        let suppressed = "[ 1375.756960] kauditd_printk_skb: 44 callbacks suppressed";
        assert_eq!(parse(suppressed), AuditLine::Lost(Some(44)));
        assert_eq!(
            parse("systemd-journald[230]: Missed 17 kernel messages"),
            AuditLine::Lost(Some(17))
        );
        assert_eq!(parse("I have Missed some kernel messages"), AuditLine::Other);
        let lost = "[ 1.0] audit: audit_lost=3 audit_rate_limit=0 audit_backlog_limit=64";
        assert_eq!(parse(lost), AuditLine::Lost(None));
        assert_eq!(parse("[ 1.0] audit: kauditd hold queue overflow"), AuditLine::Lost(None));
    }

    #[test]
    fn what_is_no_such_line_is_told_apart() {
        assert_eq!(
            parse("[ 1.0] audit: type=1400 audit(1.1:1): apparmor=\"DENIED\""),
            AuditLine::Other
        );
        assert_eq!(parse(""), AuditLine::Other);
        assert_eq!(parse(&LOG[..80]), AuditLine::Malformed(None));
        assert_eq!(parse(&LOG.replace("syscall=140", "syscall=x")), AuditLine::Malformed(None));
        let huge = LOG.replace("syscall=140", "syscall=99999999999999999999");
        assert_eq!(parse(&huge), AuditLine::Malformed(None));
        let arm = record(&LOG.replace("c000003e", "c00000b7"));
        assert_eq!(arm.call, AuditedCall::Foreign(0xc000_00b7, 140));
        assert_eq!(record(&LOG.replace("=140", "=-1")).call, AuditedCall::Known(Abi::X86_64, -1));
    }
}
