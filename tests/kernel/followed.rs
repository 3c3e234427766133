//! `tracer decode --follow`: records of real filters, as they are made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::ioctl_fionread;
use rustix::process::Signal;
use tempfile::TempDir;
use tests::{
    BOUND, Running, Stop, Tracer, ground_truth, require, temporary_directory, tool, tracer_program,
    wait_until,
};
use tracer::recording::json::from_json;
use tracer::recording::{DenyOutcome, Phase, Recording};

tests::trials! {
    records_are_printed_as_they_are_made,
    who_reads_no_more_costs_no_record,
    who_goes_away_ends_it,
    records_that_find_no_room_are_counted,
    without_the_capability_nothing_is_followed,
}

const MKDIR: i32 = 83;
const GETPRIORITY: i32 = 140;
/// `SECCOMP_RET_LOG`
const LOG: u32 = 0x7ffc_0000;
/// `SECCOMP_RET_KILL_PROCESS`
const KILL_PROCESS: u32 = 0x8000_0000;
/// More records than the socket has room for.
const MANY: u64 = 20_000;
/// Fewer.
const SOME: u64 = 1000;

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

/// Follows one command, and prints to a pipe that nobody but the test can read.
struct Stalled {
    tracer: Running,
    /// Keeps the pipe open.
    reader: File,
    directory: TempDir,
}

impl Stalled {
    fn start(command: &str) -> Self {
        let directory = temporary_directory();
        let pipe = directory.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        // Opened for both, so that neither end waits for the other.
        let reader = File::options().read(true).write(true).open(&pipe).expect("it can be opened");
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" >pipe"]).arg(tracer_program());
        shell.args(["decode", "--follow", "--command", command]);
        shell.args(["--recording", "log.recording.json"]).current_dir(directory.path());
        let tracer = Running::start(&mut shell);
        wait_until("it follows", BOUND, || tracer.stderr().contains("following the kernel"));
        Self { tracer, reader, directory }
    }

    fn says(&self, part: &str) -> bool {
        self.tracer.stderr().contains(part)
    }

    /// Ends it, and returns what it said and how often it recorded each call.
    fn stop(self) -> (String, BTreeMap<i32, u64>) {
        self.tracer.signal(Signal::INT);
        let finished = self.tracer.finish();
        let said = String::from_utf8_lossy(&finished.stderr).into_owned();
        assert_eq!(finished.status.code(), Some(3), "{said}");
        drop(self.reader);
        let recording = read(self.directory.path());
        let calls = recording.cgroups.iter().flat_map(|cgroup| &cgroup.calls);
        (said, calls.map(|call| (call.number, call.count.expect("a count"))).collect())
    }
}

fn read(directory: &Path) -> Recording {
    let bytes = fs::read(directory.join("log.recording.json")).expect("it is written");
    from_json(&bytes).expect("a recording")
}

/// Makes a call that is logged, some times.
fn make(command: &str, number: i32, times: u64) {
    let steps = [
        format!("name:{command}"),
        format!("refuse:{number},{LOG}"),
        format!("x86_64:{number}*{times}"),
    ];
    let finished = Running::start(&mut ground_truth(steps)).finish();
    assert!(finished.status.success(), "{finished:?}");
}

/// The numbers in front of these words, together.
fn counted(said: &str, words: &str) -> u64 {
    let before = said.lines().filter_map(|line| line.split_once(words)?.0.rsplit(' ').next());
    before.map(|number| number.parse::<u64>().expect("a number")).sum()
}

fn who_reads_no_more_costs_no_record() {
    let stalled = Stalled::start("stalled");
    let mut made = 0;
    wait_until("it says that nobody reads", BOUND, || {
        make("stalled", MKDIR, SOME);
        made += SOME;
        stalled.says("incomplete: records are not printed: nobody reads")
    });
    // It reads on.
    make("stalled", GETPRIORITY, 1);
    let (said, recorded) = stalled.stop();
    let lost = counted(&said, " audit records were lost");
    assert!(recorded[&MKDIR] + lost >= made, "{recorded:?} of {made}: {said}");
    assert!(recorded.get(&GETPRIORITY) == Some(&1) || lost > 0, "{recorded:?}: {said}");
    let unprinted = counted(&said, " records were not printed: nobody read them");
    assert!((SOME..recorded[&MKDIR]).contains(&unprinted), "{recorded:?}: {said}");
}

fn who_goes_away_ends_it() {
    let Stalled { tracer, reader, directory } = Stalled::start("gone");
    make("gone", MKDIR, 1);
    wait_until("a record is printed", BOUND, || ioctl_fionread(&reader).is_ok_and(|more| more > 0));
    // Without another record.
    drop(reader);
    let finished = tracer.finish();
    let said = String::from_utf8_lossy(&finished.stderr);
    assert_eq!(finished.status.code(), Some(1), "{said}");
    assert!(said.contains("error: the standard output could not be written: "), "{said}");
    assert_eq!(read(directory.path()).cgroups[0].calls.len(), 1, "it is recorded all the same");
}

fn records_that_find_no_room_are_counted() {
    let stalled = Stalled::start("flood");
    stalled.tracer.signal(Signal::STOP);
    let stat = format!("/proc/{}/stat", stalled.tracer.id());
    wait_until("it is stopped", BOUND, || {
        fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "))
    });
    make("flood", MKDIR, MANY);
    stalled.tracer.signal(Signal::CONT);
    wait_until("it says what was lost", BOUND, || {
        stalled.says(" audit records were lost: there were too many")
    });
    let (said, recorded) = stalled.stop();
    let lost = counted(&said, " audit records were lost");
    assert!(lost > 0 && recorded[&MKDIR] + lost >= MANY, "{recorded:?}: {said}");
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
