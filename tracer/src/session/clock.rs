//! The clock of the kernel side's events.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};

/// Nanoseconds since boot, on the clock of the kernel side's `bpf_ktime_get_boot_ns`.
pub(super) fn boot_time() -> Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).context("clock_gettime")?;
    Ok(Duration::from(now).as_nanos() as u64)
}
