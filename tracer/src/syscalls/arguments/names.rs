//! Tables of values and their names, and how a value is written by one.

/// Values and their names. Where a value has several, the first counts.
pub(super) type Names = &'static [(u64, &'static str)];

/// [`Names`] from the kernel's own headers, as the bindings have them.
macro_rules! named {
    ($module:ident: $($name:ident)+) => { &[$((linux_raw_sys::$module::$name as u64, stringify!($name))),+] };
}
pub(super) use named;

/// A value that has one name at most.
pub(super) fn one(names: Names, value: u64) -> String {
    named_or(names, value, |value| format!("{value:#x}"))
}

/// A value's name, or how it is written otherwise.
pub(super) fn named_or(names: Names, value: u64, otherwise: impl FnOnce(u64) -> String) -> String {
    let name = names.iter().find(|(of, _)| *of == value).map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| otherwise(value))
}

/// A value that is made of bits, with those that have no name as one number.
pub(super) fn bits(names: Names, value: u64) -> String {
    let set = names.iter().filter(|(bit, _)| value & bit != 0);
    let rest = set.clone().fold(value, |rest, (bit, _)| rest & !bit);
    let mut written: Vec<String> = set.map(|(_, name)| (*name).to_owned()).collect();
    if rest != 0 {
        written.push(format!("{rest:#x}"));
    }
    if written.is_empty() { "0".to_owned() } else { written.join("|") }
}

/// A value that is a number to people.
pub(super) fn decimal(value: u64) -> String {
    value.to_string()
}
