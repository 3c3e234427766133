//! A busy machine: foreign containers that start and stop each second, until the standard input ends. Root only.
//!
//! Usage: `load [CONTAINERS]`, 20 when not said. `cargo xtask test --beside-load` runs it beside the tests.
//!
//! A container is a fresh cgroup of the v2 hierarchy, named as an engine names it, with a process that makes a few calls,
//! idles for half a second and ends. Every third one is right below the root; every third is in a fresh cgroup below the
//! root that is removed with it; every third is in one as well, and its name tells nothing.

use std::env;
use std::io::{Read, stdin};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tests::{Cgroup, Running, ground_truth, holds_within};

/// How many containers start and stop each second, when not said.
const CONTAINERS: usize = 20;
/// How long a container runs, and how long the next one lets itself be awaited.
const HALF: Duration = Duration::from_millis(500);

fn main() {
    let said = env::args().nth(1);
    let containers = said.map_or(CONTAINERS, |text| text.parse().expect("a number of containers"));
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for place in 0..containers {
            let ended = &ended;
            scope.spawn(move || {
                // Spread over the second.
                let offset = HALF * 2 * place as u32 / containers as u32;
                holds_within(offset, || ended.load(Ordering::Relaxed));
                let mut starts = 0;
                while !ended.load(Ordering::Relaxed) {
                    container(place, starts, ended);
                    starts += 1;
                }
            });
        }
        // Read until its end, whatever is in it.
        let _ = stdin().read_to_end(&mut Vec::new());
        ended.store(true, Ordering::Relaxed);
    });
}

/// One life of a container: half a second, and as long until the next.
fn container(place: usize, start: usize, ended: &AtomicBool) {
    let own = format!("{:08x}{place:08x}{start:08x}", process::id());
    let scope = format!("docker-{own}{}.scope", "0123456789".repeat(4));
    let above = (!place.is_multiple_of(3)).then(|| Cgroup::at(format!("/tracer-load-{own}")));
    let cgroup = match &above {
        None => Cgroup::at(format!("/{scope}")),
        Some(above) if place % 3 == 1 => above.child(&scope),
        Some(above) => above.child("inner"),
    };
    let steps = [cgroup.hop(), "x86_64:39".into(), "x86_64:102".into(), "barrier".into()];
    let running = Running::start(&mut ground_truth(steps));
    holds_within(HALF, || ended.load(Ordering::Relaxed));
    running.finish();
    cgroup.remove();
    drop(above);
    holds_within(HALF, || ended.load(Ordering::Relaxed));
}
