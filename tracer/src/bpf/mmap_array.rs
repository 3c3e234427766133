//! An array map as shared memory.

use std::{
    io,
    marker::PhantomData,
    os::fd::AsFd,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use aya::maps::{Map, MapData};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::error::KernelError;

/// A memory-mapped array map.
///
/// The kernel side writes to it at any time; every value is read as a whole by volatile reads of
/// its words, so a value may mix states, but each word is one that was there. Words that the kernel
/// side writes only ever gain bits or grow.
pub(super) struct MmapArray<T> {
    address: *mut T,
    entries: usize,
    bytes: usize,
    /// Keeps the map.
    _map: MapData,
    kind: PhantomData<T>,
}

// SAFETY: the mapping is shared memory that any thread may use; it is written to by atomic
// operations alone.
unsafe impl<T> Send for MmapArray<T> {}

impl<T: Copy> MmapArray<T> {
    /// Maps an array whose values are of type `T`, a structure of 64-bit words.
    pub(super) fn new(map: Map, name: &'static str) -> Result<Self, KernelError> {
        const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() == 8) };
        let Map::Array(map) = map else { return Err(KernelError::Missing(name)) };
        let failed = |source: io::Error| KernelError::MemoryMap { map: name, source };
        let info = map.info().map_err(|error| failed(io::Error::other(error)))?;
        if info.value_size() as usize != size_of::<T>() {
            return Err(KernelError::Missing(name));
        }
        let entries = info.max_entries() as usize;
        let bytes = entries * size_of::<T>();
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let address = unsafe {
            let protection = ProtFlags::READ | ProtFlags::WRITE;
            mmap(ptr::null_mut(), bytes, protection, MapFlags::SHARED, map.fd().as_fd(), 0)
        }
        .map_err(|error| failed(error.into()))?;
        Ok(Self { address: address.cast(), entries, bytes, _map: map, kind: PhantomData })
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// The first word of a value.
    ///
    /// # Panics
    /// When there is no value of that index.
    pub(super) fn first_word(&self, index: usize) -> u64 {
        assert!(index < self.entries, "index {index} of {}", self.entries);
        // SAFETY: the index is in range, a value begins with a word, and the mapping is there as
        // long as `self`.
        unsafe { ptr::read_volatile(self.address.add(index).cast()) }
    }

    /// One value.
    ///
    /// # Panics
    /// When there is no value of that index.
    pub(super) fn read(&self, index: usize) -> T {
        assert!(index < self.entries, "index {index} of {}", self.entries);
        // SAFETY: the index is in range, and the mapping is there as long as `self`.
        unsafe { ptr::read_volatile(self.address.add(index)) }
    }

    /// Puts `new` in the place of the first word of a value when `old` is there; whether it was.
    ///
    /// # Panics
    /// When there is no value of that index.
    pub(super) fn replace_first_word(&self, index: usize, old: u64, new: u64) -> bool {
        self.words(index)[0].compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Makes all words of a value 0 but the first.
    ///
    /// # Panics
    /// When there is no value of that index.
    pub(super) fn clear_behind_first_word(&self, index: usize) {
        for word in &self.words(index)[1..] {
            word.store(0, Ordering::SeqCst);
        }
    }

    /// The words of a value.
    fn words(&self, index: usize) -> &[AtomicU64] {
        assert!(index < self.entries, "index {index} of {}", self.entries);
        // SAFETY: the index is in range, a value is a structure of words, and the mapping is there,
        // and writable, as long as `self`. The kernel side changes words by single instructions.
        unsafe {
            std::slice::from_raw_parts(
                self.address.add(index).cast(),
                size_of::<T>() / size_of::<u64>(),
            )
        }
    }
}

impl<T> Drop for MmapArray<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and is used nowhere else.
        let unmapped = unsafe { munmap(self.address.cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "munmap of a whole mapping");
    }
}
