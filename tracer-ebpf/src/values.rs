//! The values of arguments, as they cross.

/// What [`crate::ARGUMENT_VALUES`] tells apart.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArgumentKey {
    /// Id of the cgroup.
    pub cgroup: u64,
    /// What was seen, exactly.
    pub seen: SeenValue,
}

/// A value of an argument, and by whom it was passed: in one word, so that it can be compared and stored as one. Never 0.
///
/// From bit 0 the value, from [`SeenValue::CLASS_SHIFT`] the class of the call, from [`SeenValue::ARGUMENT_SHIFT`] the index into
/// [`ARGUMENTS`](crate::arguments::ARGUMENTS), from [`SeenValue::KIND_SHIFT`] the [`kind`].
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

    /// The entry that counts the values of the same argument, ABI and class; what it is of when every value counts as seen.
    #[inline(always)]
    pub const fn of_any(self) -> Self {
        let any = (kind::ANY as u64) << Self::KIND_SHIFT;
        Self(self.0 >> Self::CLASS_SHIFT << Self::CLASS_SHIFT | any)
    }

    /// The value, cut to the argument's mask. 0 of any value.
    pub const fn value(self) -> u32 {
        self.0 as u32
    }

    /// The class of the call.
    pub const fn class(self) -> u16 {
        (self.0 >> Self::CLASS_SHIFT) as u16
    }

    /// Index into [`ARGUMENTS`](crate::arguments::ARGUMENTS).
    pub const fn argument(self) -> usize {
        (self.0 >> Self::ARGUMENT_SHIFT) as usize & 0xff
    }

    /// The [`kind`], without [`kind::ANY`].
    pub const fn abi(self) -> u8 {
        (self.0 >> Self::KIND_SHIFT) as u8 & !kind::ANY
    }

    /// It stands for every value.
    pub const fn is_any(self) -> bool {
        (self.0 >> Self::KIND_SHIFT) as u8 & kind::ANY != 0
    }
}

/// What a [`SeenValue`] is of.
pub mod kind {
    /// A call of the native ABI.
    pub const X86_64: u8 = 1;
    /// A call through the 32-bit entry.
    pub const I386: u8 = 2;
    /// A call with bit 30 of its number set.
    pub const X32: u8 = 3;
    /// No value, but the entry of all values that are told apart by nothing else. Its count is how many there are, with
    /// [`UNREADABLE`]: with more than [`MOST_VALUES`](crate::arguments::MOST_VALUES), every value counts as seen.
    pub const ANY: u8 = 1 << 7;
    /// In the count of an entry of [`ANY`]: a value could not be read.
    pub const UNREADABLE: u64 = 1 << 32;
}
