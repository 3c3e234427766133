//! The process in which one target runs.

use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tests::Random;
use tests::fuzz::{Mutator, TARGETS, Target};

/// The variable that names the target.
pub const TARGET: &str = "TRACER_FUZZ_TARGET";
/// Where each input is written before it is tried.
pub const INPUT: &str = "TRACER_FUZZ_INPUT";
/// What the random numbers begin with.
pub const SEED: &str = "TRACER_FUZZ_SEED";
/// How long the target runs.
pub const SECONDS: &str = "TRACER_FUZZ_CHILD_SECONDS";

/// The most memory, in bytes: an input has 8 KiB, and what is kept 16 MiB.
const MEMORY: u64 = 512 << 20;
/// The most processor time that an input of [`LARGEST`] bytes may take, in a build that is not
/// optimised; a larger one, of the corpus, may take more in proportion. Other processes of the
/// machine do not count.
const LONGEST: Duration = Duration::from_secs(5);
const LARGEST: usize = 8 << 10;
/// How much of an answer tells it from another, in characters.
const TOLD: usize = 120;

/// Runs a target, when this process was started for that.
pub fn as_child() -> Option<ExitCode> {
    let name = env::var(TARGET).ok()?;
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    setrlimit(Resource::Data, limit).expect("the memory can be limited");
    let number = |variable| env::var(variable).ok().and_then(|value| value.parse().ok());
    let seed = number(SEED).expect("a seed");
    let time = Duration::from_secs(number(SECONDS).expect("a number of seconds"));
    let path = env::var_os(INPUT).expect("a path");
    let file = File::create(path).expect("the file of the input can be made");
    run(target, Random::seeded(seed), time, &file);
    Some(ExitCode::SUCCESS)
}

/// Tries what is kept, then changes of it, until the time is over.
fn run(target: &Target, random: Random, time: Duration, file: &File) {
    let began = Instant::now();
    let kept: Vec<Vec<u8>> = target.inputs().into_iter().map(|(_, input)| input).collect();
    let mut answers = BTreeSet::new();
    for input in &kept {
        answers.insert(answer(target, input, file));
    }
    let mut inputs = kept.len();
    let mut mutator = Mutator::new(random, kept);
    while began.elapsed() < time {
        let input = mutator.input();
        if answers.insert(answer(target, &input, file)) {
            mutator.keep(input);
        }
        inputs += 1;
    }
    println!("{inputs} inputs, {} kinds of answers", answers.len());
}

/// What the target answers, without what differs from input to input: numbers and quoted text.
fn answer(target: &Target, input: &[u8], file: &File) -> String {
    file.set_len(input.len() as u64).expect("the input can be kept");
    file.write_all_at(input, 0).expect("the input can be kept");
    let began = processor_time();
    let said = (target.run)(input);
    let took = processor_time() - began;
    let share = u32::try_from(input.len().div_ceil(LARGEST)).expect("a file has few bytes");
    assert!(took < LONGEST * share.max(1), "an input of {} bytes took {took:?}", input.len());
    let parts = said.split(['`', '"', '\'']).step_by(2);
    let letters = parts.flat_map(str::chars).filter(|char| !char.is_ascii_digit());
    letters.take(TOLD).collect()
}

/// What this thread had of a processor so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it does not run backwards")
}
