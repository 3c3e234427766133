//! Memory that the C library keeps.

/// Gives freed memory back to the kernel.
///
/// glibc keeps large blocks that were freed for the next time, up to twice their size
/// (`M_TRIM_THRESHOLD` of mallopt(3) moves with them). The kernel's types are 5 MiB as a file and
/// more when parsed: without this call some 18 MiB stay with the process for hours, and it never
/// needs them again. musl gives such memory back by itself.
pub fn release_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it moves nothing that is in use, and may be called at any time (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
}
