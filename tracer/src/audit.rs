//! Lines of the kernel's audit log that tell of seccomp.
//!
//! The kernel writes them in `audit_seccomp` (`kernel/auditsc.c`), as `key=value` pairs that security modules may add to. They
//! reach a reader as lines of the kernel log, of a system log, of `audit.log`, or as messages of the audit socket. What a line
//! calls a name was chosen by a workload: it is escaped here.

use crate::{
    syscalls::{self, Abi},
    text::escape_bytes,
};

/// The type of these records (`AUDIT_SECCOMP` in `include/uapi/linux/audit.h`).
pub const SECCOMP: u16 = 1326;
/// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_I386` (`include/uapi/linux/audit.h`).
const ARCH_X86_64: u32 = 0xc000_003e;
const ARCH_I386: u32 = 0x4000_0003;
/// What the kernel says when it leaves records out, on one of these ways (`kernel/audit.c`, `lib/ratelimit.c`).
const LOSSES: [&str; 5] = [
    "audit: backlog limit exceeded",
    "audit: audit_lost=",
    "audit: audit_backlog=",
    "audit: kauditd hold queue overflow",
    "audit: rate limit exceeded",
];

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A filter's decision.
    Seccomp(Record),
    /// Records are missing: how many, when the line says it.
    Lost(Option<u64>),
    /// A line of this kind that cannot be read.
    Malformed,
    /// Something else.
    Other,
}

/// A filter's decision on one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When: seconds and milliseconds since 1970.
    pub time: (u64, u16),
    /// Number of the record.
    pub serial: u64,
    /// Process id in the initial pid namespace: that of the thread group.
    pub pid: u32,
    /// Command name, escaped.
    pub command: String,
    /// Path of the executable, escaped; None when the kernel could not tell it.
    pub executable: Option<String>,
    /// What was decided.
    pub action: Action,
    /// The call.
    pub call: AuditedCall,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
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

impl Action {
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

/// Reads a line of a log, with whatever the log puts in front of it.
pub fn parse(line: &str) -> Line {
    if let Some((before, _)) = line.split_once(" callbacks suppressed")
        && (before.contains("kauditd_printk_skb:") || before.contains("audit_printk_skb:"))
    {
        return Line::Lost(before.rsplit(' ').next().and_then(|count| count.parse().ok()));
    }
    if LOSSES.iter().any(|loss| line.contains(loss)) {
        return Line::Lost(None);
    }
    let marks = ["type=1326 ", "type=SECCOMP ", "]: SECCOMP "];
    let Some(start) = marks.iter().find_map(|mark| Some(line.find(mark)? + mark.len())) else {
        return Line::Other;
    };
    parse_record(&line[start..]).map_or(Line::Malformed, Line::Seccomp)
}

/// Reads what follows the type of a record: also the text of a message of the audit socket.
pub fn parse_record(text: &str) -> Option<Record> {
    // Behind this byte auditd repeats fields in words.
    let text = text.split('\u{1d}').next().unwrap_or(text).trim_end();
    let (time, serial) = stamp(text).unwrap_or(((0, 0), 0));
    let field = |name: &str| field(text, name);
    let arch = u32::from_str_radix(field("arch")?, 16).ok()?;
    let number: i64 = field("syscall")?.parse().ok()?;
    let code = u32::from_str_radix(field("code")?.strip_prefix("0x")?, 16).ok()?;
    let executable = field("exe")?;
    Some(Record {
        time,
        serial,
        pid: field("pid")?.parse().ok()?,
        command: name(field("comm")?),
        executable: (executable != "(null)").then(|| name(executable)),
        action: Action::from_code(code),
        call: call(arch, number)?,
    })
}

/// `audit(SECONDS.MILLISECONDS:SERIAL):`
fn stamp(text: &str) -> Option<((u64, u16), u64)> {
    let (_, rest) = text.split_once("audit(")?;
    let (stamp, _) = rest.split_once(')')?;
    let (time, serial) = stamp.split_once(':')?;
    let (seconds, millis) = time.split_once('.')?;
    Some(((seconds.parse().ok()?, millis.parse().ok()?), serial.parse().ok()?))
}

/// The value of a key. A quoted value holds no quotes: the kernel writes such a one in hexadecimal digits.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let at = rest.find(name)?;
        let starts = at == 0 || rest[..at].ends_with(' ');
        let value = rest[at + name.len()..].strip_prefix('=').filter(|_| starts);
        if let Some(value) = value {
            return match value.strip_prefix('"') {
                Some(quoted) => Some(&value[..quoted.find('"')? + 2]),
                None => value.split(' ').next(),
            };
        }
        // A quoted text is no place for keys: what precedes the next try ends behind this occurrence.
        rest = &rest[at + name.len()..];
    }
}

/// A name as the kernel writes it: quoted, or in hexadecimal digits when it holds a space, a quote, a control character or
/// a byte outside ASCII (`audit_log_untrustedstring`).
fn name(value: &str) -> String {
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
    let known = |compat| {
        let (abi, number) = syscalls::classify(i32::try_from(number).ok()?, compat);
        Some(AuditedCall::Known(abi, number))
    };
    match arch {
        ARCH_X86_64 => known(false),
        ARCH_I386 => known(true),
        foreign => Some(AuditedCall::Foreign(foreign, number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"[ 1096.788970] audit: type=1326 audit(1795455772.245:21): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25572 comm="t" exe="/opt/probe/t" sig=0 arch=c000003e syscall=140 compat=0 ip=0x7f15db7fb829 code=0x7ffc0000"#;
    const KILL: &str = r#"[ 1030.155936] audit: type=1326 audit(1795455705.613:11): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=22352 comm="mkdir" exe="/bin/busybox" sig=31 arch=c000003e syscall=83 compat=0 ip=0x47b567 code=0x80000000"#;
    const I386: &str = r#"[ 1097.272987] audit: type=1326 audit(1795455772.729:26): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25614 comm="t" exe="/opt/probe/t" sig=0 arch=40000003 syscall=96 compat=1 ip=0x55fc40be3395 code=0x7ffc0000"#;
    const X32: &str = r#"[ 1097.433191] audit: type=1326 audit(1795455772.889:27): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25628 comm="t" exe="/opt/probe/t" sig=0 arch=c000003e syscall=1073741964 compat=0 ip=0x7f188c54a829 code=0x7ffc0000"#;
    const HEX: &str = r"[ 1539.677550] audit: type=1326 audit(1795456215.133:223): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=24748 comm=742078 exe=2F6F70742F70726F62652F742078 sig=0 arch=c000003e syscall=140 compat=0 ip=0x7fd94bef3829 code=0x7ffc0000";
    const ERRNO: &str = r#"[ 1096.714044] audit: type=1326 audit(1795455772.169:20): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25565 comm="t" exe="/opt/probe/t" sig=0 arch=c000003e syscall=140 compat=0 ip=0x7fd5cd676829 code=0x50000"#;
    const SYSTEM_LOG: &str = r#"Jul  6 15:37:40 my-machine kernel: [369128.669452] audit: type=1326 audit(1594067860.484:14536): auid=4294967295 uid=0 gid=0 ses=4294967295 pid=29064 comm="http-echo" exe="/http-echo" sig=0 arch=c000003e syscall=51 compat=0 ip=0x46fe1f code=0x7ffc0000"#;
    const AUDITD: &str = r#"type=SECCOMP msg=audit(1594067860.484:14537): auid=4294967295 uid=1000 gid=1000 ses=3 subj=system_u:system_r:container_t:s0:c1,c2 pid=29064 comm="nginx" exe="/usr/sbin/nginx" sig=0 arch=c000003e syscall=288 compat=0 ip=0x7f0a1c2d3e4f code=0x7ffc0000"#;

    fn record(line: &str) -> Record {
        match parse(line) {
            Line::Seccomp(record) => record,
            other => panic!("{other:?}: {line}"),
        }
    }

    #[test]
    fn names_are_resolved_in_the_abi_of_the_call() {
        let expected = [
            (LOG, Abi::X86_64, "getpriority", Action::Log),
            (KILL, Abi::X86_64, "mkdir", Action::KillProcess),
            (I386, Abi::I386, "getpriority", Action::Log),
            (X32, Abi::X32, "getpriority", Action::Log),
            (HEX, Abi::X86_64, "getpriority", Action::Log),
            (ERRNO, Abi::X86_64, "getpriority", Action::Errno),
            (SYSTEM_LOG, Abi::X86_64, "getsockname", Action::Log),
            (AUDITD, Abi::X86_64, "accept4", Action::Log),
        ];
        for (line, abi, name, action) in expected {
            let record = record(line);
            assert_eq!((record.call.name(), record.action), (Some(name), action), "{line}");
            assert!(matches!(record.call, AuditedCall::Known(found, _) if found == abi), "{line}");
        }
    }

    #[test]
    fn every_field_is_read() {
        let expected = Record {
            time: (1_795_455_772, 245),
            serial: 21,
            pid: 25572,
            command: "t".into(),
            executable: Some("/opt/probe/t".into()),
            action: Action::Log,
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
    fn losses_are_told() {
        let suppressed = "[ 1375.756960] kauditd_printk_skb: 44 callbacks suppressed";
        assert_eq!(parse(suppressed), Line::Lost(Some(44)));
        let lost = "[ 1.0] audit: audit_lost=3 audit_rate_limit=0 audit_backlog_limit=64";
        assert_eq!(parse(lost), Line::Lost(None));
        assert_eq!(parse("[ 1.0] audit: kauditd hold queue overflow"), Line::Lost(None));
    }

    #[test]
    fn what_is_no_such_line_is_told_apart() {
        assert_eq!(parse("[ 1.0] audit: type=1400 audit(1.1:1): apparmor=\"DENIED\""), Line::Other);
        assert_eq!(parse(""), Line::Other);
        for cut in [LOG.len() - 12, LOG.len() - 40, 80] {
            assert_eq!(parse(&LOG[..cut]), Line::Malformed, "{}", &LOG[..cut]);
        }
        assert_eq!(parse(&LOG.replace("syscall=140", "syscall=x")), Line::Malformed);
        let arm = record(&LOG.replace("c000003e", "c00000b7"));
        assert_eq!(arm.call, AuditedCall::Foreign(0xc000_00b7, 140));
        assert_eq!(record(&LOG.replace("=140", "=-1")).call, AuditedCall::Known(Abi::X86_64, -1));
    }
}
