//! How wide a text may be.

use std::{env, io::stdout};

/// The width of what is no terminal.
const OTHERWISE: usize = 100;

/// The columns of the terminal; what `COLUMNS` says comes first.
pub(super) fn columns() -> usize {
    let typed = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || rustix::termios::tcgetwinsize(stdout()).ok().map(|size| size.ws_col.into());
    typed.or_else(terminal).filter(|columns| *columns > 0).unwrap_or(OTHERWISE)
}
