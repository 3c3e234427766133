//! Errors of what was typed.

/// Something was typed that cannot be meant: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// A [`UsageError`] with this message.
pub(super) fn usage(message: &impl ToString) -> anyhow::Error {
    UsageError(message.to_string()).into()
}
