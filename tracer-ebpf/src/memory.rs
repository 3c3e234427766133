//! Reads the memory of the kernel and of the current process.

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::helpers::{
    bpf_probe_read_kernel, bpf_probe_read_user,
    generated::bpf_probe_read_kernel as bpf_probe_read_kernel_raw,
};

/// Loads a number or an address at an offset from a kernel address; 0 when it cannot be read.
///
/// By a helper, as is good for the cold path: for a plain load from a typed pointer the verifier
/// searches all types of the kernel, several times for each path that comes there.
#[inline(always)]
pub fn load<T: Copy>(base: usize, offset: u32) -> T {
    read(base.wrapping_add(offset as usize))
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
    read(address)
}

/// The same of a number of another size.
#[inline(always)]
fn read<T: Copy>(address: usize) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    let size = size_of::<T>() as u32;
    // SAFETY: the helper checks the address, and writes the value in any case.
    unsafe {
        let _ =
            bpf_probe_read_kernel_raw(value.as_mut_ptr().cast(), size, address as *const c_void);
        value.assume_init()
    }
}

/// Reads a value in the memory of the current process, also of what lies there unaligned. None when
/// it cannot be read, or would have to be fetched first.
#[inline(always)]
pub fn probe_user<T: Copy>(address: usize) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const T).ok() }
}
