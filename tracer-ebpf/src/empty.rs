//! The yardstick of the benchmark: a program that does nothing, on the same tracepoint as tracer's.

#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the program's attribute makes a second item without one")]
#![expect(unsafe_code, reason = "the link sections and symbol names that the loader looks for")]

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};

/// Does nothing, at the lowest price a program on this tracepoint can have.
#[raw_tracepoint(tracepoint = "sys_enter")]
pub fn empty(_: RawTracePointContext) -> i32 {
    0
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
