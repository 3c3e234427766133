//! The message of a container that did not start names the call that its profile lacks: judged by
//! every message that was collected, and by messages that users reported.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;
use tracer::profile::base::OciRuntime;
use tracer::profile::oci;
use tracer::profile::policy::{Policy, RuleContext};
use tracer::workbench::startup_error::table::{Row, Stage, rows, tried};
use tracer::workbench::startup_error::{Recognised, StartupFailure, recognise, recognise_by};

use crate::golden;

tests::trials! {
    every_collected_message_names_its_call,
    a_message_is_known_to_versions_that_did_not_teach_it,
    messages_that_users_reported_name_the_call,
    messages_of_other_causes_name_nothing,
    a_killed_process_is_known_by_its_status,
    the_call_and_the_remedy_are_said,
}

/// Few enough to look at.
const FEW: usize = 5;
/// How attempts were named.
#[derive(Default)]
struct Tally {
    attempts: usize,
    silent: usize,
    one: usize,
    few: usize,
    many: usize,
    unknown: usize,
    wrong: usize,
    by_profile: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.silent += other.silent;
        self.one += other.one;
        self.few += other.few;
        self.many += other.many;
        self.unknown += other.unknown;
        self.wrong += other.wrong;
        self.by_profile += other.by_profile;
    }

    fn said(&self) -> usize {
        self.attempts - self.silent
    }

    fn named(&self) -> usize {
        self.one + self.few + self.many
    }

    fn row(&self, name: &str) -> String {
        let Self { attempts, silent, one, few, many, unknown, wrong, by_profile } = self;
        format!(
            "{name:16} {attempts:8} {silent:7} {one:8} {few:8} {many:9} {unknown:8} {wrong:6} {by_profile:12}\n"
        )
    }
}

/// A message as the runtime wrote it in one case: with a name or a number for each star.
fn concrete(row: &Row) -> String {
    let message = row.message;
    let message = message.replace("`*`", "`web-1`").replace("exec *", "exec /usr/sbin/nginx");
    message
        .replace("(\"*\")", "(\"/srv\")")
        .replace("/dev/std*", "/dev/stdout")
        .replace('*', "1001")
}

/// The message in all forms in which it reaches a person.
fn wrapped(row: &Row) -> Vec<String> {
    let (message, name) = (concrete(row), row.runtime.name());
    let quoted = message.replace('"', "\\\"");
    let mut all = vec![
        message.clone(),
        format!("{name}: {message}"),
        json!({ "level": "error", "msg": message, "time": "2026-11-27T03:41:18Z" }).to_string(),
        format!("time=\"2026-11-27T03:41:18Z\" level=error msg=\"{name}: {quoted}\""),
        format!("Error: OCI runtime error: {name}: {message}"),
        format!("Error: {name}: {message}: OCI permission denied"),
    ];
    let shim = |stage: &str| {
        vec![
            format!(
                "docker: Error response from daemon: OCI runtime {stage} failed: {message}: unknown."
            ),
            format!(
                "Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime {stage} failed: {message}: unknown"
            ),
            format!(
                "  Warning  Failed  2s (x3 over 20s)  kubelet  Error: failed to create containerd task: failed to create shim task: OCI runtime {stage} failed: {message}: unknown"
            ),
        ]
    };
    for stage in &row.stages {
        match stage {
            Stage::Run => all.push(format!("ERRO[0000] {name}: {message}")),
            Stage::Create => {
                all.extend(shim("create"));
                all.push(format!("Error: container create failed: time=\"2026-11-27T03:41:18Z\" level=error msg=\"{quoted}\""));
                all.push(format!("Error: container create failed: {message}"));
            }
            Stage::Start => all.extend(shim("start")),
            Stage::Exec | Stage::ExecAsUser => {
                all.extend(shim("exec"));
                all.push(format!("error: Internal error occurred: failed to exec in container: failed to start exec \"1\": OCI runtime exec failed: {message}: unknown"));
            }
        }
    }
    all
}

fn failure(recognised: Option<Recognised>) -> Option<StartupFailure> {
    match recognised {
        Some(Recognised::Failure(failure)) => Some(failure),
        _ => None,
    }
}

/// A profile with everything that the runtime needs but one call.
fn policy_without(runtime: OciRuntime, missing: &str) -> Policy {
    let calls = runtime.base_set().calls.iter().map(|call| call.name.as_str());
    let names: Vec<_> = calls.filter(|name| *name != missing).collect();
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }],
    });
    let profile = oci::read(profile.to_string().as_bytes()).expect("a profile");
    Policy::new(&profile, &RuleContext::default()).expect("a policy")
}

/// How the message of a row is named, by these rows, in every form.
fn tally_of_row(row: &Row, by: &[&Row]) -> Tally {
    let attempts = row.attempts();
    let mut tally = Tally { attempts, ..Tally::default() };
    if row.message.is_empty() {
        tally.silent = attempts;
        return tally;
    }
    let policy = policy_without(row.runtime, row.call);
    let mut most = 0;
    let (mut unknown, mut wrong, mut by_profile) = (false, false, true);
    for line in wrapped(row) {
        let Some(failure) = failure(recognise_by(&line, by.iter().copied())) else {
            unknown = true;
            continue;
        };
        let calls = failure.calls();
        most = most.max(calls.len());
        if !calls.contains(&row.call) {
            println!("{line:?}: {} was missing, named {calls:?}", row.call);
            wrong = true;
        }
        let lacking: BTreeSet<_> =
            failure.lacking_in(&policy).iter().map(|one| one.call.name.as_str()).collect();
        by_profile &= lacking == BTreeSet::from([row.call]);
    }
    match (wrong, unknown, most) {
        (true, ..) => tally.wrong = attempts,
        (_, true, _) => tally.unknown = attempts,
        (_, _, 1) => tally.one = attempts,
        (_, _, ..=FEW) => tally.few = attempts,
        _ => tally.many = attempts,
    }
    if by_profile && !unknown {
        tally.by_profile = attempts;
    }
    tally
}

/// The matrix of these rows, each judged by the rows that `by` gives for it.
fn matrix(tally_of: impl Fn(&Row) -> Tally) -> (String, Tally) {
    let mut tallies: BTreeMap<(OciRuntime, Stage), Tally> = BTreeMap::new();
    let mut whole = Tally::default();
    for row in tried() {
        let tally = tally_of(row);
        let stages = row.stages.len();
        for stage in &row.stages {
            // Every stage of a row has as many attempts as the others.
            let share = Tally {
                attempts: tally.attempts / stages,
                silent: tally.silent / stages,
                one: tally.one / stages,
                few: tally.few / stages,
                many: tally.many / stages,
                unknown: tally.unknown / stages,
                wrong: tally.wrong / stages,
                by_profile: tally.by_profile / stages,
            };
            tallies.entry((row.runtime, *stage)).or_default().add(&share);
        }
        whole.add(&tally);
    }
    let mut text = format!(
        "{:16} {:>8} {:>7} {:>8} {:>8} {:>9} {:>8} {:>6} {:>12}\n",
        "",
        "attempts",
        "silent",
        "one call",
        "2-5 of",
        "more of",
        "unknown",
        "wrong",
        "with profile"
    );
    for ((runtime, stage), tally) in &tallies {
        text += &tally.row(&format!("{} {}", runtime.name(), stage.name()));
    }
    text += &whole.row("all");
    (text, whole)
}

/// How the messages of all attempts are named, by all rows.
fn of_all() -> (String, Tally) {
    let by: Vec<&Row> = rows().iter().collect();
    matrix(|row| tally_of_row(row, &by))
}

/// The same, as the page says it.
pub(crate) fn said_in_docs() -> String {
    let whole = of_all().1;
    format!(
        "Of the attempts behind this table, {} failed, and {} of these wrote a message. For {} of the\n\
         messages, `tracer decode` names the missing call, and for {} a wrong one: for {} it names this\n\
         call alone, for {} two to five calls, for {} more. With `--profile`, it names this call alone\n\
         for {}.\n",
        whole.attempts,
        whole.said(),
        whole.named(),
        whole.wrong,
        whole.one,
        whole.few,
        whole.many,
        whole.by_profile
    )
}

fn every_collected_message_names_its_call() {
    let (mut text, whole) = of_all();
    let _ = writeln!(
        text,
        "\n{} attempts failed, {} with a message: {} named rightly, {} wrongly",
        whole.attempts,
        whole.said(),
        whole.named(),
        whole.wrong
    );
    print!("{text}");
    assert_eq!(whole.wrong, 0);
    assert!(whole.named() * 100 >= whole.said() * 95, "{text}");
    golden::check("startup-errors/matrix.txt", &text);
}

/// Each version's messages are judged by those of the other versions: another release than the ones
/// that were run says mostly the same, and is never named wrongly.
fn a_message_is_known_to_versions_that_did_not_teach_it() {
    let (text, whole) = matrix(|row| {
        let mut tally = Tally::default();
        for version in &row.versions {
            let others: Vec<Row> = tried()
                .iter()
                .filter_map(|other| {
                    let mut other = other.clone();
                    if other.runtime == row.runtime {
                        other.versions.retain(|known| known != version);
                    }
                    (!other.versions.is_empty()).then_some(other)
                })
                .collect();
            let one = Row { versions: vec![version], ..row.clone() };
            tally.add(&tally_of_row(&one, &others.iter().collect::<Vec<_>>()));
        }
        tally
    });
    print!("{text}");
    assert_eq!(whole.wrong, 0, "{text}");
    golden::check("startup-errors/other-versions.txt", &text);
}

/// From public threads, word for word.
fn messages_that_users_reported_name_the_call() {
    for (line, call) in [
        (
            r#"failed to create PodSandbox: rpc error: code = Unknown desc = container create failed: time="2025-11-05T19:41:15Z" level=error msg="runc create failed: unable to start container process: error during container init: error closing exec fds: get handle to /proc/thread-self/fd: unsafe procfs detected: openat2 fsmount:fscontext:proc/thread-self/fd/: operation not permitted""#,
            "openat2",
        ),
        (
            "Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error closing exec fds: get handle to /proc/thread-self/fd: unsafe procfs detected: openat2 fsmount:fscontext:proc/thread-self/fd/: function not implemented: unknown",
            "openat2",
        ),
        (
            r#"runc create failed: unable to start container process: error during container init: error closing exec fds: get handle to /proc/thread-self/fd: check "thread-self" component is not overmounted: get root mount id: statx(STATX_MNT_ID_...) fsmount:fscontext:proc/: could not get mount id: function not implemented"#,
            "statx",
        ),
        (
            r#"Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error closing exec fds: get handle to /proc/thread-self/fd: check "thread-self" component is not overmounted: get root mount id: statx(STATX_MNT_ID_...) fsmount:fscontext:proc/: could not get mount id: operation not permitted"#,
            "statx",
        ),
        (
            "Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: unable to setup user: reopen fsmount:fscontext:proc/self/setgroups: check safety of /proc/thread-self/fd/8 magiclink: get root mount id: statx(STATX_MNT_ID_...) fsmount:fscontext:proc/: could not get mount id: operation not permitted",
            "statx",
        ),
        (
            "docker: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: unable to apply caps: operation not permitted: unknown.",
            "capset",
        ),
        ("Error: capset: Operation not permitted: OCI permission denied", "capset"),
    ] {
        let failure = failure(recognise(line)).unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(failure.calls(), [call], "{line:?}");
    }
}

fn messages_of_other_causes_name_nothing() {
    for line in [
        "",
        "operation not permitted",
        "docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"foo\": executable file not found in $PATH: unknown.",
        "Error response from daemon: OCI runtime create failed: runc create failed: unable to start container process: exec /entrypoint.sh: permission denied: unknown",
        "exec /docker-entrypoint.sh: exec format error",
        "exec /docker-entrypoint.sh: no such file or directory",
        "Error: OCI runtime error: crun: error executing hook `/usr/bin/hook` (exit code: 1)",
        "Error: crun: open executable: Permission denied: OCI permission denied",
        "runc create failed: unable to start container process: error during container init: error mounting \"proc\" to rootfs at \"/proc\": mount proc:/proc: operation not permitted",
        "E: setgroups 65534 failed - setgroups (1: Operation not permitted)",
        "sshd[71]: fatal: setgroups: Operation not permitted",
        "su: cannot set groups: Operation not permitted",
        "chown: changing ownership of '/data': Operation not permitted",
        "OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: exec: \"bash\": executable file not found in $PATH: unknown",
        "cannot load seccomp profile \"/var/lib/kubelet/seccomp/x.json\": no such file or directory",
        "mkdir: cannot create directory '/x': Function not implemented",
    ] {
        assert_eq!(recognise(line), None, "{line:?}");
    }
}

fn a_killed_process_is_known_by_its_status() {
    for line in [
        "3f2a9c  nginx  \"/docker-entrypoint.…\"  5 seconds ago  Exited (159) 4 seconds ago  web",
        "      Exit Code:    159",
        "command terminated with exit code 159",
        "Bad system call (core dumped)",
    ] {
        assert_eq!(recognise(line), Some(Recognised::Killed), "{line:?}");
    }
    for line in ["Exited (15) 4 seconds ago", "exit code 1590", "Exit Code: 1", "listening on 159"]
    {
        assert_eq!(recognise(line), None, "{line:?}");
    }
}

fn the_call_and_the_remedy_are_said() {
    let mut text = String::new();
    for line in [
        "runc create failed: unable to start container process: unable to apply caps: function not implemented",
        "docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: unable to setup user: reopen fsmount:fscontext:proc/self/setgroups: check safety of /proc/thread-self/fd/8 magiclink: get root mount id: statx(STATX_MNT_ID_...) fsmount:fscontext:proc/: could not get mount id: operation not permitted: unknown",
        "Error: container create failed: unable to setup user: operation not permitted",
        "OCI runtime start failed: cannot start a container that has stopped: unknown",
        "Error: OCI runtime error: crun: read from the init process",
        "Error: crun: error opening file `/proc/self/setgroups`: Operation not permitted: OCI permission denied",
    ] {
        let failure = failure(recognise(line)).unwrap_or_else(|| panic!("{line:?}"));
        let _ = writeln!(text, "> {line}");
        for sentence in failure.sentences(&failure.left_by(None)) {
            let _ = writeln!(text, "{sentence}");
        }
    }
    golden::check("startup-errors/said.txt", &text);
    let line = "cannot start a container that has stopped";
    let failure = failure(recognise(line)).expect("it is known");
    let policy = policy_without(OciRuntime::Runc, "setgroups");
    let said = failure.sentences(&failure.left_by(Some(&policy)));
    assert!(said[0].ends_with("the profile may lack setgroups"), "{said:?}");
}
