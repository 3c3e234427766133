//! Puts the configuration into the kernel object, as constants of its instructions.

use std::collections::BTreeSet;

use object::{Object as _, ObjectSection as _, SectionKind, read::elf::ElfFile64};
use tracer_ebpf::{CONST_PLACEHOLDER, Config, OFFSET_PLACEHOLDER};

use super::error::KernelError;

/// Bytes of an instruction: operation, registers, offset (two bytes), constant (four)
/// (`include/uapi/linux/bpf.h`, `struct bpf_insn`).
const INSTRUCTION: usize = 8;
/// `BPF_ALU64 | BPF_MOV | BPF_K`
const MOVE_CONSTANT: u8 = 0xb7;
/// `BPF_LD | BPF_IMM | BPF_DW`: takes the place of two instructions.
const LOAD_CONSTANT: u8 = 0x18;
/// `BPF_LDX | BPF_MEM`, of 32 and of 64 bits.
const LOADS: [u8; 2] = [0x61, 0x79];

/// The object with the configuration in the place of [`CONST_PLACEHOLDER`] and
/// [`OFFSET_PLACEHOLDER`].
pub(super) fn patch_config(object: &[u8], config: &Config) -> Result<Vec<u8>, KernelError> {
    let file = ElfFile64::<object::Endianness>::parse(object).map_err(KernelError::Object)?;
    // SAFETY: a #[repr(C)] structure of so many u32; the shared library asserts its size.
    let fields: [u32; size_of::<Config>() / 4] = unsafe { std::mem::transmute(*config) };
    let mut bytes = object.to_vec();
    let code = file.sections().filter(|section| section.kind() == SectionKind::Text);
    for (start, length) in code.filter_map(|section| section.file_range()) {
        let range = start as usize..(start + length) as usize;
        let code = bytes.get_mut(range).unwrap_or_default();
        patch_section(code, &fields)?;
    }
    Ok(bytes)
}

/// Puts the fields into the instructions of one section.
fn patch_section(code: &mut [u8], fields: &[u32]) -> Result<BTreeSet<usize>, KernelError> {
    let mut used = BTreeSet::new();
    let (instructions, _) = code.as_chunks_mut::<INSTRUCTION>();
    let mut instructions = instructions.iter_mut();
    while let Some(instruction) = instructions.next() {
        let offset = i16::from_le_bytes([instruction[2], instruction[3]]);
        let constant =
            i32::from_le_bytes([instruction[4], instruction[5], instruction[6], instruction[7]]);
        match instruction[0] {
            LOAD_CONSTANT => {
                instructions.next();
            }
            MOVE_CONSTANT => {
                let Some((index, value)) = field(fields, constant.wrapping_sub(CONST_PLACEHOLDER))
                else {
                    continue;
                };
                instruction[4..].copy_from_slice(&value.to_le_bytes());
                used.insert(index);
            }
            operation if LOADS.contains(&operation) => {
                let Some((index, value)) =
                    field(fields, i32::from(offset) - i32::from(OFFSET_PLACEHOLDER))
                else {
                    continue;
                };
                let value = i16::try_from(value).map_err(|_| KernelError::FarField(value))?;
                instruction[2..4].copy_from_slice(&value.to_le_bytes());
                used.insert(index);
            }
            _ => {}
        }
    }
    Ok(used)
}

/// The field with that number.
fn field(fields: &[u32], number: i32) -> Option<(usize, u32)> {
    let index = usize::try_from(number).ok()?;
    fields.get(index).map(|value| (index, *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instruction(operation: u8, offset: i16, constant: i32) -> [u8; INSTRUCTION] {
        let mut bytes = [operation, 0x21, 0, 0, 0, 0, 0, 0];
        bytes[2..4].copy_from_slice(&offset.to_le_bytes());
        bytes[4..].copy_from_slice(&constant.to_le_bytes());
        bytes
    }

    #[test]
    fn placeholders_become_values_and_nothing_else_changes() {
        let fields = [7, 40_000, 16];
        let before = [
            instruction(MOVE_CONSTANT, 0, CONST_PLACEHOLDER + 1),
            instruction(LOADS[0], OFFSET_PLACEHOLDER + 2, 0),
            instruction(LOADS[1], OFFSET_PLACEHOLDER, 0),
            instruction(MOVE_CONSTANT, 0, CONST_PLACEHOLDER + 3),
            instruction(MOVE_CONSTANT, 0, CONST_PLACEHOLDER - 1),
            instruction(LOADS[1], OFFSET_PLACEHOLDER - 1, 0),
            // Both halves of one instruction: data.
            instruction(LOAD_CONSTANT, 0, CONST_PLACEHOLDER),
            instruction(MOVE_CONSTANT, 0, CONST_PLACEHOLDER),
            // A store.
            instruction(0x7b, OFFSET_PLACEHOLDER, 0),
        ];
        let mut after = before;
        after[0] = instruction(MOVE_CONSTANT, 0, 40_000);
        after[1] = instruction(LOADS[0], 16, 0);
        after[2] = instruction(LOADS[1], 7, 0);
        let mut code = before.concat();
        let used = patch_section(&mut code, &fields).expect("every value fits");
        assert_eq!(code, after.concat());
        assert_eq!(used, BTreeSet::from([0, 1, 2]));
    }

    #[test]
    fn an_offset_out_of_reach_is_an_error() {
        let mut code = instruction(LOADS[1], OFFSET_PLACEHOLDER, 0);
        let error = patch_section(&mut code, &[40_000]).expect_err("too far");
        assert!(matches!(error, KernelError::FarField(40_000)), "{error}");
    }
}
