//! Messages of containers that did not start.

use super::found::{Asked, DecodedLine, Recogniser};
use crate::workbench::startup_error::{self, Recognised};

/// See the module.
pub struct StartupErrors;

impl Recogniser for StartupErrors {
    fn line(&mut self, line: &str, asked: &Asked<'_>) -> Option<DecodedLine> {
        let remarks = match startup_error::recognise(line)? {
            Recognised::Failure(failure) => failure.sentences(&failure.left_by(asked.profile)),
            Recognised::Killed => startup_error::killed(),
        };
        Some(DecodedLine { remarks, ..DecodedLine::default() })
    }
}
