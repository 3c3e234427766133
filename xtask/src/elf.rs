//! The little of ELF that packaging needs to know.

use anyhow::{Context as _, Result, bail};

/// A program header that names the dynamic loader.
const INTERPRETER: u32 = 3;

/// Whether a 64-bit little-endian ELF program starts without a dynamic loader: it has no `PT_INTERP` (elf(5)).
pub(crate) fn is_static(program: &[u8]) -> Result<bool> {
    const CLASS_64: u8 = 2;
    const LITTLE_ENDIAN: u8 = 1;
    if program.get(..6) != Some(&[0x7f, b'E', b'L', b'F', CLASS_64, LITTLE_ENDIAN]) {
        bail!("not a 64-bit little-endian ELF file");
    }
    let offset = usize::try_from(u64::from_le_bytes(bytes(program, 32)?))
        .context("program headers beyond the address space")?;
    let entry_size = usize::from(u16::from_le_bytes(bytes(program, 54)?));
    let entries = usize::from(u16::from_le_bytes(bytes(program, 56)?));
    for entry in 0..entries {
        let kind = bytes(program, offset.saturating_add(entry * entry_size))?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Ok(false);
        }
    }
    Ok(true)
}

fn bytes<const N: usize>(program: &[u8], offset: usize) -> Result<[u8; N]> {
    program
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .with_context(|| format!("the ELF file ends before byte {offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with two program headers behind it, the second of the given kind.
    fn program(kind: u32) -> Vec<u8> {
        let mut program = vec![0; 64 + 2 * 56];
        program[..6].copy_from_slice(b"\x7fELF\x02\x01");
        program[32] = 64;
        program[54] = 56;
        program[56] = 2;
        program[64] = 1;
        program[120..124].copy_from_slice(&kind.to_le_bytes());
        program
    }

    #[test]
    fn a_program_without_interpreter_is_static() -> Result<()> {
        assert!(is_static(&program(1))?);
        assert!(!is_static(&program(INTERPRETER))?);
        Ok(())
    }

    #[test]
    fn what_is_no_whole_program_is_an_error() {
        assert!(is_static(b"#!/bin/sh\n").is_err());
        assert!(is_static(&program(1)[..100]).is_err());
    }
}
