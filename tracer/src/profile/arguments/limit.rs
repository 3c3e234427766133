//! The values of an argument that a call is limited to.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Values;
use crate::profile::{
    Errno, Reason,
    oci::{Condition, Operator},
};

/// The values of one argument that a call is allowed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Which argument, from 0.
    pub index: u8,
    /// The bits of it that are looked at.
    pub mask: u64,
    /// The values, cut to the mask, each with every reason for it.
    pub values: BTreeMap<u64, BTreeSet<Reason>>,
    /// Values that are not allowed and fail with an error number, where the default action would
    /// end the caller.
    pub answered: BTreeMap<u64, Errno>,
}

impl Limit {
    pub(super) fn new(index: u8, mask: u64) -> Self {
        Self { index, mask, values: BTreeMap::new(), answered: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, value: u64, reasons: impl IntoIterator<Item = Reason>) {
        self.values.entry(value & self.mask).or_default().extend(reasons);
    }

    pub(super) fn add_all(&mut self, values: Values) {
        for (value, reasons) in values.seen {
            self.add(value, reasons);
        }
    }

    /// Answers a value that is not allowed.
    pub(in crate::profile) fn answer(&mut self, value: u64, errno: Errno) {
        let value = value & self.mask;
        if !self.values.contains_key(&value) {
            self.answered.entry(value).or_insert(errno);
        }
    }

    /// Every value of the bits is allowed.
    pub(super) fn allows_all(&self) -> bool {
        let bits = self.mask.count_ones();
        bits < 32 && self.values.len() == 1 << bits
    }

    /// Whether the call passes, or gets the answer that is meant for it, with these six arguments.
    /// Not when they are not known.
    pub fn covers(&self, arguments: Option<&[u64; 6]>) -> bool {
        let value = arguments.and_then(|all| all.get(usize::from(self.index)));
        let value = value.map(|value| value & self.mask);
        value.is_some_and(|it| self.values.contains_key(&it) || self.answered.contains_key(&it))
    }

    /// The condition that holds for one value.
    pub fn condition(&self, value: u64) -> Condition {
        Condition {
            index: self.index,
            value: self.mask,
            value_two: value,
            operator: Operator::MaskedEqual,
        }
    }
}
