//! `tracer enforce`: a command runs under a profile; it needs no tracing.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};
use tests::{GROUND_TRUTH, Outcome, Tracer};

const SIGSYS: i32 = 31;
/// What the fixture program makes by itself.
const OWN: [&str; 8] = ["execve", "exit", "exit_group", "write", "read", "clone", "fork", "wait4"];

/// A profile that allows the fixture's own calls and these.
pub fn profile(default: &str, names: &[&str]) -> Value {
    let names: Vec<&str> = OWN.iter().chain(names).copied().collect();
    json!({
        "defaultAction": default,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{ "names": names, "action": "SCMP_ACT_ALLOW" }],
    })
}

/// Runs tracer's subcommand with the fixture under the profile.
pub fn under(words: &[&str], options: &[&str], profile: &Value, steps: &[&str]) -> Outcome {
    let tracer = Tracer::new().without_out();
    let path = tracer.directory().join("under.json");
    fs::write(&path, profile.to_string()).expect("the profile is written");
    let path = path.to_str().expect("the path is text").to_owned();
    tracer.args(words).args([path]).args(options).command([&[GROUND_TRUTH], steps].concat()).run()
}

fn enforce(profile: &Value, steps: &[&str]) -> Outcome {
    under(&["enforce", "--profile"], &[], profile, steps)
}

/// See the module.
pub fn check() -> Result<(), String> {
    let errno = profile("SCMP_ACT_ERRNO", &["getpid"]);
    let outcome = enforce(&errno, &["x86_64:getpid", "x86_64:pivot_root", "say:alive"]).exits(0);
    assert_eq!(outcome.stdout, "alive\n", "a refused call does not end it");
    let kill = profile("SCMP_ACT_KILL_PROCESS", &["getpid"]);
    for refused in ["x86_64:pivot_root", "i386:getpid"] {
        let outcome = enforce(&kill, &["x86_64:getpid", "say:alive", refused, "say:no more"]);
        assert_eq!(outcome.status.signal(), Some(SIGSYS), "{refused}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "alive\n", "{refused} ends it");
    }
    Ok(())
}
