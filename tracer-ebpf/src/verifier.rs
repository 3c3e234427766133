//! What keeps the verifier's work small.

use core::arch::asm;

/// The same value, of which the verifier knows nothing from here on: libbpf's macro of this name.
/// `unknown` is any value that it does not know.
///
/// The verifier follows each combination of known values to the end of the program, and values that
/// it does not know only once: a few constants that meet multiply its work by thousands.
#[inline(always)]
pub fn barrier_var(value: u64, unknown: u64) -> u64 {
    let mut value = value;
    // Not `inlateout`: both would share a register where the compiler knows them to be equal, and
    // the result would be 0. SAFETY: arithmetic on registers.
    unsafe { asm!("{0} ^= {1}", "{0} ^= {1}", inout(reg) value, in(reg) unknown) };
    value
}
