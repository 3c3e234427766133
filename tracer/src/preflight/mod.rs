//! Can this host trace? Each check says what was found, what follows, and the remedy.
//!
//! [`facts`] gathers the facts of the host, [`evaluate`](mod@evaluate) turns them into checks
//! without reading anything itself, [`report`] writes them for people.

pub mod check;
pub mod evaluate;
pub mod facts;
pub mod hook;
pub mod localhost;
pub mod report;

pub use check::{CheckStatus, PreflightCheck, PreflightError, version};
pub use evaluate::evaluate;
pub use facts::{FactSources, HostFacts, gather};
pub use hook::{HookChoice, choose};
pub use localhost::localhost;
pub use report::{can_trace, hidden_targets, render, required_for_tracing, warning};

#[cfg(test)]
mod tests;
