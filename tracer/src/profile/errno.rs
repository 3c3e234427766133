//! Error numbers.

/// An error number that a filter can return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Errno(u16);

impl Errno {
    /// "Function not implemented": programs and C libraries fall back to an older call on it, and
    /// on no other number.
    pub const ENOSYS: Self = Self(38);
    /// "Operation not permitted": what Docker's and containerd's default profiles return.
    pub const EPERM: Self = Self(1);
    /// The largest number: the kernel cuts larger ones to it (`MAX_ERRNO`).
    pub const MAX: u16 = 4095;

    /// An error number, if a filter can return it. Zero is none: the caller would believe that the
    /// call was made.
    pub fn new(number: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_numbers_are_those_a_filter_can_return() {
        assert_eq!(Errno::new(0), None);
        assert_eq!(Errno::new(4096), None);
        assert_eq!(Errno::new(4095).map(Errno::get), Some(4095));
        assert_eq!(Errno::new(38), Some(Errno::ENOSYS));
        assert_eq!(Errno::new(1), Some(Errno::EPERM));
    }
}
