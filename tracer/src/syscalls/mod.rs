//! System call ABIs, numbers and names.

use serde::{Deserialize, Serialize};

/// The ABI a system call was made through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Abi {
    /// 64-bit calls: `syscall`.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 32-bit calls: `int 0x80` or SYSENTER, also from a 64-bit process.
    I386,
    /// 64-bit calls with 32-bit pointers: bit 30 of the number is set.
    X32,
}
