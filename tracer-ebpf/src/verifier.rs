//! What keeps the verifier's work small.
//!
//! It checks a function that takes plain numbers and has a name of its own (`no_mangle`, so that it
//! is global for the linker and in the object's BTF) once, whoever calls it, and knows nothing of
//! what it returns. It follows every other function from each of its callers, with what is known
//! there.

use core::{arch::asm, ffi::c_void, ptr};

use aya_ebpf::helpers::generated::bpf_loop;

use crate::maps::config;

/// What a turn of a [`repeat`] returns: another one follows.
pub const GO_ON: i64 = 0;
/// What the last turn of a [`repeat`] returns.
pub const STOP: i64 = 1;

/// Takes up to `most` turns, each with its number and the same state.
///
/// The verifier follows every turn of a loop of the language, and one turn of `bpf_loop`.
#[inline(always)]
pub fn repeat<T>(most: u32, turn: extern "C" fn(u32, *mut T) -> i64, state: &mut T) {
    // One of the two is dead code for the verifier, and removed.
    if config!(bpf_loop) != 0 {
        // SAFETY: the kernel calls the function with the state's address while the state lives; the
        // verifier checks what the function does with it.
        unsafe { bpf_loop(most, turn as *mut c_void, ptr::from_mut(state).cast(), 0) };
        return;
    }
    let most = opaque(most);
    let mut number = 0;
    while number < most {
        if turn(number as u32, state) == STOP {
            break;
        }
        number += 1;
    }
}

/// The same number, which the verifier knows and the compiler does not: it would repeat the
/// instructions of a short loop as often as there are turns.
#[inline(always)]
fn opaque(number: u32) -> u64 {
    let mut number = u64::from(number);
    // SAFETY: copies a register to itself.
    unsafe { asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack)) };
    number
}

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
