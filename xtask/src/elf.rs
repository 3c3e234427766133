//! The little of ELF that packaging needs to know.

use anyhow::{Context as _, Result};
use object::{
    LittleEndian,
    elf::{FileHeader64, PT_INTERP},
    read::elf::{FileHeader as _, ProgramHeader as _},
};

/// Whether a 64-bit little-endian ELF program starts without a dynamic loader: it has no
/// `PT_INTERP` (elf(5)).
pub(crate) fn is_static(program: &[u8]) -> Result<bool> {
    let header = FileHeader64::<LittleEndian>::parse(program);
    let header = header.context("not a 64-bit ELF file")?;
    let endian = header.endian().context("not a little-endian ELF file")?;
    let segments = header.program_headers(endian, program).context("a torn ELF file")?;
    Ok(!segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP))
}

#[cfg(test)]
mod tests {
    use object::elf::{PT_LOAD, ProgramType};

    use super::*;

    /// A header with two program headers behind it, the second of the given kind.
    fn program(kind: ProgramType) -> Vec<u8> {
        let mut program = vec![0; 64 + 2 * 56];
        program[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        program[32] = 64;
        program[54] = 56;
        program[56] = 2;
        program[64] = 1;
        program[120..124].copy_from_slice(&kind.0.to_le_bytes());
        program
    }

    #[test]
    fn a_program_without_interpreter_is_static() -> Result<()> {
        assert!(is_static(&program(PT_LOAD))?);
        assert!(!is_static(&program(PT_INTERP))?);
        Ok(())
    }

    #[test]
    fn what_is_no_whole_program_is_an_error() {
        assert!(is_static(b"#!/bin/sh\n").is_err());
        assert!(is_static(&program(PT_LOAD)[..100]).is_err());
    }
}
