//! `tracer decode`: texts as people paste them, and texts that are meant to break it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::Parser;
use tests::temporary_directory;
use tracer::cli::Cli;
use tracer::command::{self, Exit, UsageError};
use tracer::profile::policy::{Policy, RuleContext};
use tracer::recording::json;
use tracer::syscalls::Abi;
use tracer::workbench::decode::found::Asked;
use tracer::workbench::decode::{Decoded, DecodedCall, decode, render};
use tracer::workbench::document::Document;

use crate::golden;
use crate::recordings::web_server;

tests::trials! {
    the_nine_lines_are_decoded_as_agreed,
    every_carrier_holds_the_same_record,
    strace_is_counted_as_it_counts_itself,
    the_abi_that_strace_shows_is_used,
    what_a_filter_refused_is_seen_in_strace,
    a_log_that_lacks_records_is_incomplete,
    a_mixture_is_decoded_and_the_rest_is_counted,
    a_container_that_did_not_start_names_the_call,
    hostile_texts_are_decoded_in_bounds,
    the_command_reads_what_it_is_given,
    what_cannot_be_decoded_is_refused_with_a_remedy,
}

pub fn text(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("offline/texts").join(name);
    fs::read(path).expect("the text can be read")
}

pub fn native(text: impl AsRef<[u8]>) -> Decoded {
    decode(text.as_ref(), Asked { abi: Abi::X86_64, profile: None, commands: &[] })
}

/// A syscall as it is looked for: ABI, name, action, command.
fn short(call: &DecodedCall) -> (Option<Abi>, &str, String, &str) {
    let action = call.action.map(|action| action.to_string()).unwrap_or_default();
    let command = call.command.as_deref().unwrap_or_default();
    (call.abi, call.name.unwrap_or_default(), action, command)
}

fn policy(name: &str) -> Policy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles").join(name);
    let bytes = fs::read(path).expect("the profile can be read");
    let Ok(Document::Profile { profile, .. }) = Document::read(&bytes) else { panic!("{name}") };
    Policy::new(&profile, &RuleContext::default()).expect("a policy")
}

fn the_nine_lines_are_decoded_as_agreed() {
    let decoded = native(text("seccomp.log"));
    let found: Vec<_> = decoded.calls.iter().map(short).collect();
    let (log, kill) = ("log".to_owned(), "kill_process".to_owned());
    let expected = [
        (Some(Abi::X86_64), "getsockname", log.clone(), "http-echo"),
        (Some(Abi::X86_64), "mkdir", kill, "mkdir"),
        (Some(Abi::X86_64), "getpriority", "errno".to_owned(), "t"),
        (Some(Abi::X86_64), "getpriority", log.clone(), "t"),
        (Some(Abi::X86_64), "getpriority", log.clone(), "t x"),
        (Some(Abi::X86_64), "accept4", log.clone(), "nginx"),
        (Some(Abi::I386), "getpriority", log.clone(), "t"),
        (Some(Abi::X32), "getpriority", log, "t"),
    ];
    assert_eq!(found, expected);
    assert!(decoded.calls.iter().all(|call| call.count == 1));
    assert_eq!((decoded.missing.lines, decoded.missing.records), (1, 44));
    assert!(!decoded.complete && decoded.unrecognised.lines == 0);
    for width in [40, 80, 200] {
        let name = format!("decode/seccomp-{width}.txt");
        golden::check(&name, &render::text(&decoded, None, width));
    }
    let policy = policy("learned/nginx.json");
    let asked = Asked { abi: Abi::X86_64, profile: Some(&policy), commands: &[] };
    let decoded = decode(&text("seccomp.log"), asked);
    for width in [40, 80, 200] {
        let name = format!("decode/seccomp-nginx-{width}.txt");
        golden::check(&name, &render::text(&decoded, Some("nginx.json"), width));
    }
    golden::check("decode/seccomp-nginx.json", &tracer::json::pretty(&decoded));
}

fn every_carrier_holds_the_same_record() {
    let fields = r#"auid=4294967295 uid=0 gid=0 ses=4294967295 pid=25572 comm="t" exe="/opt/probe/t" sig=0 arch=c000003e syscall=140 compat=0 ip=0x7f15db7fb829 code=0x7ffc0000"#;
    let record = format!("audit: type=1326 audit(1795455772.245:21): {fields}");
    let quoted = record.replace('"', "\\\"");
    let lines = [
        record.clone(),
        format!("[ 1096.788970] {record}"),
        format!("[Thu Nov 26 12:00:00 2026] {record}"),
        format!("5,1234,1096788970,-;{record}"),
        format!("Nov 26 12:00:00 host kernel: {record}"),
        format!("2026-11-26T12:00:00+0000 host kernel: {record}"),
        format!("Nov 26 12:00:00 host audit[25572]: SECCOMP {fields}"),
        format!("MESSAGE={record}"),
        format!("node=host type=SECCOMP msg=audit(1795455772.245:21): {fields}"),
        format!(
            "type=SECCOMP msg=audit(1795455772.245:21): {fields}\u{1d}AUID=\"unset\" UID=\"root\" GID=\"root\" ARCH=x86_64 SYSCALL=getpriority"
        ),
        format!(
            "type=SECCOMP msg=audit(1795455772.245:21): {fields}AUID=\"unset\" ARCH=x86_64 SYSCALL=getpriority"
        ),
        format!(r#"{{"_TRANSPORT":"kernel","_PID":"59","MESSAGE":"{quoted}","PRIORITY":"5"}}"#),
        format!(r#"{{"_TRANSPORT":"audit","MESSAGE":"SECCOMP {}"}}"#, fields.replace('"', "\\\"")),
        format!(r#"   "msg": "{quoted}","#),
        format!("{record}\r"),
        format!("\u{feff}{record}"),
    ];
    let expected = (Some(Abi::X86_64), "getpriority", "log".to_owned(), "t");
    for line in &lines {
        let decoded = native(line);
        let found: Vec<_> = decoded.calls.iter().map(short).collect();
        assert_eq!(found, std::slice::from_ref(&expected), "{line}");
        assert!(decoded.complete && decoded.unrecognised.lines == 0, "{line}");
    }
    let all = native(lines[1..].join("\n"));
    assert_eq!(all.calls.iter().map(|call| call.count).collect::<Vec<_>>(), [15]);
}

/// `strace -C` prints each call and the table of `-c` behind them.
fn strace_is_counted_as_it_counts_itself() {
    let text = String::from_utf8(text("strace-f.txt")).expect("it is text");
    let (lines, table) = text.split_once("% time").expect("the table is there");
    let counts = |decoded: &Decoded| -> BTreeMap<&'static str, (u64, u64)> {
        let calls = decoded.calls.iter();
        calls.filter_map(|call| Some((call.name?, (call.count, call.failed)))).collect()
    };
    let (lines, table) = (native(lines), native(format!("% time{table}")));
    assert_eq!((lines.unrecognised.lines, table.unrecognised.lines), (0, 0));
    let mut seen = counts(&lines);
    // strace counts a call that the kernel makes again after a signal among the failed ones.
    let restarted = text.lines().filter(|line| line.contains("ERESTART"));
    assert_eq!(restarted.count(), 1);
    seen.get_mut("rt_sigsuspend").expect("the shell waits").1 += 1;
    // The table has the calls that returned.
    assert_eq!(seen.remove("exit_group"), Some((4, 0)));
    assert_eq!(seen, counts(&table));
    assert_eq!(seen.values().map(|(count, _)| count).sum::<u64>(), 232);
    let missing = lines.calls.iter().find(|call| call.name == Some("statx")).expect("of ls");
    assert_eq!(missing.errnos, BTreeMap::from([("ENOENT".to_owned(), missing.failed)]));
    golden::check("decode/strace-80.txt", &render::text(&lines, None, 80));
}

fn the_abi_that_strace_shows_is_used() {
    for (name, numbers) in [("strace-abis.txt", 1), ("strace-c.txt", 0)] {
        let decoded = native(text(name));
        let of = |abi| {
            let found = decoded
                .calls
                .iter()
                .find(|call| call.name == Some("getpid") && call.abi == Some(abi));
            found.map(|call| (call.number, call.count, call.failed))
        };
        let of = [of(Abi::X86_64), of(Abi::I386), of(Abi::X32)];
        assert_eq!(of, [None, Some((20, 1, 0)), Some((39, 1, 1))], "{name}");
        let nameless = decoded.calls.iter().filter(|call| call.name.is_none());
        assert_eq!(nameless.clone().count(), numbers, "{name}");
        assert!(nameless.into_iter().all(|call| call.number == 999), "{name}");
        assert_eq!(decoded.unrecognised.lines, 0, "{name}");
    }
}

fn what_a_filter_refused_is_seen_in_strace() {
    let decoded = native(text("strace-refused.txt"));
    let calls: Vec<_> = decoded.calls.iter().map(|call| (short(call), call.count)).collect();
    let of = |name, action: &str| (Some(Abi::X86_64), name, action.to_owned(), "");
    assert_eq!(calls, [(of("getpriority", "SIGSYS"), 2), (of("prctl", ""), 1)]);
    let line = "--- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x7f, si_syscall=__NR_getpriority, si_arch=AUDIT_ARCH_I386} ---";
    let alone = native(line);
    assert_eq!(
        alone.calls.iter().map(|call| (call.abi, call.number)).collect::<Vec<_>>(),
        [(Some(Abi::I386), 96)]
    );
}

fn a_log_that_lacks_records_is_incomplete() {
    let log = text("seccomp.log");
    let log = String::from_utf8_lossy(&log);
    let whole: String = log
        .lines()
        .filter(|line| !line.contains("suppressed"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(native(&whole).complete);
    for line in [
        "[ 1.0] audit: backlog limit exceeded",
        "[ 1.0] audit: rate limit exceeded",
        "[ 1.0] audit_printk_skb: 3 callbacks suppressed",
        "[ 1.0] audit: kauditd hold queue overflow",
    ] {
        let decoded = native(format!("{whole}{line}\n"));
        assert!(!decoded.complete && decoded.missing.lines == 1, "{line}");
        assert_eq!(decoded.calls, native(&whole).calls, "{line}");
    }
    // Other parts of the kernel have limits as well.
    let other = native(format!("{whole}[ 1.0] net_ratelimit: 44 callbacks suppressed\n"));
    assert!(other.complete && other.unrecognised.lines == 1);
    // A line that a pager cut still names the call.
    let cut = native(whole.lines().next().and_then(|line| line.split(" ip=").next()).unwrap_or(""));
    assert_eq!((cut.complete, cut.damaged), (false, 1));
    assert_eq!(
        cut.calls.first().map(short),
        Some((Some(Abi::X86_64), "getpriority", String::new(), "t"))
    );
}

fn a_mixture_is_decoded_and_the_rest_is_counted() {
    let mixture = [
        &text("seccomp.log")[..],
        b"the numbers:\n59 317\nsyscall=317\n\n",
        b"arch=c00000b7 syscall=96\n500\n-1\n",
        b"mkdir(\"/a\", 0777) = -1 EPERM (Operation not permitted)\n",
        b"goodbye \x1b[2J\n",
    ]
    .concat();
    let decoded = native(&mixture);
    let of = |name: Option<&str>, number: i64| {
        let mut calls = decoded.calls.iter();
        calls.find(|call| call.name == name && call.number == number && call.action.is_none())
    };
    assert_eq!(of(Some("seccomp"), 317).map(|call| call.count), Some(2));
    assert_eq!(of(Some("execve"), 59).map(|call| call.count), Some(1));
    let foreign = of(None, 96).expect("another machine's");
    assert_eq!((foreign.abi, foreign.arch.as_deref()), (None, Some("c00000b7")));
    assert!(of(None, 500).is_some() && of(None, -1).is_some());
    let mkdir = of(Some("mkdir"), 83).expect("of strace");
    assert_eq!(mkdir.errnos, BTreeMap::from([("EPERM".to_owned(), 1)]));
    let first = decoded.unrecognised.first.as_ref().expect("a line is not recognised");
    assert_eq!((decoded.unrecognised.lines, first.line), (2, 10));
    let text = render::text(&decoded, None, 80);
    assert!(!text.contains('\u{1b}'), "{text}");
    golden::check("decode/mixture-80.txt", &text);
}

fn a_container_that_did_not_start_names_the_call() {
    let message = "runc create failed: unable to start container process: error during container init: error closing exec fds: get handle to /proc/thread-self/fd: unsafe procfs detected: openat2 fsmount:fscontext:proc/thread-self/fd/: function not implemented";
    let policy = policy("learned/nginx.json");
    for line in [
        format!(
            "docker: Error response from daemon: OCI runtime create failed: {message}: unknown."
        ),
        format!(r#"{{"level":"error","msg":"{message}","time":"2026-11-26T12:00:00Z"}}"#),
    ] {
        for profile in [None, Some(&policy)] {
            let asked = Asked { abi: Abi::X86_64, profile, commands: &[] };
            let decoded = decode(line.as_bytes(), asked);
            assert!(decoded.calls.is_empty() && !decoded.is_empty() && decoded.complete, "{line}");
            let text = render::text(&decoded, profile.map(|_| "nginx.json"), 200);
            assert!(text.contains("lacks openat2") && !text.contains("under nginx"), "{text}");
        }
    }
}

fn hostile_texts_are_decoded_in_bounds() {
    // A line of 100 MB, alone and beside a good one.
    let mut long = vec![b'a'; 100 << 20];
    long.extend_from_slice(b"\nsyscall=59\n");
    let decoded = native(&long);
    assert_eq!((decoded.calls.len(), decoded.unrecognised.lines), (1, 1));
    let first = decoded.unrecognised.first.expect("the long line");
    assert!(first.text.len() < 100, "{}", first.text.len());
    for start in ["type=1326 ", "{\"MESSAGE\":\"", "read(", "[pid ", "comm=\"", "7<", "% time "] {
        let mut line = start.as_bytes().to_vec();
        line.extend(std::iter::repeat_n(b"([{\"<= ,:.".as_slice(), 50_000).flatten());
        drop(native(&line));
        // Half of a key, and half of a character.
        for end in 0..start.len() {
            drop(native(&start[..end]));
        }
        line.push(0xc3);
        drop(native(&line));
    }
    let escapes = native(
        "type=1326 audit(1.1:1): pid=1 comm=1B5B324A exe=(null) sig=0 arch=c000003e syscall=1 compat=0 ip=0x1 code=0x7ffc0000",
    );
    assert_eq!(escapes.calls[0].command.as_deref(), Some(r"\x1b[2J"));
    let raw = native(
        b"type=1326 audit(1.1:1): pid=1 comm=\"\x1b]0;x\x07\xff\0\" exe=(null) sig=0 arch=c000003e syscall=1 compat=0 ip=0x1 code=0x7ffc0000",
    );
    let text = render::text(&raw, None, 80) + &tracer::json::pretty(&raw);
    assert!(raw.calls.len() == 1 && !text.contains(['\u{1b}', '\u{7}', '\0']), "{text:?}");
    for number in ["99999999999999999999", "-99999999999999999999", "0xffffffffffffffffffff"] {
        let decoded = native(format!("syscall={number}"));
        assert!(decoded.is_empty() && decoded.unrecognised.lines == 1, "{number}");
    }
    let largest = native("9223372036854775807 -9223372036854775808 2147483648 4294967295");
    assert_eq!(largest.calls.len(), 4);
    assert!(largest.calls.iter().all(|call| call.name.is_none()));
    let counts = "0.00 0.000000 0 18446744073709551615 18446744073709551615 read\n".repeat(2);
    assert_eq!(native(counts).calls[0].count, u64::MAX);
}

fn run(words: &[&str]) -> anyhow::Result<Exit> {
    let words = ["tracer", "decode"].iter().chain(words);
    command::run(&Cli::try_parse_from(words).expect("it can be understood"))
}

fn the_command_reads_what_it_is_given() {
    let directory = temporary_directory();
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).expect("a file can be written");
        path.to_str().expect("the path is text").to_owned()
    };
    let numbers = file("numbers", b"59 317");
    let cut = file("cut", &text("seccomp.log"));
    let recording = file("web.recording.json", json::to_json(&web_server()).as_bytes());
    for words in [&[&*numbers][..], &[&numbers, "--json"], &[&numbers, "--abi", "i386"]] {
        assert_eq!(run(words).expect("it is decoded"), Exit::Complete, "{words:?}");
    }
    let decoded = run(&[&numbers, "--profile", "docker-default", "--caps", "none"]);
    assert_eq!(decoded.expect("it is judged"), Exit::Complete);
    assert_eq!(run(&[&cut]).expect("it is decoded"), Exit::Incomplete);
    let error = run(&[&numbers, "--profile", &recording]).expect_err("no profile");
    assert!(error.to_string().contains("is a recording"), "{error}");
    let error = run(&[&numbers, "--profile", "docker-default", "--caps", "x"]).expect_err("usage");
    assert!(error.is::<UsageError>(), "{error}");
}

fn what_cannot_be_decoded_is_refused_with_a_remedy() {
    let directory = temporary_directory();
    let path = directory.path().join("file");
    let name = path.to_str().expect("the path is text");
    let refused = |name: &str| {
        let error = run(&[name]).expect_err("it is refused");
        let message = format!("{error:#}");
        assert!(message.contains("\n\nhint: "), "{message}");
        message
    };
    assert!(refused(name).contains("cannot be read"));
    for (bytes, expected) in [
        (&b""[..], "is empty"),
        (b" \n\t\n", "is empty"),
        (b"nothing of that kind\n", "line 1: nothing of that kind"),
        (b"\0\0\0\0", r"line 1: \x00\x00\x00\x00"),
        (b"\xff\xff\xff", "names no syscall"),
        (
            b"socket() 0.0.0.0:80 failed (38: Function not implemented)",
            "sudo tracer verify PROFILE",
        ),
        (b"5\09\0", "UTF-16"),
        (b"\xff\xfe5\09\0", "UTF-16"),
    ] {
        fs::write(&path, bytes).expect("a file can be written");
        let message = refused(name);
        assert!(message.contains(expected), "{bytes:?}: {message}");
    }
    assert!(refused(directory.path().to_str().expect("text")).contains("is a directory"));
    assert!(refused("/dev/zero").contains("is a device"));
}
