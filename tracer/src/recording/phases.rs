//! From the facts of the kernel side to phases.
