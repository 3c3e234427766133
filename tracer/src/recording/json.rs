//! Reading and writing recording files.
