//! Tests of reading a unit's settings, as systemd reads them.

use super::*;
use crate::profile::policy::{Policy, RuleContext, Verdict};

fn policy(text: &str) -> Policy {
    let filter = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    Policy::new(&filter.profile, &RuleContext::default()).expect("a policy")
}

fn verdicts(text: &str, names: &[&str]) -> Vec<Verdict> {
    let policy = policy(text);
    let number = |name: &&str| crate::syscalls::number(Abi::X86_64, name).expect("a call");
    let numbers = names.iter().map(number).map(|number| u32::try_from(number).expect("it is"));
    numbers.filter_map(|number| policy.always(Abi::X86_64, number)).collect()
}

const NAMES: [&str; 4] = ["read", "execve", "mount", "reboot"];

#[test]
fn assignments_are_merged_as_systemd_merges_them() {
    use Verdict::{Allow, Errno, KillProcess, Log};
    let cases: [(&str, [Verdict; 4]); 9] = [
        ("SystemCallFilter=read", [Allow, Allow, KillProcess, KillProcess]),
        ("SystemCallFilter=~mount", [Allow, Allow, KillProcess, Allow]),
        (
            "SystemCallFilter=~@mount reboot:ENOSYS\nSystemCallErrorNumber=EPERM",
            [Allow, Allow, Errno(1), Errno(38)],
        ),
        (
            "SystemCallFilter=@basic-io mount\nSystemCallFilter=~mount read\nSystemCallErrorNumber=1",
            [Errno(1), Allow, Errno(1), Errno(1)],
        ),
        (
            "SystemCallFilter=read mount\nSystemCallFilter=~mount:EACCES execve:kill\nSystemCallErrorNumber=EPERM",
            [Allow, KillProcess, Errno(13), Errno(1)],
        ),
        (
            "SystemCallFilter=read\nSystemCallFilter=\nSystemCallFilter=~read",
            [KillProcess, Allow, Allow, Allow],
        ),
        (
            "SystemCallFilter=@default\nSystemCallFilter=~@default\nSystemCallFilter=read",
            [Allow, KillProcess, KillProcess, KillProcess],
        ),
        ("SystemCallLog=~read\nSystemCallFilter=~mount:1", [Allow, Log, Errno(1), Log]),
        ("SystemCallLog=read\nSystemCallFilter=~mount:1", [Log, Allow, Errno(1), Allow]),
    ];
    for (text, expected) in cases {
        assert_eq!(verdicts(&format!("[Service]\n{text}\n"), &NAMES), expected, "{text}");
        assert_eq!(verdicts(text, &NAMES), expected, "{text}, as systemctl shows it");
    }
}

#[test]
fn abis_are_killed_only_where_they_are_not_listed() {
    let known = |text: &str| {
        let policy = policy(&format!("SystemCallFilter=read\n{text}"));
        Abi::ALL.map(|abi| policy.table(abi).is_some())
    };
    assert_eq!(known(""), [true, true, true]);
    assert_eq!(known("SystemCallArchitectures=native"), [true, false, false]);
    assert_eq!(known("SystemCallArchitectures=x86"), [true, true, false]);
    assert_eq!(known("SystemCallArchitectures=x86 arm\nSystemCallArchitectures="), [true; 3]);
}

#[test]
fn what_systemd_would_ignore_is_told() {
    let error = |text: &str| read(text).expect_err(text).to_string();
    assert!(error("[Service]\nSystemCallFilter=@mounts").starts_with("line 2: @mounts is no"));
    assert!(error("SystemCallFilter=@mounts").contains("@mount is probably meant"));
    assert!(error("SystemCallFilter=read:EPERM").contains("is allowed, and has an error"));
    for faulty in ["EFOO", "0", "4096", "-1", "Kill"] {
        let text = format!("SystemCallFilter=~read:{faulty}");
        assert!(error(&text).contains("no error number"), "{text}");
        let text = format!("SystemCallFilter=read\nSystemCallErrorNumber={faulty}");
        assert!(error(&text).starts_with("line 2: "), "{text}");
    }
    assert!(error("SystemCallArchitectures=amd64").contains("amd64 is no architecture"));
    for none in
        ["[Service]\nExecStart=/bin/true", "SystemCallFilter=", "SystemCallArchitectures=x86"]
    {
        assert_eq!(read(none), Err(UnitError::NoFilter), "{none}");
    }
    let text = "[Unit]\nSystemCallLog=x\n[Service]\nSystemCallFilter=~openatt\x1b\nProtectClock=no\nRestrictNamespaces=net\n";
    let notes = read(text).expect("a filter").notes;
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("in the section [Unit]"), "{notes:?}");
    assert!(notes[1].ends_with("not read: RestrictNamespaces"), "{notes:?}");
    assert!(notes[2].contains("openat") && !notes[2].contains('\x1b'), "{notes:?}");
}
