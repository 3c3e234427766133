//! An array map as shared memory.

use std::{io, marker::PhantomData, os::fd::AsFd, ptr};

use aya::maps::{Map, MapData};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::KernelError;

/// A memory-mapped array map, read-only.
///
/// The kernel side writes to it at any time; every value is read as a whole by volatile reads of its words, so a value
/// may mix states, but each word is one that was there. All words only ever gain bits or grow.
pub(super) struct MappedArray<T> {
    address: *const T,
    entries: usize,
    bytes: usize,
    /// Keeps the map.
    _map: MapData,
    kind: PhantomData<T>,
}

// SAFETY: the mapping is read-only shared memory that any thread may read.
unsafe impl<T> Send for MappedArray<T> {}

impl<T: Copy> MappedArray<T> {
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
            mmap(ptr::null_mut(), bytes, ProtFlags::READ, MapFlags::SHARED, map.fd().as_fd(), 0)
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
        // SAFETY: the index is in range, a value begins with a word, and the mapping is there as long as `self`.
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
}

impl<T> Drop for MappedArray<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and is used nowhere else.
        let unmapped = unsafe { munmap(self.address.cast_mut().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok(), "munmap of a whole mapping");
    }
}
