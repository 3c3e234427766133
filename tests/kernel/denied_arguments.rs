//! Calls refused by their arguments: `verify` names each value, `--amend` adds that value alone.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::{GROUND_TRUTH, Outcome, Tracer, temporary_directory};

tests::trials! {
    every_value_is_named,
    an_amended_profile_has_the_values_and_no_others,
    every_abi_has_its_own_numbers_and_registers,
    values_beyond_those_distinguished_are_counted,
    values_that_come_at_once_are_all_there,
    what_a_pointer_points_to_is_reported,
    what_the_c_library_falls_back_on_is_no_denial,
    a_value_that_the_profile_answers_is_no_denial,
    a_value_that_is_logged_is_added,
    a_call_that_is_absent_is_added_with_its_value,
    a_derived_profile_is_widened_by_the_value,
}

/// What the fixture program makes by itself.
pub const OWN: [&str; 8] =
    ["execve", "exit", "exit_group", "write", "read", "clone", "fork", "wait4"];
const ALL: [&str; 3] = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
/// Families.
const UNIX: u64 = 1;
const INET: u64 = 2;
const NETLINK: u64 = 16;
pub const ALG: u64 = 38;
pub const VSOCK: u64 = 40;
/// The lower half of a register.
const LOWER_HALF: u64 = 0xffff_ffff;

/// A rule with one condition.
pub fn when(name: &str, index: u8, mask: u64, value: u64) -> Value {
    json!({
        "names": [name],
        "action": "SCMP_ACT_ALLOW",
        "args": [{ "index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ" }],
    })
}

/// A profile that allows the fixture's own calls, and what the rules say.
pub fn profile(default: &str, rules: &[Value]) -> Value {
    let own = json!({ "names": OWN, "action": "SCMP_ACT_ALLOW" });
    let rules: Vec<&Value> = [&own].into_iter().chain(rules).collect();
    json!({ "defaultAction": default, "architectures": ALL, "syscalls": rules })
}

/// Sockets of `AF_UNIX` only.
pub fn unix_only() -> Value {
    profile("SCMP_ACT_ERRNO", &[when("socket", 0, LOWER_HALF, UNIX)])
}

/// Runs the fixture under a profile, verified.
pub fn verify(options: &[&str], profile: &Value, steps: &[&str]) -> Outcome {
    let directory = temporary_directory();
    let path = write(directory.path(), profile);
    let command = [&[GROUND_TRUTH], steps].concat();
    Tracer::new().without_out().args(["verify", &path]).args(options).command(command).run()
}

fn write(directory: &Path, profile: &Value) -> String {
    let path = directory.join("under.json");
    fs::write(&path, profile.to_string()).expect("a profile");
    path.display().to_string()
}

/// The same, and the amended profile.
pub fn amend(profile: &Value, steps: &[&str]) -> (Outcome, Value) {
    let directory = temporary_directory();
    let amended = directory.path().join("amended.json");
    let outcome = verify(&["--amend", amended.to_str().expect("text")], profile, steps);
    let text = fs::read_to_string(&amended).expect("the amended profile");
    (outcome, serde_json::from_str(&text).expect("JSON"))
}

/// The rules of one profile that another does not have.
pub fn added(profile: &Value, amended: &Value) -> Vec<Value> {
    let rules = |of: &Value| of["syscalls"].as_array().expect("rules").clone();
    let known = rules(profile);
    rules(amended).into_iter().filter(|rule| !known.contains(rule)).collect()
}

/// The lines about denied calls, from the name on.
pub fn denied(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stderr.lines().filter(|line| line.starts_with("denied: "));
    lines.filter_map(|line| Some(line.split_once("s  ")?.1)).collect()
}

fn every_value_is_named() {
    let steps = [
        "call:socket,1,1,0",
        "call:socket,40,1,0",
        "call:socket,38,5,0",
        "call:socket,2,526338,0",
        // The upper half does not count, nor do the flags.
        "call:socket,4294967298,2,0",
        "call:socket,2,2,17",
        "call:socket,1,2,0",
    ];
    for hook in ["raw", "classic"] {
        let hook = format!("--attach={hook}");
        let outcome = verify(&[&hook], &unix_only(), &steps).exits(4).says(&[
            "socket(AF_VSOCK, SOCK_STREAM, 0) = EPERM  ground_truth[",
            "socket(AF_ALG, SOCK_SEQPACKET, 0) = EPERM  ground_truth[",
            "socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0) = EPERM  2 times  ground_truth[",
            "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = EPERM  ground_truth[",
            "hint: allow socket with AF_INET, AF_ALG, AF_VSOCK (argument 0) as well\n",
        ]);
        assert_eq!(denied(&outcome).len(), 4, "{}", outcome.stderr);
    }
}

fn an_amended_profile_has_the_values_and_no_others() {
    let steps = ["call:socket,40,1,0", "call:socket,38,5,0", "call:socket,2,1,0"];
    let under = unix_only();
    let (outcome, amended) = amend(&under, &steps);
    outcome.exits(4).says(&["calls added: 0, values of arguments added: 3"]);
    let values = [INET, ALG, VSOCK].map(|family| when("socket", 0, LOWER_HALF, family));
    assert_eq!(added(&under, &amended), values);
    verify(&[], &amended, &steps).exits(0).says(&["nothing was denied"]);
    let netlink = format!("call:socket,{NETLINK},3,0");
    verify(&[], &amended, &[&netlink]).exits(4).says(&["socket(AF_NETLINK, SOCK_RAW, 0) = EPERM"]);
    // Another filter refuses what the profile lets pass.
    let own = profile(
        "SCMP_ACT_ERRNO",
        &[
            when("socket", 0, LOWER_HALF, UNIX),
            json!({ "names": ["prctl", "seccomp"], "action": "SCMP_ACT_ALLOW" }),
        ],
    );
    verify(&[], &own, &["deny:socket", "call:socket,1,1,0"])
        .exits(0)
        .says(&["refused by another filter", "socket(AF_UNIX, SOCK_STREAM, 0) = ENOSYS"]);
}

fn every_abi_has_its_own_numbers_and_registers() {
    let steps = [
        "call-i386:socket,40,1,0",
        "call-i386:socket,1,1,0",
        "call-x32:socket,38,5,0",
        "call-i386:personality,8",
        "call-x32:ioctl,3,21522",
        "call-i386:ioctl,3,21522",
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
    let steps = ["thread", "[", "call-i386:socket,2,1,0", "]", "call:socket,1,1,0"];
    let (outcome, amended) = amend(&narrow, &steps);
    outcome.exits(4).says(&["socket(AF_INET, SOCK_STREAM, 0) (i386) = thread killed"]);
    assert_eq!(added(&narrow, &amended), [when("socket", 0, LOWER_HALF, INET)]);
    verify(&[], &amended, &steps).exits(0);
}

/// One call for each family.
fn families(families: impl IntoIterator<Item = u64>) -> Vec<String> {
    families.into_iter().map(|family| format!("call:socket,{family},1,0")).collect()
}

fn text(steps: &[String]) -> Vec<&str> {
    steps.iter().map(String::as_str).collect()
}

fn values_beyond_those_distinguished_are_counted() {
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

fn what_a_pointer_points_to_is_reported() {
    let under = profile("SCMP_ACT_ERRNO", &[]);
    // CLONE_NEWUSER | CLONE_FS, which no kernel lets through.
    verify(&[], &under, &["clone3:268435968", "clone3:512"]).exits(4).says(&[
        "clone3({flags=CLONE_FS|CLONE_NEWUSER}, 0x58) = EPERM",
        "clone3({flags=CLONE_FS}, 0x58) = EPERM",
        "hint: no filter sees the flags of clone3: let it fail with ENOSYS",
    ]);
    // What cannot be read is shown as what it is.
    verify(&[], &under, &["call:clone3,4096,64"]).exits(4).says(&["clone3(0x1000) = EPERM"]);
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
        let (outcome, amended) = amend(&under, &["clone3:512", "x86_64:fork"]);
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
    let (outcome, amended) = amend(&under, &["call:socket,40,1,0", "call:socket,1,1,0"]);
    outcome.exits(0).says(&[
        "refused: +",
        "socket(AF_VSOCK, SOCK_STREAM, 0) = EAFNOSUPPORT",
        "as the profile says",
    ]);
    assert_eq!(amended, under);
    // Another value ends it.
    let steps = ["call:socket,40,1,0", "call:socket,38,5,0"];
    let (outcome, amended) = amend(&under, &steps);
    outcome.exits(4).says(&["socket(AF_ALG, SOCK_SEQPACKET, 0) = SIGSYS"]);
    assert_eq!(added(&under, &amended), [when("socket", 0, LOWER_HALF, ALG)]);
    verify(&[], &amended, &steps).exits(0);
}

fn a_value_that_is_logged_is_added() {
    let steps = ["call:socket,1,1,0", "call:socket,40,1,0", "call:socket,38,5,0"];
    let under = profile("SCMP_ACT_LOG", &[when("socket", 0, LOWER_HALF, UNIX)]);
    let (outcome, amended) = amend(&under, &steps);
    outcome.exits(4).says(&["socket = logged  2 times", "values of arguments added: 2\n"]);
    let values = [ALG, VSOCK].map(|family| when("socket", 0, LOWER_HALF, family));
    assert_eq!(added(&under, &amended), values);
    verify(&[], &amended, &steps).exits(0);
    verify(&[], &amended, &["call:socket,2,1,0"]).exits(4);
}

fn a_call_that_is_absent_is_added_with_its_value() {
    let steps = ["call:socket,2,1,0", "call:unshare,131072", "call:ioctl,99,21505"];
    // A profile that looks at no argument gets names.
    let names = profile("SCMP_ACT_ERRNO", &[]);
    let (outcome, _) = amend(&names, &steps);
    outcome.exits(4).says(&["add ioctl, socket, unshare to the profile", "calls added: 3\n"]);
    // One that looks at what the defaults look at gets the values of these calls.
    let defaults = profile("SCMP_ACT_ERRNO", &[when("personality", 0, LOWER_HALF, 0)]);
    let (outcome, amended) = amend(&defaults, &steps);
    outcome.exits(4).says(&[
        "add ioctl, unshare to the profile",
        "allow socket with AF_INET (argument 0) as well",
        "calls added: 2, values of arguments added: 1\n",
    ]);
    assert!(added(&defaults, &amended).contains(&when("socket", 0, LOWER_HALF, INET)));
    verify(&[], &amended, &steps[..1]).exits(0);
    verify(&[], &amended, &["call:socket,40,1,0"]).exits(4);
    // One that looks at more gets values only.
    let observed = profile("SCMP_ACT_ERRNO", &[when("prctl", 0, LOWER_HALF, 15)]);
    let (outcome, amended) = amend(&observed, &steps);
    outcome.exits(4).says(&["calls added: 0, values of arguments added: 3\n"]);
    verify(&[], &amended, &steps).exits(0);
    verify(&[], &amended, &["call:unshare,268435456"]).exits(4);
}

fn a_derived_profile_is_widened_by_the_value() {
    let learned = ["call:socket,1,1,0", "clone3:512", "fork:1", "[", "]", "wait"];
    for choice in ["default", "observed"] {
        let derived = Tracer::new()
            .args([format!("--arguments={choice}")])
            .command([&[GROUND_TRUTH], &learned[..]].concat())
            .run()
            .exits(0)
            .profile();
        // What was learned is allowed, and clone3 fails as it is meant to.
        verify(&[], &derived, &learned).exits(0).says(&["harmless: C libraries take clone"]);
        let steps = ["call:socket,40,1,0", "call:socket,38,5,0", "call:personality,134217728"];
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
