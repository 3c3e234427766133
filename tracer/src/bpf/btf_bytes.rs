//! The bytes of the kernel's type information.

use std::{fs::File, io, io::Read as _, ops::Deref, os::fd::AsFd as _, ptr, slice};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Where the kernel shows its type information.
pub(super) const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// The bytes: the kernel's own memory since Linux 6.16, which maps the file
/// (`kernel/bpf/sysfs_btf.c`), and a copy before.
pub(super) enum BtfBytes {
    Mapped(Mapping),
    Read(Vec<u8>),
}

/// A file that is mapped for reading.
pub(super) struct Mapping {
    address: *const u8,
    length: usize,
}

impl BtfBytes {
    /// Opens the kernel's own.
    pub(super) fn of_kernel() -> io::Result<Self> {
        let mut file = File::open(KERNEL_BTF)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if let Ok(mapping) = Mapping::new(&file, length) {
            return Ok(Self::Mapped(mapping));
        }
        let mut bytes = Vec::with_capacity(length);
        file.read_to_end(&mut bytes)?;
        Ok(Self::Read(bytes))
    }
}

impl Deref for BtfBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            // SAFETY: the mapping has that length, is there as long as `self`, and the kernel never
            // writes to its type information.
            Self::Mapped(mapping) => unsafe {
                slice::from_raw_parts(mapping.address, mapping.length)
            },
            Self::Read(bytes) => bytes,
        }
    }
}

impl Mapping {
    fn new(file: &File, length: usize) -> io::Result<Self> {
        // SAFETY: a fresh mapping at an address of the kernel's choice. The file is one of sysfs: its
        // length never changes.
        let address = unsafe {
            mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, file.as_fd(), 0)
        }?;
        Ok(Self { address: address.cast(), length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and is used nowhere else.
        let unmapped = unsafe { munmap(self.address.cast_mut().cast(), self.length) };
        debug_assert!(unmapped.is_ok(), "munmap of a whole mapping");
    }
}
