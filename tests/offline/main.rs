//! Tests that need neither root nor a kernel.

mod help;
mod tidy;
