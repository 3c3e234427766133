//! The x86_64 and i386 tables: those of the `syscalls` crate (Linux 6.18), and what newer kernels
//! added.

use syscalls::{x86, x86_64};

/// Calls of kernels newer than the crate's tables, the same in `syscall_32.tbl` and
/// `syscall_64.tbl`.
const NEWER: [(usize, &str); 2] = [(470, "listns"), (471, "rseq_slice_yield")];

/// The newest number that has a name, in every ABI.
pub(super) const NEWEST: i32 = 471;

/// The end of the range that x86_64 and i386 share for calls; x32's own begin here.
pub(super) const END: i32 = 512;

/// How many names the x86_64 table has.
pub(super) const AMD64_NAMES: usize = count_amd64_names();

const _: () =
    assert!(AMD64_NAMES == 385, "the table has changed: check what is counted against it");

/// The name of an x86_64 number.
pub(super) const fn x86_64(number: usize) -> Option<&'static str> {
    match x86_64::Sysno::new(number) {
        Some(call) => Some(plain(call.name())),
        None => newer(number),
    }
}

/// The name of an i386 number.
pub(super) const fn i386(number: usize) -> Option<&'static str> {
    match x86::Sysno::new(number) {
        Some(call) => Some(plain(call.name())),
        None => newer(number),
    }
}

/// The crate writes a name that is a Rust keyword as an identifier: `r#break` for i386's `break`.
const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

const fn newer(number: usize) -> Option<&'static str> {
    let mut index = 0;
    while index < NEWER.len() {
        if NEWER[index].0 == number {
            return Some(NEWER[index].1);
        }
        index += 1;
    }
    None
}

const fn count_amd64_names() -> usize {
    let mut names = 0;
    let mut number = 0;
    while number < END as usize {
        if x86_64(number).is_some() {
            names += 1;
        }
        number += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::PathBuf};

    use super::*;
    use crate::syscalls::{Abi, entries, name};

    fn gaps(abi: Abi) -> Vec<i32> {
        (0..=NEWEST).filter(|number| name(abi, *number).is_none()).collect()
    }

    #[test]
    fn the_x86_64_table_has_one_gap() {
        assert_eq!(entries(Abi::X86_64).count(), AMD64_NAMES);
        assert_eq!(gaps(Abi::X86_64), (337..=423).collect::<Vec<_>>());
    }

    #[test]
    fn the_i386_table_has_the_kernels_gaps() {
        let expected: Vec<i32> =
            [222, 223, 251, 285].into_iter().chain(387..=392).chain([415]).collect();
        assert_eq!(gaps(Abi::I386), expected);
    }

    #[test]
    fn known_numbers_have_their_names() {
        let x86_64 = [
            (0, "read"),
            (59, "execve"),
            (231, "exit_group"),
            (257, "openat"),
            (262, "newfstatat"),
            (334, "rseq"),
            (335, "uretprobe"),
            (336, "uprobe"),
            (424, "pidfd_send_signal"),
            (435, "clone3"),
            (469, "file_setattr"),
            (470, "listns"),
            (471, "rseq_slice_yield"),
        ];
        for (number, expected) in x86_64 {
            assert_eq!(name(Abi::X86_64, number), Some(expected));
        }
        let i386 = [
            (11, "execve"),
            (17, "break"),
            (76, "getrlimit"),
            (102, "socketcall"),
            (119, "sigreturn"),
            (192, "mmap2"),
            (403, "clock_gettime64"),
            (435, "clone3"),
            (470, "listns"),
            (471, "rseq_slice_yield"),
        ];
        for (number, expected) in i386 {
            assert_eq!(name(Abi::I386, number), Some(expected));
        }
    }

    #[test]
    fn names_are_spelled_like_names() {
        for (number, name) in Abi::ALL.into_iter().flat_map(entries) {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(!name.is_empty() && name.bytes().all(plain), "{number} {name}");
        }
    }

    /// What a kernel header defines: the name of each number. `None` when the host has no such
    /// header.
    fn header(file: &str) -> Option<BTreeMap<i32, String>> {
        let directories = ["/usr/include/asm", "/usr/include/x86_64-linux-gnu/asm"];
        let path = directories
            .iter()
            .map(|directory| PathBuf::from(directory).join(file))
            .find(|path| path.exists());
        let Some(path) = path else {
            eprintln!("skipped: the kernel header {file} is not installed (linux-libc-dev)");
            return None;
        };
        let text = fs::read_to_string(path).expect("a readable header");
        let definitions = text.lines().filter_map(|line| line.strip_prefix("#define __NR_"));
        let numbers = definitions.filter_map(|definition| {
            let (name, value) = definition.split_once(' ')?;
            let value = value.trim_matches(['(', ')']);
            let value = value.strip_prefix("__X32_SYSCALL_BIT + ").unwrap_or(value);
            Some((value.parse().ok()?, name.to_owned()))
        });
        let numbers: BTreeMap<i32, String> = numbers.collect();
        assert!(numbers.len() > 300, "{file} was not understood: {} numbers", numbers.len());
        Some(numbers)
    }

    /// A header may be older than the tables, or newer; where both have a number, they agree.
    fn compare(abi: Abi, file: &str) {
        let Some(header) = header(file) else { return };
        for (number, expected) in &header {
            match name(abi, *number) {
                Some(name) => assert_eq!(name, expected, "{file}: {number}"),
                None => assert!(*number > NEWEST, "{file}: {number} {expected} is missing"),
            }
        }
        let newest = header.keys().copied().filter(|number| *number < END).max().expect("a number");
        for (number, name) in entries(abi).filter(|(number, _)| *number <= newest) {
            // The two calls of the kernel's own trampolines are younger than their numbers.
            if !matches!(number, 335 | 336) {
                assert_eq!(header.get(&number).map(String::as_str), Some(name), "{file}: {number}");
            }
        }
    }

    #[test]
    fn the_kernel_headers_agree() {
        compare(Abi::X86_64, "unistd_64.h");
        compare(Abi::I386, "unistd_32.h");
        compare(Abi::X32, "unistd_x32.h");
    }
}
