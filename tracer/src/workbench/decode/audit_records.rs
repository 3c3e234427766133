//! Records of the kernel's audit log.

use super::found::{Asked, DecodedLine, FilterEffect, Missing, Recogniser, Sighted};
use crate::audit::{self, AuditLine, FilterAction, SyscallRecord};

/// See the module.
pub struct AuditRecords;

/// What a record of an `errno` action lacks (`kernel/seccomp.c` masks the data of the action).
const NO_NUMBER: &str =
    "errno: an audit record does not hold the error number that the filter gave";

impl Recogniser for AuditRecords {
    fn line(&mut self, line: &str, _: &Asked<'_>) -> Option<DecodedLine> {
        match audit::parse(line) {
            AuditLine::Seccomp(record) => {
                let is_errno = record.action == FilterAction::Errno;
                let call = Sighted {
                    action: Some(FilterEffect::Audited(record.action)),
                    command: Some(record.command),
                    ..Sighted::recorded(record.call.into())
                };
                let remarks = is_errno.then(|| NO_NUMBER.to_owned()).into_iter().collect();
                Some(DecodedLine { remarks, ..DecodedLine::call(call) })
            }
            AuditLine::Syscall(record) => Some(DecodedLine::call(sighted(record))),
            AuditLine::Malformed(part) => {
                let part = part.map(|part| Sighted { is_record: false, ..sighted(part) });
                let calls = part.into_iter().collect();
                Some(DecodedLine { calls, is_damaged: true, ..DecodedLine::default() })
            }
            AuditLine::Lost(records) => {
                Some(DecodedLine { missing: Some(Missing { records }), ..DecodedLine::default() })
            }
            AuditLine::Other => None,
        }
    }
}

fn sighted(record: SyscallRecord) -> Sighted {
    Sighted {
        command: record.command,
        failed: u64::from(record.errno.is_some()),
        errno: record.errno,
        ..Sighted::recorded(record.call.into())
    }
}
