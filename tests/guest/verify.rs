//! `tracer verify`: what a profile denies is named, under every action, and what is allowed is not.

use std::fs;

use serde_json::Value;
use tests::temporary_directory;

use crate::enforce::{profile, under};

/// See the module.
pub fn check() -> Result<(), String> {
    let verify = |options: &[&str], profile: &Value, steps: &[&str]| {
        under(&["verify"], options, profile, steps)
    };
    let errno = profile("SCMP_ACT_ERRNO", &["getpid", "mkdir"]);
    verify(&[], &errno, &["x86_64:getpid*3", "x86_64:mkdir*3"])
        .exits(0)
        .says(&["nothing was denied"]);
    let busy = ["fork:4", "[", "x86_64:mkdir*20000", "]", "wait"];
    verify(&[], &errno, &busy).exits(0).says(&["nothing was denied"]);

    let directory = temporary_directory();
    let amended = directory.path().join("amended.json");
    let amend = ["--amend", amended.to_str().expect("text")];
    for action in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG"] {
        let profile = profile(action, &["getpid"]);
        verify(&amend, &profile, &["x86_64:getpid", "x86_64:pivot_root*3"]).exits(4).says(&[
            "denied: +",
            "pivot_root",
            "hint: add pivot_root to the profile",
        ]);
        let text = fs::read_to_string(&amended).expect("the amended profile");
        assert!(text.contains("\"pivot_root\""), "{action}: it is allowed now: {text}");
    }
    verify(&[], &errno, &["x86_64:getpid", "thread", "[", "i386:getpid", "]", "say:alive"])
        .exits(4)
        .says(&["getpid(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) (i386) = thread killed"]);
    Ok(())
}
