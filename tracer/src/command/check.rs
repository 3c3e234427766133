//! `tracer check`: can this host trace and enforce.

use anyhow::{Context, Result};

use super::Exit;
use crate::{
    message::print,
    {cli::Check, preflight, recording::json},
};

/// Prints one line for each requirement. Succeeds only when tracing can work.
///
/// # Errors
/// None at present.
pub fn run(options: &Check) -> Result<Exit> {
    let checks = preflight::judge(&preflight::gather(&preflight::Sources::default()));
    if options.json {
        print(&json::checks(&checks)).context("the standard output could not be written")?;
    } else {
        print(&preflight::render(&checks)).context("the standard output could not be written")?;
    }
    Ok(if preflight::can_trace(&checks) { Exit::Complete } else { Exit::Failed })
}
