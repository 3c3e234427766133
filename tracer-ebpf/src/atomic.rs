//! The atomic instructions of eBPF (kernel 5.12). The compiler has no operation for them on
//! this target.

use core::arch::asm;

/// Sets `bits` in `*word`.
///
/// # Safety
/// `word` must point to a value of a map.
#[inline(always)]
pub unsafe fn or(word: *mut u64, bits: u64) {
    // SAFETY: the caller's; the verifier checks the pointer.
    unsafe { asm!("lock *(u64 *)({0} + 0) |= {1}", in(reg) word, in(reg) bits) }
}

/// Adds `amount` to `*word`.
///
/// # Safety
/// `word` must point to a value of a map.
#[inline(always)]
pub unsafe fn add(word: *mut u64, amount: u64) {
    // SAFETY: the caller's; the verifier checks the pointer.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) word, in(reg) amount) }
}

/// Adds `amount` to `*word` and returns what was there before.
///
/// # Safety
/// `word` must point to a value of a map.
#[inline(always)]
pub unsafe fn fetch_add(word: *mut u64, amount: u64) -> u64 {
    let before;
    // SAFETY: the caller's; the verifier checks the pointer.
    unsafe {
        asm!(
            "r0 = {1}",
            "r0 = atomic_fetch_add((u64 *)({0} + 0), r0)",
            in(reg) word, in(reg) amount, out("r0") before,
        );
    }
    before
}

/// Puts `new` into `*word` when `old` is there, and returns what was there before.
///
/// # Safety
/// `word` must point to a value of a map.
#[inline(always)]
pub unsafe fn compare_exchange(word: *mut u64, old: u64, new: u64) -> u64 {
    let before;
    // SAFETY: the caller's; the verifier checks the pointer.
    unsafe {
        asm!("r0 = cmpxchg_64({0} + 0, r0, {1})", in(reg) word, in(reg) new, inlateout("r0") old => before);
    }
    before
}
