//! What a call passes, as its tracepoint shows it.

use core::{arch::asm, ffi::c_void, ptr::read_volatile};

use aya_ebpf::{
    EbpfContext,
    programs::{RawTracePointContext, TracePointContext},
};

use tracer_ebpf::architecture;

use crate::memory::read_word;

/// Where a program finds the arguments of a call.
pub trait Context: EbpfContext {
    /// They are in the context itself; else in the registers, whose address is its first word.
    const HAS_ARGUMENTS: bool;
}

impl Context for RawTracePointContext {
    const HAS_ARGUMENTS: bool = false;
}

impl Context for TracePointContext {
    const HAS_ARGUMENTS: bool = true;
}

/// Places of the arguments in `struct pt_regs`, a byte for each from the lowest one.
const fn packed(places: [u32; 6]) -> u64 {
    let mut packed = 0;
    let mut index = 0;
    while index < places.len() {
        packed |= (places[index] as u64) << (8 * index);
        index += 1;
    }
    packed
}

/// The register that an argument of the call is in, by its index; 0 when it cannot be read.
#[inline(always)]
pub fn register(registers: usize, index: u32, compat: bool) -> u64 {
    const NATIVE: u64 = packed(architecture::ARGUMENT_REGISTERS);
    const COMPAT: u64 = packed(architecture::COMPAT_ARGUMENT_REGISTERS);
    // One way for both: the verifier need not follow two.
    let compat = u64::from(compat).wrapping_neg();
    let places = NATIVE ^ (NATIVE ^ COMPAT) & compat;
    read_word(registers + (places >> (8 * index) & 0xff) as usize)
}

/// An argument of the call, by its index.
#[inline(always)]
pub fn argument_of<C: Context>(context: *const c_void, index: u32, compat: bool) -> u64 {
    let value = if C::HAS_ARGUMENTS {
        argument_in_context(context, index)
    } else {
        // SAFETY: the context's first word is the address of the registers; the verifier checks the
        // bound.
        let registers = unsafe { read_volatile(context.cast::<usize>()) };
        register(registers, index, compat)
    };
    value & !(u64::from(compat).wrapping_neg() << 32)
}

/// The same in the context of the classic tracepoint: behind the bytes that every event begins with
/// and `id`, there is `unsigned long args[6]` (`include/trace/events/syscalls.h`). The verifier
/// wants a constant offset.
#[inline(always)]
fn argument_in_context(context: *const c_void, index: u32) -> u64 {
    macro_rules! load {
        ($offset:literal) => {{
            let value: u64;
            // SAFETY: the context has six words there.
            unsafe {
                asm!(
                    concat!("{0} = *(u64 *)({1} + ", $offset, ")"),
                    out(reg) value,
                    in(reg) context,
                    options(readonly, nostack),
                );
            }
            value
        }};
    }
    match index {
        0 => load!(16),
        1 => load!(24),
        2 => load!(32),
        3 => load!(40),
        4 => load!(48),
        _ => load!(56),
    }
}
