//! `tracer check`: can this host trace and enforce.

use std::path::Path;

use anyhow::{Context, Result};

use super::{exit::Exit, usage::usage};
use crate::{
    cli::Check,
    json,
    message::print,
    preflight,
    profile::kubernetes::{DEFAULT_KUBELET_ROOT, LocalhostProfile},
};

/// Prints one line for each requirement. Succeeds only when tracing can work, and the profile that
/// was named is there.
///
/// # Errors
/// No profile can have the name.
pub fn run(options: &Check) -> Result<Exit> {
    let mut checks = preflight::evaluate(&preflight::gather(&preflight::FactSources::default()));
    if let Some(name) = &options.localhost {
        let profile =
            LocalhostProfile::new(name).map_err(|error| usage(&format!("--localhost: {error}")))?;
        let root = options.kubelet_root.as_deref().unwrap_or(Path::new(DEFAULT_KUBELET_ROOT));
        checks.push(preflight::localhost(root, &profile));
    }
    if options.json {
        print(&json::pretty(&checks)).context("the standard output could not be written")?;
    } else {
        print(&preflight::render(&checks)).context("the standard output could not be written")?;
    }
    let named = checks.last().filter(|_| options.localhost.is_some());
    let is_there = named.is_none_or(|check| check.status == preflight::CheckStatus::Ok);
    Ok(if preflight::can_trace(&checks) && is_there { Exit::Complete } else { Exit::Failed })
}
