//! Whether messages are coloured: as the option says, else as the environment and the terminal say.

use std::io::stderr;

use anstream::{AutoStream, ColorChoice};

use crate::{cli::Color, message::set_colored};

/// Decides for all messages of this program.
pub(super) fn choose(typed: Color) {
    typed.choice().write_global();
    set_colored(AutoStream::choice(&stderr()) != ColorChoice::Never);
}
