//! Commands that ask files: no root, no kernel. Nothing is changed but the decisions that `review`
//! writes.

pub mod convert;
mod decided;
pub mod decode;
pub mod diff;
pub mod explain;
mod input;
pub mod report;
pub mod review;
mod width;
