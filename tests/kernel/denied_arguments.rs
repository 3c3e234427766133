//! Calls that are refused by their arguments: `verify` names each value, and `--amend` adds the value and no more.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::{GROUND_TRUTH, Outcome, Tracer, temporary_folder};

tests::trials! {
    every_value_is_named,
    an_amended_profile_has_the_values_and_no_others,
    every_abi_has_its_own_numbers_and_registers,
    other_values_than_are_told_apart_are_counted,
    values_that_come_at_once_are_all_there,
    what_a_pointer_points_to_is_told,
    what_the_c_library_falls_back_on_is_no_denial,
    a_value_that_the_profile_answers_is_no_denial,
    a_value_that_is_logged_is_added,
    a_call_that_is_absent_is_added_with_its_value,
    a_derived_profile_is_widened_by_the_value,
    each_argument_of_the_table_is_told_by_name,
    events_tell_each_value,
    a_recording_has_the_values,
    without_types_of_the_kernel_no_value_is_known,
}

/// What the fixture program makes by itself.
const OWN: [&str; 8] = ["execve", "exit", "exit_group", "write", "read", "clone", "fork", "wait4"];
const ALL: [&str; 3] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
/// Families.
const UNIX: u64 = 1;
const INET: u64 = 2;
const NETLINK: u64 = 16;
const ALG: u64 = 38;
const VSOCK: u64 = 40;
/// The lower half of a register.
const LOWER_HALF: u64 = 0xffff_ffff;

/// A rule with one condition.
fn when(name: &str, index: u8, mask: u64, value: u64) -> Value {
    json!({
        "names": [name],
        "action": "SCMP_ACT_ALLOW",
        "args": [{ "index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ" }],
    })
}

/// A profile that allows the fixture's own calls, and what the rules say.
fn profile(default: &str, rules: &[Value]) -> Value {
    let own = json!({ "names": OWN, "action": "SCMP_ACT_ALLOW" });
    let rules: Vec<&Value> = [&own].into_iter().chain(rules).collect();
    json!({ "defaultAction": default, "architectures": ALL, "syscalls": rules })
}

/// Sockets of `AF_UNIX` only.
fn unix_only() -> Value {
    profile("SCMP_ACT_ERRNO", &[when("socket", 0, LOWER_HALF, UNIX)])
}

/// Runs the fixture under a profile, verified.
fn verify(options: &[&str], profile: &Value, steps: &[&str]) -> Outcome {
    let folder = temporary_folder();
    let path = write(folder.path(), profile);
    let command = [&[GROUND_TRUTH], steps].concat();
    Tracer::new().without_out().args(["verify", &path]).args(options).command(command).run()
}

fn write(folder: &Path, profile: &Value) -> String {
    let path = folder.join("under.json");
    fs::write(&path, profile.to_string()).expect("a profile");
    path.display().to_string()
}

/// The same, and the amended profile.
fn amend(profile: &Value, steps: &[&str]) -> (Outcome, Value) {
    let folder = temporary_folder();
    let amended = folder.path().join("amended.json");
    let outcome = verify(&["--amend", amended.to_str().expect("text")], profile, steps);
    let text = fs::read_to_string(&amended).expect("the amended profile");
    (outcome, serde_json::from_str(&text).expect("JSON"))
}

/// The rules of one profile that another does not have.
fn added(profile: &Value, amended: &Value) -> Vec<Value> {
    let rules = |of: &Value| of["syscalls"].as_array().expect("rules").clone();
    let known = rules(profile);
    rules(amended).into_iter().filter(|rule| !known.contains(rule)).collect()
}

/// The lines about denied calls, from the name on.
fn denied(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stderr.lines().filter(|line| line.starts_with("denied: "));
    lines.filter_map(|line| Some(line.split_once("s  ")?.1)).collect()
}

fn every_value_is_named() {
    let steps = [
        "call:41,1,1,0",
        "call:41,40,1,0",
        "call:41,38,5,0",
        "call:41,2,526338,0",
        // The upper half does not count, nor do the flags.
        "call:41,4294967298,2,0",
        "call:41,2,2,17",
        "call:41,1,2,0",
    ];
    for hook in ["raw", "classic"] {
        let hook = format!("--attach={hook}");
        let outcome = verify(&[&hook], &unix_only(), &steps).exits(4).says(&[
            "socket(AF_VSOCK, SOCK_STREAM, 0) = EPERM  ground_truth[",
            "socket(AF_ALG, SOCK_SEQPACKET, 0) = EPERM  ground_truth[",
            "socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0) = EPERM  2 times  ground_truth[",
            "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = EPERM  ground_truth[",
            "hint: let socket be made with AF_INET, AF_ALG, AF_VSOCK (argument 0) as well\n",
        ]);
        assert_eq!(denied(&outcome).len(), 4, "{}", outcome.stderr);
    }
}

fn an_amended_profile_has_the_values_and_no_others() {
    let steps = ["call:41,40,1,0", "call:41,38,5,0", "call:41,2,1,0"];
    let under = unix_only();
    let (outcome, amended) = amend(&under, &steps);
    outcome.exits(4).says(&["calls added: 0, values of arguments added: 3"]);
    let values = [INET, ALG, VSOCK].map(|family| when("socket", 0, LOWER_HALF, family));
    assert_eq!(added(&under, &amended), values);
    verify(&[], &amended, &steps).exits(0).says(&["nothing was denied"]);
    let netlink = format!("call:41,{NETLINK},3,0");
    verify(&[], &amended, &[&netlink]).exits(4).says(&["socket(AF_NETLINK, SOCK_RAW, 0) = EPERM"]);
    // Another filter refuses what the profile lets pass.
    let own = profile(
        "SCMP_ACT_ERRNO",
        &[
            when("socket", 0, LOWER_HALF, UNIX),
            json!({ "names": ["prctl", "seccomp"], "action": "SCMP_ACT_ALLOW" }),
        ],
    );
    verify(&[], &own, &["deny:41", "call:41,1,1,0"])
        .exits(0)
        .says(&["refused by another filter", "socket(AF_UNIX, SOCK_STREAM, 0) = ENOSYS"]);
}

fn every_abi_has_its_own_numbers_and_registers() {
    let steps = [
        "call-i386:359,40,1,0",
        "call-i386:359,1,1,0",
        "call-x32:41,38,5,0",
        "call-i386:136,8",
        "call-x32:514,3,21522",
        "call-i386:54,3,21522",
    ];
    let under = profile(
        "SCMP_ACT_ERRNO",
        &[
            when("socket", 0, LOWER_HALF, UNIX),
            when("personality", 0, LOWER_HALF, 0),
            when("ioctl", 1, LOWER_HALF, 0x5401),
        ],
    );
    let (outcome, amended) = amend(&under, &steps);
    let outcome = outcome.exits(4).says(&[
        "socket(AF_VSOCK, SOCK_STREAM, 0) (i386) = EPERM  ground_truth[",
        "socket(AF_ALG, SOCK_SEQPACKET, 0) (x32) = EPERM  ground_truth[",
        "personality(PER_LINUX32) (i386) = EPERM",
        "ioctl(0x3, TIOCSTI) (x32) = EPERM",
        "ioctl(0x3, TIOCSTI) (i386) = EPERM",
    ]);
    assert_eq!(denied(&outcome).len(), 5, "{}", outcome.stderr);
    let mut values = [
        when("ioctl", 1, LOWER_HALF, 0x5412),
        when("personality", 0, LOWER_HALF, 8),
        when("socket", 0, LOWER_HALF, ALG),
        when("socket", 0, LOWER_HALF, VSOCK),
    ]
    .map(|rule| rule.to_string());
    let mut found: Vec<String> = added(&under, &amended).iter().map(Value::to_string).collect();
    values.sort();
    found.sort();
    assert_eq!(found, values);
    verify(&[], &amended, &steps).exits(0);
    // Where the ABI is not listed it is added with the value.
    let mut narrow = unix_only();
    narrow["architectures"] = json!(["SCMP_ARCH_X86_64"]);
    let steps = ["thread", "[", "call-i386:359,2,1,0", "]", "call:41,1,1,0"];
    let (outcome, amended) = amend(&narrow, &steps);
    outcome.exits(4).says(&["socket(AF_INET, SOCK_STREAM, 0) (i386) = thread killed"]);
    assert_eq!(added(&narrow, &amended), [when("socket", 0, LOWER_HALF, INET)]);
    verify(&[], &amended, &steps).exits(0);
}

/// One call for each family.
fn families(families: impl IntoIterator<Item = u64>) -> Vec<String> {
    families.into_iter().map(|family| format!("call:41,{family},1,0")).collect()
}

fn text(steps: &[String]) -> Vec<&str> {
    steps.iter().map(String::as_str).collect()
}

fn other_values_than_are_told_apart_are_counted() {
    let under = unix_only();
    let sixteen = families(2..18);
    let (outcome, amended) = amend(&under, &text(&sixteen));
    let outcome = outcome.exits(4);
    assert_eq!(denied(&outcome).len(), 16, "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("other values"), "{}", outcome.stderr);
    verify(&[], &amended, &text(&sixteen)).exits(0);
    verify(&[], &amended, &text(&families([18]))).exits(4);
    // One more, and the first one again: what is known stays known.
    let many = families((2..21).chain([2]));
    let (outcome, amended) = amend(&under, &text(&many));
    let outcome = outcome.exits(4).says(&[
        "socket(AF_INET, SOCK_STREAM, 0) = EPERM  2 times",
        "socket(other values) = EPERM  3 times",
        "hint: the profile allows socket for some arguments only",
        "calls added: 1\n",
    ]);
    assert_eq!(denied(&outcome).len(), 17, "{}", outcome.stderr);
    verify(&[], &amended, &text(&families(0..40))).exits(0);
}

fn values_that_come_at_once_are_all_there() {
    let own = families(2..18);
    let mut steps = vec!["fork:40".to_owned(), "[".to_owned()];
    steps.extend(own);
    steps.extend(["]".to_owned(), "wait".to_owned()]);
    let outcome = verify(&[], &unix_only(), &text(&steps)).exits(4);
    let lines = denied(&outcome);
    assert_eq!(lines.len(), 16, "{}", outcome.stderr);
    assert!(lines.iter().all(|line| line.contains("= EPERM  40 times")), "{}", outcome.stderr);
}

fn what_a_pointer_points_to_is_told() {
    let under = profile("SCMP_ACT_ERRNO", &[]);
    // CLONE_NEWUSER | CLONE_FS, which no kernel lets through.
    verify(&[], &under, &["clone3:268435968", "clone3:512"]).exits(4).says(&[
        "clone3({flags=CLONE_FS|CLONE_NEWUSER}, 0x58) = EPERM",
        "clone3({flags=CLONE_FS}, 0x58) = EPERM",
        "hint: no filter sees the flags of clone3: let it fail with ENOSYS",
    ]);
    // What cannot be read is told as what it is.
    verify(&[], &under, &["call:435,4096,64"]).exits(4).says(&["clone3(0x1000) = EPERM"]);
}

fn what_the_c_library_falls_back_on_is_no_denial() {
    let rule = json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 });
    let mut by_default = profile("SCMP_ACT_ERRNO", &[]);
    by_default["defaultErrnoRet"] = json!(38);
    let falls_back = "harmless: C libraries take clone in its place";
    for (under, why) in [
        (by_default, falls_back),
        (profile("SCMP_ACT_ERRNO", std::slice::from_ref(&rule)), falls_back),
        (profile("SCMP_ACT_KILL_PROCESS", std::slice::from_ref(&rule)), "as the profile says"),
    ] {
        let (outcome, amended) = amend(&under, &["clone3:512", "x86_64:57"]);
        outcome.exits(0).says(&[
            "refused: +",
            "clone3({flags=CLONE_FS}, 0x58) = ENOSYS",
            why,
            "calls added: 0",
        ]);
        assert_eq!(amended, under);
    }
    // Any other answer ends the attempt.
    verify(&[], &profile("SCMP_ACT_ERRNO", &[]), &["clone3:512"]).exits(4);
}

fn a_value_that_the_profile_answers_is_no_denial() {
    let mut answer = when("socket", 0, LOWER_HALF, VSOCK);
    answer["action"] = json!("SCMP_ACT_ERRNO");
    answer["errnoRet"] = json!(97);
    let rules = [answer, when("socket", 0, LOWER_HALF, UNIX)];
    let mut under = profile("SCMP_ACT_KILL_PROCESS", &rules);
    // With i386 both rules would be about `socketcall` as well, whose arguments no filter sees.
    under["architectures"] = json!(["SCMP_ARCH_X86_64"]);
    let (outcome, amended) = amend(&under, &["call:41,40,1,0", "call:41,1,1,0"]);
    outcome.exits(0).says(&[
        "refused: +",
        "socket(AF_VSOCK, SOCK_STREAM, 0) = EAFNOSUPPORT",
        "as the profile says",
    ]);
    assert_eq!(amended, under);
    // Another value ends it.
    let steps = ["call:41,40,1,0", "call:41,38,5,0"];
    let (outcome, amended) = amend(&under, &steps);
    outcome.exits(4).says(&["socket(AF_ALG, SOCK_SEQPACKET, 0) = SIGSYS"]);
    assert_eq!(added(&under, &amended), [when("socket", 0, LOWER_HALF, ALG)]);
    verify(&[], &amended, &steps).exits(0);
}

fn a_value_that_is_logged_is_added() {
    let steps = ["call:41,1,1,0", "call:41,40,1,0", "call:41,38,5,0"];
    let under = profile("SCMP_ACT_LOG", &[when("socket", 0, LOWER_HALF, UNIX)]);
    let (outcome, amended) = amend(&under, &steps);
    outcome.exits(4).says(&["socket = logged  2 times", "values of arguments added: 2\n"]);
    let values = [ALG, VSOCK].map(|family| when("socket", 0, LOWER_HALF, family));
    assert_eq!(added(&under, &amended), values);
    verify(&[], &amended, &steps).exits(0);
    verify(&[], &amended, &["call:41,2,1,0"]).exits(4);
}

fn a_call_that_is_absent_is_added_with_its_value() {
    let steps = ["call:41,2,1,0", "call:272,131072", "call:16,99,21505"];
    // A profile that looks at no argument gets names.
    let names = profile("SCMP_ACT_ERRNO", &[]);
    let (outcome, _) = amend(&names, &steps);
    outcome.exits(4).says(&["add ioctl, socket, unshare to the profile", "calls added: 3\n"]);
    // One that looks at what the defaults look at gets the values of these calls.
    let defaults = profile("SCMP_ACT_ERRNO", &[when("personality", 0, LOWER_HALF, 0)]);
    let (outcome, amended) = amend(&defaults, &steps);
    outcome.exits(4).says(&[
        "add ioctl, unshare to the profile",
        "let socket be made with AF_INET (argument 0) as well",
        "calls added: 2, values of arguments added: 1\n",
    ]);
    assert!(added(&defaults, &amended).contains(&when("socket", 0, LOWER_HALF, INET)));
    verify(&[], &amended, &steps[..1]).exits(0);
    verify(&[], &amended, &["call:41,40,1,0"]).exits(4);
    // One that looks at more gets values only.
    let observed = profile("SCMP_ACT_ERRNO", &[when("prctl", 0, LOWER_HALF, 15)]);
    let (outcome, amended) = amend(&observed, &steps);
    outcome.exits(4).says(&["calls added: 0, values of arguments added: 3\n"]);
    verify(&[], &amended, &steps).exits(0);
    verify(&[], &amended, &["call:272,268435456"]).exits(4);
}

fn a_derived_profile_is_widened_by_the_value() {
    let learned = ["call:41,1,1,0", "clone3:512", "fork:1", "[", "]", "wait"];
    for choice in ["default", "observed"] {
        let derived = Tracer::new()
            .args([format!("--arguments={choice}")])
            .command([&[GROUND_TRUTH], &learned[..]].concat())
            .run()
            .exits(0)
            .profile();
        // What was learned is allowed, and clone3 fails as it is meant to.
        verify(&[], &derived, &learned).exits(0).says(&["harmless: C libraries take clone"]);
        let steps = ["call:41,40,1,0", "call:41,38,5,0", "call:135,134217728"];
        let (outcome, amended) = amend(&derived, &steps[..1]);
        outcome.exits(4).says(&["socket(AF_VSOCK, SOCK_STREAM, 0) = ENOSYS", "calls added: 0"]);
        let new = added(&derived, &amended);
        assert_eq!(new, [when("socket", 0, LOWER_HALF, VSOCK)], "{choice}");
        verify(&[], &amended, &steps[..1]).exits(0);
        verify(&[], &amended, &steps).exits(4).says(&[
            "socket(AF_ALG, SOCK_SEQPACKET, 0) = ENOSYS",
            "personality(PER_LINUX|ADDR_LIMIT_3GB) = ENOSYS",
        ]);
    }
}

fn each_argument_of_the_table_is_told_by_name() {
    let under = profile("SCMP_ACT_ERRNO", &[]);
    let never = [
        ("call:53,16,1,0", "socketpair(AF_NETLINK, SOCK_STREAM, 0)"),
        ("call:272,268435456", "unshare(CLONE_NEWUSER)"),
        ("call:308,5,1073741824", "setns(0x5, CLONE_NEWNET)"),
        ("call:135,262144", "personality(PER_LINUX|ADDR_NO_RANDOMIZE)"),
        ("call:157,15", "prctl(PR_SET_NAME)"),
        ("call:9,0,4096,5", "mmap(0x0, 0x1000, PROT_READ|PROT_EXEC)"),
        ("call:10,4096,4096,1", "mprotect(0x1000, 0x1000, PROT_READ)"),
        ("call:250,0", "keyctl(KEYCTL_GET_KEYRING_ID)"),
        ("call:321,5", "bpf(BPF_PROG_LOAD)"),
        ("call:72,3,1030", "fcntl(0x3, F_DUPFD_CLOEXEC)"),
        ("call:28,0,0,4", "madvise(0x0, 0x0, MADV_DONTNEED)"),
        ("call:54,3,1,9", "setsockopt(0x3, SOL_SOCKET, SO_KEEPALIVE)"),
        ("call:302,0,7", "prlimit64(0x0, RLIMIT_NOFILE)"),
        ("call:312,1,1,0", "kcmp(0x1, 0x1, KCMP_FILE)"),
        ("call:317,1", "seccomp(SECCOMP_SET_MODE_FILTER)"),
        ("call:158,4098", "arch_prctl(ARCH_SET_FS)"),
        ("call-i386:192,0,4096,7", "mmap2(0x0, 0x1000, PROT_READ|PROT_WRITE|PROT_EXEC) (i386)"),
        ("call-i386:221,3,14", "fcntl64(0x3, F_SETLKW64) (i386)"),
        ("call-i386:90,4096", "mmap(0x1000, 0x0, 0x0, 0x0, 0x0, 0x0) (i386)"),
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
    let (outcome, amended) = amend(&clone_only, &["call:56,268435473"]);
    outcome.exits(4).says(&["clone(CLONE_NEWUSER|SIGCHLD) = EPERM"]);
    assert_eq!(added(&clone_only, &amended), [when("clone", 0, 0x7e02_0000, 0x1000_0000)]);
}

fn events_tell_each_value() {
    let folder = temporary_folder();
    let events = folder.path().join("events.jsonl");
    let options = ["-v", "--events", events.to_str().expect("text")];
    let steps = ["call:41,40,1,0", "call:41,38,5,0", "call:41,40,1,0"];
    verify(&options, &unix_only(), &steps).exits(4).says(&[
        "denied: socket(AF_VSOCK, SOCK_STREAM, 0)  EPERM",
        "denied: socket(AF_ALG, SOCK_SEQPACKET, 0)  EPERM",
    ]);
    let events = fs::read_to_string(&events).expect("the events");
    let of = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["invocation"].clone();
    let told: Vec<Value> = events.lines().map(of).filter(|told| !told.is_null()).collect();
    assert_eq!(told, ["socket(AF_VSOCK, SOCK_STREAM, 0)", "socket(AF_ALG, SOCK_SEQPACKET, 0)"]);
}

fn a_recording_has_the_values() {
    // All sockets are answered with EPERM (1).
    let steps = [
        "refuse:41,327681",
        "call:41,40,1,0",
        "call:41,38,5,0",
        "call:41,40,524289,0",
        "call:41,40,524289,0",
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
    let steps = ["call:41,40,1,0", "call:41,38,5,0"];
    let outcome = verify(&["--no-btf"], &unix_only(), &steps).exits(4).says(&[
        "socket = EPERM  2 times  ground_truth[",
        "note: arguments are not shown",
        "the profile allows socket for some arguments only",
    ]);
    assert_eq!(denied(&outcome).len(), 1, "{}", outcome.stderr);
}
