//! Commands that ask files: no root, no kernel, but for `decode --follow`. Nothing is changed but
//! the decisions that `review` writes.

pub mod convert;
mod decided;
pub mod decode;
pub mod diff;
pub mod explain;
mod follow;
mod input;
mod logged;
pub mod report;
pub mod review;
mod width;
