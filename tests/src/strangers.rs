//! A busy machine: other people's containers start and stop all the time.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{BOUND, Cgroup, Running, ground_truth, holds_within, wait_until};

/// How long every second container of a place idles, and how long the next one lets itself be
/// awaited.
const HALF: Duration = Duration::from_millis(500);
/// A call that no target of a test makes.
const CANARY: i32 = 453;

/// Containers of others: about as many start and stop each second as there are places. Dropping it
/// ends them.
///
/// A container is a fresh cgroup, with a process that makes a few calls. It is named as an engine
/// names it, or its name means nothing. Every third one is right below the root of the hierarchy,
/// the others are in a fresh cgroup below the root that is removed with them. Every second one is
/// gone as soon as it can be.
#[derive(Debug)]
pub struct Strangers {
    ended: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Strangers {
    /// Starts them at so many places, and waits until some have been there.
    pub fn start(places: usize) -> Self {
        let (ended, made) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let thread = |place: usize| {
            let (ended, made) = (Arc::clone(&ended), Arc::clone(&made));
            thread::spawn(move || {
                // Spread over the second.
                let offset = HALF * 2 * place as u32 / places as u32;
                holds_within(offset, || ended.load(Ordering::Relaxed));
                let mut start = 0;
                while !ended.load(Ordering::Relaxed) {
                    container(place, start, &ended);
                    made.fetch_add(1, Ordering::Relaxed);
                    holds_within(HALF, || ended.load(Ordering::Relaxed));
                    start += 1;
                }
            })
        };
        let threads = (0..places).map(thread).collect();
        let strangers = Self { ended, made, threads };
        wait_until("strangers have come and gone", BOUND, || strangers.made() > places);
        strangers
    }

    /// How many there were.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // What it panicked with was printed.
            let _ = thread.join();
        }
    }
}

/// One life of a container.
fn container(place: usize, start: usize, ended: &AtomicBool) {
    let own = format!("{:08x}{place:08x}{start:08x}", process::id());
    let id = format!("{own}{}", "0123456789".repeat(4));
    let names_nothing = place % 5 == 4;
    let name = match place % 5 {
        0 => format!("docker-{id}.scope"),
        1 => format!("libpod-{id}.scope"),
        2 => format!("cri-containerd-{id}.scope"),
        3 => id,
        _ => "inner".to_owned(),
    };
    let is_below = names_nothing || !place.is_multiple_of(3);
    let above = is_below.then(|| Cgroup::new("stranger"));
    let cgroup = match &above {
        None => Cgroup::at(format!("/{name}")),
        Some(above) => above.child(&name),
    };
    let steps =
        [cgroup.hop(), "x86_64:getpid".into(), format!("x86_64:{CANARY}"), "barrier".into()];
    let running = Running::start(&mut ground_truth(steps));
    if !start.is_multiple_of(2) {
        holds_within(HALF, || ended.load(Ordering::Relaxed));
    }
    running.finish();
    cgroup.remove();
    drop(above);
}
