//! Builds, runs, tests and packages tracer.

fn main() {}
