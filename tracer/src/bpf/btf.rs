//! Offsets of kernel structures, from the kernel's own type information.
//!
//! Rust has no CO-RE: the loader looks the offsets up and hands them to the program as constants.
//! The format is that of `Documentation/bpf/btf.rst` and `include/uapi/linux/btf.h`. The bytes come
//! from the kernel, and are still read with every bound checked.

use std::{cell::RefCell, collections::HashMap, io};

use thiserror::Error;
use tracer_ebpf::Config;

use super::btf_bytes::{BtfBytes, KERNEL_BTF};

const MAGIC: u16 = 0xeb9f;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
/// Deepest nesting of anonymous members that is followed.
const MAX_NESTING: usize = 8;

/// Why the kernel's type information cannot be used.
#[derive(Debug, Error)]
pub enum BtfError {
    /// The user asked for a run without it.
    #[error("switched off by --no-btf")]
    NotWanted,
    /// The file could not be read.
    #[error("{KERNEL_BTF} could not be read: {0}")]
    Read(io::Error),
    /// The bytes do not follow the format.
    #[error("{KERNEL_BTF} is not valid BTF")]
    Malformed,
    /// A structure has no such member in this kernel.
    #[error("this kernel's BTF has no member {member} in struct {structure}")]
    NoMember {
        /// The structure.
        structure: &'static str,
        /// The member.
        member: &'static str,
    },
}

/// The configuration with every offset filled in, and nothing else.
pub(super) fn offsets() -> Result<Config, BtfError> {
    let bytes = BtfBytes::of_kernel().map_err(BtfError::Read)?;
    let btf = Btf::parse(&bytes).ok_or(BtfError::Malformed)?;
    let offset = |structure, member| btf.offset(structure, member);
    let seccomp = offset("task_struct", "seccomp")?;
    let cache = offset("seccomp_filter", "cache").and_then(|cache| {
        let bitmap = btf
            .member("action_cache", "allow_native")
            .ok_or(BtfError::NoMember { structure: "action_cache", member: "allow_native" })?;
        Ok((cache + bitmap.offset, btf.array_length(bitmap.kind).unwrap_or(0)))
    });
    // A kernel without this cache does not show what its filters allow: every filter may deny.
    let (filter_allow_native, filter_allow_native_words) = cache.unwrap_or((0, 0));
    Ok(Config {
        task_cgroups: offset("task_struct", "cgroups")?,
        css_set_default_cgroup: offset("css_set", "dfl_cgrp")?,
        cgroup_node: offset("cgroup", "kn")?,
        node_id: offset("kernfs_node", "id")?,
        node_name: offset("kernfs_node", "name")?,
        task_status: offset("task_struct", "thread_info")? + offset("thread_info", "status")?,
        task_flags: offset("task_struct", "flags")?,
        task_atomic_flags: offset("task_struct", "atomic_flags")?,
        task_filter_count: seccomp + offset("seccomp", "filter_count")?,
        task_filter: seccomp + offset("seccomp", "filter")?,
        filter_allow_native,
        filter_allow_native_words,
        task_namespaces: offset("task_struct", "nsproxy")?,
        task_parent: offset("task_struct", "real_parent")?,
        task_leader: offset("task_struct", "group_leader")?,
        task_memory: offset("task_struct", "mm")?,
        namespaces_mount: offset("nsproxy", "mnt_ns")?,
        namespaces_pid_for_children: offset("nsproxy", "pid_ns_for_children")?,
        mount_namespace_inode: offset("mnt_namespace", "ns")? + offset("ns_common", "inum")?,
        pid_namespace_init: offset("pid_namespace", "child_reaper")?,
        memory_executable: offset("mm_struct", "exe_file")?,
        file_mount: offset("file", "f_path")? + offset("path", "mnt")?,
        mount_namespace: offset("mount", "mnt_ns")?
            .checked_sub(offset("mount", "mnt")?)
            .ok_or(BtfError::NoMember { structure: "mount", member: "mnt_ns" })?,
        task_pending_signals: offset("task_struct", "pending")? + offset("sigpending", "signal")?,
        task_exit_code: offset("task_struct", "exit_code")?,
        task_signal: offset("task_struct", "signal")?,
        signal_flags: offset("signal_struct", "flags")?,
        signal_group_exit_code: offset("signal_struct", "group_exit_code").unwrap_or(0),
        signal_live: offset("signal_struct", "live")?,
        task_thread_id: offset("task_struct", "pid")?,
        task_process_id: offset("task_struct", "tgid")?,
        task_started: offset("task_struct", "start_boottime")?,
        task_command: offset("task_struct", "comm")?,
        cgroup_self: offset("cgroup", "self")?,
        cgroup_parent: offset("cgroup", "self")? + offset("cgroup_subsys_state", "parent")?,
        ..Config::default()
    })
}

/// A member of a structure: its offset in bytes, and its type's id.
#[derive(Clone, Copy)]
struct Member {
    offset: u32,
    kind: u32,
}

/// Parsed type information: where each type is, and which are structures.
struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Byte offset in `types` of each type id; id 0 is `void`.
    starts: Vec<u32>,
    /// Name and id of each structure that has members, in their order.
    structures: Vec<(u32, u32)>,
    /// Ids of the structures that were looked for.
    found: RefCell<HashMap<&'static str, Option<u32>>>,
}

impl<'a> Btf<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        if u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?) != MAGIC {
            return None;
        }
        let header = word(bytes, 4)? as usize;
        let section = |offset: usize, length: usize| {
            let start = header.checked_add(word(bytes, offset)? as usize)?;
            bytes.get(start..start.checked_add(word(bytes, length)? as usize)?)
        };
        let mut btf = Self {
            types: section(8, 12)?,
            strings: section(16, 20)?,
            starts: vec![0],
            structures: Vec::new(),
            found: RefCell::default(),
        };
        let mut at = 0;
        while at < btf.types.len() {
            let info = word(btf.types, at + 4)?;
            let (kind, members) = ((info >> 24) & 31, info & 0xffff);
            if kind == KIND_STRUCT && members > 0 {
                btf.structures.push((word(btf.types, at)?, btf.starts.len() as u32));
            }
            btf.starts.push(u32::try_from(at).ok()?);
            at += 12 + trailing_bytes(kind, members as usize);
        }
        Some(btf)
    }

    fn offset(&self, structure: &'static str, member: &'static str) -> Result<u32, BtfError> {
        let found = self.member(structure, member);
        found.map(|found| found.offset).ok_or(BtfError::NoMember { structure, member })
    }

    fn member(&self, structure: &'static str, member: &str) -> Option<Member> {
        let id = self.structure(structure)?;
        self.member_of(id, member.as_bytes(), MAX_NESTING)
    }

    /// The first structure of that name.
    fn structure(&self, name: &'static str) -> Option<u32> {
        *self.found.borrow_mut().entry(name).or_insert_with(|| {
            let mut structures = self.structures.iter();
            structures.find(|(text, _)| self.is_string(*text, name.as_bytes())).map(|(_, id)| *id)
        })
    }

    /// Whether that is the string at an offset.
    fn is_string(&self, offset: u32, text: &[u8]) -> bool {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        rest.get(text.len()) == Some(&0) && rest.starts_with(text)
    }

    /// Finds a member by name, also inside anonymous structures and unions.
    fn member_of(&self, id: u32, name: &[u8], nesting: usize) -> Option<Member> {
        let start = *self.starts.get(id as usize)? as usize;
        let info = word(self.types, start + 4)?;
        if !matches!((info >> 24) & 31, KIND_STRUCT | KIND_UNION) {
            return None;
        }
        let has_bit_fields = info >> 31 == 1;
        for index in 0..(info & 0xffff) as usize {
            let at = start + 12 + 12 * index;
            let bits = word(self.types, at + 8)?;
            let bits = if has_bit_fields { bits & 0x00ff_ffff } else { bits };
            let found = Member { offset: bits / 8, kind: word(self.types, at + 4)? };
            let member_name = word(self.types, at)?;
            if self.is_string(member_name, name) {
                return Some(found);
            }
            if self.is_string(member_name, b"")
                && nesting > 0
                && let Some(inner) = self.member_of(found.kind, name, nesting - 1)
            {
                return Some(Member { offset: found.offset + inner.offset, kind: inner.kind });
            }
        }
        None
    }

    /// The number of elements of an array type.
    fn array_length(&self, id: u32) -> Option<u32> {
        let start = *self.starts.get(id as usize)? as usize;
        if (word(self.types, start + 4)? >> 24) & 31 != KIND_ARRAY {
            return None;
        }
        word(self.types, start + 12 + 8)
    }
}

/// Bytes that follow the common part of a type (`include/uapi/linux/btf.h`).
fn trailing_bytes(kind: u32, members: usize) -> usize {
    match kind {
        1 | 14 | 17 => 4,
        3 => 12,
        4 | 5 | 15 | 19 => 12 * members,
        6 | 13 => 8 * members,
        _ => 0,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_bytes_are_refused() {
        for bytes in [&b""[..], b"\x9f\xeb", b"\x9f\xeb\x01\x00\xff\xff\xff\xff", &[0; 64]] {
            assert!(Btf::parse(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn the_running_kernel_has_every_offset() {
        if !std::path::Path::new(KERNEL_BTF).exists() {
            eprintln!("skipped: {KERNEL_BTF} is not there");
            assert!(!crate::ci::is_ci(), "a skip fails in CI");
            return;
        }
        let config = offsets().expect("offsets");
        assert!(config.task_cgroups > 0 && config.node_id > 0, "{config:?}");
        assert!(config.task_status < 64, "thread_info is at the start of task_struct: {config:?}");
        assert!((1..=16).contains(&config.filter_allow_native_words), "{config:?}");
    }
}
