//! `tracer decode --follow`: records of real filters, as they are made.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use tests::{
    BOUND, Running, Stop, Tracer, ground_truth, require, temporary_directory, tool, tracer_program,
    wait_until,
};
use tracer::recording::json::from_json;
use tracer::recording::{DenyOutcome, Phase};

tests::trials! {
    records_are_printed_as_they_are_made,
    without_the_capability_nothing_is_followed,
}

const MKDIR: i32 = 83;
const GETPRIORITY: i32 = 140;
/// `SECCOMP_RET_LOG`
const LOG: u32 = 0x7ffc_0000;
/// `SECCOMP_RET_KILL_PROCESS`
const KILL_PROCESS: u32 = 0x8000_0000;

fn records_are_printed_as_they_are_made() {
    let directory = temporary_directory();
    let file = directory.path().join("log.recording.json");
    for (signal, is_json) in [(Signal::INT, false), (Signal::TERM, true)] {
        let mut command = Command::new(tracer_program());
        command.args(["decode", "--follow", "--recording"]).arg(&file);
        command.args(is_json.then_some("--json")).env("COLUMNS", "200");
        let following = Running::start(&mut command);
        wait_until("it follows", BOUND, || following.stderr().contains("following the kernel"));
        let refusals = [(MKDIR, LOG), (GETPRIORITY, KILL_PROCESS)];
        let refusals = refusals.map(|(number, answer)| format!("refuse:{number},{answer}"));
        let steps = ["name:bold", &refusals[0], &refusals[1], "x86_64:mkdir", "x86_64:getpriority"];
        Running::start(&mut ground_truth(steps)).finish();
        let expected = match is_json {
            false => [
                "mkdir (x86_64 83): log; by bold\n",
                "getpriority (x86_64 140): kill_process; by bold\n",
            ],
            true => [
                r#"{"count":1,"name":"mkdir","number":83,"abi":"x86_64","action":"log","command":"bold","failed":0}"#,
                r#""number":140,"abi":"x86_64","action":"kill_process","command":"bold","failed":0}"#,
            ],
        };
        wait_until("the records are printed", BOUND, || {
            let printed = following.stdout();
            expected.iter().all(|line| printed.contains(line))
        });
        following.signal(signal);
        let finished = following.finish();
        assert_eq!(finished.status.code(), Some(0), "{finished:?}");
        let recording = from_json(&fs::read(&file).expect("it is written")).expect("a recording");
        assert!(!recording.complete && recording.losses.from_log == 1, "{recording:#?}");
        let calls = &recording.cgroups[0].calls;
        let of =
            |number, phase| calls.iter().find(|call| call.number == number && call.phase == phase);
        assert!(of(MKDIR, Phase::Workload).is_some(), "{calls:#?}");
        let refused = of(GETPRIORITY, Phase::Denied).expect("it was refused");
        assert_eq!(refused.outcome, Some(DenyOutcome::Signal));
    }
}

fn without_the_capability_nothing_is_followed() -> Result<(), Stop> {
    let setpriv = require!(tool("setpriv"));
    let without = ["--bounding-set=-audit_read", "--inh-caps=-all"];
    let launcher = [setpriv.to_str().expect("paths are text")].into_iter().chain(without);
    Tracer::new()
        .without_out()
        .launcher(launcher)
        .args(["decode", "--follow"])
        .run()
        .exits(1)
        .says(&["CAP_AUDIT_READ", "hint: run it as root on the host"])
        .writes_nothing();
    Ok(())
}
