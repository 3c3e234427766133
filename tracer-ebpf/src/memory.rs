//! Reads the memory of the kernel and of the current process.

use core::{ffi::c_void, mem::MaybeUninit, ptr::read_volatile};

use aya_ebpf::helpers::{
    bpf_probe_read_kernel, bpf_probe_read_user,
    generated::bpf_probe_read_kernel as bpf_probe_read_kernel_raw,
};

/// Loads a value at an offset from a typed kernel pointer.
#[inline(always)]
pub fn load<T: Copy>(base: usize, offset: u32) -> T {
    // SAFETY: the verifier accepts the load only when the kernel's type has a readable field at
    // that offset.
    unsafe { read_volatile((base + offset as usize) as *const T) }
}

/// Reads a value at an address that the verifier knows nothing about. None when the address cannot
/// be read.
#[inline(always)]
pub fn probe<T: Copy>(address: usize) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(address as *const T).ok() }
}

/// Reads a word at an address that the verifier knows nothing about; 0 when the address cannot be
/// read.
///
/// The helper zeroes the word when it fails (`kernel/trace/bpf_trace.c`,
/// `bpf_probe_read_kernel_common`), so that the verifier has one way to follow, and knows nothing
/// about the word.
#[inline(always)]
pub fn read_word(address: usize) -> u64 {
    let mut word = MaybeUninit::<u64>::uninit();
    // SAFETY: the helper checks the address, and writes the word in any case.
    unsafe {
        let _ = bpf_probe_read_kernel_raw(word.as_mut_ptr().cast(), 8, address as *const c_void);
        word.assume_init()
    }
}

/// Reads a value in the memory of the current process, also of what lies there unaligned. None when
/// it cannot be read, or would have to be fetched first.
#[inline(always)]
pub fn probe_user<T: Copy>(address: usize) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const T).ok() }
}
