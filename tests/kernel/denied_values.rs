//! Where the values of refused arguments are reported: messages, events, recordings.

use std::fs;

use serde_json::{Value, json};
use tests::{GROUND_TRUTH, Tracer, temporary_directory};

use crate::denied_arguments::{
    ALG, OWN, VSOCK, added, amend, denied, profile, unix_only, verify, when,
};

tests::trials! {
    each_argument_of_the_table_is_reported_by_name,
    events_name_each_value,
    a_recording_has_the_values,
    without_types_of_the_kernel_no_value_is_known,
}

fn each_argument_of_the_table_is_reported_by_name() {
    let under = profile("SCMP_ACT_ERRNO", &[]);
    let never = [
        ("call:socketpair,16,1,0", "socketpair(AF_NETLINK, SOCK_STREAM, 0)"),
        ("call:unshare,268435456", "unshare(CLONE_NEWUSER)"),
        ("call:setns,5,1073741824", "setns(0x5, CLONE_NEWNET)"),
        ("call:personality,262144", "personality(PER_LINUX|ADDR_NO_RANDOMIZE)"),
        ("call:prctl,15", "prctl(PR_SET_NAME)"),
        ("call:mmap,0,4096,5", "mmap(0x0, 0x1000, PROT_READ|PROT_EXEC)"),
        ("call:mprotect,4096,4096,1", "mprotect(0x1000, 0x1000, PROT_READ)"),
        ("call:keyctl,0", "keyctl(KEYCTL_GET_KEYRING_ID)"),
        ("call:bpf,5", "bpf(BPF_PROG_LOAD)"),
        ("call:fcntl,3,1030", "fcntl(0x3, F_DUPFD_CLOEXEC)"),
        ("call:madvise,0,0,4", "madvise(0x0, 0x0, MADV_DONTNEED)"),
        ("call:setsockopt,3,1,9", "setsockopt(0x3, SOL_SOCKET, SO_KEEPALIVE)"),
        ("call:prlimit64,0,7", "prlimit64(0x0, RLIMIT_NOFILE)"),
        ("call:kcmp,1,1,0", "kcmp(0x1, 0x1, KCMP_FILE)"),
        ("call:seccomp,1", "seccomp(SECCOMP_SET_MODE_FILTER)"),
        ("call:arch_prctl,4098", "arch_prctl(ARCH_SET_FS)"),
        ("call-i386:mmap2,0,4096,7", "mmap2(0x0, 0x1000, PROT_READ|PROT_WRITE|PROT_EXEC) (i386)"),
        ("call-i386:fcntl64,3,14", "fcntl64(0x3, F_SETLKW64) (i386)"),
        ("call-i386:mmap,4096", "mmap(0x1000, 0x0, 0x0, 0x0, 0x0, 0x0) (i386)"),
    ];
    let steps: Vec<&str> = never.iter().map(|(step, _)| *step).collect();
    let outcome = verify(&[], &under, &steps).exits(4);
    let lines = denied(&outcome);
    assert_eq!(lines.len(), never.len(), "{}", outcome.stderr);
    for (_, written) in never {
        let line = format!("{written} = EPERM");
        assert!(lines.iter().any(|found| found.starts_with(&line)), "{line}: {lines:?}");
    }
    let mut clone_only = under.clone();
    let own: Vec<&str> = OWN.iter().filter(|name| **name != "clone").copied().collect();
    clone_only["syscalls"] = json!([
        { "names": own, "action": "SCMP_ACT_ALLOW" },
        when("clone", 0, 0x7e02_0000, 0),
    ]);
    let (outcome, amended) = amend(&clone_only, &["call:clone,268435473"]);
    outcome.exits(4).says(&["clone(CLONE_NEWUSER|SIGCHLD) = EPERM"]);
    assert_eq!(added(&clone_only, &amended), [when("clone", 0, 0x7e02_0000, 0x1000_0000)]);
}

fn events_name_each_value() {
    let directory = temporary_directory();
    let events = directory.path().join("events.jsonl");
    let options = ["-v", "--events", events.to_str().expect("text")];
    let steps = ["call:socket,40,1,0", "call:socket,38,5,0", "call:socket,40,1,0"];
    verify(&options, &unix_only(), &steps).exits(4).says(&[
        "denied: socket(AF_VSOCK, SOCK_STREAM, 0)  EPERM",
        "denied: socket(AF_ALG, SOCK_SEQPACKET, 0)  EPERM",
    ]);
    let events = fs::read_to_string(&events).expect("the events");
    let of = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["invocation"].clone();
    let shown: Vec<Value> = events.lines().map(of).filter(|shown| !shown.is_null()).collect();
    assert_eq!(shown, ["socket(AF_VSOCK, SOCK_STREAM, 0)", "socket(AF_ALG, SOCK_SEQPACKET, 0)"]);
}

fn a_recording_has_the_values() {
    // All sockets are answered with EPERM (1).
    let steps = [
        "refuse:socket,327681",
        "call:socket,40,1,0",
        "call:socket,38,5,0",
        "call:socket,40,524289,0",
        "call:socket,40,524289,0",
    ];
    let outcome = Tracer::new()
        .args(["--denied"])
        .command([&[GROUND_TRUTH], &steps[..]].concat())
        .run()
        .exits(0)
        .says(&[
            "socket(AF_VSOCK, SOCK_STREAM, 0) = EPERM  3 times",
            "socket(AF_ALG, SOCK_SEQPACKET, 0) = EPERM",
        ]);
    let recording = outcome.recording();
    let value = serde_json::to_value(&recording).expect("JSON");
    let calls = value["cgroups"].as_array().expect("cgroups").iter();
    let mut calls = calls.flat_map(|cgroup| cgroup["calls"].as_array().expect("calls"));
    let socket = calls.find(|call| call["phase"] == "denied").expect("a denied call");
    assert_eq!((&socket["count"], &socket["name"]), (&json!(4), &json!("socket")), "{socket}");
    let values = |index: usize| -> Vec<u64> {
        let values = socket["arguments"][index]["values"].as_array().expect("values").iter();
        values.filter_map(|value| value["value"].as_u64()).collect()
    };
    assert_eq!((values(0), values(1), values(2)), (vec![ALG, VSOCK], vec![1, 5], vec![0]));
    let others = &socket["circumstances"]["others"];
    assert_eq!(others.as_array().map(Vec::len), Some(1), "{socket}");
    assert_eq!((&others[0]["count"], &others[0]["arguments"][0]), (&json!(1), &json!("0x26")));
}

fn without_types_of_the_kernel_no_value_is_known() {
    let steps = ["call:socket,40,1,0", "call:socket,38,5,0"];
    let outcome = verify(&["--no-btf"], &unix_only(), &steps).exits(4).says(&[
        "socket = EPERM  2 times  ground_truth[",
        "note: arguments are not shown",
        "the profile allows socket for some arguments only",
    ]);
    assert_eq!(denied(&outcome).len(), 1, "{}", outcome.stderr);
}
