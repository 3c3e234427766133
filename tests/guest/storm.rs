//! Nothing is lost when many tasks share the processors and the kernel preempts them anywhere:
//! neither one of many equal calls nor one that is made once, and nothing is taken for denied.

use std::collections::BTreeSet;

use tests::virtual_machine::Report;
use tests::{BOUND, Cgroup, HARMLESS, Outcome, Running, Tracer, calls, ground_truth, wait_until};
use tracer::syscalls::Abi::X86_64;

use crate::checks::Port;
use crate::denied::denied;

/// Tasks that call without a pause.
const TASKS: u64 = 16;
/// How often each of them calls.
const CALLS: u64 = 200_000;
/// Cgroups in each of which every call of a list is made once, one cgroup after the other: as many
/// as the storm lasts for, from the first number to the second.
const RARE: (usize, usize) = (5, 40);

const GETPPID: i32 = 110;
const EXIT_GROUP: i32 = 231;

/// What is made in each cgroup of rare calls; the storm's own call is not among them.
fn rare() -> impl Iterator<Item = i32> {
    HARMLESS.iter().map(|(number, _)| *number).filter(|number| *number != GETPPID)
}

/// See the module.
pub fn check(port: &Port) -> Result<(), String> {
    for options in [&[][..], &["--denied"]] {
        let figures = storm(options);
        port.report(&Report::Figures(figures.to_string()));
        assert!(figures.is_clean(), "{figures}");
    }
    Ok(())
}

/// What a storm showed.
struct Figures {
    options: String,
    status: Option<i32>,
    made: u64,
    recorded: u64,
    visited: usize,
    cgroups: usize,
    missing: usize,
    unexpected: usize,
    denials: u64,
    skipped: u64,
    losses: String,
}

impl Figures {
    fn is_clean(&self) -> bool {
        self.status == Some(0)
            && self.made == self.recorded
            && (self.cgroups, self.missing, self.unexpected) == (self.visited, 0, 0)
            && self.denials == 0
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { options, made, recorded, visited, cgroups, missing, .. } = self;
        let Self { unexpected, denials, skipped, .. } = self;
        let short = made.saturating_sub(*recorded);
        write!(
            formatter,
            "storm{options}: {made} calls made, {recorded} recorded, {short} short; \
             {cgroups} of {visited} cgroups, {missing} calls missing, {unexpected} unexpected; \
             {denials} false denials; exit {:?}, {skipped} runs skipped{}",
            self.status, self.losses
        )
    }
}

fn storm(options: &[&str]) -> Figures {
    let target = Cgroup::new("storm");
    let busy = target.child("busy");
    let mut places: Vec<Cgroup> = Vec::new();
    let tracing = Tracer::new().cgroup(&target).args(options).start();
    let [fork, call] = [format!("fork:{TASKS}"), format!("x86_64:{GETPPID}*{CALLS}")];
    let steps = ["allow-all", &busy.hop(), &fork, "[", &call, "]", "wait"];
    let mut running = Running::start(&mut ground_truth(steps));
    let (fewest, most) = RARE;
    while running.is_running() && places.len() < most {
        let place = target.child(&format!("rare-{}", places.len()));
        make_each_once(&place);
        places.push(place);
    }
    // Longer than a test waits by itself, on a machine that is busy with other things.
    wait_until("the storm ends", 5 * BOUND, || !running.is_running());
    assert!(running.finish().status.success(), "the storm ends well");
    let outcome = tracing.stop();
    assert!(places.len() >= fewest, "the storm was over after {} cgroups", places.len());
    figures(options, &outcome, &busy, &places)
}

/// Makes each rare call once in the cgroup, and the storm's own call between them.
fn make_each_once(place: &Cgroup) {
    let calls =
        rare().flat_map(|number| [format!("x86_64:{GETPPID}*20"), format!("x86_64:{number}")]);
    let steps = ["allow-all".to_owned(), place.hop()].into_iter().chain(calls);
    let finished = Running::start(&mut ground_truth(steps)).finish();
    assert!(finished.status.success(), "the calls are made: {finished:?}");
}

fn figures(options: &[&str], outcome: &Outcome, busy: &Cgroup, places: &[Cgroup]) -> Figures {
    let recording = outcome.recording();
    let expected: BTreeSet<i32> = rare().chain([GETPPID, EXIT_GROUP]).collect();
    let (mut cgroups, mut missing, mut unexpected) = (0, 0, 0);
    for place in places {
        let found: BTreeSet<i32> =
            calls(&recording, place.name()).into_keys().map(|(_, number)| number).collect();
        cgroups += usize::from(!found.is_empty());
        missing += expected.difference(&found).count();
        unexpected += found.difference(&expected).count();
    }
    let count = calls(&recording, busy.name()).get(&(X86_64, GETPPID)).copied().flatten();
    let losses =
        if recording.complete { String::new() } else { format!(", {:?}", recording.losses) };
    Figures {
        options: options.iter().map(|option| format!(" {option}")).collect(),
        status: outcome.status.code(),
        visited: places.len(),
        made: TASKS * CALLS,
        recorded: count.unwrap_or(0),
        cgroups,
        missing,
        unexpected,
        denials: denied(&recording).values().sum(),
        skipped: recording.losses.recursion_misses,
        losses,
    }
}
