//! Every kind of lines that is decoded.

use super::{
    audit_records::AuditRecords, found::Recogniser, numbers::Numbers,
    startup_errors::StartupErrors, strace::Strace,
};

/// One of each, in the order in which they are asked: the first that knows a line has it. A new
/// kind of lines is a row here, before the lists of numbers, which take the most.
pub fn all() -> Vec<Box<dyn Recogniser>> {
    vec![
        Box::new(AuditRecords),
        Box::<Strace>::default(),
        Box::new(StartupErrors),
        Box::new(Numbers),
    ]
}
