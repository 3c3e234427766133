//! Whether this kernel can trace, and what is said when it cannot.

use serde_json::Value;
use tests::{GROUND_TRUTH, Outcome, Tracer};

fn host(options: &[&str]) -> Outcome {
    Tracer::new().without_out().args(["check"]).args(options).run()
}

/// The host is fit, and says so.
pub fn tracing_is_possible() -> Result<(), String> {
    let outcome = host(&[]).exits(0);
    print!("{}", outcome.stdout);
    let outcome = host(&["--json"]).exits(0);
    let checks: Value = serde_json::from_str(&outcome.stdout).expect("it is JSON");
    let checks = checks.as_array().expect("a list");
    let missing: Vec<&Value> = checks.iter().filter(|check| check["status"] == "missing").collect();
    assert!(missing.is_empty(), "nothing is missing: {missing:?}");
    Ok(())
}

/// An old kernel is refused, with a reason and without a trace in the kernel's log.
pub fn check() -> Result<(), String> {
    let outcome = host(&[]).exits(1);
    assert!(outcome.stdout.contains("too old for tracing"), "it says why: {}", outcome.stdout);
    for options in [&[][..], &["--no-btf"], &["--denied"]] {
        let outcome = Tracer::new().args(options).command([GROUND_TRUTH, "x86_64:getpid"]).run();
        let outcome = outcome.exits(1).says(&["error:", "hint:"]).writes_nothing();
        let lines = outcome.stderr.lines().count();
        assert!(lines < 20, "it is said in a few lines, not {lines}:\n{}", outcome.stderr);
        println!("{}", outcome.stderr);
    }
    Ok(())
}
