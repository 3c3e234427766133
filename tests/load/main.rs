//! A busy machine: foreign containers that start and stop each second, until the standard input
//! ends. Root only.
//!
//! Usage: `load [CONTAINERS]`, 20 when not said. `cargo xtask test --beside-load` runs it beside
//! the tests.

use std::env;
use std::io::{Read, stdin};

use tests::Strangers;

/// How many containers start and stop each second, when not said.
const CONTAINERS: usize = 20;

fn main() {
    let said = env::args().nth(1);
    let containers = said.map_or(CONTAINERS, |text| text.parse().expect("a number of containers"));
    let strangers = Strangers::start(containers);
    // Read until its end, whatever is in it.
    let _ = stdin().read_to_end(&mut Vec::new());
    drop(strangers);
}
