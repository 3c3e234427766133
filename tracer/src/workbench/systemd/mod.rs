//! The filter of a systemd unit: `SystemCallFilter=` and the settings beside it.
//!
//! [`groups`] are the calls behind a name with `@`, [`mod@unit`] takes a unit file apart, and
//! [`settings`] says what the settings in it mean. What they mean is systemd's own
//! (systemd.exec(5), and of the sources `src/core/load-fragment.c`, `src/core/exec-invoke.c` and
//! `src/shared/seccomp-util.c`):
//! - The first assignment that is not empty makes the filter an allowlist, or with `~` a denylist.
//! - An allowlist begins with the group `@default`.
//! - A later assignment of the same kind adds calls, one of the other kind takes calls away. With
//!   an error number a call of a denylist, and one that is taken away from an allowlist, fails with
//!   that number.
//! - An empty assignment forgets all earlier ones.
//! - What is refused has the answer of `SystemCallErrorNumber=`; without it the process is killed.
//! - The filter holds for all ABIs of the machine, by names. `SystemCallArchitectures=` is a filter
//!   of its own: an ABI that it does not list kills the thread; without it none does.
//! - `SystemCallLog=` is one as well: calls that pass are logged.

pub mod architecture;
pub mod groups;
pub mod settings;
pub mod unit;
