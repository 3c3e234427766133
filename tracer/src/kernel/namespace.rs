//! The host's mount namespace.

use aya::{
    EbpfLoader,
    programs::{RawTracePoint, RawTracePointRunOptions, TestRun as _},
};
use tracer_ebpf::{Config, HOST_NAMESPACE};

use super::{
    KernelError, OBJECT, load_error,
    program::{find, refused},
    specialise::specialised,
};

/// Inode number of the host's mount namespace, by the offsets of `config`; 0 when it cannot be told.
///
/// The object is loaded for this one program, with maps of the least size: what it finds is a constant of the others.
pub(super) fn of_host(config: &Config) -> Result<u32, KernelError> {
    let mut ebpf =
        EbpfLoader::new().btf(None).load(&specialised(OBJECT, config)?).map_err(load_error)?;
    let program: &mut RawTracePoint = find(&mut ebpf, HOST_NAMESPACE.name)?;
    program.load().map_err(|error| refused(HOST_NAMESPACE.name, &error))?;
    let result = program
        .test_run(RawTracePointRunOptions::default())
        .map_err(|error| refused(HOST_NAMESPACE.name, &error))?;
    Ok(result.return_value)
}
