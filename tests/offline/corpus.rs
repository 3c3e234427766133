//! The corpus of `cargo xtask test fuzz`: each kept input is read as each of its target's was once.

use libtest_mimic::Trial;
use tests::Random;
use tests::fuzz::{Mutator, TARGETS, Target};

pub fn trials() -> Vec<Trial> {
    let read = |target: &'static Target| {
        crate::trial(module_path!(), target.name, move || every_input_is_read(target))
    };
    let mut trials: Vec<Trial> = TARGETS.iter().map(read).collect();
    let name = "a_seed_gives_the_same_inputs";
    trials.push(crate::trial(module_path!(), name, a_seed_gives_the_same_inputs));
    trials
}

fn every_input_is_read(target: &'static Target) {
    let inputs = target.inputs();
    let own = inputs.iter().filter(|(name, _)| name.starts_with("corpus/")).count();
    assert!(own >= 5, "the corpus is found: {own} inputs");
    for (name, input) in inputs {
        let answer = std::panic::catch_unwind(|| (target.run)(&input));
        assert!(answer.is_ok(), "{name}");
    }
}

fn a_seed_gives_the_same_inputs() {
    let inputs = |seed| {
        let kept = vec![b"{\"a\": [1, 2]}\n".to_vec(), Vec::new()];
        let mut mutator = Mutator::new(Random::seeded(seed), kept);
        (0..2000).map(|_| mutator.input()).collect::<Vec<Vec<u8>>>()
    };
    let (first, again, other) = (inputs(1), inputs(1), inputs(2));
    assert!(first == again && first != other);
    assert!(first.iter().all(|input| input.len() <= 8 << 10));
    let distinct: std::collections::BTreeSet<&Vec<u8>> = first.iter().collect();
    assert!(distinct.len() > 1000, "they differ: {}", distinct.len());
}
