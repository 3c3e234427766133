//! What becomes of conditions on arguments where a form has none.

/// What becomes of a call that passes for some arguments alone, in a form that looks at none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConditionalHandling {
    /// It is an error.
    #[default]
    Error,
    /// It passes with all.
    Allow,
    /// It is refused with all.
    Deny,
}
