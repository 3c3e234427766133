//! The values of arguments, as they cross.

use crate::class;

/// What [`crate::ARGUMENT_VALUES`] tells apart.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArgumentKey {
    /// Id of the cgroup.
    pub cgroup: u64,
    /// What was seen, exactly.
    pub seen: SeenValue,
}

/// A value of an argument, and by whom it was passed: in one word, so that it can be compared and
/// stored as one. Never 0.
///
/// From bit 0 the value, from [`SeenValue::CLASS_SHIFT`] the class of the call, from
/// [`SeenValue::ARGUMENT_SHIFT`] the index into [`ARGUMENTS`](crate::arguments::ARGUMENTS), from
/// [`SeenValue::KIND_SHIFT`] the [`kind`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeenValue(pub u64);

impl SeenValue {
    /// Where the class is.
    pub const CLASS_SHIFT: u32 = 32;
    /// Where the argument is.
    pub const ARGUMENT_SHIFT: u32 = 48;
    /// Where the kind is.
    pub const KIND_SHIFT: u32 = 56;

    /// A value.
    #[inline(always)]
    pub const fn new(value: u32, class: u16, argument: u8, kind: u8) -> Self {
        Self(
            value as u64
                | (class as u64) << Self::CLASS_SHIFT
                | (argument as u64) << Self::ARGUMENT_SHIFT
                | (kind as u64) << Self::KIND_SHIFT,
        )
    }

    /// The entry that counts the values of the same argument, ABI and class; what it is of when
    /// every value counts as seen.
    #[inline(always)]
    pub const fn of_any(self) -> Self {
        let any = (kind::ANY as u64) << Self::KIND_SHIFT;
        Self(self.0 >> Self::CLASS_SHIFT << Self::CLASS_SHIFT | any)
    }

    /// The value, cut to the argument's mask. 0 of any value.
    #[inline(always)]
    pub const fn value(self) -> u32 {
        self.0 as u32
    }

    /// The class of the call.
    #[inline(always)]
    pub const fn class(self) -> u16 {
        (self.0 >> Self::CLASS_SHIFT) as u16
    }

    /// Index into [`ARGUMENTS`](crate::arguments::ARGUMENTS).
    #[inline(always)]
    pub const fn argument(self) -> usize {
        (self.0 >> Self::ARGUMENT_SHIFT) as usize & 0xff
    }

    /// The [`kind`], without [`kind::ANY`].
    #[inline(always)]
    pub const fn abi(self) -> u8 {
        (self.0 >> Self::KIND_SHIFT) as u8 & !kind::ANY
    }

    /// It stands for every value.
    #[inline(always)]
    pub const fn is_any(self) -> bool {
        (self.0 >> Self::KIND_SHIFT) as u8 & kind::ANY != 0
    }
}

/// Entries of [`KNOWN_VALUES`](crate::KNOWN_VALUES) as a power of two.
pub const KNOWN_VALUES_LOG2: u32 = 15;

/// A [`SeenValue`] and whose it is, in one word, which holds all that tells it apart: none is taken
/// for another. Never 0.
///
/// Of classes with other facts than the filter count and [`class::HOST`] there is none.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownValue(pub u64);

impl KnownValue {
    const ARGUMENT_SHIFT: u32 = 32;
    const FILTERS_SHIFT: u32 = 37;
    const HOST_SHIFT: u32 = 39;
    const ABI_SHIFT: u32 = 40;
    const ANY_SHIFT: u32 = 42;
    const RECORD_SHIFT: u32 = 43;

    /// That of a cgroup, by the index of its place in [`RECORDS`](crate::RECORDS).
    #[inline(always)]
    pub const fn new(seen: SeenValue, record: u64) -> Option<Self> {
        let class = seen.class();
        if class & !(class::HOST | class::FILTERS_MASK) != 0 {
            return None;
        }
        let host = (class & class::HOST != 0) as u64;
        Some(Self(
            seen.value() as u64
                | (seen.argument() as u64) << Self::ARGUMENT_SHIFT
                | ((class & class::FILTERS_MASK) as u64) << Self::FILTERS_SHIFT
                | host << Self::HOST_SHIFT
                | (seen.abi() as u64) << Self::ABI_SHIFT
                | (seen.is_any() as u64) << Self::ANY_SHIFT
                | record << Self::RECORD_SHIFT,
        ))
    }

    /// The index of its cgroup's place.
    pub const fn record(self) -> usize {
        (self.0 >> Self::RECORD_SHIFT) as usize
    }

    /// Its place; the other one is beside it, with the lowest bit changed.
    #[inline(always)]
    pub const fn place(self) -> u32 {
        (self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - KNOWN_VALUES_LOG2)) as u32
    }
}

/// What a [`SeenValue`] is of.
pub mod kind {
    /// No value, but the entry of all values that differ in nothing else. Its count is how
    /// many there are, with [`UNREADABLE`]: with more than
    /// [`MOST_VALUES`](crate::arguments::MOST_VALUES), every value counts as seen.
    pub const ANY: u8 = 1 << 7;
    /// In the count of an entry of [`ANY`]: a value could not be read.
    pub const UNREADABLE: u64 = 1 << 32;
}
