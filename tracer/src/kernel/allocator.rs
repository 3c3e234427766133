//! Memory that the C library keeps.

/// Gives memory that was freed back to the kernel.
///
/// Once something large was freed, glibc keeps the like of it for the next time, at least twice as much (`M_TRIM_THRESHOLD` of mallopt(3) moves with it),
/// and the kernel's types are 5 MiB as a file and more when parsed: some 18 MiB would stay with the process for hours that never needs them
/// again. musl gives such memory back by itself.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it moves nothing that is in use, and may be called at any time (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
