//! The maps as user space handles them: the values that cross, the ring buffers, and what can go
//! wrong with them.

use std::{
    collections::HashMap,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
};

use aya::{
    Ebpf, Pod,
    maps::{Map, MapData, RingBuf},
};
use tracer_ebpf::{
    ArgumentKey, Counts, Denial, DenialKey, Evidence, EvidenceKey, Member, ThreadEnd, ToldApart,
};

use super::error::KernelError;

/// The map of what the kernel side logs, as aya-log names it.
const LOG: &str = "AYA_LOGS";

#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct EvidenceKeyPod(pub(super) EvidenceKey);
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct EvidencePod(pub(super) Evidence);
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct CountsPod(pub(super) Counts);
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct DenialKeyPod(pub(super) DenialKey);
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct DenialPod(pub(super) Denial);
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct ThreadEndPod(pub(super) ThreadEnd);
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct MemberPod(pub(super) Member);
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct ArgumentKeyPod(pub(super) ArgumentKey);
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct ToldApartPod(pub(super) ToldApart);
// SAFETY: all nine are #[repr(C)] structures of integers without padding; the shared library
// asserts their sizes.
unsafe impl Pod for EvidenceKeyPod {}
// SAFETY: see above.
unsafe impl Pod for EvidencePod {}
// SAFETY: see above.
unsafe impl Pod for CountsPod {}
// SAFETY: see above.
unsafe impl Pod for DenialKeyPod {}
// SAFETY: see above.
unsafe impl Pod for DenialPod {}
// SAFETY: see above.
unsafe impl Pod for ThreadEndPod {}
// SAFETY: see above.
unsafe impl Pod for MemberPod {}
// SAFETY: see above.
unsafe impl Pod for ArgumentKeyPod {}
// SAFETY: see above.
unsafe impl Pod for ToldApartPod {}

/// A ring buffer of values of one type.
pub struct EventBuffer<T> {
    ring: RingBuf<MapData>,
    kind: PhantomData<T>,
}

impl<T: Copy> EventBuffer<T> {
    pub(super) fn new(maps: &mut Maps, name: &'static str) -> Result<Self, KernelError> {
        let ring = RingBuf::try_from(maps.take(name)?).map_err(map_error(name, "opening"))?;
        Ok(Self { ring, kind: PhantomData })
    }

    /// The oldest event that was not read yet; None when there is none.
    pub fn poll(&mut self) -> Option<T> {
        let item = self.ring.next()?;
        assert_eq!(item.len(), size_of::<T>(), "the kernel side sends events of one size");
        // SAFETY: the item has the size of T, and T is a #[repr(C)] structure of integers.
        Some(unsafe { std::ptr::read_unaligned(item.as_ptr().cast()) })
    }
}

impl<T> AsFd for EventBuffer<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

/// The maps of the object, apart from its programs: both can be used at once.
pub(super) struct Maps(HashMap<String, Map>);

impl Maps {
    /// Takes all maps out of the object but that of its log, which the logger takes.
    pub(super) fn of(ebpf: &mut Ebpf) -> Self {
        let names: Vec<String> = ebpf.maps().map(|(name, _)| name.to_owned()).collect();
        let names = names.into_iter().filter(|name| name != LOG);
        let maps = names.filter_map(|name| {
            let map = ebpf.take_map(&name)?;
            Some((name, map))
        });
        Self(maps.collect())
    }

    /// Takes one out.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Map, KernelError> {
        self.0.remove(name).ok_or(KernelError::Missing(name))
    }

    /// One that stays: the programs hold it once they are loaded.
    pub(super) fn get(&mut self, name: &'static str) -> Result<&mut Map, KernelError> {
        self.0.get_mut(name).ok_or(KernelError::Missing(name))
    }
}

/// A map as what it holds.
pub(super) fn typed<T: TryFrom<Map, Error = aya::maps::MapError>>(
    map: Map,
    name: &'static str,
) -> Result<T, KernelError> {
    T::try_from(map).map_err(map_error(name, "opening"))
}

/// Says which map an error is about.
pub(super) fn map_error(
    map: &'static str,
    operation: &'static str,
) -> impl Fn(aya::maps::MapError) -> KernelError {
    move |source| KernelError::Map { map, operation, source: Box::new(source) }
}
