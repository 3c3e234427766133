//! Things that go away, or stay, at the wrong moment: cgroups that are made again, readers that
//! leave, commands that do not end. The files are written all the same, and what was missed is
//! said.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use tests::{Cgroup, Outcome, Running, Tracer, calls, ground_truth, loaded_by};
use tracer::syscalls::Abi::X86_64;

tests::trials! {
    a_watched_cgroup_that_is_made_again_makes_it_incomplete,
    a_target_that_is_made_again_below_a_parent_that_stays_is_complete,
    cgroups_below_ancestors_that_vanished_are_in_it_or_counted,
    a_command_whose_children_go_on_is_incomplete,
    an_interrupt_in_the_grace_period_kills_the_command_and_writes_the_files,
    a_reader_of_the_messages_that_leaves_loses_no_file,
    the_verifier_s_work_stays_small,
    what_is_mounted_over_the_cgroups_hides_no_process,
    processes_below_the_command_s_cgroup_are_counted,
}

/// What the verifier may take for one program: the verification is most of a start.
const MOST_VERIFIED: u64 = 10_000;

fn call_in(cgroup: &Cgroup, step: &str) {
    let finished = Running::start(&mut ground_truth([cgroup.hop(), step.into()])).finish();
    assert!(finished.status.success(), "the fixture ends well: {finished:?}");
}

fn shell(script: &str) -> [&str; 3] {
    ["sh", "-c", script]
}

fn check_cut_off(outcome: &Outcome) {
    let losses = outcome.recording().losses;
    assert!(losses.cut_off > 0, "it is counted: {losses:?}");
}

fn a_watched_cgroup_that_is_made_again_makes_it_incomplete() {
    // Right below the hierarchy's root a target is watched by itself.
    let cgroup = Cgroup::new("again");
    let name = cgroup.name().to_owned();
    let keep = Cgroup::new("kept");
    let tracing = Tracer::new().cgroup(&cgroup).cgroup(&keep).start();
    call_in(&cgroup, "x86_64:getpid");
    cgroup.remove();
    let cgroup = Cgroup::at(name);
    call_in(&cgroup, "x86_64:getuid");
    let outcome = tracing.stop().exits(3).says(&["made again", "hint:"]);
    assert_eq!(outcome.recording().losses.replaced, 1);
}

fn a_target_that_is_made_again_below_a_parent_that_stays_is_complete() {
    let parent = Cgroup::new("parent");
    let keep = parent.child("kept");
    let cgroup = parent.child("again");
    let name = cgroup.name().to_owned();
    let tracing = Tracer::new().cgroup(&cgroup).cgroup(&keep).start();
    call_in(&cgroup, "x86_64:getpid");
    cgroup.remove();
    let cgroup = Cgroup::at(name.clone());
    call_in(&cgroup, "x86_64:getuid");
    let recording = tracing.stop().exits(0).recording();
    let made = |number| {
        recording.cgroups.iter().any(|cgroup| {
            cgroup.path == name && cgroup.calls.iter().any(|call| call.number == number)
        })
    };
    assert!(made(39) && made(102), "{recording:?}");
}

fn cgroups_below_ancestors_that_vanished_are_in_it_or_counted() {
    let above = Cgroup::new("vanishing");
    let pod = above.child("pod");
    let name = pod.name().to_owned();
    let keep = above.child("kept");
    let tracing = Tracer::new().cgroup(&pod).cgroup(&keep).start();
    call_in(&keep, "x86_64:getpid");
    // The ancestor makes no call of its own, and is gone before anyone asks for its name.
    tracing.process.signal(Signal::STOP);
    pod.remove();
    let pod = Cgroup::at(name.clone());
    let container = pod.child("container");
    call_in(&container, "x86_64:getuid");
    container.remove();
    pod.remove();
    tracing.process.signal(Signal::CONT);
    let outcome = tracing.stop();
    let recording = outcome.recording();
    let found = calls(&recording, &format!("{name}/container")).contains_key(&(X86_64, 102));
    assert!(found || recording.losses.unplaced > 0, "{recording:?}");
    assert_eq!(outcome.status.code(), Some(if recording.complete { 0 } else { 3 }));
}

fn a_command_whose_children_go_on_is_incomplete() {
    let script = "setsid tail -f /dev/null >/dev/null 2>&1 & echo $! > left; exit 0";
    let outcome = Tracer::new().command(shell(script)).run();
    let left =
        fs::read_to_string(outcome.directory().join("left")).expect("the shell wrote its id");
    let left = left.trim().parse().ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(left, Signal::KILL).expect("it still runs");
    check_cut_off(&outcome.exits(3).says(&["still run", "hint:"]));
}

/// Runs the script in a mount namespace of its own, and ends the process whose id it wrote to
/// `left`.
fn run_apart(script: &str) -> Outcome {
    let apart = ["unshare", "-m", "--propagation", "private"];
    let outcome = Tracer::new().launcher(apart).command(shell(script)).run();
    let left =
        fs::read_to_string(outcome.directory().join("left")).expect("the shell wrote its id");
    let left = left.trim().parse().ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(left, Signal::KILL).expect("it still runs");
    outcome
}

fn what_is_mounted_over_the_cgroups_hides_no_process() {
    let stays = "setsid tail -f /dev/null >/dev/null 2>&1 & echo $! > left";
    let mount = tests::cgroup_mount();
    let script = format!("{stays}; mount -t tmpfs none {}; exit 0", mount.display());
    let outcome = run_apart(&script).exits(3).says(&["1 processes of the command still run"]);
    check_cut_off(&outcome);
    for cgroup in outcome.recording().cgroups {
        let directory = mount.join(&cgroup.path[1..]);
        tests::wait_until("the cgroup is removed", tests::BOUND, || !directory.exists());
    }
}

fn processes_below_the_command_s_cgroup_are_counted() {
    let mount = tests::cgroup_mount();
    let script = format!(
        "own={}$(sed -n s/^0:://p /proc/self/cgroup); mkdir $own/below; \
         setsid sh -c 'echo 0 > $1/below/cgroup.procs; echo $$ > left; exec tail -f /dev/null' sh $own >/dev/null 2>&1 & \
         until test -s left; do :; done; exit 0",
        mount.display()
    );
    check_cut_off(&run_apart(&script).exits(3).says(&["1 processes of the command still run"]));
}

fn an_interrupt_in_the_grace_period_kills_the_command_and_writes_the_files() {
    let tracing = Tracer::new()
        .args(["--duration", "1s"])
        .command(shell("trap '' TERM; echo ready; while :; do sleep 1; done"))
        .start();
    tracing.wait_for_message("rt_sigaction");
    let sent = tests::holds_within(tests::BOUND, || {
        tracing.process.signal(Signal::INT);
        tracing.process.stderr().contains("killing ")
    });
    assert!(sent, "the tracer reacts to the interrupt");
    check_cut_off(&tracing.finish().exits(3));
}

fn a_reader_of_the_messages_that_leaves_loses_no_file() {
    let tracer = Tracer::new();
    let out = tracer.directory().join("profile.json");
    let program = tests::tracer_program();
    let script = format!("{} --out {} -- ls / 2>&1 | head -1", program.display(), out.display());
    let finished = Running::start(std::process::Command::new("sh").args(["-c", &script])).finish();
    assert!(finished.status.success(), "{finished:?}");
    tests::wait_until("the profile is there", tests::BOUND, || out.is_file());
}

fn the_verifier_s_work_stays_small() {
    for options in [&[][..], &["--denied"]] {
        check_verified(options);
    }
}

fn check_verified(options: &[&str]) {
    let cgroup = Cgroup::new("verified");
    let tracing = Tracer::new().cgroup(&cgroup).args(options).start();
    let process = tracing.process.id();
    let programs = loaded_by(process).programs.len();
    let descriptors = fs::read_dir(format!("/proc/{process}/fdinfo")).expect("descriptors");
    let verified = descriptors.flatten().filter_map(|descriptor| {
        let text = fs::read_to_string(descriptor.path()).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("verified_insns:"))?;
        line.trim().parse::<u64>().ok()
    });
    let verified: Vec<u64> = verified.collect();
    // The kernel reports it since 5.16.
    assert_eq!(verified.len(), programs, "of each program");
    println!("{options:?}: verified {verified:?}");
    assert!(verified.iter().all(|count| *count < MOST_VERIFIED), "verified: {verified:?}");
    tracing.stop();
}
