//! Whether this is continuous integration. The one rule: xtask and the unit tests of the program
//! take this file in as well.

/// `CI` is `true` or `1`: every tool that a test needs is there, and a skipped test is a failure.
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
