//! The host's mount namespace.

use std::{io, os::fd::AsFd as _};

use aya::{
    EbpfLoader,
    programs::{RawTracePoint, RawTracePointRunOptions, TestRun as _},
};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, read::elf::ElfFile64};
use tracer_ebpf::{Config, HOST_NAMESPACE};

use super::{
    error::{KernelError, load_error},
    load::OBJECT,
    patch_config::patch_config,
    programs::{find, refused},
    raw_program,
};

/// Inode number of the host's mount namespace, by the offsets of `config`; 0 when it is
/// not known.
///
/// What this program finds is a constant of the others, so that it is loaded and run before them.
pub(super) fn inode_number(config: &Config) -> Result<u32, KernelError> {
    let object = patch_config(OBJECT, config)?;
    if let Some(code) = code(&object)
        && let Ok(inode) = run(code)
    {
        return Ok(inode);
    }
    // The loader fails as well, and its error says what is lacking.
    by_loader(&object)
}

/// The instructions of the program. It refers to no map and calls no other function, so that they
/// need no relocation.
fn code(object: &[u8]) -> Option<&[u8]> {
    let file = ElfFile64::<object::Endianness>::parse(object).ok()?;
    let symbol = file.symbols().find(|symbol| symbol.name() == Ok(HOST_NAMESPACE.name))?;
    let section = file.section_by_index(symbol.section_index()?).ok()?;
    let start = usize::try_from(symbol.address()).ok()?;
    section.data().ok()?.get(start..start.checked_add(usize::try_from(symbol.size()).ok()?)?)
}

fn run(code: &[u8]) -> io::Result<u32> {
    raw_program::test_run(raw_program::load(code)?.as_fd())
}

/// The same by the loader of the other programs, which makes all maps of the object.
fn by_loader(object: &[u8]) -> Result<u32, KernelError> {
    let mut ebpf = EbpfLoader::new().load(object).map_err(load_error)?;
    let program: &mut RawTracePoint = find(&mut ebpf, HOST_NAMESPACE.name)?;
    program.load().map_err(|error| refused(HOST_NAMESPACE.name, &error))?;
    let result = program
        .test_run(RawTracePointRunOptions::default())
        .map_err(|error| refused(HOST_NAMESPACE.name, &error))?;
    Ok(result.return_value)
}
