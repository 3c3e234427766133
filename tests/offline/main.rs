//! Tests that need neither root nor a kernel.

mod tidy;
