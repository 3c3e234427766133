//! Tests of reading audit records, also of those that are cut or made up.

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
    let journal =
        AUDITD.replace("type=SECCOMP msg=audit(1594067860.484:14537):", "audit[29064]: SECCOMP");
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
            let expected =
                AuditRecord { executable: Some(escape(&format!("/tmp/{chosen}"))), ..record(KILL) };
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
